// Debezium records → what they say, with or without schemas.

import type { ChangeEvent, Row, Value } from '../../sdk/index.ts';
import type { DecodedRecord } from '../envelope.ts';
import { asMilliseconds, asRow, asText, invalid, parseJson } from '../parse-json.ts';
import { fieldSchema, member, typedRow } from './decode-value.ts';

const OPS: ReadonlySet<unknown> = new Set(['c', 'u', 'd', 'r', 't', 'm']);

/** `{"schema": …, "payload": …}` and nothing else, as JsonConverter writes it; other JSON is its own payload. */
function unwrap(json: Value): { schema: Value | undefined; payload: Value | undefined } {
  const isWrapped =
    typeof json === 'object' &&
    json !== null &&
    Object.keys(json).length === 2 &&
    member(json, 'payload') !== undefined &&
    member(json, 'schema') !== undefined;
  return isWrapped ? { schema: member(json, 'schema'), payload: member(json, 'payload') } : { schema: undefined, payload: json };
}

export function decodeDebezium(value: Uint8Array, key: Uint8Array | null): DecodedRecord {
  const { schema, payload } = unwrap(parseJson(value, 'the value of a debezium record'));
  return decodePayload(payload, schema, key);
}

/** A row, or a key, that Kafka Connect wrote with its schema; other values are themselves. */
export function typedPayload(json: Value): Value {
  const { schema, payload } = unwrap(json);
  if (schema === undefined) return json;
  return typeof payload === 'object' && payload !== null ? typedRow(asRow(payload, 'the payload'), schema) : (payload ?? null);
}

/** The same for a record of another format, whose values are ours already. */
export function decodeDebeziumRow(payload: Value, key: Row | null): DecodedRecord {
  const tsMs = member(member(payload, 'source'), 'ts_ms'),
    record = decodePayload(payload, undefined, null);
  return { ...record, key, sourceTsMs: typeof tsMs === 'bigint' ? Number(tsMs) : record.sourceTsMs };
}

/** The same for a payload that stands inside another document. */
export function decodePayload(payload: Value | undefined, schema: Value | undefined, key: Uint8Array | null): DecodedRecord {
  const op = member(payload, 'op');
  if (!OPS.has(op))
    throw invalid(
      `Expected "op" of a debezium record to be one of c, u, d, r, t, m, got ${op === undefined ? 'none' : JSON.stringify(String(op))}.`,
    );
  const source = member(payload, 'source'),
    table = asText(member(source, 'table')) ?? asText(member(source, 'collection'));
  if (table === null) throw invalid('Expected "source.table" in a debezium record, got none.');
  const side = (name: string): ReturnType<typeof typedRow> =>
    typedRow(asRow(member(payload, name), `"${name}"`), fieldSchema(schema, name));
  const keyJson = key === null ? null : unwrap(parseJson(key, 'the key of a debezium record'));
  return {
    op: op as ChangeEvent['op'],
    table,
    schema: asText(member(source, 'schema')),
    database: asText(member(source, 'db')),
    key: keyJson === null ? null : typedRow(asRow(keyJson.payload, 'the key'), keyJson.schema),
    before: side('before'),
    after: side('after'),
    sourceTsMs: asMilliseconds(member(source, 'ts_ms')),
    id: null,
  };
}
