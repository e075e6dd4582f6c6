// What the context says of an event's source.

import { CdcError, type ChangeEvent } from '../sdk/index.ts';
import type { EnvelopeContext } from './envelope.ts';

export function sourceOf(ctx: EnvelopeContext, event: ChangeEvent): EnvelopeContext['sources'][string] {
  const source = Object.hasOwn(ctx.sources, event.source) ? ctx.sources[event.source] : undefined;
  if (source !== undefined) return source;
  throw new CdcError(
    'INTERNAL_UNEXPECTED',
    `The envelope knows no source "${event.source}", only: ${Object.keys(ctx.sources).join(', ') || 'none'}.`,
    {
      where: `pipeline "${ctx.pipeline}"`,
    },
  );
}
