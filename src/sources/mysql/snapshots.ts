// Existing rows beside the stream: runs the jobs of the snapshot engine on sessions, tells it what the stream brings, and makes
// batches of what is due. What may go out where is decided in src/snapshot alone.

import {
  type ChangeBatch,
  ChangeEvent,
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
import { SnapshotFailures } from '../../snapshot/failures.ts';
import { RowMarks, type RowPlace } from '../../snapshot/marks.ts';
import type { SnapshotOrders } from '../../snapshot/orders.ts';
import { RowEstimates } from '../../snapshot/row-estimates.ts';
import type { OutputChunk, PassJob, SnapshotOutput } from '../../snapshot/types.ts';
import { runSnapshotJobs, settleFailed } from '../../snapshot/workers.ts';
import type { StoppedTables } from '../../streaming/stopped-tables.ts';
import type { BinlogRow } from './binlog/rows.ts';
import { type ChunkTable, nameOf } from './chunk-sql.ts';
import { type ChunkReaderOptions, keyOf, type ReadRow, type TableShape } from './chunks.ts';
import type { MysqlSourceConfig } from './config.ts';
import { PARTITION, parsePlace, placeNumber, type TransactionPlace, withMark } from './position.ts';
import type { Between, StreamPlace } from './reading-options.ts';
import type { ReadTable } from './schemas.ts';
import type { Server } from './server.ts';
import { SnapshotReads } from './snapshot-reads.ts';
import { type SeenPoint, type StreamedId, setOf, visibilityOf } from './visibility.ts';

type Engine = SnapshotEngine<ReadRow, StreamedId, SeenPoint, SeenPoint>;

const EVENT_BYTES = 300;

export interface SnapshotsOptions extends ChunkReaderOptions {
  readonly server: Server;
  readonly config: MysqlSourceConfig;
  readonly ctx: SourceContext;
  readonly read: ReadContext;
  readonly tables: readonly ChunkTable[];
  /** Is the table read without anybody asking for it? */
  readonly isWanted: (table: ChunkTable) => boolean;
  readonly orders: SnapshotOrders;
  readonly stopped: StoppedTables;
  /** Where reading resumes, and the end of the log at this start. */
  readonly from: Position;
  readonly repeatsUntil: bigint;
  /** Changes were lost: all is read again, and what is at destinations goes. */
  readonly isAnew: boolean;
}

export class Snapshots implements Between {
  readonly #o: SnapshotsOptions;
  readonly #engine: Engine;
  readonly #reads: SnapshotReads;
  readonly #marks: RowMarks;
  readonly #failures: SnapshotFailures;
  readonly #estimates: RowEstimates;
  readonly #tables: ReadonlyMap<string, ChunkTable>;
  readonly #names = new WeakMap<ReadTable, string>();
  /** Everything before it has been streamed. */
  #streamed: Position;
  #truncates: readonly ChunkTable[];
  #isRecording = false;
  #hasOrders = true;

  constructor(options: SnapshotsOptions) {
    const { ctx, config, read, tables, from, repeatsUntil, isAnew, isWanted, orders, kind } = options,
      { workers, chunk_rows, chunk_bytes } = config.snapshot;
    this.#o = options;
    this.#streamed = from;
    this.#tables = new Map(tables.map((t) => [nameOf(t), t]));
    // A run that ends by itself cannot wait for anybody.
    const policy = config.snapshot.on_error === 'pause' && read.until !== null ? 'stop' : config.snapshot.on_error;
    this.#failures = new SnapshotFailures(policy, ctx.logger);
    this.#marks = new RowMarks(() => this.#engine.status());
    this.#reads = new SnapshotReads(options.server, this.#tables, this.#marks, () => this.#streamedPoint(), options);
    this.#estimates = new RowEstimates((table, where, signal) => this.#reads.estimate(table, where, signal));
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
      at: numberOf(from),
      repeatsUntil,
      visibility: visibilityOf(kind),
      merge: (row, parts) => ({ ...row, parts: [...row.parts, ...(parts as BinlogRow[])] }),
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
    for (const table of options.stopped.names()) this.#engine.stop(table, options.stopped.reasonOf(table) ?? '');
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
    if (this.#truncates.length > 0 || orders.hasWork) return false;
    // A run that ends by itself does not wait for what an operator has paused: the next one goes on with it.
    const mayWait = read.until === null || orders.paused.size === 0;
    return this.#engine.isDone || (!mayWait && !this.hasDue && this.#engine.status().every((t) => t.state !== 'running'));
  }
  get hasDue(): boolean {
    return this.#hasOrders || this.#truncates.length > 0 || this.#engine.hasDue;
  }
  /** Ends the reading. */
  get failure(): Error | null {
    return this.#failures.fatal;
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
    const { stopped } = this.#o,
      read = this.#engine.status(),
      unread = stopped.names().filter((name) => read.every((t) => t.table !== name));
    return [
      ...read.map(({ table, state, error }): TableSnapshot => {
        const reason = stopped.reasonOf(table),
          why = error ?? (state === 'paused' ? this.#failures.errorOf(table) : null);
        return {
          table,
          state: reason !== null ? 'stopped' : state === 'paused' ? state : null,
          estimate: this.#estimates.of(table),
          error: reason ?? why,
        };
      }),
      ...unread.map((table): TableSnapshot => ({ table, state: 'stopped', estimate: null, error: stopped.reasonOf(table) })),
    ];
  }

  stop(table: string, why: string): void {
    this.#engine.stop(table, why);
  }

  // -- the stream --------------------------------------------------------------------------------------------------------

  begin({ gtid, part }: TransactionPlace): void {
    this.#isRecording = this.#engine.isRecording;
    this.#engine.begin({ gtid, place: numberOf(`${part}0000000000`), atMs: this.#o.ctx.clock.now() });
  }

  row(op: 'c' | 'u' | 'd' | 't', table: ReadTable, old: BinlogRow | null, row: BinlogRow | null): void {
    if (!this.#isRecording) return;
    const name = this.#nameOf(table),
      known = this.#tables.get(name);
    if (known === undefined || !this.#engine.records(name)) return;
    if (op === 't') this.#engine.truncate(name);
    else if (op === 'd') this.#engine.delete(name, old && this.#keyOf(table, known, old));
    else if (row !== null) {
      const key = this.#keyOf(table, known, row);
      if (op === 'c') this.#engine.insert(name, key);
      else this.#engine.update(name, old === null ? key : this.#keyOf(table, known, old), key, !row.incomplete, row);
    }
  }

  #keyOf({ schema }: ReadTable, { key }: ChunkTable, image: BinlogRow): string | null {
    const columns = key.flatMap((name) => schema.columns.find((c) => c.name === name) ?? []);
    return columns.length < key.length ? null : keyOf(columns, (name) => image.column(name));
  }

  /** All rows of the table have changed without the stream saying so. */
  readAgain(schema: TableSchema): void {
    const name = nameOf({ database: schema.id.database ?? '', table: schema.id.table });
    if (!this.#tables.has(name)) return;
    this.#o.ctx.logger.info('a table was rewritten: its rows are read again', { table: name });
    this.#engine.request([name]);
  }

  commit(done: Position): void {
    this.#streamed = done;
    this.#engine.commit(numberOf(done));
  }

  abort(): void {
    this.#engine.abort();
  }

  reached(done: Position): void {
    this.#streamed = done;
    this.#engine.reached(numberOf(done));
  }

  #streamedPoint(): SeenPoint {
    return { place: numberOf(this.#streamed), done: setOf(parsePlace(this.#streamed)?.done ?? ''), atMs: this.#o.ctx.clock.now() };
  }

  #nameOf(table: ReadTable): string {
    const known = this.#names.get(table);
    if (known !== undefined) return known;
    const name = nameOf({ database: table.schema.id.database ?? '', table: table.schema.id.table });
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
      const batch = await this.#truncate(table, stream);
      if (batch !== null) yield batch;
    }
    this.#truncates = [];
    if (this.#o.orders.hasWork) yield* this.#takeOrders(stream);
    for (let due = this.#engine.due(); due !== null; due = this.#engine.due()) {
      if (due.kind === 'output') yield* this.#output(due, stream);
      else if (due.kind === 'pass') yield* this.#passRows(due.job, stream);
      else this.#reads.endPass(due.job);
    }
  }

  /** What was asked for is told at a place that nobody has yet: who covers it has heard of it, and the order is done. */
  async *#takeOrders(stream: StreamPlace): AsyncGenerator<ChangeBatch, void, undefined> {
    const { orders, stopped } = this.#o,
      beginning = orders.beginning;
    for (const table of beginning) {
      const known = (await stopped.follow(table)) ? this.#tables.get(table) : undefined;
      // Rows that have gone while it was stopped must not stay.
      const batch = known === undefined ? null : await this.#truncate(known, stream);
      if (batch !== null) yield batch;
    }
    orders.apply(this.#engine);
    const progress = this.#engine.takeProgress(),
      place = progress.length === 0 ? stream.place : stream.announce();
    orders.told(place);
    stopped.told(beginning, place);
    if (progress.length > 0) yield this.#batch([], place, 0, progress);
  }

  /** Rows that have gone while nobody looked must not stay at the destinations. */
  async #truncate({ database, table }: ChunkTable, stream: StreamPlace): Promise<ChangeBatch | null> {
    const now = await this.#o.server.catalog.table(database, table);
    if (now === null) return null;
    const position = stream.announce(),
      { schema } = await this.#o.tracker.appear(now, position);
    const event = new ChangeEvent({ ...this.#init(schema, position), op: 't' });
    return this.#batch([event], position, EVENT_BYTES);
  }

  #init(table: TableSchema, position: Position) {
    return { table, source: this.#o.ctx.name, partition: PARTITION, position, sourceTsMs: this.#o.ctx.clock.now() };
  }

  async *#output(
    { rows, chunk, progress, bytes }: SnapshotOutput<ReadRow>,
    stream: StreamPlace,
  ): AsyncGenerator<ChangeBatch, void, undefined> {
    const schemas = new Map<TableShape, TableSchema>();
    for (const { shape } of rows) {
      if (schemas.has(shape)) continue;
      const at = withMark(stream.place, `.s${nameOf(shape.now).replaceAll(/[^\w.]/g, '_')}`),
        { schema, change } = await this.#o.tracker.appear(shape.now, at);
      schemas.set(shape, schema);
      if (change === null) continue;
      stream.moveTo(at);
      yield this.#batch([new ChangeEvent({ ...this.#init(schema, at), op: 's', schemaChange: change })], at, EVENT_BYTES);
    }
    // What waits for the end of a run.
    if (this.#o.orders.hasWork && progress.some((p) => p.state !== 'running')) this.#hasOrders = true;
    // A run that begins is told at a place which no lane has: who covers the place has heard of it.
    const place = progress.some((p) => p.chunk === 0) ? stream.announce() : stream.place;
    if (chunk === null || rows.length === 0) {
      yield this.#batch([], place, bytes, progress);
      return;
    }
    const events = this.#rowEvents(rows, chunk, place, schemas);
    yield this.#batch(events, place, bytes + events.length * EVENT_BYTES, progress);
  }

  #rowEvents(rows: readonly ReadRow[], chunk: OutputChunk, place: Position, schemas: ReadonlyMap<TableShape, TableSchema>): ChangeEvent[] {
    const { run, table, chunk: number } = chunk,
      placeOf = this.#marks.of(chunk, rows.length),
      nowMs = this.#o.ctx.clock.now(),
      mark = (which: RowPlace): SnapshotMark => ({ run, table, chunk: number, place: which }),
      inner = mark('true');
    return rows.map(
      ({ shape, row, parts }, i) =>
        new ChangeEvent({
          op: 'r',
          table: schemas.get(shape) as TableSchema,
          source: this.#o.ctx.name,
          partition: PARTITION,
          position: withMark(place, `.r.${run}.${number}.${i}`),
          sourceTsMs: nowMs,
          after: parts.length === 0 ? row : merged(row, parts),
          snapshot: i === 0 || i === rows.length - 1 ? mark(placeOf(i)) : inner,
        }),
    );
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

function merged(row: Row, parts: readonly BinlogRow[]): Row {
  const whole = { ...row };
  for (const part of parts) Object.assign(whole, part.decode());
  return whole;
}

export function numberOf(position: string): bigint {
  const place = parsePlace(position);
  return place === null ? 0n : placeNumber(place);
}
