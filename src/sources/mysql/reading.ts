// One reading of the stream: packets → events → batches. Keeps where in which file it is and which transaction runs, looks tables up
// when their first rows come, and ends a one_time run. The loop over events waits for nothing but room and the catalog.

import { CdcError, type ChangeBatch, type Logger, type Position, type ReadContext, type TableSchema } from '../../sdk/index.ts';
import { Assembler, type StreamObserver } from './batches.ts';
import { BinlogDecoder } from './binlog/decoder.ts';
import type {
  BinlogEvent,
  FormatDescriptionEvent,
  GtidEvent,
  HeartbeatEvent,
  MariadbGtidEvent,
  QueryEvent,
  RotateEvent,
  RowsEvent,
  UnreadableRowsEvent,
} from './binlog/events.ts';
import type { TableName } from './binlog/statement.ts';
import type { TableMap } from './binlog/table-map.ts';
import type { DoneSet } from './done-set.ts';
import type { Packets } from './dump/packets.ts';
import type { LogIdentity } from './log-identity.ts';
import { PARTITION, parseFileName, placeAfter, Repeats, sortable, TransactionPlace, withMark } from './position.ts';
import { type PreparedTransactions, xidOf } from './prepared.ts';
import { nameOfTable, type SchemaTracker, tableId } from './schemas.ts';

/** Rows that go out between the transactions (snapshots). */
export interface Between extends StreamObserver {
  readonly hasDue: boolean;
  due(stream: StreamPlace): AsyncIterable<ChangeBatch>;
  progress(stream: StreamPlace): ChangeBatch | null;
  readAgain(table: TableSchema): void;
}

/** Where the stream stands, as far as it has been handed over. */
export interface StreamPlace {
  readonly place: Position;
  /** Moves to a place right behind, which nobody has yet. */
  announce(): Position;
  moveTo(place: Position): void;
}

export interface ReadingOptions {
  readonly source: string;
  readonly where: string;
  readonly tracker: SchemaTracker;
  readonly ctx: ReadContext;
  readonly behind: Position;
  readonly done: DoneSet;
  readonly identity: LogIdentity;
  readonly emitTruncates: boolean;
  readonly logger: Logger;
  readonly snapshots: Between | null;
  readonly prepared: PreparedTransactions;
  isTable(database: string, table: string): boolean;
}

const FIRST_POSITION = 4;
/** What an XA transaction keeps until it is committed. */
const OF_ROWS: ReadonlySet<BinlogEvent['kind']> = new Set(['table_map', 'rows', 'unreadable_rows', 'transaction_payload']);
const TWO_32 = 0x1_0000_0000;
const MS = 1000;

export class LogReading implements StreamPlace {
  readonly #o: ReadingOptions;
  readonly #assembler: Assembler;
  readonly #decoder = new BinlogDecoder();
  /** The last place that was handed over. */
  #handed: Position;

  // Where the stream is.
  #file = { base: '', number: 0 };
  /** Behind the event that was read last. */
  #position = 4;
  /** Where the event that is read begins. */
  #eventPosition = 4;
  /** A BEGIN was read, or MariaDB's event said that a COMMIT comes. */
  #hasBegun = false;
  /** The event that is read, as it came. */
  #raw: Buffer = Buffer.alloc(0);
  #format: Buffer | null = null;
  /** Events of the XA transaction that is being read; `null`: there is none. */
  #xa: Buffer[] | null = null;
  /** Of MySQL 8: when the transaction was committed. */
  #commitTsMs: number | null = null;

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
      if (this.#xa !== null || event.kind === 'format_description') this.#raw = bytes.subarray(start, end);
      const waiting = this.#event(event);
      if (waiting !== null) await waiting;
      while (assembler.isFull(maxBatchEvents, maxBatchBytes)) yield* this.#next();
      // The log may be so busy that no end of packets ever is the end of a transaction.
      if (snapshots?.hasDue === true && !assembler.isInTransaction) {
        yield* this.#flush();
        yield* snapshots.due(this);
      }
    }
    // Events that belong to no transaction move the place, too: a chunk may wait for the end of the log.
    if (!assembler.isInTransaction && this.#file.number > 0) this.#reached();
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
  #event(event: BinlogEvent): Promise<void> | null {
    this.#moveBefore(event);
    return this.#take(event, this.#eventPosition);
  }

  #take(event: BinlogEvent, at: number): Promise<void> | null {
    if (this.#xa !== null && OF_ROWS.has(event.kind)) {
      this.#xa.push(Buffer.from(this.#raw));
      return null;
    }
    switch (event.kind) {
      case 'rows':
        this.#rows(event, at);
        return null;
      case 'table_map':
        return this.#assembler.isUnresolved(event.table) ? this.#resolve(event.table, at) : null;
      case 'gtid':
      case 'mariadb_gtid':
        this.#begin(event, at);
        return null;
      case 'xid':
        return this.#end(at);
      case 'query':
        return this.#query(event, at);
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
        return event.onePhase ? this.#end(at) : this.#prepare(event.xid, at);
      case 'incident':
        throw this.#error(
          'SOURCE_POSITION_GONE',
          `The server says that events may be missing: ${event.message || `incident ${event.incident}`}`,
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

  /** Events that the server makes up for this connection are not in the file. */
  #moveBefore({ header, kind }: BinlogEvent): void {
    this.#eventPosition = this.#position;
    if (kind === 'rotate' || kind === 'heartbeat' || header.nextPosition === 0) {
      // MariaDB says no position inside of transactions.
      if (kind !== 'rotate' && kind !== 'heartbeat' && header.timestamp !== 0 && this.#assembler.isInTransaction)
        this.#position += header.length;
      return;
    }
    if (kind === 'format_description') {
      // At the beginning of a file it is there; else it was made up for us.
      if (this.#position === FIRST_POSITION && header.nextPosition < FIRST_POSITION + 2 * header.length)
        this.#position = header.nextPosition;
      return;
    }
    // Modulo 2^32, and only ever forward: what is not sent lies in between.
    const next = this.#position + ((((header.nextPosition - this.#position) % TWO_32) + TWO_32) % TWO_32);
    this.#position = next;
    this.#eventPosition = next - header.length;
  }

  #rotate({ file, position }: RotateEvent): Promise<void> | null {
    const name = parseFileName(file);
    if (name === null) throw this.#error('SOURCE_DATA_INVALID', `The server named a file "${file}", which has no number.`);
    // A file ends with a whole transaction, unless the server was killed while it wrote one: that was never committed.
    const torn = this.#assembler.isInTransaction ? this.#tear() : null;
    this.#file = name;
    this.#position = position;
    this.#reached();
    return torn;
  }

  /** `null`: nobody has seen anything of the transaction. */
  #tear(): Promise<void> | null {
    this.#hasBegun = false;
    this.#xa = null;
    const place = this.#assembler.place;
    this.#o.logger.warn('a transaction was cut off in the log by a crash of the server: it was not committed', { place });
    if (!this.#assembler.abort()) return null;
    return this.#reject(
      'a transaction',
      place,
      'A crash of the server cut it off, and some of its changes were handed over before that was known.',
    );
  }

  #formatDescription(event: FormatDescriptionEvent): Promise<void> | null {
    this.#format = Buffer.from(this.#raw);
    return this.#o.identity.meet(this.#file, event.header.timestamp);
  }

  #heartbeat({ file, position }: HeartbeatEvent): void {
    const name = parseFileName(file);
    if (name === null || this.#assembler.isInTransaction || name.number !== this.#file.number) return;
    if (position > this.#position) this.#position = position;
    this.#reached();
  }

  #reached(): void {
    this.#assembler.reached(this.#doneHere());
  }

  #doneHere(): Position {
    return placeAfter(this.#o.identity.history, this.#file, this.#position, this.#o.done.text);
  }

  // -- transactions ------------------------------------------------------------------------------------------------------

  #begin(event: GtidEvent | MariadbGtidEvent, at: number): void {
    if (this.#assembler.isInTransaction) this.#commit();
    const { done } = this.#o,
      id = done.idOf(event);
    this.#hasBegun = event.kind === 'mariadb_gtid' && !event.standalone;
    this.#xa = event.kind === 'mariadb_gtid' && event.xa === 'prepared' ? [] : null;
    this.#commitTsMs = event.kind === 'gtid' && event.immediateCommitUs !== null ? Math.floor(event.immediateCommitUs / MS) : null;
    this.#start(id, event.header.serverId, event.header.timestamp, at);
  }

  #start(id: string | null, serverId: number, timestamp: number, at: number): void {
    const { done, identity } = this.#o,
      place = new TransactionPlace(identity.history, this.#file, at, { serverId, gtid: id ?? '', done: done.text });
    this.#assembler.begin(place, id ?? `${place.file}:${at}`, this.#commitTsMs ?? timestamp * MS);
  }

  #commit(): void {
    if (!this.#assembler.isInTransaction) return;
    this.#o.done.add();
    this.#hasBegun = false;
    this.#assembler.commit(this.#doneHere());
  }

  /** Of a transaction, also of an XA transaction that was committed in one phase. */
  #end(at: number): Promise<void> | null {
    const events = this.#xa;
    if (events !== null && events.length > 0) return this.#sendKept([...this.#formatAnd(events)], at).then(() => this.#commit());
    this.#commit();
    return null;
  }

  #formatAnd(events: readonly Buffer[]): readonly Buffer[] {
    return this.#format === null ? events : [this.#format, ...events];
  }

  // -- XA: see prepared.ts -----------------------------------------------------------------------------------------------

  async #prepare(xid: string, at: number): Promise<void> {
    const events = this.#formatAnd(this.#xa ?? []);
    this.#xa = null;
    if (!(await this.#o.prepared.keep(xid, events)))
      await this.#reject(
        'an XA transaction',
        this.#assembler.count(at),
        'It was prepared, and is too large to be kept until it is committed.',
      );
    this.#commit();
  }

  async #decide({ statement, sql, header }: QueryEvent, at: number): Promise<void> {
    if (!this.#assembler.isInTransaction) this.#start(null, header.serverId, header.timestamp, at);
    const xid = xidOf(sql),
      { prepared } = this.#o;
    if (xid !== null && statement.kind === 'xa_commit') {
      const events = prepared.eventsOf(xid);
      if (events !== null) await this.#sendKept(events, at);
      else await this.#reject('an XA transaction', this.#assembler.count(at), 'It was committed, and prepared where it was not read.');
    }
    if (xid !== null) await prepared.decide(xid, this.#assembler.place);
    this.#commit();
  }

  /** `events`: FORMAT_DESCRIPTION first. */
  async #sendKept(events: readonly Buffer[], at: number): Promise<void> {
    this.#xa = null;
    const decoder = new BinlogDecoder();
    for (const bytes of events) {
      const event = decoder.decode(bytes, 0, bytes.length);
      const waiting = event.kind === 'format_description' ? null : this.#take(event, at);
      if (waiting !== null) await waiting;
    }
  }

  #tsOf(timestamp: number): number {
    return this.#commitTsMs ?? timestamp * MS;
  }

  // -- rows --------------------------------------------------------------------------------------------------------------

  async #resolve(map: TableMap, eventPosition: number): Promise<void> {
    const at = this.#assembler.shapePlace(eventPosition),
      { table, change } = await this.#o.tracker.meet(map, at);
    this.#assembler.resolve(map, table, change, at);
    if (table !== null && change?.previous && hasOtherTypes(change.previous, table.schema)) this.#o.snapshots?.readAgain(table.schema);
  }

  #rows(event: RowsEvent, at: number): void {
    // Before 5.6 with GTIDs off, and in files of old servers, nothing says that a transaction begins but BEGIN.
    if (!this.#assembler.isInTransaction) this.#start(null, event.header.serverId, event.header.timestamp, at);
    this.#assembler.rows(event, at, this.#tsOf(event.header.timestamp));
  }

  async #unreadable({ table, reason, header }: UnreadableRowsEvent, at: number): Promise<void> {
    const place = this.#assembler.count(at);
    if (this.#assembler.isRepeated || !this.#o.isTable(table.database, table.table)) return;
    await this.#reject(`rows of ${nameOfTable(table)}`, place, `They cannot be read: ${reason} (event of type ${header.type}).`);
  }

  /** One table cannot be followed: what is lost of it is said where dead letters are; the others go on. */
  #reject(what: string, place: Position, why: string): Promise<void> {
    return this.#o.ctx.reject(what, place, this.#error('SOURCE_DATA_INVALID', `${what}: ${why}`));
  }

  // -- statements --------------------------------------------------------------------------------------------------------

  #query(event: QueryEvent, at: number): Promise<void> | null {
    const { statement, header } = event;
    switch (statement.kind) {
      case 'xa_start':
      case 'begin':
        if (statement.kind === 'xa_start') this.#xa = [];
        if (!this.#assembler.isInTransaction) this.#start(null, header.serverId, header.timestamp, at);
        this.#hasBegun = true;
        return null;
      case 'rollback':
        this.#xa = null;
        return this.#rolledBack(at, true);
      case 'commit':
        return this.#end(at);
      case 'xa_commit':
      case 'xa_rollback':
        return this.#decide(event, at);
      case 'savepoint':
        return /^\s*ROLLBACK\b/i.test(event.sql) ? this.#rolledBack(at, false) : null;
      case 'xa_end':
        return null;
      case 'ddl':
        return this.#ddl(event, at);
      case 'drop_database':
        return this.#dropDatabase(event, at);
      case 'change':
        return this.#statement(event, at);
      default:
        this.#standalone(event, at);
        return null;
    }
  }

  /**
   * Is in the log only where tables without transactions were written in between: what was changed in those stays, all else does not. The
   * log does not say which is which, and some of it may have been handed over.
   */
  async #rolledBack(at: number, isEnd: boolean): Promise<void> {
    if (this.#assembler.isInTransaction && this.#assembler.hasRows) {
      const place = this.#assembler.count(at);
      if (!this.#assembler.isRepeated)
        await this.#reject(
          'a ROLLBACK',
          place,
          'It took back changes of its transaction that were handed over: tables without transactions are in it, too.',
        );
    }
    if (isEnd) this.#commit();
  }

  /** A statement that is a transaction by itself. */
  #standalone({ header }: QueryEvent, at: number): void {
    if (!this.#assembler.isInTransaction) this.#start(null, header.serverId, header.timestamp, at);
    if (!this.#hasBegun) this.#commit();
  }

  async #ddl(event: QueryEvent, at: number): Promise<void> {
    const { statement, header, sql } = event;
    if (statement.kind !== 'ddl') return;
    if (!this.#assembler.isInTransaction) this.#start(null, header.serverId, header.timestamp, at);
    if (!statement.temporary) {
      for (const table of [...statement.tables, ...statement.renamedTo]) {
        if (statement.verb === 'truncate') await this.#truncate(table, event, at);
        else
          this.#changed(
            table,
            statement.verb === 'drop' || (statement.renamedTo.length > 0 && statement.tables.includes(table)),
            event,
            at,
          );
      }
      if (statement.tables.length === 0) this.#o.logger.warn('a DDL names no table that could be read', { sql: sql.slice(0, 200) });
    }
    if (!this.#hasBegun) this.#commit();
  }

  #changed({ database, table }: TableName, isGone: boolean, { sql, header }: QueryEvent, at: number): void {
    const place = this.#assembler.count(at),
      { tracker, isTable } = this.#o;
    if (!isTable(database, table)) return;
    tracker.changed(database, table, sql);
    this.#assembler.forgetAll();
    const previous = tracker.latest(tableId(database, table));
    if (!isGone || previous === null || this.#assembler.isRepeated) return;
    this.#assembler.schemaChange(previous, { kind: 'drop', previous, ddl: sql }, place, this.#tsOf(header.timestamp));
  }

  async #truncate({ database, table }: TableName, { header }: QueryEvent, at: number): Promise<void> {
    const known = this.#o.isTable(database, table) ? await this.#o.tracker.current(database, table) : null;
    if (known === null) this.#assembler.count(at);
    else this.#assembler.truncate(known, at, this.#tsOf(header.timestamp));
  }

  #dropDatabase(event: QueryEvent, at: number): null {
    const { statement, header, sql } = event;
    if (statement.kind !== 'drop_database') return null;
    if (!this.#assembler.isInTransaction) this.#start(null, header.serverId, header.timestamp, at);
    const gone = this.#o.tracker.known(statement.database);
    const place = this.#assembler.count(at);
    for (const [i, schema] of gone.entries()) {
      if (this.#assembler.isRepeated) break;
      const mark = withMark(place, `.d${String(i).padStart(5, '0')}`);
      this.#assembler.schemaChange(schema, { kind: 'drop', previous: schema, ddl: sql }, mark, this.#tsOf(header.timestamp));
    }
    if (!this.#hasBegun) this.#commit();
    return null;
  }

  /** `binlog_format=STATEMENT` in a session: rows were changed, and the log does not say which. */
  async #statement({ statement, header, database, sql }: QueryEvent, at: number): Promise<void> {
    if (statement.kind !== 'change') return;
    if (!this.#assembler.isInTransaction) this.#start(null, header.serverId, header.timestamp, at);
    const place = this.#assembler.count(at),
      { table } = statement;
    const mayConcern = table === null ? this.#o.tracker.mayConcern(database) : this.#o.isTable(table.database, table.table);
    if (mayConcern && !this.#assembler.isRepeated) {
      const what =
        table === null ? `a ${statement.verb.toUpperCase()} in ${database || 'no database'}` : `a change of ${nameOfTable(table)}`;
      await this.#reject(
        what,
        place,
        `It was logged as a statement (${sql.length} characters) and not as rows: binlog_format of its session is not ROW.`,
      );
    }
    if (!this.#hasBegun) this.#commit();
  }

  #error(code: 'SOURCE_DATA_INVALID' | 'SOURCE_POSITION_GONE', message: string): CdcError {
    return new CdcError(code, message, {
      where: this.#o.where,
      fix: 'Read the tables again, by `cdc-run snapshot`, once the cause is gone.',
    });
  }
}

function hasOtherTypes(before: TableSchema, after: TableSchema): boolean {
  return before.columns.some((b) => {
    const a = after.columns.find((c) => c.name === b.name);
    return a !== undefined && a.nativeType !== b.nativeType && a.type !== b.type;
  });
}

/** `until` of a one_time run as a place; `null`: it has none. */
export function endOf({ until }: ReadContext): Position | null {
  return until === null ? null : (until.partitions[PARTITION] ?? null);
}
