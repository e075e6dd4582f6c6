// Debezium's records in Avro: the same as in JSON (envelope/debezium/encode.ts), key changes and tombstones included.

import type { DebeziumOptions } from '../../envelope/debezium/options.ts';
import type { RecordWriter } from '../../envelope/record-writer.ts';
import { TableCache } from '../../envelope/table-cache.ts';
import type { ChangeEvent, RecordContext, Row } from '../../sdk/index.ts';
import { stringifyJson } from '../json-lossless.ts';
import { DebeziumTable } from './debezium-table.ts';
import type { AvroShape, Heads, KeyWriter } from './shape.ts';

export class DebeziumShape implements AvroShape<DebeziumTable> {
  readonly #options: DebeziumOptions;
  readonly #ctx: RecordContext;
  readonly #tables: TableCache<DebeziumTable>;
  /** `null`: keys are Avro. */
  readonly #otherKeys: KeyWriter | null;
  #nowMs = 0;

  constructor(options: DebeziumOptions, ctx: RecordContext, otherKeys: KeyWriter | null) {
    this.#options = { ...options, schemas: true };
    this.#ctx = ctx;
    this.#otherKeys = otherKeys;
    this.#tables = new TableCache((event) => new DebeziumTable(event, this.#options, ctx));
  }

  prepare(event: ChangeEvent): DebeziumTable {
    return this.#tables.get(event);
  }

  begin(): void {
    this.#nowMs = this.#ctx.now();
  }

  takes({ op }: ChangeEvent): boolean {
    return op !== 's' && op !== 'm';
  }

  encode(event: ChangeEvent, index: number, table: DebeziumTable, heads: Heads, out: RecordWriter): void {
    const { op, headers, sourceTsMs } = event,
      { topic } = table;
    const oldKey = op === 'u' ? event.oldKey : null;
    if (oldKey !== null) {
      this.#keyChange(event, index, table, heads, oldKey, out);
      return;
    }
    const hasKey = op !== 't' && this.#key(out, event, table, heads, event.key);
    this.#value(out, event, table, heads, op, event.has('before'), event.has('after'), 0);
    out.add(index, topic, hasKey, headers, sourceTsMs);
    if (op === 'd' && this.#options.tombstones_on_delete && (hasKey || this.#options.compatible))
      out.addTombstone(index, topic, headers, sourceTsMs);
  }

  #keyChange(event: ChangeEvent, index: number, table: DebeziumTable, heads: Heads, oldKey: Row, out: RecordWriter): void {
    const { topic } = table,
      { headers, sourceTsMs } = event;
    // In Kafka Connect these headers are converted like keys; ours are texts, so they are JSON here as there.
    const gone = { ...headers, '__debezium.newkey': stringifyJson(event.key) };
    this.#key(out, event, table, heads, oldKey);
    this.#value(out, event, table, heads, 'd', true, false, 0);
    out.add(index, topic, true, gone, sourceTsMs);
    if (this.#options.tombstones_on_delete) out.addTombstone(index, topic, gone, sourceTsMs);
    this.#key(out, event, table, heads, event.key);
    this.#value(out, event, table, heads, 'c', false, event.has('after'), 1);
    out.add(index, topic, true, { ...headers, '__debezium.oldkey': stringifyJson(oldKey) }, sourceTsMs);
  }

  #key(out: RecordWriter, event: ChangeEvent, table: DebeziumTable, heads: Heads, key: Row | null): boolean {
    if (key === null || table.keySchema === null) return false;
    out.keys.begin();
    if (this.#otherKeys !== null) return this.#otherKeys(out.keys, event, key);
    if (heads.key !== null) out.keys.raw(heads.key);
    table.writeKey(out.keys, key);
    return true;
  }

  #value(
    out: RecordWriter,
    event: ChangeEvent,
    table: DebeziumTable,
    heads: Heads,
    op: string,
    before: boolean,
    after: boolean,
    add: number,
  ): void {
    out.values.begin();
    out.values.raw(heads.value);
    table.writeValue(out.values, event, { op, nowMs: this.#nowMs }, before, after, add);
  }
}
