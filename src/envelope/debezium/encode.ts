// Change events → Debezium records. What becomes of each operation:
//
// | event | records |
// |---|---|
// | `c`, `u`, `r`, `t` | one |
// | `d` | one, and a tombstone where the table has a key |
// | `u` that changes the key | `d` of the old key, its tombstone, `c` of the new key, tied by headers |
// | `m` | one, in the topic `message` |
// | `s` | none: it belongs to no data topic |

import type { ChangeEvent, EncodedBatch, Row, Transaction } from '../../sdk/index.ts';
import type { Envelope, EnvelopeContext, SourceFields } from '../envelope.ts';
import { jsonString } from '../json.ts';
import type { JsonWriter } from '../json-writer.ts';
import { RecordWriter } from '../record-writer.ts';
import { TableCache } from '../table-cache.ts';
import { type Ending, type Endings, endingsOf, type RowOp } from './endings.ts';
import { MessageRecord } from './message.ts';
import type { DebeziumOptions } from './options.ts';
import { TableEncoder } from './table-encoder.ts';
import { TransactionRecords } from './transactions.ts';

const NO_BEFORE = Buffer.from('{"before":null,"after":'),
  BEFORE = Buffer.from('{"before":'),
  AFTER = Buffer.from(',"after":'),
  SOURCE = Buffer.from(',"source":'),
  COLLECTION_ORDER = Buffer.from(',"data_collection_order":');

/** What the records of one event share. */
interface Current {
  readonly event: ChangeEvent;
  readonly index: number;
  readonly table: TableEncoder;
  readonly fields: SourceFields;
  readonly endings: Endings;
}

export class DebeziumEnvelope implements Envelope {
  readonly #options: DebeziumOptions;
  readonly #ctx: EnvelopeContext;
  readonly #tables: TableCache<TableEncoder>;
  readonly #hasTransactions: boolean;
  #lastEnding: Ending | null = null;
  #lastId = '';
  #lastStart: Uint8Array = AFTER;

  constructor(options: DebeziumOptions, ctx: EnvelopeContext) {
    this.#options = options;
    this.#ctx = ctx;
    this.#tables = new TableCache((event) => new TableEncoder(event, options, ctx));
    this.#hasTransactions = !options.compatible || options.provide_transaction_metadata;
  }

  encode(events: readonly ChangeEvent[]): EncodedBatch {
    const out = new RecordWriter(events.length),
      endings = this.endings();
    const { provide_transaction_metadata, schemas, compatible } = this.#options;
    const transactions = provide_transaction_metadata ? new TransactionRecords(out, schemas, compatible) : null;
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as ChangeEvent;
      if (event.op === 's') continue;
      const current = this.#current(event, i, endings);
      transactions?.begin(event, i, current.table, current.fields);
      const records = this.#event(current, out);
      transactions?.end(event, i, current.table, current.fields, records);
    }
    return out.finish();
  }

  /** For `writePayload`: once per batch, because the time of processing is in it. */
  endings(): Endings {
    return endingsOf(this.#ctx.now(), this.#options.compatible);
  }

  /** Writes the payload of one row event as it is: for envelopes around this one. */
  writePayload(json: JsonWriter, event: ChangeEvent, endings: Endings): void {
    this.#payload(json, this.#current(event, 0, endings), event.op as RowOp, event.has('before'), event.has('after'), 0);
  }

  #current(event: ChangeEvent, index: number, endings: Endings): Current {
    const table = this.#tables.get(event);
    return { event, index, table, fields: table.fields(event), endings };
  }

  /** How many change records it became, tombstones not counted. */
  #event(current: Current, out: RecordWriter): 1 | 2 {
    const { event, table, index } = current;
    if (event.op === 'm') {
      this.#message(current, out);
      return 1;
    }
    const oldKey = event.op === 'u' ? event.oldKey : null;
    if (oldKey !== null) {
      this.#keyChange(current, oldKey, out);
      return 2;
    }
    const key = event.op === 't' ? null : table.keys.bytes(out.json, event);
    out.add(
      index,
      table.topic,
      key,
      this.#value(out.json, current, event.op as RowOp, event.has('before'), event.has('after'), 0),
      event.headers,
      event.sourceTsMs,
    );
    // Without a key a tombstone removes nothing; Debezium sends it all the same.
    if (event.op === 'd' && this.#options.tombstones_on_delete && (key !== null || this.#options.compatible)) {
      out.add(index, table.topic, key, null, event.headers, event.sourceTsMs);
    }
    return 1;
  }

  #keyChange(current: Current, oldKey: Row, out: RecordWriter): void {
    const { event, index, table } = current,
      { topic } = table,
      { json } = out;
    const from = table.keys.bytesOf(json, oldKey) as Uint8Array,
      to = table.keys.bytesOf(json, event.key) as Uint8Array;
    const gone = { ...event.headers, '__debezium.newkey': Buffer.from(to).toString() };
    out.add(index, topic, from, this.#value(json, current, 'd', true, false, 0), gone, event.sourceTsMs);
    if (this.#options.tombstones_on_delete) out.add(index, topic, from, null, gone, event.sourceTsMs);
    const come = { ...event.headers, '__debezium.oldkey': Buffer.from(from).toString() };
    out.add(index, topic, to, this.#value(json, current, 'c', false, event.has('after'), 1), come, event.sourceTsMs);
  }

  #message(current: Current, out: RecordWriter): void {
    const { event, index, table } = current,
      record = new MessageRecord(event, table, this.#options);
    const key = record.key(out.json);
    record.beginValue(out.json, this.#ctx.now());
    table.source.write(out.json, event, current.fields);
    out.json.text(',"transaction":');
    if (event.transaction !== null && this.#hasTransactions) this.#transaction(out.json, event.transaction, current, 0);
    else out.json.text('null');
    out.add(index, `${table.topicStart}message`, key, record.endValue(out.json), event.headers, event.sourceTsMs);
  }

  #value(json: JsonWriter, current: Current, op: RowOp, before: boolean, after: boolean, add: number): Uint8Array {
    current.table.beginValue(json);
    this.#payload(json, current, op, before, after, add);
    return current.table.endValue(json);
  }

  /** `before`, `after`: which sides to show. `add`: 1 for the second record of one event, which counts on in the transaction. */
  #payload(json: JsonWriter, current: Current, op: RowOp, before: boolean, after: boolean, add: number): void {
    const { event, table } = current,
      { transaction } = event,
      ending = current.endings[op] as Ending;
    if (!before) json.raw(NO_BEFORE);
    else {
      json.raw(BEFORE);
      table.rows.side(json, event, 'before', false);
      json.raw(AFTER);
    }
    if (after) table.rows.side(json, event, 'after', event.incomplete);
    else json.text('null');
    json.raw(SOURCE);
    table.source.write(json, event, current.fields);
    if (transaction === null || !this.#hasTransactions) {
      json.raw(ending.whole);
      return;
    }
    if (this.#options.compatible) {
      json.raw(ending.before);
      this.#transaction(json, transaction, current, add);
      json.raw(ending.after);
      return;
    }
    json.raw(this.#transactionStart(ending, transaction.id));
    json.integer(transaction.order + add);
    json.raw(COLLECTION_ORDER);
    json.integer(transaction.collectionOrder + add);
    json.raw(ending.afterTransaction);
  }

  /** The ending up to the order in the transaction: the same for nearly all of its events. */
  #transactionStart(ending: Ending, id: string): Uint8Array {
    if (ending !== this.#lastEnding || id !== this.#lastId) {
      this.#lastEnding = ending;
      this.#lastId = id;
      this.#lastStart = Buffer.concat([ending.before, Buffer.from(`{"id":${jsonString(id)},"total_order":`)]);
    }
    return this.#lastStart;
  }

  #transaction(json: JsonWriter, tx: Transaction, { table, fields }: Current, add: number): void {
    json.text('{"id":');
    json.string(this.#options.compatible ? table.connector.transactionId(tx.id, fields, false) : tx.id);
    json.text(',"total_order":');
    json.integer(tx.order + add);
    json.text(',"data_collection_order":');
    json.integer(tx.collectionOrder + add);
    json.text('}');
  }
}
