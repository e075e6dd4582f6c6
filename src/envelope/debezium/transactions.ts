// BEGIN and END of transactions, for `provide_transaction_metadata`. Pure: counted from the marks that events carry, within
// one batch. The table counts of END are `null` when the transaction began in an earlier batch or events of it were filtered.

import type { ChangeEvent, Transaction } from '../../sdk/index.ts';
import { jsonString } from '../json.ts';
import type { RecordWriter } from '../record-writer.ts';
import { schemaText, TRANSACTION_KEY, TRANSACTION_VALUE } from './connect-schema.ts';
import { javaOrder } from './java-map.ts';
import type { TableEncoder } from './table-encoder.ts';

const KEY_START = `{"schema":${schemaText(TRANSACTION_KEY)},"payload":`;
const VALUE_START = `{"schema":${schemaText(TRANSACTION_VALUE)},"payload":`;

export class TransactionRecords {
  readonly #out: RecordWriter;
  readonly #schemas: boolean;
  readonly #compatible: boolean;
  #id = '';
  /** Table → its highest order so far, in order of first appearance. */
  readonly #counts = new Map<string, number>();

  constructor(out: RecordWriter, schemas: boolean, compatible: boolean) {
    this.#out = out;
    this.#schemas = schemas;
    this.#compatible = compatible;
  }

  /** Before the records of an event. */
  begin(event: ChangeEvent, index: number, table: TableEncoder): void {
    const tx = event.transaction;
    if (tx === null || tx.order !== 1 || this.#isAlone(event, table)) return;
    this.#record('BEGIN', event, index, table, this.#idOf(event, tx, table, false), 'null', 'null');
  }

  /** After the records of an event; `records`: 2 for a change of key, which counts twice. */
  end(event: ChangeEvent, index: number, table: TableEncoder, records: number): void {
    const tx = event.transaction;
    if (tx === null || this.#isAlone(event, table)) return;
    const id = `${event.source}/${event.partition}/${tx.id}`;
    if (id !== this.#id) {
      this.#id = id;
      this.#counts.clear();
    }
    const { collection } = table;
    // Messages belong to no table: their order in it says nothing.
    this.#counts.set(collection, event.op === 'm' ? (this.#counts.get(collection) ?? 0) + 1 : tx.collectionOrder + records - 1);
    if (!tx.last || (this.#compatible && event.op === 't' && table.connector.truncates === 'open')) return;
    const total = tx.order + records - 1;
    this.#record('END', event, index, table, this.#idOf(event, tx, table, true), `${total}`, this.#collections(total));
  }

  #isAlone(event: ChangeEvent, table: TableEncoder): boolean {
    return this.#compatible && event.op === 't' && table.connector.truncates === 'alone';
  }

  #idOf(event: ChangeEvent, tx: Transaction, table: TableEncoder, end: boolean): string {
    return this.#compatible ? table.connector.transactionId(tx.id, table.source.fieldsOf(event), end) : tx.id;
  }

  #collections(total: number): string {
    let sum = 0,
      out = '';
    // Debezium counts in a HashMap.
    const names = this.#compatible ? javaOrder([...this.#counts.keys()]) : this.#counts.keys();
    for (const name of names) {
      const count = this.#counts.get(name) as number;
      sum += count;
      out += `${out === '' ? '[' : ','}{"data_collection":${jsonString(name)},"event_count":${count}}`;
    }
    return sum === total ? `${out}]` : 'null';
  }

  #record(status: string, event: ChangeEvent, index: number, table: TableEncoder, id: string, count: string, collections: string): void {
    const text = jsonString(id),
      commitTsMs = (event.transaction as Transaction).commitTsMs;
    const key = `{"id":${text}}`;
    const value = `{"status":"${status}","id":${text},"event_count":${count},"data_collections":${collections},"ts_ms":${commitTsMs}}`;
    const topic = `${table.topicStart}transaction`;
    const keyBytes = Buffer.from(this.#schemas ? `${KEY_START}${key}}` : key),
      valueBytes = Buffer.from(this.#schemas ? `${VALUE_START}${value}}` : value);
    this.#out.addMade(index, topic, keyBytes, valueBytes, null, commitTsMs);
  }
}
