// The `elide` shape: the event of an HTTP change service. Snapshot rows are INSERTs (with `metadata.snapshot`), a truncate is
// TRUNCATE; messages and schema changes have no record.

import { type ChangeEvent, Keys } from '../sdk/index.ts';
import type { DecodedRecord, ReadableShape } from './envelope.ts';
import { evtOfEvent } from './event-ids.ts';
import { jsonString } from './json.ts';
import { asMilliseconds, asRow, asText, invalid, parseJson } from './parse-json.ts';
import { type EventWriter, PerEventEnvelope, PlainTable, writeKey, writeMs, writeSide } from './per-event.ts';

const elideOptions = Keys({}, { description: 'id, operation, table, timestamp, before, after, metadata.' });

class ElideTable extends PlainTable {
  readonly name: Uint8Array;
  /** `,"source":"shop","schema":"public"` */
  readonly origin: Uint8Array;
  constructor(event: ChangeEvent) {
    super(event);
    const { schema, table } = event.table.id;
    this.name = Buffer.from(`","table":${jsonString(table)},"timestamp":`);
    this.origin = Buffer.from(`,"source":${jsonString(event.source)}${schema === null ? '' : `,"schema":${jsonString(schema)}`}`);
  }
}

const OPERATIONS = { c: 'INSERT', r: 'INSERT', u: 'UPDATE', d: 'DELETE', t: 'TRUNCATE', m: null, s: null } as const;

/** The number in a position that is one (`0000000000000042 → 42`), else the position as text. */
function sequenceText(position: string): string {
  if (!/^\d+$/.test(position)) return jsonString(position);
  return position.replace(/^0+(?=\d)/, '');
}

const writer: EventWriter<ElideTable> = {
  prepare: (event) => new ElideTable(event),
  value(json, event, table, key) {
    const operation = OPERATIONS[event.op];
    if (operation === null) return false;
    json.text('{"id":"');
    json.text(evtOfEvent(event.id, event.sourceTsMs));
    json.text('","operation":"');
    json.text(operation);
    json.raw(table.name);
    writeMs(json, event.sourceTsMs);
    writeSide(json, table, ',"before":', event, 'before');
    writeSide(json, table, ',"after":', event, 'after');
    json.text(',"metadata":{"sequenceNumber":');
    json.text(sequenceText(event.position));
    json.raw(table.origin);
    writeKey(json, key);
    json.text(event.op === 'r' ? ',"snapshot":true}}' : '}}');
    return true;
  },
};

const OPS: ReadonlyMap<unknown, DecodedRecord['op']> = new Map([
  ['INSERT', 'c'],
  ['UPDATE', 'u'],
  ['DELETE', 'd'],
  ['TRUNCATE', 't'],
]);

function decode(value: Uint8Array, key: Uint8Array | null): DecodedRecord {
  const record = asRow(parseJson(value, 'an elide record'), 'an elide record'),
    metadata = asRow(record?.metadata, '"metadata"');
  const op = OPS.get(record?.operation),
    table = asText(record?.table);
  if (record === null || op === undefined || table === null)
    throw invalid('Expected "table" and an "operation" of INSERT, UPDATE, DELETE or TRUNCATE in an elide record.');
  return {
    op: op === 'c' && metadata?.snapshot === true ? 'r' : op,
    table,
    schema: asText(metadata?.schema),
    database: null,
    key: key === null ? asRow(metadata?.key, '"metadata.key"') : asRow(parseJson(key, 'the key of an elide record'), 'the key'),
    before: asRow(record.before, '"before"'),
    after: asRow(record.after, '"after"'),
    sourceTsMs: asMilliseconds(record.timestamp),
    id: asText(record.id),
  };
}

export const elide: ReadableShape<typeof elideOptions> = { options: elideOptions, create: () => new PerEventEnvelope(writer), decode };
