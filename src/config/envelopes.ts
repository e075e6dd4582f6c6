// The envelope of a destination: a name, or a name with options, against the schema of that envelope.

import type { EnvelopeConfig } from '../engine/pipeline-config.ts';
import type { Context } from './components.ts';
import { isMapping } from './document.ts';
import { formatPath, type Path } from './issue.ts';
import { describeFound, orList } from './messages.ts';
import { suggest } from './suggest.ts';
import { validate } from './validate.ts';

export async function checkEnvelope(value: unknown, at: Path, { document }: Context): Promise<EnvelopeConfig> {
  const { type, ...options } = isMapping(value) ? value : { type: value };
  const typeAt = isMapping(value) ? [...at, 'type'] : at;
  // Loaded with the first envelope: the engine needs it anyway.
  const { ENVELOPE_TYPES, envelopeOptions } = await import('../envelope/create.ts');
  const known = ENVELOPE_TYPES.find((candidate) => candidate === type);
  if (known === undefined) {
    const suggestion = typeof type === 'string' ? suggest(type, ENVELOPE_TYPES) : undefined;
    const found = describeFound(type, typeAt, document, false),
      expected = orList(ENVELOPE_TYPES);
    document.problem({
      code: 'CONFIG_INVALID_VALUE',
      path: typeAt,
      message: `${formatPath(typeAt)} must be ${expected}, found ${found}`,
      found,
      expected,
      suggestion,
    });
    return { type: 'debezium', options: {} };
  }
  const { value: checked } = await validate<Record<string, unknown>>(envelopeOptions(known), options, at, document, ['type']);
  return { type: known, options: checked };
}
