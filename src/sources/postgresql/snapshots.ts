// Existing rows beside the stream: runs the jobs of the snapshot engine on sessions, tells it what the stream brings, and makes
// batches of what is due. What may go out where is decided in src/snapshot alone.

import {
  CdcError,
  type ChangeBatch,
  ChangeEvent,
  type ChangeEventInit,
  formatTableId,
  type Position,
  type ReadContext,
  type SchemaChange,
  type SnapshotProgress,
  type SourceContext,
  type TableSchema,
  type TableSnapshot,
} from '../../sdk/index.ts';
import { SnapshotEngine } from '../../snapshot/engine.ts';
import { SnapshotFailures } from '../../snapshot/failures.ts';
import { RowMarks } from '../../snapshot/marks.ts';
import type { SnapshotOrders } from '../../snapshot/orders.ts';
import { RowEstimates } from '../../snapshot/row-estimates.ts';
import type { PassJob, SnapshotOutput } from '../../snapshot/types.ts';
import { runSnapshotJobs, settleFailed } from '../../snapshot/workers.ts';
import type { StreamObserver } from './batches.ts';
import { brokenRow, isText } from './broken-rows.ts';
import type { ChunkTable } from './chunk-sql.ts';
import type { ChunkReaderOptions } from './chunks.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import type { Tuple } from './pgoutput/tuple.ts';
import { PARTITION } from './position.ts';
import type { Publishing } from './publishing.ts';
import { ReadAnew } from './read-anew.ts';
import { keyOf, type ReadRow } from './read-rows.ts';
import { estimateRows } from './row-estimates.ts';
import type { CatalogShape, ReadTable } from './schemas.ts';
import type { Server } from './server.ts';
import { rowEvents } from './snapshot-events.ts';
import { nameOf, SnapshotReads } from './snapshot-reads.ts';
import { type XidSnapshot, xidVisibility } from './xids.ts';

type Engine = SnapshotEngine<ReadRow, number, XidSnapshot, number>;

const EVENT_BYTES = 300;

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
  /** Knows of which tables changes are missing. */
  readonly publishing: Publishing;
  /** Where reading resumes, and the end of the log at this start. */
  readonly at: bigint;
  readonly repeatsUntil: bigint;
  /** Changes were lost: all is read again, and what is at destinations goes. */
  readonly isAnew: boolean;
  /** A chunk waits for the stream: the server is asked how far its log is. */
  onWaiting(): void;
}

export class Snapshots implements StreamObserver {
  readonly #o: SnapshotsOptions;
  readonly #engine: Engine;
  readonly #reads: SnapshotReads;
  readonly #marks: RowMarks;
  readonly #failures: SnapshotFailures;
  readonly #tables: ReadonlyMap<string, ChunkTable>;
  readonly #names = new WeakMap<ReadTable, string>();
  readonly #estimates: RowEstimates;
  readonly #anew: ReadAnew;
  #truncates: readonly ChunkTable[];
  #ended: Error | null = null;
  #isRecording = false;
  #hasOrders = true;

  constructor(options: SnapshotsOptions) {
    const { ctx, config, read, tables, at, repeatsUntil, isAnew, isWanted, orders } = options,
      { workers, chunk_rows, chunk_bytes } = config.snapshot;
    this.#o = options;
    this.#tables = new Map(tables.map((t) => [nameOf(t), t]));
    // A run that ends by itself cannot wait for anybody.
    const policy = config.snapshot.on_error === 'pause' && read.until !== null ? 'stop' : config.snapshot.on_error;
    this.#failures = new SnapshotFailures(policy, ctx.logger);
    this.#marks = new RowMarks(() => this.#engine.status());
    this.#reads = new SnapshotReads(options.server, this.#tables, this.#marks, options);
    this.#estimates = new RowEstimates((table, where, signal) =>
      options.server.use(signal, (session) => estimateRows(session, this.#reads.table(table), where)),
    );
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
    this.#anew = new ReadAnew({
      publishing: options.publishing,
      orders,
      newId: () => `anew-${ctx.random()}`,
      truncate: (table, stream) => this.#truncate(this.#reads.table(table), stream),
    });
    this.#truncates = isAnew ? tables : [];
    if (isAnew) this.#engine.request(tables.filter(isWanted).map(nameOf));
    orders.onNew = () => {
      this.#hasOrders = true;
      this.#engine.changed.notify();
    };
  }

  get changed(): Engine['changed'] {
    return this.#engine.changed;
  }
  /** All rows of all tables are out. */
  get isDone(): boolean {
    const { orders, read } = this.#o;
    if (this.#truncates.length > 0 || !this.#anew.isDone || orders.hasWork) return false;
    // A run that ends by itself does not wait for what an operator has paused: the next one goes on with it.
    const mayWait = read.until === null || orders.paused.size === 0;
    return this.#engine.isDone || (!mayWait && !this.hasDue && this.#engine.status().every((t) => t.state !== 'running'));
  }
  /** Something may be due, now that the stream stands where it does. */
  get hasDue(): boolean {
    return this.#hasOrders || this.#truncates.length > 0 || this.#anew.hasDue || this.#engine.hasDue;
  }
  /** Ends the reading. */
  get failure(): Error | null {
    return this.#ended ?? this.#failures.fatal;
  }
  /** Ends the reading because of what somebody else has found out. */
  end(error: Error): void {
    this.#ended ??= error;
    this.#engine.changed.notify();
  }

  /** Reads until `signal` aborts. */
  start(signal: AbortSignal): void {
    const { ctx, config } = this.#o;
    const judge: SnapshotFailures['judge'] = (job, cause) => this.#failures.judge(job, cause);
    void runSnapshotJobs(this.#engine, this.#reads, { count: config.snapshot.workers, clock: ctx.clock, judge }, signal);
    void this.#estimates.watch(() => this.#engine.status(), ctx.clock, signal);
  }

  /** For people. */
  status(): TableSnapshot[] {
    return this.#engine.status().map(({ table, state, error }) => ({
      table,
      state: state === 'paused' ? state : null,
      estimate: this.#estimates.of(table),
      error: error ?? (state === 'paused' ? this.#failures.errorOf(table) : null),
    }));
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
  }

  commit(endLsn: bigint): void {
    this.#anew.reached(endLsn);
    this.#engine.commit(endLsn);
  }

  reached(lsn: bigint): void {
    this.#anew.reached(lsn);
    this.#engine.reached(lsn);
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
    this.#hasOrders = false;
    for (const table of this.#truncates) {
      const batches = await this.#truncate(table, stream);
      if (batches === null) throw this.#isGone(table);
      yield* batches;
    }
    this.#truncates = [];
    yield* this.#anew.due(stream);
    if (this.#o.orders.hasWork) yield* this.#takeOrders(stream);
    for (let due = this.#engine.due(); due !== null; due = this.#engine.due()) {
      if (due.kind === 'output') yield* this.#output(due, stream);
      else if (due.kind === 'pass') yield* this.#passRows(due.job, stream);
      else this.#reads.endPass(due.job);
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

  /** Rows that have gone while nobody looked must not stay at the destinations. `null`: the table itself is gone. */
  async #truncate({ schema: name, table }: ChunkTable, stream: StreamPlace): Promise<ChangeBatch[] | null> {
    const { server, tracker, sends } = this.#o,
      now = await server.catalog.named(name, table);
    if (now === null) return null;
    const shape = await tracker.fromCatalog(now, sends(now)),
      at = shapeAt(stream, shape);
    const { schema, change } = await tracker.appear(shape, at);
    const told = change === null ? [] : [this.#changed(schema, change, at, stream)],
      position = stream.announce();
    return [...told, this.#batch([this.#event({ op: 't', table: schema, position })], position, EVENT_BYTES)];
  }

  #isGone(table: ChunkTable): CdcError {
    return new CdcError('SOURCE_MISCONFIGURED', `The table ${nameOf(table)} is gone.`, { where: this.#o.where, fix: 'Correct `tables`.' });
  }

  #changed(table: TableSchema, schemaChange: SchemaChange, position: Position, stream: StreamPlace): ChangeBatch {
    stream.moveTo(position);
    return this.#batch([this.#event({ op: 's', table, position, schemaChange })], position, EVENT_BYTES);
  }

  #event(init: Pick<ChangeEventInit, 'op' | 'table' | 'position' | 'schemaChange'>): ChangeEvent {
    const { ctx } = this.#o;
    return new ChangeEvent({ source: ctx.name, partition: PARTITION, sourceTsMs: ctx.clock.now(), ...init });
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
      const at = shapeAt(stream, shape),
        { schema, change } = await this.#o.tracker.appear(shape, at);
      schemas.set(shape, schema);
      if (change !== null) yield this.#changed(schema, change, at, stream);
    }
    // What waits for the end of a run.
    if (this.#o.orders.hasWork && progress.some((p) => p.state !== 'running')) this.#hasOrders = true;
    // A run that begins is told at a place which no lane has: who covers the place has heard of it.
    const place = progress.some((p) => p.chunk === 0) ? stream.announce() : stream.place;
    if (chunk === null || rows.length === 0) {
      yield this.#batch([], place, bytes, progress);
      return;
    }
    const { name: source, clock } = this.#o.ctx,
      placeOf = this.#marks.of(chunk, rows.length);
    const events = rowEvents({ source, rows, chunk, place, schemas, nowMs: clock.now(), placeOf });
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

  // -- tables without a key: one pass --------------------------------------------------------------------------------------

  async *#passRows(job: PassJob, stream: StreamPlace): AsyncGenerator<ChangeBatch, void, undefined> {
    if (!this.#reads.isOpen(job)) {
      this.#engine.onLost(job);
      return;
    }
    const { maxBatchEvents: rows, maxBatchBytes: bytes } = this.#o.read;
    try {
      for await (const portion of this.#reads.passRows(job, { rows, bytes })) {
        const output = this.#engine.passRows(job, portion.table, portion.rows, portion.bytes, portion.isEnd);
        if (output === null) return;
        yield* this.#output(output, stream);
      }
    } catch (cause) {
      const { verdict, error } = this.#failures.judge(job, this.#o.server.error(cause));
      settleFailed(this.#engine, job, verdict, error);
    } finally {
      this.#reads.endPass(job);
    }
  }
}

/** Where a new shape of a table begins. */
function shapeAt(stream: StreamPlace, { relation }: CatalogShape): Position {
  return `${stream.place}.s${String(relation.oid).padStart(10, '0')}` as Position;
}
