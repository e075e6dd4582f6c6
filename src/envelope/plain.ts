// The `plain` shape: small and for people. What an event does not have is not there.

import { type ChangeEvent, Keys } from '../sdk/index.ts';
import type { DecodedRecord, ReadableShape } from './envelope.ts';
import { base64, jsonString } from './json.ts';
import { asMilliseconds, asRow, asText, invalid, parseJson } from './parse-json.ts';
import { type EventWriter, PerEventEnvelope, PlainTable, writeKey, writeMs, writeSide } from './per-event.ts';

const plainOptions = Keys(
  {},
  { description: 'op, table, key, before, after, ts_ms, id: what changed, and nothing about how it was captured.' },
);

/** Adds what stands between op and key: the same for all events of a table. */
class NamedTable extends PlainTable {
  /** `","schema":"public","table":"users"` */
  readonly name: Uint8Array;
  constructor(event: ChangeEvent) {
    super(event);
    const { database, schema, table } = event.table.id;
    const where = `${database === null ? '' : `"database":${jsonString(database)},`}${schema === null ? '' : `"schema":${jsonString(schema)},`}`;
    this.name = Buffer.from(`",${where}"table":${jsonString(table)}`);
  }
}

const writer: EventWriter<NamedTable> = {
  prepare: (event) => new NamedTable(event),
  value(json, event, table, key) {
    json.text('{"op":"');
    json.text(event.op);
    json.raw(table.name);
    writeKey(json, key);
    writeSide(json, table, ',"before":', event, 'before');
    writeSide(json, table, ',"after":', event, 'after');
    if (event.incomplete) json.text(',"incomplete":true');
    if (event.op === 'm' || event.op === 's') json.text(extraText(event));
    json.text(',"ts_ms":');
    writeMs(json, event.sourceTsMs);
    json.text(',"id":');
    json.string(event.id);
    json.text('}');
    return true;
  },
};

function extraText({ message, schemaChange }: ChangeEvent): string {
  if (message !== null) return `,"message":{"prefix":${jsonString(message.prefix)},"content":"${base64(message.content)}"}`;
  if (schemaChange === null) return '';
  return `,"schema_change":{"kind":"${schemaChange.kind}","ddl":${schemaChange.ddl === null ? 'null' : jsonString(schemaChange.ddl)}}`;
}

const OPS: ReadonlySet<unknown> = new Set(['c', 'u', 'd', 'r', 't', 'm', 's']);

function decode(value: Uint8Array): DecodedRecord {
  const record = asRow(parseJson(value, 'a plain record'), 'a plain record');
  const table = asText(record?.table);
  if (record === null || !OPS.has(record.op) || table === null)
    throw invalid('Expected "op" and "table" in a plain record, at least one is missing or unknown.');
  return {
    op: record.op as DecodedRecord['op'],
    table,
    schema: asText(record.schema),
    database: asText(record.database),
    key: asRow(record.key, '"key"'),
    before: asRow(record.before, '"before"'),
    after: asRow(record.after, '"after"'),
    sourceTsMs: asMilliseconds(record.ts_ms),
    id: asText(record.id),
    ...(record.incomplete === true ? { incomplete: true as const } : {}),
  };
}

export const plain: ReadableShape<typeof plainOptions> = { options: plainOptions, create: () => new PerEventEnvelope(writer), decode };
