// Existing rows beside a stream of changes: decides what to read, which of it may go out at which place of the stream, and what
// is stored of it. No SQL, no driver, no waiting: a source feeds it the stream, runs its jobs and hands out what is due.
// The rules, with pictures: docs/snapshots.md. Crashes between any two calls are played in test/simulation/snapshot.

import { CdcError, type SnapshotProgress } from '../sdk/index.ts';
import { Notifier } from '../util/signal.ts';
import { JobPlanner } from './jobs.ts';
import { WholePass } from './pass.ts';
import { type KeysFlight, putBackTried, type RangeFlight } from './ranges.ts';
import { RULES, type SnapshotRules, type Touch } from './rules.ts';
import { Runs } from './runs.ts';
import { passBoundaries, settleKeys, settleRange } from './settle.ts';
import { TableRun } from './table-run.ts';
import type { StreamedTransaction } from './touch-log.ts';
import {
  type ChunkRead,
  DEFAULT_LIMITS,
  type PassJob,
  type ReadJob,
  type SnapshotDue,
  type SnapshotJob,
  type SnapshotLimits,
  type SnapshotOptions,
  type SnapshotOutput,
  type SplitJob,
  type TableStatus,
} from './types.ts';

/** What became of a request for a run. `unfinished`: the run that is under way must not be cut short by one with a filter. */
export type RequestOutcome = 'begun' | 'unfinished' | 'no_such_table';

export class SnapshotEngine<Row, Id, Seen, Bound> {
  /** Woken when there may be a job, or something due. */
  readonly changed = new Notifier();
  readonly #o: SnapshotOptions<Row, Id, Seen, Bound>;
  readonly #rules: SnapshotRules;
  readonly #limits: SnapshotLimits;
  readonly #tables = new Map<string, TableRun<Row, Id, Seen, Bound>>();
  readonly #pass: WholePass<Row, Id, Seen, Bound>;
  readonly #runs: Runs<Row, Id, Seen, Bound>;
  #transaction: StreamedTransaction<Id> | null = null;
  /** H of reads that wait for the stream. */
  #waiting: bigint[] = [];
  #hasDue = true;
  readonly #jobs: JobPlanner<Row, Id, Seen, Bound>;

  constructor(options: SnapshotOptions<Row, Id, Seen, Bound>, rules: SnapshotRules = RULES) {
    this.#o = options;
    this.#rules = rules;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#runs = new Runs(
      options,
      (t) => this.#forget(t),
      () => this.#wake(),
    );
    for (const table of options.tables) this.#tables.set(table.name, new TableRun(options.source, table, this.#limits));
    this.#pass = new WholePass(options.visibility);
    this.#jobs = new JobPlanner(this.#tables, this.#pass, this.#limits);
    for (const table of options.tables)
      this.#runs.start(this.#tables.get(table.name) as TableRun<Row, Id, Seen, Bound>, table.onRequest === true);
  }

  // -- the stream: every transaction from the place where reading resumed, also what lanes have already ------------------------

  /** Does anything have to be told of the stream now? Else keys need not be made into text. */
  get isRecording(): boolean {
    return this.#runs.mayRepeat || this.#some((t) => t.isRunning);
  }
  records(table: string): boolean {
    const t = this.#tables.get(table);
    return t !== undefined && (t.isRunning || (t.state === 'done' && this.#runs.mayRepeat));
  }

  begin(id: Id): void {
    if (this.#pass.isEmitting) throw new CdcError('INTERNAL_UNEXPECTED', 'the stream went on within a whole-table pass');
    this.#transaction = { id, visibleAt: null };
  }
  /** Keys are canonical texts of the replica identity; `null`: it cannot be told. */
  insert(table: string, key: string | null): void {
    this.#touch(table, { op: 'c', oldKey: null, key, isComplete: true, part: undefined });
  }
  /** `part`: the after image of an incomplete event, for `merge`. */
  update(table: string, oldKey: string | null, key: string | null, isComplete: boolean, part?: unknown): void {
    const t = this.#tables.get(table);
    if (t === undefined) return;
    if (key !== null && this.#rules.listsAtOnce(oldKey, key, isComplete, t.isOrderedByIdentity)) this.#runs.list(t, key, oldKey !== key);
    const isKept = !isComplete && key !== null && t.list.has(key);
    this.#touch(table, { op: 'u', oldKey, key, isComplete, part: isKept ? part : undefined });
  }
  delete(table: string, oldKey: string | null): void {
    this.#touch(table, { op: 'd', oldKey, key: null, isComplete: true, part: undefined });
  }
  truncate(table: string): void {
    this.#touch(table, { op: 't', oldKey: null, key: null, isComplete: true, part: undefined });
  }
  /** The transaction is complete: the stream has passed everything up to here. */
  commit(position: bigint): void {
    this.#transaction = null;
    this.reached(position);
  }
  /** The transaction was never committed: what was told of it is true of no row, and nothing waits for its end. */
  abort(): void {
    const transaction = this.#transaction;
    this.#transaction = null;
    if (transaction === null) return;
    for (const t of this.#tables.values()) t.touches.remove(transaction);
    this.#wake();
  }
  /** A keepalive outside of a transaction: nothing is left to come up to here. */
  reached(position: bigint): void {
    if (position <= this.#runs.position) return;
    this.#runs.position = position;
    if (!this.#waiting.some((h) => h <= position)) return;
    this.#waiting = this.#waiting.filter((h) => h > position);
    this.#wake();
  }

  // -- what goes out -----------------------------------------------------------------------------------------------------------

  /** Progress that must be handed over before the events told since: a batch of its own, as a lane may cut one with events. */
  takeProgress(): SnapshotProgress[] {
    return this.#runs.take();
  }

  /** There may be something to hand over, now that the stream stands where it does. */
  get hasDue(): boolean {
    return this.#hasDue;
  }

  /** What is to be handed over now, between two transactions; ask until it is `null`. */
  due(): SnapshotDue<Row> | null {
    if (this.#transaction !== null) return null;
    const due = this.#nextDue();
    if (due === null) this.#hasDue = false;
    return due;
  }

  #nextDue(): SnapshotDue<Row> | null {
    const progress = this.takeProgress();
    if (progress.length > 0) return { kind: 'output', progress, rows: [], chunk: null, bytes: 0 };
    if (this.#pass.isEmitting) return null;
    const pass = this.#pass.due(this.#runs.position);
    if (pass !== null) return pass;
    for (const t of this.#tables.values()) {
      const output = this.#emit(t);
      if (output !== null) return output;
      // Tables begin in their order, as Debezium reads them: `source.snapshot` tells the first and the last one.
      if (t.isBeginning) return null;
    }
    return null;
  }

  /** Rows of a pass that is due, in any portions; `null`: the pass no longer counts, end its transaction. */
  passRows(job: PassJob, table: string, rows: readonly Row[], bytes: number, isEnd: boolean): SnapshotOutput<Row> | null {
    const t = this.#tables.get(table);
    if (t === undefined || !this.#pass.take(job, t, isEnd)) return null;
    const isFirst = t.rows === 0;
    t.step();
    t.rows += rows.length;
    if (isEnd) t.end();
    return this.#output(t, [t.progress()], rows, bytes, isFirst);
  }

  get isDone(): boolean {
    return this.#runs.isTold && !this.#some((t) => t.isRunning);
  }
  status(): TableStatus[] {
    return [...this.#tables.values()].filter((t) => t.run !== '').map((t) => t.status());
  }

  // -- jobs --------------------------------------------------------------------------------------------------------------------

  /** The next thing to ask the database; its work begins after this call. `null`: nothing before `changed`. */
  nextJob(): SnapshotJob | null {
    return this.#jobs.next();
  }

  onBound(job: { readonly id: number }, bound: Bound): void {
    this.#jobs.boundAttempts = 0;
    for (const t of this.#tables.values()) if (t.boundJob === job.id) t.bound = bound;
    this.#wake();
  }

  onSplit(job: SplitJob, keys: readonly string[]): void {
    this.#tables.get(job.table)?.ranges.setCuts(keys);
    this.#wake();
  }

  /** Would rows read in this snapshot count? Asked before they are read, to save the work; `onRead` asks it anyway. */
  accepts(job: ReadJob, seen: Seen): boolean {
    const t = this.#tables.get(job.table);
    this.#learn(seen);
    return t !== undefined && t.bound !== null && flightOf(t, job.id) !== undefined && this.#o.visibility.passes(seen, t.bound);
  }

  onRead(job: ReadJob, read: ChunkRead<Row, Seen>): void {
    const t = this.#tables.get(job.table),
      flight = t === undefined ? undefined : flightOf(t, job.id);
    const isAccepted = this.accepts(job, read.seen);
    this.#wake();
    if (t === undefined || flight === undefined) return;
    if (!isAccepted) {
      putBackTried(flight);
      return;
    }
    flight.attempt = 0;
    // A rewrite is in no stream: what was read before it is worth nothing.
    if (t.file !== null && t.file !== read.fingerprint) {
      this.#runs.restart(t, { joining: t.joining, requested: t.requested, where: t.where });
      return;
    }
    t.file = read.fingerprint;
    this.#waitFor(read.h);
    t.sizer.onRead(read.rows.count, read.bytes);
    if (flight.kind === 'range') t.ranges.onRead(flight, read);
    else Object.assign(flight, { state: 'read', read });
  }

  /** The open transaction of a pass: `false`: it is of no use, end it. */
  onOpened(job: PassJob, opened: { readonly seen: Seen; readonly h: bigint }): boolean {
    this.#learn(opened.seen);
    this.#waitFor(opened.h);
    this.#wake();
    return this.#pass.open(job, opened);
  }

  /** The job came to nothing (connection lost, lock not granted, snapshot not accepted): it will be handed out again. */
  onLost(job: SnapshotJob): void {
    if (job.kind === 'bound') this.#jobs.boundAttempts++;
    for (const t of this.#tables.values()) {
      if (job.kind === 'bound' && t.boundJob === job.id) t.boundJob = 0;
      if (job.kind === 'split' && t.table === job.table) t.ranges.setCuts(null);
      const flight = flightOf(t, job.id);
      if (flight !== undefined) putBackTried(flight);
    }
    if (job.kind === 'pass') {
      // Not resumable: what went out of it is replaced.
      for (const t of this.#pass.end(job)) if (t.isRunning && t.rows > 0) this.#runs.restart(t, t);
    }
    this.#wake();
  }

  /** The job can never succeed: its table has failed, the others go on. */
  onFailed(job: SnapshotJob & { readonly kind: 'split' | 'range' | 'keys' | 'pass' }, error: Error, table?: string): void {
    const names = job.kind === 'pass' ? (table === undefined ? job.tables.map((t) => t.name) : [table]) : [job.table];
    if (job.kind === 'pass') this.onLost(job);
    for (const name of names) this.#close(name, 'failed', error.message);
  }

  // -- operations --------------------------------------------------------------------------------------------------------------

  /** A new run for all lanes, of all rows or of those that match. */
  request(tables: readonly string[], where: string | null = null): ReadonlyMap<string, RequestOutcome> {
    const outcomes = new Map<string, RequestOutcome>();
    for (const name of tables) {
      const t = this.#tables.get(name),
        isUnfinished = t?.isRunning === true && where !== null && t.where !== where;
      if (t !== undefined && !isUnfinished) this.#runs.restart(t, { requested: true, where });
      outcomes.set(name, t === undefined ? 'no_such_table' : isUnfinished ? 'unfinished' : 'begun');
    }
    return outcomes;
  }
  /** Rows that are not out yet will not come. */
  skip(table: string): void {
    this.#close(table, 'skipped', null);
  }
  /** Its changes cannot be followed: rows that are read beside them would be of no use. */
  stop(table: string, reason: string): void {
    this.#close(table, 'failed', reason);
  }
  /** No further reads of the table until `unpause` or the next start. */
  pause(table: string): void {
    const t = this.#tables.get(table);
    if (t !== undefined) t.isPaused = true;
  }
  unpause(table: string): void {
    const t = this.#tables.get(table);
    if (t !== undefined) t.isPaused = false;
    this.#wake();
  }

  #close(table: string, state: 'failed' | 'skipped', error: string | null): void {
    const t = this.#tables.get(table);
    if (t?.isRunning === true) this.#runs.close(t, state, error);
  }

  #wake(): void {
    this.#hasDue = true;
    this.changed.notify();
  }
  #waitFor(h: bigint): void {
    if (h > this.#runs.position) this.#waiting.push(h);
  }

  // -- what the stream means for reads -----------------------------------------------------------------------------------------

  #touch(table: string, touch: Touch): void {
    const t = this.#tables.get(table),
      transaction = this.#transaction;
    if (t === undefined || !t.isRunning) return;
    if (transaction === null) throw new CdcError('INTERNAL_UNEXPECTED', 'a change came outside of a transaction');
    t.touches.add(transaction, touch);
    if (t.touches.bytes > this.#limits.windowBytes) this.#overflow(t);
  }

  /** Invariant 5: too much is written for chunks of this size. What is in flight is read again, smaller, and must see all of it. */
  #overflow(t: TableRun<Row, Id, Seen, Bound>): void {
    if (t.flights.some((f) => f.state !== 'planned')) t.sizer.shrink();
    this.#forget(t);
    this.#wake();
  }

  #forget(t: TableRun<Row, Id, Seen, Bound>): void {
    t.forget();
    this.#pass.spoil(t);
  }

  #learn(seen: Seen): void {
    const sees = (id: Id): boolean => this.#o.visibility.sees(seen, id);
    for (const t of this.#tables.values()) {
      t.touches.learn(sees, this.#jobs.last);
      t.prune();
    }
  }

  #emit(t: TableRun<Row, Id, Seen, Bound>): SnapshotOutput<Row> | null {
    if (!t.isRunning) return null;
    const flight = [t.keysFlight, t.ranges.flights[0]].find(
      (f) => f?.state === 'read' && f.read !== null && f.read.h <= this.#runs.position,
    );
    if (flight?.read == null) return this.#finish(t);
    const { seen } = flight.read,
      { bytes } = flight.kind === 'range' ? flight : flight.read,
      isFirst = t.rows === 0;
    const since = this.#rules.leavings(t.touches.filter((transaction) => !this.#o.visibility.sees(seen, transaction.id)));
    if (since.unknown) {
      putBackTried(flight);
      this.#wake();
      return null;
    }
    let rows: Row[];
    if (flight.kind === 'range') {
      rows = settleRange(t, flight, since, this.#rules);
      t.ranges.flights.shift();
    } else {
      rows = settleKeys(t, flight, since, this.#rules, this.#o.merge);
      t.keysFlight = null;
    }
    if (flight.kind === 'keys' || !flight.hasMore) t.sizer.grow();
    return this.#output(t, this.#progressAfter(t), rows, bytes, isFirst);
  }

  #progressAfter(t: TableRun<Row, Id, Seen, Bound>): SnapshotProgress[] {
    const reached = passBoundaries(t, (isJoinable) => this.#runs.newRun(isJoinable));
    if (t.isComplete) t.end();
    else t.prune();
    this.#wake();
    return t.isRunning && reached.length > 0 ? reached : [...reached, t.progress()];
  }

  /** Nothing is left to read, without a chunk that says so. */
  #finish(t: TableRun<Row, Id, Seen, Bound>): SnapshotOutput<Row> | null {
    if (!t.isComplete || t.keysFlight !== null) return null;
    t.step();
    t.end();
    return { kind: 'output', progress: [t.progress()], rows: [], chunk: null, bytes: 0 };
  }

  #output(
    t: TableRun<Row, Id, Seen, Bound>,
    progress: readonly SnapshotProgress[],
    rows: readonly Row[],
    bytes: number,
    isFirst: boolean,
  ): SnapshotOutput<Row> {
    const { run, chunk } = progress[0] as SnapshotProgress;
    return { kind: 'output', progress, rows, bytes, chunk: { table: t.table, run, chunk, isFirst, isLast: t.state === 'done' } };
  }

  #some(matches: (t: TableRun<Row, Id, Seen, Bound>) => boolean): boolean {
    for (const t of this.#tables.values()) if (matches(t)) return true;
    return false;
  }
}

function flightOf<Row, Id, Seen, Bound>(
  t: TableRun<Row, Id, Seen, Bound>,
  job: number,
): RangeFlight<Row, Seen> | KeysFlight<Row, Seen> | undefined {
  return t.flights.find((f) => f.state === 'reading' && f.job === job);
}
