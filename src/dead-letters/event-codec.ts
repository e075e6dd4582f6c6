// A whole change event as JSON and back without loss: what a dead letter holds. Pure. Unlike the envelopes this is no
// public format: it keeps everything that is needed to send the event again as it was.

import {
  ChangeEvent,
  type Column,
  formatTableId,
  type LogicalMessage,
  type Op,
  type Position,
  type RawMessage,
  type SchemaChange,
  type SnapshotMark,
  type TableSchema,
  type Transaction,
  type Value,
} from '../sdk/index.ts';
import { decodeRow, decodeValue, encodeRow, encodeValue, isObject, type Json } from './value-codec.ts';

export type EncodedEvent = { readonly [key: string]: Json };

export function encodeEvent(event: ChangeEvent): EncodedEvent {
  return {
    op: event.op,
    table: formatTableId(event.table.id),
    key: encodeRow(event.key),
    before: encodeRow(event.before),
    after: encodeRow(event.after),
    source: event.source,
    partition: event.partition,
    position: event.position,
    ts_ms: event.sourceTsMs,
    transaction: asJson(event.transaction),
    snapshot: asJson(event.snapshot),
    incomplete: event.incomplete,
    derived: event.derived,
    headers: asJson(event.headers),
    message: event.message && encodeMessage(event.message),
    raw: event.raw && encodeRaw(event.raw),
    schema_change: event.schemaChange && encodeSchemaChange(event.schemaChange),
    schema: encodeSchema(event.table),
  };
}

/** Throws `TypeError` when a part is missing or of another form. */
export function decodeEvent(json: Json): ChangeEvent {
  if (!isObject(json)) throw new TypeError('not an event');
  return new ChangeEvent({
    op: text(json, 'op') as Op,
    table: decodeSchema(part(json, 'schema')),
    source: text(json, 'source'),
    partition: text(json, 'partition'),
    position: text(json, 'position') as Position,
    sourceTsMs: number(json, 'ts_ms'),
    key: decodeRow(part(json, 'key')),
    before: decodeRow(part(json, 'before')),
    after: decodeRow(part(json, 'after')),
    transaction: fromJson<Transaction | null>(part(json, 'transaction')),
    snapshot: fromJson<SnapshotMark>(part(json, 'snapshot')),
    incomplete: part(json, 'incomplete') === true,
    derived: number(json, 'derived'),
    headers: fromJson<Record<string, string> | null>(part(json, 'headers')),
    message: nullable(part(json, 'message'), decodeMessage),
    raw: nullable(part(json, 'raw'), decodeRaw),
    schemaChange: nullable(part(json, 'schema_change'), decodeSchemaChange),
  });
}

function encodeSchema(table: TableSchema): Json {
  return {
    id: asJson(table.id),
    ...(table.origin === undefined ? {} : { origin: asJson(table.origin) }),
    key: [...table.key],
    version: table.version,
    columns: table.columns.map((column) => ({
      ...asObject(column),
      ...('default' in column ? { default: encodeValue(column.default as Value) } : {}),
    })),
  };
}

function decodeSchema(json: Json): TableSchema {
  if (!isObject(json) || !Array.isArray(json.columns)) throw new TypeError('schema is not a table schema');
  const columns = json.columns.map((column: Json): Column => {
    if (!isObject(column)) throw new TypeError('a column of the schema is not an object');
    return { ...fromJson<Column>(column), ...('default' in column ? { default: decodeValue(column.default as Json) } : {}) };
  });
  return {
    id: fromJson<TableSchema['id']>(part(json, 'id')),
    ...('origin' in json ? { origin: fromJson<TableSchema['id']>(part(json, 'origin')) } : {}),
    columns,
    key: fromJson<string[]>(part(json, 'key')),
    version: number(json, 'version'),
  };
}

function encodeMessage(m: LogicalMessage): Json {
  return { prefix: m.prefix, content: encodeValue(m.content), transactional: m.transactional };
}

function decodeMessage(json: EncodedEvent): LogicalMessage {
  return { prefix: text(json, 'prefix'), content: bytes(json, 'content'), transactional: json.transactional === true };
}

export function encodeRaw(raw: RawMessage): Json {
  return { topic: raw.topic, key: encodeValue(raw.key), value: encodeValue(raw.value), timestamp_ms: raw.timestampMs };
}

export function decodeRaw(json: EncodedEvent): RawMessage {
  const side = (name: string): Uint8Array | null => (part(json, name) === null ? null : bytes(json, name));
  return { topic: text(json, 'topic'), key: side('key'), value: side('value'), timestampMs: number(json, 'timestamp_ms') };
}

function encodeSchemaChange(change: SchemaChange): Json {
  return { kind: change.kind, previous: change.previous && encodeSchema(change.previous), ddl: change.ddl };
}

function decodeSchemaChange(json: EncodedEvent): SchemaChange {
  return {
    kind: text(json, 'kind') as SchemaChange['kind'],
    previous: nullable(part(json, 'previous'), decodeSchema),
    ddl: json.ddl === null ? null : text(json, 'ddl'),
  };
}

/** Objects of texts, finite numbers and booleans, as the contract types them, are JSON already. */
function asJson(value: object | null | false): Json {
  return value as Json;
}
function asObject(value: object): { readonly [key: string]: Json } {
  return value as { readonly [key: string]: Json };
}
function fromJson<T>(json: Json): T {
  return json as T;
}

function nullable<T>(json: Json, decode: (json: EncodedEvent) => T): T | null {
  if (json === null) return null;
  if (!isObject(json)) throw new TypeError('a part of the event is not an object');
  return decode(json);
}

function part(json: EncodedEvent, name: string): Json {
  const value = json[name];
  if (value === undefined) throw new TypeError(`"${name}" is missing`);
  return value;
}

function text(json: EncodedEvent, name: string): string {
  const value = part(json, name);
  if (typeof value !== 'string') throw new TypeError(`"${name}" is not a text`);
  return value;
}

function number(json: EncodedEvent, name: string): number {
  const value = part(json, name);
  if (typeof value !== 'number') throw new TypeError(`"${name}" is not a number`);
  return value;
}

function bytes(json: EncodedEvent, name: string): Uint8Array {
  const value = decodeValue(part(json, name));
  if (!(value instanceof Uint8Array)) throw new TypeError(`"${name}" is not bytes`);
  return value;
}
