// A message that cannot be understood, as an error that names the source: what goes to `ReadContext.reject`.

import { CdcError } from '../sdk/index.ts';
import type { FormatContext } from './context.ts';

export function invalidMessage(
  cause: unknown,
  { where }: FormatContext,
  fix = 'Set message_format and envelope to what the producer writes.',
): CdcError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof CdcError && cause.where !== null && cause.fix !== null) return cause;
  const known = cause instanceof CdcError ? cause : null;
  return new CdcError(known?.code ?? 'SOURCE_DATA_INVALID', message, { where, fix: known?.fix ?? fix, cause: known?.cause ?? cause });
}
