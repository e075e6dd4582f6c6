// Where transactions begin and end in the log, among them those that are prepared and decided later (XA), and those that a crash of the
// server cut off.

import type { Position } from '../../sdk/index.ts';
import type { Assembler } from './batches.ts';
import { BinlogDecoder } from './binlog/decoder.ts';
import type { BinlogEvent, EventHeader, GtidEvent, MariadbGtidEvent, QueryEvent } from './binlog/events.ts';
import type { LogCursor } from './log-cursor.ts';
import { placeAfter, TransactionPlace } from './position.ts';
import { xidOf } from './prepared.ts';
import { type ReadingOptions, reject } from './reading-options.ts';

/** What an XA transaction keeps until it is committed. */
const OF_ROWS: ReadonlySet<BinlogEvent['kind']> = new Set(['table_map', 'rows', 'unreadable_rows', 'transaction_payload']);
const MS = 1000;

/** Takes an event that was kept. `null`: done. */
export type Take = (event: BinlogEvent, at: number) => Promise<void> | null;

export class Transactions {
  readonly #o: ReadingOptions;
  readonly #assembler: Assembler;
  readonly #cursor: LogCursor;
  readonly #take: Take;
  /** A BEGIN was read, or MariaDB's event said that a COMMIT comes. */
  #hasBegun = false;
  #format: Buffer | null = null;
  /** Events of the XA transaction that is being read; `null`: there is none. */
  #xa: Buffer[] | null = null;
  /** Of MySQL 8: when the transaction was committed. */
  #commitTsMs: number | null = null;

  constructor(options: ReadingOptions, assembler: Assembler, cursor: LogCursor, take: Take) {
    this.#o = options;
    this.#assembler = assembler;
    this.#cursor = cursor;
    this.#take = take;
  }

  begin(event: GtidEvent | MariadbGtidEvent, at: number): void {
    if (this.#assembler.isInTransaction) this.commit();
    const id = this.#o.done.idOf(event);
    this.#hasBegun = event.kind === 'mariadb_gtid' && !event.standalone;
    this.#xa = event.kind === 'mariadb_gtid' && event.xa === 'prepared' ? [] : null;
    this.#commitTsMs = event.kind === 'gtid' && event.immediateCommitUs !== null ? Math.floor(event.immediateCommitUs / MS) : null;
    this.#start(id, event.header, at);
  }

  /** Before 5.6 with GTIDs off, and in files of old servers, nothing says that a transaction begins but BEGIN. */
  ensure(header: EventHeader, at: number): void {
    if (!this.#assembler.isInTransaction) this.#start(null, header, at);
  }

  /** BEGIN and XA START: what follows is part of it until its end. */
  open(header: EventHeader, at: number, isXa: boolean): void {
    if (isXa) this.#xa = [];
    this.ensure(header, at);
    this.#hasBegun = true;
  }

  #start(id: string | null, { serverId, timestamp }: EventHeader, at: number): void {
    const { done, identity } = this.#o,
      place = new TransactionPlace(identity.history, this.#cursor.file, at, { serverId, gtid: id ?? '', done: done.text });
    this.#assembler.begin(place, id ?? `${place.file}:${at}`, this.#commitTsMs ?? timestamp * MS);
  }

  tsOf({ timestamp }: EventHeader): number {
    return this.#commitTsMs ?? timestamp * MS;
  }

  /** Everything up to where the stream is, once no transaction is open. */
  doneHere(): Position {
    return placeAfter(this.#o.identity.history, this.#cursor.file, this.#cursor.position, this.#o.done.text);
  }

  commit(): void {
    if (!this.#assembler.isInTransaction) return;
    this.#o.done.add();
    this.#hasBegun = false;
    this.#assembler.commit(this.doneHere());
  }

  /** A statement that is a transaction by itself, unless it stands in one. */
  commitAlone(): void {
    if (!this.#hasBegun) this.commit();
  }

  /** Of a transaction, also of an XA transaction that was committed in one phase. */
  end(at: number): Promise<void> | null {
    const events = this.#xa;
    if (events !== null && events.length > 0) return this.#sendKept([...this.#formatAnd(events)], at).then(() => this.commit());
    this.commit();
    return null;
  }

  /** The rest of the file was never written. `null`: nobody has seen anything of the transaction that stood there. */
  tear(): Promise<void> | null {
    if (!this.#assembler.isInTransaction) return null;
    this.#hasBegun = false;
    this.#xa = null;
    const place = this.#assembler.place;
    this.#o.logger.warn('a transaction was cut off in the log by a crash of the server: it was not committed', { place });
    if (!this.#assembler.abort()) return null;
    return reject(
      this.#o,
      'a transaction',
      place,
      'A crash of the server cut it off, and some of its changes were handed over before that was known.',
    );
  }

  // -- XA: see prepared.ts -----------------------------------------------------------------------------------------------

  /** Are events of rows kept, as they came? */
  get isKeeping(): boolean {
    return this.#xa !== null;
  }

  /** How all that is kept is read. */
  keepFormat(raw: Buffer): void {
    this.#format = Buffer.from(raw);
  }

  /** `false`: the event is to be taken now. */
  keep({ kind }: BinlogEvent, raw: Buffer): boolean {
    if (this.#xa === null || !OF_ROWS.has(kind)) return false;
    this.#xa.push(Buffer.from(raw));
    return true;
  }

  dropKept(): void {
    this.#xa = null;
  }

  #formatAnd(events: readonly Buffer[]): readonly Buffer[] {
    return this.#format === null ? events : [this.#format, ...events];
  }

  async prepare(xid: string, at: number): Promise<void> {
    const events = this.#formatAnd(this.#xa ?? []);
    this.#xa = null;
    if (!(await this.#o.prepared.keep(xid, events)))
      await reject(
        this.#o,
        'an XA transaction',
        this.#assembler.count(at),
        'It was prepared, and is too large to be kept until it is committed.',
      );
    this.commit();
  }

  async decide({ statement, sql, header }: QueryEvent, at: number): Promise<void> {
    this.ensure(header, at);
    const xid = xidOf(sql),
      { prepared } = this.#o;
    if (xid !== null && statement.kind === 'xa_commit') {
      const events = prepared.eventsOf(xid);
      if (events !== null) await this.#sendKept(events, at);
      else await reject(this.#o, 'an XA transaction', this.#assembler.count(at), 'It was committed, and prepared where it was not read.');
    }
    if (xid !== null) await prepared.decide(xid, this.#assembler.place);
    this.commit();
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
}
