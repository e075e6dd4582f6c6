// The `cdc_event` shape: the CDCEvent of a Go service that publishes to NATS. Its JSON tags, times and `omitempty` as Go's
// encoding/json has them: https://pkg.go.dev/encoding/json
//
// | event | event_type | operation |
// |---|---|---|
// | `c`, `r` (with `metadata.snapshot`) | `cdc.insert` | `INSERT` |
// | `u` | `cdc.update` | `UPDATE` |
// | `d` | `cdc.delete` | `DELETE` |
// | `t`, `s` (told apart by `metadata.kind`) | `cdc.ddl` | `DDL` |
// | `m` | none | |

import { type ChangeEvent, Keys, type Value } from '../sdk/index.ts';
import type { DecodedRecord, EnvelopeContext, ReadableShape } from './envelope.ts';
import { jsonString } from './json.ts';
import type { JsonWriter } from './json-writer.ts';
import { asRow, asText, invalid, parseJson } from './parse-json.ts';
import { type EventWriter, PerEventEnvelope, PlainTable, parseRfc3339, Rfc3339, writeKey, writeSide } from './per-event.ts';
import { sourceOf } from './source-of.ts';

const cdcEventOptions = Keys(
  {},
  { description: 'event_id, event_type, source, timestamp, schema, table, operation, before, after, metadata.' },
);

class CdcEventTable extends PlainTable {
  /** `","source":"shop","timestamp":"` and `","schema":"public","table":"orders","operation":"` */
  readonly source: Uint8Array;
  readonly name: Uint8Array;
  constructor(event: ChangeEvent, ctx: EnvelopeContext) {
    super(event);
    const { id } = event.table;
    this.source = Buffer.from(`","source":${jsonString(sourceOf(ctx, event).database ?? event.source)},"timestamp":"`);
    this.name = Buffer.from(`","schema":${jsonString(id.schema ?? '')},"table":${jsonString(id.table)},"operation":"`);
  }
}

const INSERT = { event: 'insert', operation: 'INSERT' },
  DDL = { event: 'ddl', operation: 'DDL' };
const TYPES = {
  c: INSERT,
  r: INSERT,
  u: { event: 'update', operation: 'UPDATE' },
  d: { event: 'delete', operation: 'DELETE' },
  t: DDL,
  s: DDL,
  m: null,
} as const;

function writerFor(ctx: EnvelopeContext): EventWriter<CdcEventTable> {
  const time = new Rfc3339();
  return {
    prepare: (event) => new CdcEventTable(event, ctx),
    value(json, event, table, key) {
      const type = TYPES[event.op];
      if (type === null) return false;
      json.text('{"event_id":');
      json.string(event.id);
      json.text(',"event_type":"cdc.');
      json.text(type.event);
      json.raw(table.source);
      json.text(time.text(event.sourceTsMs));
      json.raw(table.name);
      json.text(type.operation);
      json.text('"');
      writeSide(json, table, ',"before":', event, 'before');
      writeSide(json, table, ',"after":', event, 'after');
      writeMetadata(json, event, key);
      return true;
    },
  };
}

function writeMetadata(json: JsonWriter, event: ChangeEvent, key: Uint8Array | null): void {
  json.text(',"metadata":{"position":');
  json.string(event.position);
  writeKey(json, key);
  if (event.transaction !== null) json.text(`,"transaction_id":${jsonString(event.transaction.id)}`);
  if (event.op === 'r') json.text(',"snapshot":true');
  if (event.op === 't') json.text(',"kind":"truncate"');
  if (event.schemaChange !== null) json.text(`,"kind":"${event.schemaChange.kind}"`);
  const ddl = event.schemaChange?.ddl ?? null;
  json.text(ddl === null ? '}}' : `,"ddl":${jsonString(ddl)}}}`);
}

function opOf(type: Value | undefined, metadata: { readonly [key: string]: Value } | null): DecodedRecord['op'] {
  switch (type) {
    case 'cdc.insert':
      return metadata?.snapshot === true ? 'r' : 'c';
    case 'cdc.update':
      return 'u';
    case 'cdc.delete':
      return 'd';
    case 'cdc.ddl':
      return metadata?.kind === 'truncate' ? 't' : 's';
    default:
      throw invalid(
        `Expected "event_type" to be cdc.insert, cdc.update, cdc.delete or cdc.ddl, got ${type === undefined ? 'none' : JSON.stringify(String(type))}.`,
      );
  }
}

function decode(value: Uint8Array, key: Uint8Array | null): DecodedRecord {
  const record = asRow(parseJson(value, 'a cdc_event record'), 'a cdc_event record'),
    metadata = asRow(record?.metadata, '"metadata"');
  const op = opOf(record?.event_type, metadata),
    table = asText(record?.table);
  if (table === null) throw invalid('Expected "table" in a cdc_event record, got none.');
  return {
    op,
    table,
    schema: asText(record?.schema) || null,
    database: asText(record?.source),
    key: key === null ? asRow(metadata?.key, '"metadata.key"') : asRow(parseJson(key, 'the key of a cdc_event record'), 'the key'),
    before: asRow(record?.before, '"before"'),
    after: asRow(record?.after, '"after"'),
    sourceTsMs: parseRfc3339(asText(record?.timestamp)),
    id: asText(record?.event_id),
  };
}

export const cdcEvent: ReadableShape<typeof cdcEventOptions> = {
  options: cdcEventOptions,
  create: (_options, ctx) => new PerEventEnvelope(writerFor(ctx)),
  decode,
};
