// The `sync_event` shape: what a Rust synchroniser reads from NATS. One `data` object: the new row, or the old one of a
// delete; what more an event has stands in `metadata`.
//
// | event | operation | data |
// |---|---|---|
// | `c`, `r` (with `metadata.snapshot`) | `insert` | after |
// | `u` | `update` | after; `metadata.before` has the old row |
// | `d` | `delete` | before: the key alone where the source sends no more |
// | `t` | `truncate` | `{}` |
// | `m`, `s` | none | |

import { type ChangeEvent, Keys } from '../sdk/index.ts';
import type { DecodedRecord, ReadableShape } from './envelope.ts';
import { uuidOfEvent } from './event-ids.ts';
import { jsonString } from './json.ts';
import { asRow, asText, invalid, parseJson } from './parse-json.ts';
import { type EventWriter, PerEventEnvelope, PlainTable, parseRfc3339, Rfc3339, writeKey, writeSide } from './per-event.ts';

const syncEventOptions = Keys({}, { description: 'id, timestamp, source, table, operation, data, metadata.' });

class SyncEventTable extends PlainTable {
  /** `","source":"shop","table":"users","operation":"` */
  readonly name: Uint8Array;
  readonly schema: string;
  constructor(event: ChangeEvent) {
    super(event);
    const { schema, table } = event.table.id;
    this.name = Buffer.from(`","source":${jsonString(event.source)},"table":${jsonString(table)},"operation":"`);
    this.schema = schema === null ? '' : `,"schema":${jsonString(schema)}`;
  }
}

const OPERATIONS = { c: 'insert', r: 'insert', u: 'update', d: 'delete', t: 'truncate', m: null, s: null } as const;

function writer(): EventWriter<SyncEventTable> {
  const time = new Rfc3339();
  return {
    prepare: (event) => new SyncEventTable(event),
    value(json, event, table, key) {
      const operation = OPERATIONS[event.op];
      if (operation === null) return false;
      const { id } = event,
        isNew = event.has('after');
      json.text('{"id":"');
      json.text(uuidOfEvent(id));
      json.text('","timestamp":"');
      json.text(time.text(event.sourceTsMs));
      json.raw(table.name);
      json.text(operation);
      if (!isNew && !event.has('before')) json.text('","data":{}');
      else writeSide(json, table, '","data":', event, isNew ? 'after' : 'before');
      json.text(',"metadata":{"event_id":');
      json.string(id);
      json.text(table.schema);
      writeKey(json, key);
      if (event.op === 'r') json.text(',"snapshot":true');
      if (isNew) writeSide(json, table, ',"before":', event, 'before');
      json.text('}}');
      return true;
    },
  };
}

const OPS: ReadonlyMap<unknown, DecodedRecord['op']> = new Map([
  ['insert', 'c'],
  ['update', 'u'],
  ['delete', 'd'],
  ['truncate', 't'],
]);

function decode(value: Uint8Array, key: Uint8Array | null): DecodedRecord {
  const record = asRow(parseJson(value, 'a sync_event record'), 'a sync_event record'),
    metadata = asRow(record?.metadata, '"metadata"');
  const op = OPS.get(record?.operation),
    table = asText(record?.table);
  if (record === null || op === undefined || table === null)
    throw invalid('Expected "table" and an "operation" of insert, update, delete or truncate in a sync_event record.');
  const data = op === 't' ? null : asRow(record.data, '"data"');
  return {
    op: op === 'c' && metadata?.snapshot === true ? 'r' : op,
    table,
    schema: asText(metadata?.schema),
    database: null,
    key: key === null ? asRow(metadata?.key, '"metadata.key"') : asRow(parseJson(key, 'the key of a sync_event record'), 'the key'),
    before: op === 'd' ? data : asRow(metadata?.before, '"metadata.before"'),
    after: op === 'd' ? null : data,
    sourceTsMs: parseRfc3339(asText(record.timestamp)),
    id: asText(metadata?.event_id) ?? asText(record.id),
  };
}

export const syncEvent: ReadableShape<typeof syncEventOptions> = {
  options: syncEventOptions,
  create: () => new PerEventEnvelope(writer()),
  decode,
};
