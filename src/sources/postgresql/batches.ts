// Messages of the stream → change events → batches. No promise, no closure and no bigint per row. Batches end anywhere, also in
// the middle of a transaction, so transactions of any size pass.

import {
  type ChangeBatch,
  ChangeEvent,
  type ChangeEventInit,
  type Position,
  type SchemaChange,
  sameTexts,
  sameValue,
  type TableSchema,
} from '../../sdk/index.ts';
import { BatchQueue, Mark } from '../../streaming/batch-queue.ts';
import { type BrokenRow, brokenRow, isText } from './broken-rows.ts';
import { hiOf, loOf } from './lsn.ts';
import type { PgoutputHandler } from './pgoutput/handler.ts';
import type { Relation } from './pgoutput/relation.ts';
import type { Tuple } from './pgoutput/tuple.ts';
import { ChangePlace, formatPlace, PARTITION, positionAfter } from './position.ts';
import { RelationTables } from './relation-tables.ts';
import type { ReadTable } from './schemas.ts';

/** Memory of an event beside its bytes, as counted against the bounds of the queues. */
const EVENT_BYTES = 300;
/** 2000-01-01 00:00 UTC, where the server's clock begins. */
const EPOCH_MS = 946_684_800_000;

/** Who wants to know which rows the stream touches (snapshots). Told in the order of the stream, also of what is left out as a repeat. */
export interface StreamObserver {
  begin(xid: number): void;
  /** `old`: what was sent of the row as it was, if anything was. */
  row(op: 'c' | 'u' | 'd' | 't', table: ReadTable, old: Tuple | null, row: Tuple | null): void;
  commit(endLsn: bigint): void;
  /** Outside of transactions: nothing before it is left to come. */
  reached(lsn: bigint): void;
}

export interface AssemblerOptions {
  readonly source: string;
  readonly database: string;
  /** Everything up to here has been handed over before. */
  readonly behind: Position;
  readonly emitTruncates: boolean;
  /** Texts may be anything: rows are looked at before they become events. */
  readonly isRaw?: boolean;
  /** The component, for errors. */
  readonly where?: string;
  isMessage(prefix: string): boolean;
  readonly observer: StreamObserver | null;
}

/** All that rows of the stream say of themselves. */
type RowInit = { -readonly [K in keyof ChangeEventInit]: ChangeEventInit[K] };

export class Assembler implements PgoutputHandler {
  readonly #o: AssemblerOptions;
  readonly #messages: TableSchema;
  /** Length of the message that comes next: what its events hold in memory. */
  messageBytes = 0;
  /** When the bytes came: the time of messages that belong to no transaction. */
  nowMs = 0;
  /** Rows that cannot become events; whoever takes them parks them, before anything behind them is handed over. */
  broken: BrokenRow[] = [];
  /** Messages that this protocol version does not have. */
  unknownMessages = 0;
  readonly #tables = new RelationTables();

  // The transaction that is being read.
  #inTransaction = false;
  #serial = 0;
  #xid = '';
  #commitHi = 0;
  #commitLo = 0;
  #commitTsMs = 0;
  #order = 0;
  /** It was handed over before, at least in part. */
  #isRepeat = false;
  #lsnHi = -1;
  #lsnLo = -1;
  #index = 0;

  /** What the next event is made of. One for all, because one for each is a sixth of all that is allocated; an event keeps nothing of it. */
  readonly #row: RowInit;
  readonly #queue = new BatchQueue();
  /** Where reading resumes when nothing is left and no transaction is open. */
  #done: Position;

  constructor(options: AssemblerOptions) {
    this.#o = options;
    this.#done = options.behind;
    this.#messages = { id: { database: options.database, schema: null, table: '' }, columns: [], key: [], version: 1 };
    this.#row = {
      op: 'c',
      table: this.#messages,
      source: options.source,
      partition: PARTITION,
      position: options.behind,
      sourceTsMs: EPOCH_MS,
      before: null,
      after: null,
      transaction: null,
      incomplete: false,
    };
  }

  // -- relations ---------------------------------------------------------------------------------------------------------

  relation(relation: Relation): void {
    this.#tables.describe(relation);
  }

  /** See `RelationTables`. */
  unresolved(bytes: Buffer, start: number, end: number): Relation | null {
    return this.#tables.unresolved(bytes, start, end);
  }

  /** The place behind which the message with this LSN stands: where a new shape of its table begins. Several may begin there. */
  placeBefore(lsnHi: number, lsnLo: number): Position {
    const index = lsnHi === this.#lsnHi && lsnLo === this.#lsnLo ? this.#index : 0;
    return formatPlace(this.#commitHi, this.#commitLo, lsnHi, lsnLo, index);
  }

  /** What the relation is from here on. */
  resolve(relation: Relation, table: ReadTable | null, change: SchemaChange | null, at: Position): void {
    this.#tables.resolve(relation, table);
    if (table === null || change === null || at <= this.#o.behind) return;
    this.#queue.push(
      new ChangeEvent({
        op: 's',
        table: table.schema,
        source: this.#o.source,
        partition: PARTITION,
        position: at,
        sourceTsMs: this.#commitTsMs,
        schemaChange: change,
      }),
      EVENT_BYTES,
    );
  }

  // -- transactions ------------------------------------------------------------------------------------------------------

  begin(finalHi: number, finalLo: number, commitTsUs: bigint, xid: number): void {
    this.#inTransaction = true;
    this.#serial++;
    this.#xid = String(xid);
    this.#commitHi = finalHi;
    this.#commitLo = finalLo;
    this.#commitTsMs = EPOCH_MS + Math.floor(Number(commitTsUs) / 1000);
    this.#order = 0;
    this.#lsnHi = this.#lsnLo = -1;
    this.#isRepeat = formatPlace(finalHi, finalLo, 0, 0, 0) <= this.#o.behind;
    this.#o.observer?.begin(xid);
  }

  commit(_flags: number, _lsn: bigint, endLsn: bigint): void {
    this.#queue.endTransaction();
    this.#inTransaction = false;
    this.#advance(positionAfter(endLsn));
    this.#o.observer?.commit(endLsn);
  }

  /** Nothing before `walEnd` is left to send. Says something only between transactions. */
  keepalive(walEnd: bigint): void {
    if (this.#inTransaction) return;
    this.#advance(positionAfter(walEnd));
    this.#o.observer?.reached(walEnd);
  }

  #advance(done: Position): void {
    if (done > this.#done) this.#done = done;
  }

  // -- changes -----------------------------------------------------------------------------------------------------------

  insert(lsnHi: number, lsnLo: number, oid: number, row: Tuple): void {
    this.#count(lsnHi, lsnLo);
    const table = this.#tables.of(oid);
    if (table === null) return;
    row.bind(table.layout);
    this.#o.observer?.row('c', table, null, row);
    this.#change('c', table, null, row, false, 1);
  }

  update(lsnHi: number, lsnLo: number, oid: number, _oldKind: 'K' | 'O' | null, old: Tuple | null, row: Tuple): void {
    this.#count(lsnHi, lsnLo);
    const table = this.#tables.of(oid);
    if (table === null) return;
    row.bind(table.layout);
    old?.bind(table.layout);
    this.#o.observer?.row('u', table, old, row);
    this.#change('u', table, old, row, row.incomplete, old !== null && isMove(table.schema.key, old, row) ? 2 : 1);
  }

  delete(lsnHi: number, lsnLo: number, oid: number, _oldKind: 'K' | 'O', old: Tuple): void {
    this.#count(lsnHi, lsnLo);
    const table = this.#tables.of(oid);
    if (table === null) return;
    old.bind(table.layout);
    this.#o.observer?.row('d', table, old, null);
    this.#change('d', table, old, null, false, 1);
  }

  truncate(lsnHi: number, lsnLo: number, oids: readonly number[]): void {
    for (const oid of oids) {
      this.#count(lsnHi, lsnLo);
      const table = this.#tables.of(oid);
      if (table === null) continue;
      this.#o.observer?.row('t', table, null, null);
      if (this.#o.emitTruncates) this.#change('t', table, null, null, false, 1);
    }
  }

  message(lsn: bigint, transactional: boolean, prefix: string, content: Uint8Array): void {
    const lsnHi = hiOf(lsn),
      lsnLo = loOf(lsn);
    if (transactional) this.#count(lsnHi, lsnLo);
    // Its own LSN is that behind its record: whoever has it needs nothing from before it.
    else this.#advance(positionAfter(lsn));
    if (!this.#o.isMessage(prefix)) return;
    const position = transactional ? this.#place().text() : positionAfter(lsn);
    const mark = transactional ? this.#mark(null, 1) : null;
    if (position <= this.#o.behind) return;
    const event = new ChangeEvent({
      op: 'm',
      table: this.#messages,
      source: this.#o.source,
      partition: PARTITION,
      position,
      sourceTsMs: transactional ? this.#commitTsMs : this.nowMs,
      transaction: mark,
      message: { prefix, content, transactional },
    });
    if (mark !== null) this.#queue.hold(mark);
    this.#queue.push(event, EVENT_BYTES + this.messageBytes);
    if (mark === null) this.#queue.commit();
  }

  type(): void {}

  origin(): void {}

  unknown(): void {
    this.unknownMessages++;
  }

  /** The number among the changes with one LSN counts all of them, before any filter (invariant 2). */
  #count(lsnHi: number, lsnLo: number): void {
    if (lsnHi === this.#lsnHi && lsnLo === this.#lsnLo) {
      this.#index++;
      return;
    }
    this.#lsnHi = lsnHi;
    this.#lsnLo = lsnLo;
    this.#index = 1;
  }

  #place(): ChangePlace {
    return new ChangePlace(this.#commitHi, this.#commitLo, this.#lsnHi, this.#lsnLo, this.#index);
  }

  #mark(table: ReadTable | null, weight: number): Mark {
    const order = this.#order + 1;
    let collectionOrder = order;
    if (table !== null) {
      if (table.transaction !== this.#serial) {
        table.transaction = this.#serial;
        table.count = 0;
      }
      collectionOrder = table.count + 1;
      table.count += weight;
    }
    this.#order += weight;
    return new Mark(this.#xid, order, collectionOrder, this.#commitTsMs);
  }

  /** `weight`: a change of key counts twice, since it becomes two events where keys cannot change. */
  #change(
    op: 'c' | 'u' | 'd' | 't',
    table: ReadTable,
    before: Tuple | null,
    after: Tuple | null,
    incomplete: boolean,
    weight: number,
  ): void {
    const mark = this.#mark(table, weight),
      position = this.#place();
    if (this.#isRepeat && position.text() <= this.#o.behind) return;
    if (this.#o.isRaw === true && this.#isBroken(table, before, after, position.text())) return;
    const row = this.#row;
    row.op = op;
    row.table = table.schema;
    row.position = position;
    row.sourceTsMs = this.#commitTsMs;
    row.before = before;
    row.after = after;
    row.transaction = mark;
    row.incomplete = incomplete;
    this.#queue.hold(mark);
    this.#queue.push(new ChangeEvent(row), EVENT_BYTES + this.messageBytes);
  }

  #isBroken(table: ReadTable, before: Tuple | null, after: Tuple | null, position: Position): boolean {
    const found = [after, before].find((row) => row !== null && !isText(row));
    if (found === undefined || found === null) return false;
    this.broken.push(brokenRow(found, table.schema.id, position, this.#o.where ?? ''));
    return true;
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

  get isInTransaction(): boolean {
    return this.#inTransaction;
  }

  /** Between two transactions with everything handed over: here rows that were read elsewhere may come in between. */
  get isBetween(): boolean {
    return !this.#inTransaction && this.#queue.isEmpty;
  }

  /** Everything before it has been handed over, once `isBetween`. */
  get done(): Position {
    return this.#done;
  }

  /** The next batch; without events it is progress only. */
  take(maxEvents: number, maxBytes: number): ChangeBatch {
    const { events, bytes } = this.#queue.take(maxEvents, maxBytes);
    const last = events.at(-1);
    const resume = this.isBetween || last === undefined ? this.#resumeNow() : last.position;
    return { events, source: this.#o.source, partition: PARTITION, resume, bytes };
  }

  /** In the middle of a transaction, with nothing to hand over, a batch moves nothing. */
  #resumeNow(): Position | null {
    return this.isBetween ? this.#done : null;
  }
}

/** As `ChangeEvent.oldKey` tells it, without decoding rows that keep their key. */
function isMove(key: readonly string[], old: Tuple, row: Tuple): boolean {
  if (key.length === 0) return false;
  // Keys mostly come first and stay: seen without finding all the other columns.
  if (old.layout === row.layout && row.startsLike(old, row.layout.columnsUpTo(key))) return false;
  if (sameTexts(old, row, key)) return false;
  let moved = false;
  for (const name of key) {
    const before = old.column(name),
      after = row.column(name);
    if (before === undefined || after === undefined) return false;
    if (!sameValue(before, after)) moved = true;
  }
  return moved;
}
