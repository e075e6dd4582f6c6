// Events of the binary log → change events → batches. No promise and no closure per row. Batches end anywhere, also in the middle of a
// transaction, so transactions of any size pass; only its last event so far is held back, because the mark `last` is known one event late.

import {
  type ChangeBatch,
  ChangeEvent,
  type Position,
  type SchemaChange,
  sameTexts,
  sameValue,
  type TableSchema,
} from '../../sdk/index.ts';
import { BatchQueue, Mark } from '../../streaming/batch-queue.ts';
import type { RowsEvent } from './binlog/events.ts';
import { BinlogRow } from './binlog/rows.ts';
import type { TableMap } from './binlog/table-map.ts';
import { ChangePlace, PARTITION, type Repeats, sortable, type TransactionPlace } from './position.ts';
import { opOfNow } from './row-end.ts';
import type { ReadTable } from './schemas.ts';

/** Memory of an event beside its bytes, as counted against the bounds of the queues. */
const EVENT_BYTES = 300;

/** Who wants to know which rows the stream touches (snapshots). Told in the order of the stream, also of what is left out as a repeat. */
export interface StreamObserver {
  begin(transaction: TransactionPlace): void;
  row(op: 'c' | 'u' | 'd' | 't', table: ReadTable, old: BinlogRow | null, row: BinlogRow | null): void;
  /** `done`: everything before it is. */
  commit(done: Position): void;
  /** Its end never came: nothing of it has happened. */
  abort(): void;
  /** Outside of transactions: nothing before it is left to come. */
  reached(done: Position): void;
}

export interface AssemblerOptions {
  readonly source: string;
  /** Everything up to here has been handed over before. */
  readonly behind: Position;
  readonly repeats: Repeats;
  readonly emitTruncates: boolean;
  readonly observer: StreamObserver | null;
}

export class Assembler {
  readonly #o: AssemblerOptions;
  /** As the log described them. `null`: not captured. */
  #tables = new WeakMap<TableMap, ReadTable | null>();
  #lastMap: TableMap | null = null;
  #lastTable: ReadTable | null = null;

  // The transaction that is being read.
  #transaction: TransactionPlace | null = null;
  #serial = 0;
  #id = '';
  #tsMs = 0;
  #order = 0;
  /** Number of the last change. */
  #number = 0;
  /** The last change of the transaction that was handed over before. */
  #repeatedUntil = 0;
  /** Shapes that were told behind the last change. */
  #marks = 0;

  readonly #queue = new BatchQueue();
  /** Where reading resumes when nothing is left and no transaction is open. */
  #done: Position;

  constructor(options: AssemblerOptions) {
    this.#o = options;
    this.#done = options.behind;
  }

  // -- tables ------------------------------------------------------------------------------------------------------------

  /** Must the table be looked up before rows of it can be taken in? */
  isUnresolved(map: TableMap): boolean {
    return map !== this.#lastMap && !this.#tables.has(map);
  }

  /** The place where a new shape of a table begins; each call gives another one. */
  shapePlace(eventPosition: number): Position {
    this.#marks++;
    return this.#place().place(this.#number, `.s${String(this.#marks).padStart(5, '0')}`, eventPosition, 0);
  }

  /** What the table is from here on. */
  resolve(map: TableMap, table: ReadTable | null, change: SchemaChange | null, at: Position): void {
    this.#tables.set(map, table);
    this.#lastMap = null;
    if (table === null || change === null) return;
    this.schemaChange(table.schema, change, at);
  }

  schemaChange(table: TableSchema, change: SchemaChange, at: Position, tsMs = this.#tsMs): void {
    if (sortable(at) <= sortable(this.#o.behind)) return;
    const { source } = this.#o;
    this.#queue.push(
      new ChangeEvent({ op: 's', table, source, partition: PARTITION, position: at, sourceTsMs: tsMs, schemaChange: change }),
      EVENT_BYTES,
    );
  }

  /** What is known of tables may be wrong from here on. */
  forgetAll(): void {
    this.#tables = new WeakMap();
    this.#lastMap = null;
  }

  #tableOf(map: TableMap): ReadTable | null {
    if (map === this.#lastMap) return this.#lastTable;
    const table = this.#tables.get(map) ?? null;
    this.#lastMap = map;
    this.#lastTable = table;
    return table;
  }

  // -- transactions ------------------------------------------------------------------------------------------------------

  get isInTransaction(): boolean {
    return this.#transaction !== null;
  }

  begin(transaction: TransactionPlace, id: string, tsMs: number): void {
    this.#transaction = transaction;
    this.#serial++;
    this.#id = id;
    this.#tsMs = tsMs;
    this.#order = this.#number = this.#marks = 0;
    this.#queue.begin();
    this.#repeatedUntil = this.#o.repeats.until(transaction);
    this.#o.observer?.begin(transaction);
  }

  commit(done: Position): void {
    this.#queue.endTransaction();
    this.#transaction = null;
    this.#advance(done);
    this.#o.observer?.commit(done);
  }

  /**
   * What was read of a transaction whose end never came does not go out, but for the shapes that were met in it: those are of DDL before
   * it, and are told once. `true`: some of its changes have gone out already.
   */
  abort(): boolean {
    const isOut = this.#number > this.#repeatedUntil && this.#queue.isPartlyOut,
      wasRepeated = this.#repeatedUntil > 0;
    this.#queue.abort((event) => event.op === 's');
    this.#transaction = null;
    this.#o.observer?.abort();
    return isOut || wasRepeated;
  }

  /** Nothing before `done` is left to send. Says something only between transactions. */
  reached(done: Position): void {
    if (this.#transaction !== null) return;
    this.#advance(done);
    this.#o.observer?.reached(done);
  }

  #advance(done: Position): void {
    if (sortable(done) >= sortable(this.#done)) this.#done = done;
  }

  /** Of the last change of the transaction that is being read. */
  get place(): Position {
    return this.#place().place(this.#number, '', 0, 0);
  }

  #place(): TransactionPlace {
    if (this.#transaction === null) throw new Error('a change outside of a transaction');
    return this.#transaction;
  }

  // -- changes -----------------------------------------------------------------------------------------------------------

  rows(event: RowsEvent, eventPosition: number, tsMs: number): void {
    const table = this.#tableOf(event.table),
      { rowCount } = event;
    // Invariant 2: the number counts all rows, before any filter.
    if (table === null) {
      this.#skip(rowCount);
      return;
    }
    if (this.#transaction === null) this.#place();
    const { bytes, starts, before: oldShape, after: newShape } = event,
      isPair = event.op === 'u',
      size = EVENT_BYTES + Math.ceil(event.header.length / rowCount),
      layout = table.layout,
      { observer } = this.#o;
    this.#marks = 0;
    for (let i = 0; i < rowCount; i++) {
      let old: BinlogRow | null = null,
        row: BinlogRow | null = null,
        weight = 1,
        isIncomplete = false;
      const op = table.rowEnd < 0 ? event.op : opOfNow(event, i, table.rowEnd),
        start = starts[isPair ? i * 2 : i] as number;
      if (op === null) {
        this.#skip(1);
        continue;
      }
      if (op === 'u') {
        old = new BinlogRow(bytes, start, oldShape as never, layout);
        row =
          newShape?.isWhole === true
            ? new BinlogRow(bytes, starts[i * 2 + 1] as number, newShape, layout)
            : new BinlogRow(bytes, starts[i * 2 + 1] as number, newShape as never, layout, start, oldShape);
        isIncomplete = row.incomplete;
        weight = isMove(table.schema.key, old, row) ? 2 : 1;
      } else if (op === 'c') {
        row = new BinlogRow(bytes, start, newShape as never, layout);
        isIncomplete = row.incomplete;
      } else old = new BinlogRow(bytes, start, oldShape as never, layout);
      observer?.row(op, table, old, row);
      this.#change(op, table, old, row, isIncomplete, weight, eventPosition, i, tsMs, size);
    }
  }

  /** Rows that nobody takes: they are counted all the same. */
  #skip(count: number): void {
    this.#number += count;
    this.#marks = 0;
  }

  /** A change that is no row: DDL, or what cannot be read. Gives its place. */
  count(eventPosition: number): Position {
    this.#skip(1);
    return this.#place().place(this.#number, '', eventPosition, 0);
  }
  /** So many more changes were all handed over before. */
  repeats(count: number): boolean {
    return this.#number + count <= this.#repeatedUntil;
  }
  /** Do rows of the table go out? */
  takes(map: TableMap): boolean {
    return this.#tableOf(map) !== null;
  }
  /** Of the change that comes next. */
  nextPlace(eventPosition: number): Position {
    return this.#place().place(this.#number + 1, '', eventPosition, 0);
  }
  /** Rows of tables that are captured were read of this transaction. */
  get hasRows(): boolean {
    return this.#order > 0;
  }
  get isRepeated(): boolean {
    return this.#number <= this.#repeatedUntil;
  }

  truncate(table: ReadTable, eventPosition: number, tsMs: number): void {
    this.#o.observer?.row('t', table, null, null);
    if (this.#o.emitTruncates) this.#change('t', table, null, null, false, 1, eventPosition, 0, tsMs, EVENT_BYTES);
    else this.#skip(1);
  }

  /** `weight`: a change of key counts twice, since it becomes two events where keys cannot change. */
  #change(
    op: 'c' | 'u' | 'd' | 't',
    table: ReadTable,
    before: BinlogRow | null,
    after: BinlogRow | null,
    incomplete: boolean,
    weight: number,
    eventPosition: number,
    row: number,
    tsMs: number,
    bytes: number,
  ): void {
    const number = ++this.#number;
    if (table.transaction !== this.#serial) {
      table.transaction = this.#serial;
      table.count = 0;
    }
    const mark = new Mark(this.#id, this.#order + 1, table.count + 1, tsMs);
    this.#order += weight;
    table.count += weight;
    if (number <= this.#repeatedUntil) return;
    const event = new ChangeEvent({
      op,
      table: table.schema,
      source: this.#o.source,
      partition: PARTITION,
      position: new ChangePlace(this.#transaction as TransactionPlace, number, eventPosition, row),
      sourceTsMs: tsMs,
      before,
      after,
      transaction: mark,
      incomplete,
    });
    this.#queue.hold(mark);
    this.#queue.push(event, bytes);
  }

  // -- batches -----------------------------------------------------------------------------------------------------------

  /** As many events as one batch may have, or as many bytes. */
  isFull(maxEvents: number, maxBytes: number): boolean {
    return this.#queue.isFull(maxEvents, maxBytes);
  }

  /** The end of a transaction waits to be handed over. */
  get hasCommitted(): boolean {
    return this.#queue.hasCommitted;
  }

  /** Between two transactions with everything handed over: here rows that were read elsewhere may come in between. */
  get isBetween(): boolean {
    return this.#transaction === null && this.#queue.isEmpty;
  }

  /** Everything before it has been handed over, once `isBetween`. */
  get done(): Position {
    return this.#done;
  }

  /** The next batch; without events it is progress only. */
  take(maxEvents: number, maxBytes: number): ChangeBatch {
    const { events, bytes } = this.#queue.take(maxEvents, maxBytes);
    const last = events.at(-1),
      resume = this.isBetween ? this.#done : (last?.position ?? null);
    return { events, source: this.#o.source, partition: PARTITION, resume, bytes };
  }
}

/** As `ChangeEvent.oldKey` tells it, without decoding rows that keep their key. */
function isMove(key: readonly string[], old: BinlogRow, row: BinlogRow): boolean {
  if (key.length === 0 || sameTexts(old, row, key)) return false;
  let moved = false;
  for (const name of key) {
    const before = old.column(name),
      after = row.column(name);
    if (before === undefined || after === undefined) return false;
    if (!sameValue(before, after)) moved = true;
  }
  return moved;
}
