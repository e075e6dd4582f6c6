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
import { ChunkPool } from '../chunk-pool.ts';
import type { Envelope, EnvelopeContext } from '../envelope.ts';
import { fixedOf } from '../fixed.ts';
import type { JsonWriter } from '../json-writer.ts';
import { RecordWriter } from '../record-writer.ts';
import { TableCache } from '../table-cache.ts';
import { type Ending, Endings, type RowOp } from './endings.ts';
import { MessageRecord } from './message.ts';
import type { DebeziumOptions } from './options.ts';
import { TableEncoder } from './table-encoder.ts';
import { TransactionRecords } from './transactions.ts';

const NO_BEFORE = fixedOf('{"before":null,"after":'),
  BEFORE = fixedOf('{"before":'),
  AFTER = fixedOf(',"after":'),
  SOURCE = fixedOf(',"source":'),
  COLLECTION_ORDER = fixedOf(',"data_collection_order":'),
  TRANSACTION_END = fixedOf('}}');

export class DebeziumEnvelope implements Envelope {
  readonly #options: DebeziumOptions;
  readonly #ctx: EnvelopeContext;
  readonly #tables: TableCache<TableEncoder>;
  readonly #hasTransactions: boolean;
  readonly #pool = new ChunkPool();

  constructor(options: DebeziumOptions, ctx: EnvelopeContext) {
    this.#options = options;
    this.#ctx = ctx;
    this.#tables = new TableCache((event) => new TableEncoder(event, options, ctx));
    this.#hasTransactions = !options.compatible || options.provide_transaction_metadata;
  }

  encode(events: readonly ChangeEvent[]): EncodedBatch {
    const out = new RecordWriter(events.length, this.#pool, (keys, i) => this.#key(keys, events[i] as ChangeEvent)),
      endings = this.endings();
    const { provide_transaction_metadata, schemas, compatible } = this.#options;
    const transactions = provide_transaction_metadata ? new TransactionRecords(out, schemas, compatible) : null;
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as ChangeEvent;
      if (event.op === 's') continue;
      const table = this.#tables.get(event);
      transactions?.begin(event, i, table);
      const records = this.#event(event, i, table, endings, out);
      transactions?.end(event, i, table, records);
    }
    return out.finish();
  }

  /** For `writePayload`: once per batch, because the time of processing is in it. */
  endings(): Endings {
    return new Endings(this.#ctx.now(), this.#options.compatible);
  }

  /** Writes the payload of one row event as it is: for envelopes around this one. */
  writePayload(json: JsonWriter, event: ChangeEvent, endings: Endings): void {
    const { op } = event;
    this.#payload(json, event, this.#tables.get(event), endings.of(op as RowOp), event.has('before'), event.has('after'), 0);
  }

  /** How many change records it became, tombstones not counted. */
  #event(event: ChangeEvent, index: number, table: TableEncoder, endings: Endings, out: RecordWriter): 1 | 2 {
    const { op } = event;
    if (op === 'm') {
      this.#message(event, index, table, out);
      return 1;
    }
    const oldKey = op === 'u' ? event.oldKey : null;
    if (oldKey !== null && (table.hasWholeKey || this.#isOtherKey(event, table, oldKey, out.keys))) {
      this.#keyChange(event, index, table, endings, oldKey, out);
      return 2;
    }
    const { topic } = table,
      { headers, sourceTsMs } = event;
    this.#value(out.values, event, table, endings.of(op as RowOp), event.has('before'), event.has('after'), 0);
    if (op !== 'd') {
      out.addBeforeKey(index, topic, headers, sourceTsMs);
      return 1;
    }
    const hasKey = this.#key(out.keys, event);
    out.add(index, topic, hasKey, headers, sourceTsMs);
    // Without a key a tombstone removes nothing; Debezium sends it all the same.
    if (this.#options.tombstones_on_delete && (hasKey || this.#options.compatible)) out.addTombstone(index, topic, headers, sourceTsMs);
    return 1;
  }

  #key(json: JsonWriter, event: ChangeEvent): boolean {
    return event.op !== 't' && this.#tables.get(event).keysOf(event).write(json, event);
  }

  /** Only what is written of the key counts. */
  #isOtherKey(event: ChangeEvent, table: TableEncoder, oldKey: Row, json: JsonWriter): boolean {
    const textOf = (key: ChangeEvent['key']): string => {
      table.keysOf(event).writeKey(json, key);
      return Buffer.from(json.end()).toString();
    };
    return textOf(oldKey) !== textOf(event.key);
  }

  #keyChange(event: ChangeEvent, index: number, table: TableEncoder, endings: Endings, oldKey: Row, out: RecordWriter): void {
    const { topic } = table,
      { keys, values } = out,
      encoder = table.keysOf(event);
    encoder.writeKey(keys, event.key);
    const to = Buffer.from(keys.end()).toString();
    encoder.writeKey(keys, oldKey);
    const from = Buffer.from(keys.end()).toString();
    const gone = { ...event.headers, '__debezium.newkey': to };
    this.#value(values, event, table, endings.of('d'), true, false, 0);
    out.add(index, topic, true, gone, event.sourceTsMs);
    if (this.#options.tombstones_on_delete) out.addTombstone(index, topic, gone, event.sourceTsMs);
    const come = { ...event.headers, '__debezium.oldkey': from };
    encoder.writeKey(keys, event.key);
    this.#value(values, event, table, endings.of('c'), false, event.has('after'), 1);
    out.add(index, topic, true, come, event.sourceTsMs);
  }

  #message(event: ChangeEvent, index: number, table: TableEncoder, out: RecordWriter): void {
    const { values } = out,
      record = new MessageRecord(event, table, this.#options);
    record.key(out.keys);
    record.beginValue(values, this.#ctx.now());
    table.source.write(values, event);
    values.text(',"transaction":');
    if (event.transaction !== null && this.#hasTransactions) this.#transaction(values, event, event.transaction, table, 0);
    else values.text('null');
    record.endValue(values);
    out.add(index, `${table.topicStart}message`, true, event.headers, event.sourceTsMs);
  }

  #value(json: JsonWriter, event: ChangeEvent, table: TableEncoder, ending: Ending, before: boolean, after: boolean, add: number): void {
    table.beginValue(json);
    this.#payload(json, event, table, ending, before, after, add);
    table.endValue(json);
  }

  /** `before`, `after`: which sides to show. `add`: 1 for the second record of one event, which counts on in the transaction. */
  #payload(json: JsonWriter, event: ChangeEvent, table: TableEncoder, ending: Ending, before: boolean, after: boolean, add: number): void {
    const { transaction } = event,
      rows = table.rowsOf(event);
    if (!before) json.fixed(NO_BEFORE);
    else {
      json.fixed(BEFORE);
      rows.side(json, event, 'before', false);
      json.fixed(AFTER);
    }
    if (after) rows.side(json, event, 'after', event.incomplete);
    else json.text('null');
    json.fixed(SOURCE);
    table.source.write(json, event);
    const isAlone = event.op === 't' && this.#options.compatible && table.connector.truncates === 'alone';
    if (transaction === null || !this.#hasTransactions || isAlone) {
      json.fixed(ending.whole);
      return;
    }
    if (this.#options.compatible) {
      json.fixed(ending.before);
      this.#transaction(json, event, transaction, table, add);
      json.fixed(ending.after);
      return;
    }
    json.fixed(ending.transactionStart(transaction.id));
    json.integer(transaction.order + add);
    json.fixed(COLLECTION_ORDER);
    json.integer(transaction.collectionOrder + add);
    json.fixed(TRANSACTION_END);
  }

  #transaction(json: JsonWriter, event: ChangeEvent, tx: Transaction, table: TableEncoder, add: number): void {
    json.text('{"id":');
    json.string(this.#options.compatible ? table.connector.transactionId(tx.id, table.source.fieldsOf(event), false) : tx.id);
    json.text(',"total_order":');
    json.integer(tx.order + add);
    json.text(',"data_collection_order":');
    // To Debezium each message is a collection of its own.
    json.integer(event.op === 'm' && this.#options.compatible ? 1 : tx.collectionOrder + add);
    json.text('}');
  }
}
