// Debezium records → what they say, with or without schemas. Also what its topics hold beside changes: marks of transactions,
// heartbeats, changes of schemas.

import type { ChangeEvent, Column, LogicalMessage, Row, Value } from '../../sdk/index.ts';
import type { DecodedRecord } from '../envelope.ts';
import { asMilliseconds, asRow, asText, invalid, parseJson } from '../parse-json.ts';
import { columnsOfSchema } from './decode-columns.ts';
import { type GeometryColumn, geometryColumn, isGeometry, withGeometries } from './decode-geometry.ts';
import { fieldSchema, fieldsOf, member, type ReadRow, rowReader } from './decode-value.ts';

const OPS: ReadonlySet<unknown> = new Set(['c', 'u', 'd', 'r', 't', 'm']);

/** How the rows of a topic are read: made once of their schema. */
export interface RowShape {
  readonly before: ReadRow;
  readonly after: ReadRow;
  readonly columns: readonly Column[];
  readonly geometries: readonly GeometryColumn[];
}

const asItIs: ReadRow = (row) => row as Row | null;
/** Without a schema. */
export const UNTYPED: RowShape = { before: asItIs, after: asItIs, columns: [], geometries: [] };

/** From the schema of a change event. */
export function rowShape(schema: Value | undefined): RowShape {
  const after = fieldSchema(schema, 'after') ?? fieldSchema(schema, 'before');
  return {
    before: rowReader(fieldSchema(schema, 'before')),
    after: rowReader(after),
    columns: columnsOfSchema(after),
    geometries: fieldsOf(after).flatMap(([name, field]) => {
      const type = member(field, 'name');
      return isGeometry(type) ? [geometryColumn(name, String(type))] : [];
    }),
  };
}

/** `{"schema": …, "payload": …}` and nothing else, as JsonConverter writes it; other JSON is its own payload. */
export function unwrap(json: Value): { schema: Value | undefined; payload: Value | undefined } {
  const isWrapped =
    typeof json === 'object' &&
    json !== null &&
    Object.keys(json).length === 2 &&
    member(json, 'payload') !== undefined &&
    member(json, 'schema') !== undefined;
  return isWrapped
    ? { schema: member(json, 'schema') ?? undefined, payload: member(json, 'payload') }
    : { schema: undefined, payload: json };
}

export function decodeDebezium(value: Uint8Array, key: Uint8Array | null): DecodedRecord {
  const { schema, payload } = unwrap(parseJson(value, 'the value of a debezium record'));
  return decodePayload(payload, schema, key);
}

/** A row, or a key, that Kafka Connect wrote with its schema; other values are themselves. */
export function typedPayload(json: Value): Value {
  // Nearly all: one look instead of a list of the members and what comes with it.
  if (member(json, 'payload') === undefined) return json;
  const { schema, payload } = unwrap(json);
  if (schema === undefined) return payload ?? null;
  return typeof payload === 'object' && payload !== null ? rowReader(schema)(asRow(payload, 'the payload')) : (payload ?? null);
}

/** The key of a record, typed by its own schema. */
export function keyOfRecord(key: Uint8Array | null): Row | null {
  if (key === null) return null;
  const { schema, payload } = unwrap(parseJson(key, 'the key of a debezium record'));
  return rowReader(schema)(asRow(payload, 'the key'));
}

/** For a payload that stands inside another document. */
export function decodePayload(payload: Value | undefined, schema: Value | undefined, key: Uint8Array | null): DecodedRecord {
  const record = changeOf(payload, schema === undefined ? UNTYPED : rowShape(schema), keyOfRecord(key));
  if (record === null) throw invalid('Expected a debezium record to be a change, got a mark of a transaction, a heartbeat, or a schema.');
  return record;
}

/** `null`: it tells of no change of a row. Throws `SOURCE_DATA_INVALID`. */
export function changeOf(payload: Value | undefined, shape: RowShape, key: Row | null): DecodedRecord | null {
  const op = member(payload, 'op');
  if (op === undefined && isBesideChanges(payload)) return null;
  if (!OPS.has(op)) throw notAChange(payload, op);
  const source = member(payload, 'source'),
    table = asText(member(source, 'table')) ?? asText(member(source, 'collection')) ?? (op === 'm' ? '' : null);
  if (table === null) throw invalid('Expected "source.table" in a debezium record, got none.');
  const connector = asText(member(source, 'connector'));
  const side = (name: 'before' | 'after'): Row | null =>
    withGeometries(shape[name](asRow(member(payload, name), `"${name}"`)), shape.geometries, connector);
  const transaction = transactionOf(member(payload, 'transaction'));
  return {
    op: op as ChangeEvent['op'],
    table,
    schema: asText(member(source, 'schema')),
    database: asText(member(source, 'db')),
    key,
    before: side('before'),
    after: side('after'),
    sourceTsMs: millisecondsOf(member(source, 'ts_ms')),
    id: null,
    ...(transaction === null ? {} : { transaction }),
    ...(op === 'm' ? { message: messageOf(payload, source) } : {}),
  };
}

/** 64-bit integers of Avro and Protobuf are bigints. */
const millisecondsOf = (ms: Value | undefined): number | null => asMilliseconds(typeof ms === 'bigint' ? Number(ms) : ms);
const numberOf = (value: Value | undefined): number => (typeof value === 'bigint' ? Number(value) : typeof value === 'number' ? value : 0);

function transactionOf(block: Value | undefined): NonNullable<DecodedRecord['transaction']> | null {
  const id = asText(member(block, 'id'));
  if (id === null) return null;
  return { id, order: numberOf(member(block, 'total_order')), collectionOrder: numberOf(member(block, 'data_collection_order')) };
}

function messageOf(payload: Value | undefined, source: Value | undefined): LogicalMessage {
  const message = member(payload, 'message'),
    content = member(message, 'content');
  return {
    prefix: asText(member(message, 'prefix')) ?? '',
    content: content instanceof Uint8Array ? content : new Uint8Array(Buffer.from(typeof content === 'string' ? content : '', 'base64')),
    // What was written outside of a transaction has no number of one.
    transactional: typeof (member(source, 'txId') ?? null) !== 'object',
  };
}

const TIMES: ReadonlySet<string> = new Set(['ts_ms', 'ts_us', 'ts_ns']);

/** BEGIN and END of a transaction; a heartbeat; a change of a schema, with its DDL. */
function isBesideChanges(payload: Value | undefined): boolean {
  const has = (name: string): boolean => member(payload, name) !== undefined;
  const status = member(payload, 'status');
  if ((status === 'BEGIN' || status === 'END') && has('id') && has('event_count')) return true;
  if (has('ddl') && has('databaseName') && has('source')) return true;
  return has('ts_ms') && Object.keys(payload as Row).every((name) => TIMES.has(name));
}

function notAChange(payload: Value | undefined, op: Value | undefined): Error {
  const isRow = op === undefined && member(payload, 'source') === undefined && typeof payload === 'object' && payload !== null;
  if (isRow && Object.keys(payload).length > 0)
    return invalid(
      'Expected a debezium record with "op" and "source", got a row that stands alone: ExtractNewRecordState may have taken it out of its envelope. Read it with `unwrap` (type debezium) or `envelope: row` (type kafka).',
    );
  const found = op === undefined ? 'none' : JSON.stringify(String(op));
  return invalid(`Expected "op" of a debezium record to be one of c, u, d, r, t, m, got ${found}.`);
}
