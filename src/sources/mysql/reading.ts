// One reading of the stream: packets → events → batches. Looks tables up when their first rows come. The loop over events waits for
// nothing but room, the catalog and the store.

import { CdcError, type ChangeBatch, type Position, type TableSchema } from '../../sdk/index.ts';
import { hasFilledColumn } from '../../streaming/filled-columns.ts';
import { Assembler } from './batches.ts';
import { BinlogDecoder } from './binlog/decoder.ts';
import type { BinlogEvent, FormatDescriptionEvent, HeartbeatEvent, RotateEvent, RowsEvent, UnreadableRowsEvent } from './binlog/events.ts';
import type { TableMap } from './binlog/table-map.ts';
import type { Packets } from './dump/packets.ts';
import { LogAges } from './log-ages.ts';
import { LogCursor } from './log-cursor.ts';
import { parseFileName, Repeats, sortable } from './position.ts';
import { type ReadingOptions, readingError, type StreamPlace } from './reading-options.ts';
import { type Met, NOT_CAPTURED } from './schemas.ts';
import { Statements } from './statements.ts';
import { TableStops } from './table-stops.ts';
import { Transactions } from './transactions.ts';

export class LogReading implements StreamPlace {
  readonly #o: ReadingOptions;
  readonly #assembler: Assembler;
  readonly #decoder = new BinlogDecoder();
  readonly #cursor = new LogCursor();
  readonly ages = new LogAges();
  readonly #transactions: Transactions;
  readonly #statements: Statements;
  readonly #stops: TableStops;
  /** The last place that was handed over. */
  #handed: Position;
  /** The event that is read, as it came. */
  #raw: Buffer = Buffer.alloc(0);

  constructor(options: ReadingOptions) {
    this.#o = options;
    const { identity, behind } = options;
    this.#assembler = new Assembler({
      source: options.source,
      behind,
      repeats: new Repeats(behind, identity.isContinued(behind)),
      emitTruncates: options.emitTruncates,
      observer: options.snapshots,
    });
    this.#transactions = new Transactions(options, this.#assembler, this.#cursor, (event, at) => this.#take(event, at));
    this.#stops = new TableStops(options, this.#assembler);
    this.#statements = new Statements(options, this.#assembler, this.#transactions, this.#stops);
    this.#handed = behind;
  }

  get place(): Position {
    return this.#handed;
  }

  announce(): Position {
    const [, before = '', number = '0'] = /^(.*?)(?:\.p(\d{6}))?$/.exec(sortable(this.#handed)) ?? [],
      rest = this.#handed.slice(sortable(this.#handed).length);
    this.#handed = `${before}.p${String(Number(number) + 1).padStart(6, '0')}${rest}` as Position;
    return this.#handed;
  }

  moveTo(place: Position): void {
    this.#handed = place;
  }

  get isBetween(): boolean {
    return this.#assembler.isBetween;
  }

  hasReached(end: Position): boolean {
    return this.#assembler.isBetween && sortable(this.#handed) >= sortable(end);
  }

  /** The batches of what has come; at its end, when nothing more is waiting, also one that is not full, or progress. */
  async *take(packets: Packets): AsyncGenerator<ChangeBatch, void, undefined> {
    const { maxBatchEvents, maxBatchBytes } = this.#o.ctx,
      assembler = this.#assembler,
      { snapshots } = this.#o;
    for (let i = 0; i < packets.count; i++) {
      const bytes = packets.bytes[i] as Buffer,
        start = packets.starts[i] as number,
        end = packets.ends[i] as number;
      const event = this.#decoder.decode(bytes, start, end);
      if (this.#transactions.isKeeping || event.kind === 'format_description') this.#raw = bytes.subarray(start, end);
      this.#cursor.moveBefore(event, assembler.isInTransaction);
      this.ages.see(this.#cursor.file.number, event.header.timestamp);
      const waiting = this.#take(event, this.#cursor.eventPosition);
      if (waiting !== null) await waiting;
      while (assembler.isFull(maxBatchEvents, maxBatchBytes)) yield* this.#next();
      // The log may be so busy that no end of packets ever is the end of a transaction.
      if (snapshots?.hasDue === true && !assembler.isInTransaction) {
        yield* this.#flush();
        yield* snapshots.due(this);
      }
    }
    // Events that belong to no transaction move the place, too: a chunk may wait for the end of the log.
    if (!assembler.isInTransaction && this.#cursor.isKnown) this.#reached();
    yield* this.#flush();
  }

  /** Whole transactions never wait for the next one. */
  *#flush(): Generator<ChangeBatch, void, undefined> {
    while (this.#assembler.hasCommitted) yield* this.#next();
    if (this.#assembler.isBetween && sortable(this.#assembler.done) > sortable(this.#handed)) yield* this.#next();
  }

  *#next(): Generator<ChangeBatch, void, undefined> {
    const { snapshots, ctx } = this.#o;
    // A run's list of keys has grown by events: it is stored before them.
    const progress = snapshots?.progress(this) ?? null;
    if (progress !== null) yield progress;
    const batch = this.#assembler.take(ctx.maxBatchEvents, ctx.maxBatchBytes);
    if (batch.resume !== null && sortable(batch.resume) > sortable(this.#handed)) this.#handed = batch.resume;
    yield { ...batch, resume: batch.resume === null ? null : this.#handed };
  }

  // -- events ------------------------------------------------------------------------------------------------------------

  /** `null`: done; else it waits for the catalog or the store. */
  #take(event: BinlogEvent, at: number): Promise<void> | null {
    if (this.#transactions.isKeeping && this.#transactions.keep(event, this.#raw)) return null;
    switch (event.kind) {
      case 'rows':
        return this.#rows(event, at);
      case 'table_map':
        this.#stops.look();
        return this.#assembler.isUnresolved(event.table) ? this.#resolve(event.table, at) : null;
      case 'gtid':
      case 'mariadb_gtid':
        this.#transactions.begin(event, at);
        return null;
      case 'xid':
        return this.#transactions.end(at);
      case 'query':
        return this.#statements.take(event, at);
      case 'transaction_payload':
        return this.#payload(event.events, at);
      case 'rotate':
        return this.#rotate(event);
      case 'heartbeat':
        this.#heartbeat(event);
        return null;
      case 'format_description':
        return this.#formatDescription(event);
      case 'unreadable_rows':
        return this.#unreadable(event, at);
      case 'xa_prepare':
        return event.onePhase ? this.#transactions.end(at) : this.#transactions.prepare(event.xid, at);
      case 'incident':
        throw readingError(
          'SOURCE_POSITION_GONE',
          `The server says that events may be missing: ${event.message || `incident ${event.incident}`}`,
          this.#o.where,
        );
      default:
        return null;
    }
  }

  async #payload(events: Iterable<BinlogEvent>, at: number): Promise<void> {
    for (const event of events) {
      const waiting = this.#take(event, at);
      if (waiting !== null) await waiting;
    }
  }

  // -- where it is -------------------------------------------------------------------------------------------------------

  #rotate({ file, position }: RotateEvent): Promise<void> | null {
    const name = parseFileName(file);
    if (name === null) {
      const message = `The server named a file "${file}", which has no number.`;
      throw readingError('SOURCE_DATA_INVALID', message, this.#o.where);
    }
    // A file ends with a whole transaction, unless the server was killed while it wrote one: that was never committed.
    const torn = this.#transactions.tear();
    this.#cursor.enter(name, position);
    this.#reached();
    return torn;
  }

  #formatDescription(event: FormatDescriptionEvent): Promise<void> | null {
    this.#transactions.keepFormat(this.#raw);
    return this.#o.identity.meet(this.#cursor.file, event.header.timestamp);
  }

  #heartbeat(event: HeartbeatEvent): void {
    if (!this.#assembler.isInTransaction && this.#cursor.pass(event)) this.#reached();
  }

  #reached(): void {
    this.#assembler.reached(this.#transactions.doneHere());
  }

  // -- rows --------------------------------------------------------------------------------------------------------------

  async #resolve(map: TableMap, eventPosition: number): Promise<void> {
    const at = this.#assembler.shapePlace(eventPosition),
      { table, change } = this.#stops.has(map) ? NOT_CAPTURED : await this.#meet(map, at);
    this.#assembler.resolve(map, table, change, at);
    if (table !== null && change?.previous && hasOtherValues(change.previous, table.schema)) this.#o.snapshots?.readAgain(table.schema);
  }

  /** Names that nobody can tell any more stop the table: wrong ones would be worse. */
  async #meet(map: TableMap, at: Position): Promise<Met> {
    if (map.unreadable !== null) {
      if (this.#o.isTable(map.database, map.table)) await this.#stops.stop(map, at, `Rows of it cannot be read: ${map.unreadable}.`);
      return NOT_CAPTURED;
    }
    try {
      return await this.#o.tracker.meet(map, at);
    } catch (error) {
      if (!(error instanceof CdcError) || error.code !== 'SOURCE_DATA_INVALID') throw error;
      await this.#stops.stop(map, at, error.message);
      return NOT_CAPTURED;
    }
  }

  #rows(event: RowsEvent, at: number): Promise<void> | null {
    this.#transactions.ensure(event.header, at);
    if (this.#stops.isRefused(event) && this.#assembler.takes(event.table) && !this.#assembler.repeats(event.rowCount))
      return this.#refuse(event, at);
    this.#assembler.rows(event, at, this.#transactions.tsOf(event.header));
    return null;
  }

  async #refuse(event: RowsEvent, at: number): Promise<void> {
    const { rowImage } = this.#o,
      why = `Its log lacks columns: binlog_row_image of a session is not ${rowImage}, as \`binlog_row_image\` wants it.`;
    await this.#stops.stop(event.table, this.#assembler.nextPlace(at), why);
    // They count all the same.
    this.#assembler.rows(event, at, this.#transactions.tsOf(event.header));
  }

  async #unreadable({ table, reason, header }: UnreadableRowsEvent, at: number): Promise<void> {
    const place = this.#assembler.count(at);
    if (this.#assembler.isRepeated || !this.#o.isTable(table.database, table.table)) return;
    await this.#stops.stop(table, place, `Rows of it cannot be read: ${reason} (event of type ${header.type}).`);
  }
}

/** In rows that are there, and not by changes that were logged. */
function hasOtherValues(before: TableSchema, after: TableSchema): boolean {
  if (hasFilledColumn(before, after)) return true;
  return before.columns.some((b) => {
    const a = after.columns.find((c) => c.name === b.name);
    return a !== undefined && a.nativeType !== b.nativeType && a.type !== b.type;
  });
}
