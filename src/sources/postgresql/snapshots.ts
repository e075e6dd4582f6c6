// Existing rows beside the stream: runs the jobs of the snapshot engine on sessions, tells it what the stream brings, and makes
// batches of what is due. What may go out where is decided in src/snapshot alone.

import {
  CdcError,
  type ChangeBatch,
  ChangeEvent,
  formatTableId,
  type Position,
  type ReadContext,
  type Row,
  type SnapshotMark,
  type SnapshotProgress,
  type SourceContext,
  type TableSchema,
  type TableSnapshot,
} from '../../sdk/index.ts';
import { SnapshotEngine } from '../../snapshot/engine.ts';
import type { PassJob, SnapshotJob, SnapshotOutput } from '../../snapshot/types.ts';
import { type XidSnapshot, xidVisibility } from '../../snapshot/xids.ts';
import type { StreamObserver } from './batches.ts';
import { brokenRow, isText } from './broken-rows.ts';
import { type ChunkTable, NEXT_XID, selectAny, selectCuts } from './chunk-sql.ts';
import { ChunkReader, type ChunkReaderOptions, newestOf } from './chunks.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import type { Session } from './connection.ts';
import type { Tuple } from './pgoutput/tuple.ts';
import { PARTITION } from './position.ts';
import { keyOf, type ReadRow } from './read-rows.ts';
import { estimateRows, RowEstimates } from './row-estimates.ts';
import { RowPlaces } from './row-place.ts';
import type { CatalogShape, ReadTable } from './schemas.ts';
import type { Server } from './server.ts';
import type { SnapshotOrders } from './snapshot-orders.ts';

type Engine = SnapshotEngine<ReadRow, number, XidSnapshot, number>;
type TableJob = Exclude<SnapshotJob, { kind: 'bound' }>;

const EVENT_BYTES = 300;
/** Between two tries of one job: 50 ms, doubled each time. */
const RETRY_MS = 50,
  MAX_RETRY_MS = 5_000;
/** How often it is looked whether there is a run whose size is unknown. */
const ESTIMATE_MS = 1_000;

/** Where the stream stands, as far as it has been handed over. */
export interface StreamPlace {
  readonly place: Position;
  /** Moves to a place right behind, which nobody has yet. */
  announce(): Position;
  moveTo(place: Position): void;
}

export interface SnapshotsOptions extends ChunkReaderOptions {
  readonly server: Server;
  readonly config: PostgresqlSourceConfig;
  readonly ctx: SourceContext;
  readonly read: ReadContext;
  readonly tables: readonly ChunkTable[];
  /** Is the table read without anybody asking for it? */
  readonly isWanted: (table: ChunkTable) => boolean;
  readonly orders: SnapshotOrders;
  /** Where reading resumes, and the end of the log at this start. */
  readonly at: bigint;
  readonly repeatsUntil: bigint;
  /** Changes were lost: all is read again, and what is at destinations goes. */
  readonly isAnew: boolean;
  /** A chunk waits for the stream: the server is asked how far its log is. */
  onWaiting(): void;
}

/** The transaction of a pass, open until its rows are out. */
interface OpenPass {
  readonly job: PassJob;
  readonly session: Session;
  readonly shapes: readonly CatalogShape[];
  readonly transaction: string;
  end(): void;
}

export class Snapshots implements StreamObserver {
  readonly #o: SnapshotsOptions;
  readonly #engine: Engine;
  readonly #reader: ChunkReader;
  readonly #tables: ReadonlyMap<string, ChunkTable>;
  readonly #names = new WeakMap<ReadTable, string>();
  readonly #estimates = new RowEstimates();
  /** Tables that wait for an operator, and why. */
  readonly #errors = new Map<string, string>();
  /** H of reads that wait for the stream. */
  #waiting: bigint[] = [];
  #pass: OpenPass | null = null;
  #truncates: readonly ChunkTable[];
  #isRecording = false;
  #hasDue = true;
  /** Tables that had no row when somebody looked. */
  readonly #empty = new Map<string, boolean>();
  /** Ends the reading: a table could not be read, and the configuration says to stop then. */
  failure: Error | null = null;

  constructor(options: SnapshotsOptions) {
    const { ctx, config, read, tables, at, repeatsUntil, isAnew, isWanted, orders } = options,
      { workers, chunk_rows, chunk_bytes } = config.snapshot;
    this.#o = options;
    this.#reader = new ChunkReader(options);
    this.#tables = new Map(tables.map((t) => [nameOf(t), t]));
    this.#engine = new SnapshotEngine({
      source: ctx.name,
      tables: [...this.#tables].map(([name, t]) => ({
        name,
        keyed: t.key.length > 0,
        orderedByIdentity: true,
        onRequest: !isWanted(t),
      })),
      resume: read.snapshots,
      boundaries: isAnew ? [] : read.boundaries,
      at,
      repeatsUntil,
      visibility: xidVisibility,
      merge: (row, parts) => Object.assign(row, { parts }),
      random: ctx.random,
      limits: {
        chunkRows: chunk_rows,
        chunkBytes: chunk_bytes,
        batchRows: read.maxBatchEvents,
        batchBytes: read.maxBatchBytes,
        flights: workers + 1,
        flightsPerTable: workers + 1,
      },
    });
    this.#truncates = isAnew ? tables : [];
    if (isAnew) this.#engine.request(tables.filter(isWanted).map(nameOf));
    orders.onNew = () => {
      this.#hasDue = true;
      this.#engine.changed.notify();
    };
  }

  get changed(): Engine['changed'] {
    return this.#engine.changed;
  }
  /** All rows of all tables are out. */
  get isDone(): boolean {
    const { orders, read } = this.#o;
    if (this.#truncates.length > 0 || orders.hasWork) return false;
    // A run that ends by itself does not wait for what an operator has paused: the next one goes on with it.
    const mayWait = read.until === null || orders.paused.size === 0;
    return this.#engine.isDone || (!mayWait && !this.#hasDue && this.#engine.status().every((t) => t.state !== 'running'));
  }
  /** Something may be due, now that the stream stands where it does. */
  get hasDue(): boolean {
    return this.#hasDue;
  }

  /** Reads until `signal` aborts. */
  start(signal: AbortSignal): void {
    for (let i = 0; i < this.#o.config.snapshot.workers; i++) void this.#work(signal);
    void this.#estimate(signal);
  }

  /** For people. */
  status(): TableSnapshot[] {
    return this.#engine.status().map(({ table, state, error }) => ({
      table,
      state: state === 'paused' ? state : null,
      estimate: this.#estimates.of(table),
      error: error ?? (state === 'paused' ? (this.#errors.get(table) ?? null) : null),
    }));
  }

  async #estimate(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const table = this.#estimates.next(this.#engine.status());
      if (table === null) {
        await this.#o.ctx.clock.sleep(ESTIMATE_MS, signal);
        continue;
      }
      // Nothing depends on it: a table that cannot be asked about has no estimate.
      const rows = await this.#o.server
        .use(signal, (session) => estimateRows(session, this.#table(table.table), table.where))
        .catch(() => null);
      this.#estimates.set(table, rows);
    }
  }

  // -- the stream --------------------------------------------------------------------------------------------------------

  begin(xid: number): void {
    this.#isRecording = this.#engine.isRecording;
    this.#engine.begin(xid);
  }

  row(op: 'c' | 'u' | 'd' | 't', table: ReadTable, old: Tuple | null, row: Tuple | null): void {
    if (!this.#isRecording) return;
    const name = this.#nameOf(table),
      known = this.#tables.get(name);
    if (known === undefined || !this.#engine.records(name)) return;
    if (op === 't') this.#engine.truncate(name);
    else if (op === 'd') this.#engine.delete(name, old && keyOf(old, known.key));
    else if (row !== null) {
      const key = keyOf(row, known.key);
      if (op === 'c') this.#engine.insert(name, key);
      // Without an old row the identity is what it was.
      else this.#engine.update(name, old === null ? key : keyOf(old, known.key), key, !row.incomplete, row);
    }
  }

  /** All rows of the table have changed without the stream saying so. */
  readAgain(table: ReadTable): void {
    const name = this.#nameOf(table);
    if (!this.#tables.has(name)) return;
    this.#o.ctx.logger.info('a table was rewritten: its rows are read again', { table: name });
    this.#engine.request([name]);
    this.#hasDue = true;
  }

  commit(endLsn: bigint): void {
    this.#engine.commit(endLsn);
    this.#lookAt(endLsn);
  }

  reached(lsn: bigint): void {
    this.#engine.reached(lsn);
    this.#lookAt(lsn);
  }

  #lookAt(lsn: bigint): void {
    for (const h of this.#waiting) if (h <= lsn) this.#hasDue = true;
    if (this.#hasDue) this.#waiting = this.#waiting.filter((h) => h > lsn);
  }

  #nameOf(table: ReadTable): string {
    const known = this.#names.get(table);
    if (known !== undefined) return known;
    const name = formatTableId(table.schema.id);
    this.#names.set(table, name);
    return name;
  }

  // -- what goes out -----------------------------------------------------------------------------------------------------

  /** To be handed over before the events that have been told since; `null`: nothing. */
  progress(stream: StreamPlace): ChangeBatch | null {
    const progress = this.#engine.takeProgress();
    return progress.length === 0 ? null : this.#batch([], stream.announce(), 0, progress);
  }

  /** Everything that may go out where the stream is now: between two transactions, with everything handed over. */
  async *due(stream: StreamPlace): AsyncGenerator<ChangeBatch, void, undefined> {
    this.#hasDue = false;
    for (const table of this.#truncates) yield await this.#truncate(table, stream);
    this.#truncates = [];
    if (this.#o.orders.hasWork) yield* this.#takeOrders(stream);
    for (let due = this.#engine.due(); due !== null; due = this.#engine.due()) {
      if (due.kind === 'output') yield* this.#output(due, stream);
      else if (due.kind === 'pass') yield* this.#passRows(due.job, stream);
      else this.#endPass(due.job);
    }
  }

  /** What was asked for is told at a place that nobody has yet: who covers it has heard of it, and the order is done. */
  *#takeOrders(stream: StreamPlace): Generator<ChangeBatch, void, undefined> {
    const { orders } = this.#o;
    orders.apply(this.#engine);
    const progress = this.#engine.takeProgress(),
      place = progress.length === 0 ? stream.place : stream.announce();
    orders.told(place);
    if (progress.length > 0) yield this.#batch([], place, 0, progress);
  }

  /** Rows that have gone while nobody looked must not stay at the destinations. */
  async #truncate(table: ChunkTable, stream: StreamPlace): Promise<ChangeBatch> {
    const now = await this.#o.server.catalog.named(table.schema, table.table);
    if (now === null)
      throw new CdcError('SOURCE_MISCONFIGURED', `The table ${nameOf(table)} is gone.`, { where: this.#o.where, fix: 'Correct `tables`.' });
    const position = stream.announce();
    const { schema } = await this.#o.tracker.appear(await this.#o.tracker.fromCatalog(now, this.#o.sends(now)), position);
    const event = new ChangeEvent({
      op: 't',
      table: schema,
      source: this.#o.ctx.name,
      partition: PARTITION,
      position,
      sourceTsMs: this.#o.ctx.clock.now(),
    });
    return this.#batch([event], position, EVENT_BYTES);
  }

  async *#output(
    { rows: found, chunk, progress, bytes }: SnapshotOutput<ReadRow>,
    stream: StreamPlace,
  ): AsyncGenerator<ChangeBatch, void, undefined> {
    const rows = this.#o.isRaw ? await this.#withoutBroken(found, stream.place) : found;
    const schemas = new Map<CatalogShape, TableSchema>();
    for (const { origin } of rows) {
      const { shape } = origin;
      if (schemas.has(shape)) continue;
      const at = `${stream.place}.s${String(shape.relation.oid).padStart(10, '0')}` as Position;
      const { schema, change } = await this.#o.tracker.appear(shape, at);
      schemas.set(shape, schema);
      if (change === null) continue;
      stream.moveTo(at);
      const init = {
        table: schema,
        source: this.#o.ctx.name,
        partition: PARTITION,
        position: at,
        sourceTsMs: this.#o.ctx.clock.now(),
      };
      yield this.#batch([new ChangeEvent({ ...init, op: 's', schemaChange: change })], at, EVENT_BYTES);
    }
    // What waits for the end of a run.
    if (this.#o.orders.hasWork && progress.some((p) => p.state !== 'running')) this.#hasDue = true;
    // A run that begins is told at a place which no lane has: who covers the place has heard of it.
    const place = progress.some((p) => p.chunk === 0) ? stream.announce() : stream.place;
    if (chunk === null || rows.length === 0) {
      yield this.#batch([], place, bytes, progress);
      return;
    }
    const nowMs = this.#o.ctx.clock.now(),
      others = this.#engine.status().filter((t) => t.table !== chunk.table);
    const isFirstTable = others.every((t) => t.rows === 0),
      isLastTable = others.every((t) => isOver(t.state) || this.#empty.get(t.table) === true);
    const places = new RowPlaces(place, chunk.run, chunk.chunk),
      { run, table, chunk: number } = chunk,
      { transaction } = (rows[0] as ReadRow).origin;
    const mark = (which: Place): SnapshotMark => ({ run, table, chunk: number, place: which, transaction }),
      inner = mark('true');
    const events = rows.map((row, i): ChangeEvent => {
      const first = chunk.isFirst && i === 0,
        last = chunk.isLast && i === rows.length - 1;
      return new ChangeEvent({
        op: 'r',
        table: schemas.get(row.origin.shape) as TableSchema,
        source: this.#o.ctx.name,
        partition: PARTITION,
        position: places.at(i),
        sourceTsMs: nowMs,
        after: row.parts.length === 0 ? row : merged(row),
        snapshot: first || last ? mark(placeOf(first, last, isFirstTable, isLastTable)) : inner,
      });
    });
    yield this.#batch(events, place, bytes + events.length * EVENT_BYTES, progress);
  }

  async #withoutBroken(rows: readonly ReadRow[], place: Position): Promise<ReadRow[]> {
    const kept: ReadRow[] = [];
    for (const row of rows) {
      const image = [row, ...row.parts].find((part) => !isText(part));
      if (image === undefined) {
        kept.push(row);
        continue;
      }
      const { input, at, error } = brokenRow(image, row.origin.shape.schema.id, place, this.#o.where);
      await this.#o.read.reject(input, `${at} ${keyOf(image, row.origin.shape.schema.key) ?? ''}`.trim(), error);
    }
    return kept;
  }

  #batch(events: ChangeEvent[], resume: Position, bytes: number, snapshots?: readonly SnapshotProgress[]): ChangeBatch {
    return { events, source: this.#o.ctx.name, partition: PARTITION, resume, bytes, ...(snapshots === undefined ? {} : { snapshots }) };
  }

  // -- jobs --------------------------------------------------------------------------------------------------------------

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const job = this.#engine.nextJob();
      if (job === null) {
        await this.#engine.changed.wait(signal);
        continue;
      }
      try {
        if (job.attempt > 0) await this.#o.ctx.clock.sleep(Math.min(RETRY_MS * 2 ** (job.attempt - 1), MAX_RETRY_MS), signal);
        if (!signal.aborted) await this.#do(job, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(job, error as Error);
      }
      this.#hasDue = true;
      this.#engine.changed.notify();
    }
  }

  async #do(job: SnapshotJob, signal: AbortSignal): Promise<void> {
    const { server } = this.#o,
      engine = this.#engine;
    switch (job.kind) {
      case 'bound': {
        const { rows } = await server.use(signal, (session) => session.query(NEXT_XID));
        engine.onBound(job, Number(rows[0]?.['xid']));
        return;
      }
      case 'split': {
        const sql = selectCuts(this.#table(job.table), job.where, job.after, job.rows, job.count);
        const { rows } = await server.use(signal, (session) => session.query(sql));
        engine.onSplit(
          job,
          rows.map((r) => r['key'] as string),
        );
        return;
      }
      case 'pass':
        await server.use(signal, (session) => this.#openPass(job, session, signal));
        return;
      default: {
        const accepts = (seen: XidSnapshot): boolean => engine.accepts(job, seen);
        const read = await server.use(signal, async (session) => {
          const found = await this.#reader.read(session, this.#table(job.table), job, accepts);
          if (found?.end === true) await this.#lookAhead(session, job.table);
          return found;
        });
        if (read === null) {
          engine.onLost(job);
          return;
        }
        this.#waiting.push(read.h);
        engine.onRead(job, read);
        this.#o.onWaiting();
      }
    }
  }

  /** Are all tables that come behind this one empty? Then its last row is the last of all: a mark, which may be missing. */
  async #lookAhead(session: Session, table: string): Promise<void> {
    for (const other of this.#engine.status()) {
      if (other.table === table || other.rows > 0 || isOver(other.state)) continue;
      let isEmpty = this.#empty.get(other.table);
      if (isEmpty === undefined) {
        const found = await session.query(selectAny(this.#table(other.table))).catch(() => null);
        isEmpty = found?.rows[0]?.['found'] === 'false';
        this.#empty.set(other.table, isEmpty);
      }
      if (!isEmpty) return;
    }
  }

  #table(name: string): ChunkTable {
    return this.#tables.get(name) as ChunkTable;
  }

  /** What can pass is tried again; else the configuration says what becomes of the table. */
  #failed(job: SnapshotJob, error: Error): void {
    const { config, ctx, read } = this.#o;
    const isPassing = error instanceof CdcError && error.retriable;
    const names = job.kind === 'bound' ? [] : tablesOf(job);
    ctx.logger.warn('rows could not be read', { tables: names, attempt: job.attempt, error: error.message });
    if (isPassing || job.kind === 'bound') {
      this.#engine.onLost(job);
      // Without it no snapshot of this source can go on.
      if (!isPassing) this.failure = error;
      return;
    }
    // A run that ends by itself cannot wait for anybody.
    const policy = config.snapshot.on_error === 'pause' && read.until !== null ? 'stop' : config.snapshot.on_error;
    if (policy === 'skip') this.#engine.onFailed(job, error);
    else {
      this.#engine.onLost(job);
      for (const name of names) {
        this.#engine.pause(name);
        this.#errors.set(name, error.message);
      }
      if (policy === 'stop') this.failure = error;
    }
  }

  // -- tables without a key: one pass --------------------------------------------------------------------------------------

  /** Holds the transaction until the rows are out, or of no use. */
  async #openPass(job: PassJob, session: Session, signal: AbortSignal): Promise<void> {
    await this.#reader.pass(
      session,
      job.tables.map((t) => this.#table(t.name)),
      async ({ seen, h, shapes }) => {
        const ended = new AbortController();
        this.#pass = { job, session, shapes, transaction: newestOf(seen), end: () => ended.abort() };
        if (!this.#engine.onOpened(job, { seen, h })) {
          this.#pass = null;
          return;
        }
        this.#waiting.push(h);
        this.#o.onWaiting();
        await untilAborted(AbortSignal.any([signal, ended.signal]));
      },
    );
  }

  async *#passRows(job: PassJob, stream: StreamPlace): AsyncGenerator<ChangeBatch, void, undefined> {
    const pass = this.#pass;
    if (pass?.job.id !== job.id) {
      this.#engine.onLost(job);
      return;
    }
    const { maxBatchEvents: rows, maxBatchBytes: bytes } = this.#o.read;
    try {
      for (const [i, table] of job.tables.entries()) {
        const shape = pass.shapes[i] as CatalogShape;
        const portions = this.#reader.all(pass.session, this.#table(table.name), table, { ...pass, shape }, { rows, bytes });
        for await (const portion of portions) {
          const output = this.#engine.passRows(job, table.name, portion.rows, portion.bytes, portion.isEnd);
          if (output === null) return;
          yield* this.#output(output, stream);
        }
      }
    } catch (error) {
      this.#failed(job, this.#o.server.error(error));
    } finally {
      this.#endPass(job);
    }
  }

  #endPass(job: PassJob): void {
    if (this.#pass?.job.id !== job.id) return;
    this.#pass.end();
    this.#pass = null;
  }
}

const nameOf = ({ schema, table }: ChunkTable): string => formatTableId({ database: null, schema, table });
const tablesOf = (job: TableJob): readonly string[] => (job.kind === 'pass' ? job.tables.map((t) => t.name) : [job.table]);

const isOver = (state: string): boolean => state !== 'running' && state !== 'paused';

type Place = Exclude<SnapshotMark, false>['place'];

/** Debezium's marks, the first that fits. */
function placeOf(first: boolean, last: boolean, isFirstTable: boolean, isLastTable: boolean): Place {
  if (last && isLastTable) return 'last';
  if (first && isFirstTable) return 'first';
  if (last) return 'last_in_data_collection';
  return first ? 'first_in_data_collection' : 'true';
}

function merged(image: ReadRow): Row {
  const row = image.decode();
  for (const part of image.parts) Object.assign(row, part.decode());
  return row;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
