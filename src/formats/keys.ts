// Keys of records as JSON or as text.

import { CdcError, type EncodedBatch, type Row, type Value } from '../sdk/index.ts';
import type { KeyFormat } from './config.ts';
import type { FormatContext } from './context.ts';
import { parseJson, stringifyJson } from './json-lossless.ts';

/** The key of a row, for formats that take no envelope. */
export function keyBytes(key: Row | null, format: KeyFormat, ctx: FormatContext): Uint8Array | null {
  if (key === null) return null;
  return format === 'text' ? textOfKey(key, ctx) : Buffer.from(stringifyJson(key));
}

/** `{"id":7}` → `7`. Also what stands within `{"schema":…,"payload":…}`. */
function textOfKey(key: Row, ctx: FormatContext): Uint8Array {
  const values = Object.values(key);
  if (values.length === 1) return textOf(values[0] as Value);
  throw new CdcError('DESTINATION_MISCONFIGURED', `A key of the columns ${Object.keys(key).join(', ')} cannot be written as one text.`, {
    where: ctx.where,
    fix: 'Set `key_format: json`.',
  });
}

function textOf(value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value;
  return Buffer.from(typeof value === 'string' ? value : stringifyJson(value));
}

/** The same records with their JSON keys as text: per record, since those of one event may have different keys. */
export function withTextKeys(records: EncodedBatch, ctx: FormatContext): EncodedBatch {
  const { event, topic, value, headers, timestampMs, lines } = records;
  const key = records.key.map((bytes) => (bytes === null ? null : textOfKey(payloadOf(parseJson(Buffer.from(bytes).toString())), ctx)));
  return {
    event,
    topic,
    key,
    value,
    headers,
    timestampMs,
    ...(lines === undefined ? {} : { lines }),
  };
}

function payloadOf(key: Value): Row {
  const row = key as Row,
    names = Object.keys(row);
  return names.length === 2 && Object.hasOwn(row, 'schema') && Object.hasOwn(row, 'payload') ? (row['payload'] as Row) : row;
}
