// The envelope `plain` as a record of Avro or Protobuf: see `plainSchema` in avro/table-schemas.ts.

import type { DecodedRecord } from '../envelope/envelope.ts';
import { CdcError, type Row, type Value } from '../sdk/index.ts';
import { isRow } from './row-messages.ts';

const textOf = (value: Value | undefined): string | null => (typeof value === 'string' ? value : null);
const rowOf = (value: Value | undefined): Row | null => (value !== undefined && isRow(value) ? value : null);

/** Throws `SOURCE_DATA_INVALID`. */
export function plainRecord(value: Value): DecodedRecord {
  const record = rowOf(value),
    op = record?.['op'],
    table = textOf(record?.['table']);
  if (record === null || typeof op !== 'string' || !'cudrtms'.includes(op) || table === null)
    throw new CdcError('SOURCE_DATA_INVALID', 'The record has no fields "op" and "table" of the envelope plain.');
  const message = rowOf(record['message']),
    absent = new Set(record['absent'] as readonly string[] | undefined),
    after = rowOf(record['after']);
  return {
    op: op as DecodedRecord['op'],
    table,
    schema: textOf(record['schema']),
    database: textOf(record['database']),
    key: rowOf(record['key']),
    before: rowOf(record['before']),
    after: after === null || absent.size === 0 ? after : Object.fromEntries(Object.entries(after).filter(([name]) => !absent.has(name))),
    sourceTsMs: Number(record['ts_ms'] ?? 0),
    id: textOf(record['id']),
    ...(record['incomplete'] === true ? { incomplete: true as const } : {}),
    ...(message === null
      ? {}
      : { message: { prefix: textOf(message['prefix']) ?? '', content: message['content'] as Uint8Array, transactional: false } }),
  };
}
