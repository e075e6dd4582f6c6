// One life of a source: reads the log, drives the real engine, plays its jobs step by step against the database. All of it is
// memory and dies in a crash.

import type { SnapshotProgress } from '../../../src/sdk/index.ts';
import { SnapshotEngine } from '../../../src/snapshot/engine.ts';
import { chunkRows } from '../../../src/snapshot/rows.ts';
import type { BoundJob, PassJob, ReadJob, SnapshotJob, SnapshotOutput, SplitJob } from '../../../src/snapshot/types.ts';
import type { XidSnapshot } from '../../../src/sources/postgresql/xids.ts';
import type { Dice } from '../random.ts';
import { type Bug, rulesWith, visibilityWith } from './bugs.ts';
import { BLOCK, type Database, endOf, HEADER, type Image, lowBits, type Row, type TableSnapshot, type Transaction } from './database.ts';
import { type Batch, SOURCE, STEP } from './lane.ts';

type Stage = 'lock' | 'snapshot' | 'rows' | 'mark';
/** A job under way. */
interface Work {
  readonly job: Exclude<SnapshotJob, PassJob>;
  stage: Stage;
  isLocked: boolean;
  S: TableSnapshot | null;
  bound: number;
  cuts: string[];
  rows: Row[];
  end: boolean;
}

export interface ProcessOptions {
  readonly db: Database;
  readonly dice: Dice;
  readonly bug: Bug;
  readonly place: number;
  readonly resume: readonly SnapshotProgress[];
  readonly boundaries: readonly SnapshotProgress[];
  readonly tables: readonly string[];
  readonly say: (text: string) => void;
  /** With `no-fingerprint`: what the last chunk of a run was really read from. */
  readonly filesRead: Map<string, number>;
  /** Counts up, and is durable. */
  readonly announcement: () => number;
}

const JOBS = 3;
const ROW_BYTES = 100;

export class Process {
  readonly engine: SnapshotEngine<Row, number, XidSnapshot, number>;
  readonly log: Batch[] = [];
  readonly works: Work[] = [];
  readonly #o: ProcessOptions;
  streamed: number;
  #place: number;
  #bounds = 0;
  readonly #files = new Map<string, string>();

  constructor(o: ProcessOptions) {
    this.#o = o;
    const { dice, bug, db } = o;
    this.#place = o.place;
    this.streamed = Math.floor(o.place / STEP);
    const options = {
      source: SOURCE,
      tables: o.tables.map((name) => ({ name, keyed: true, orderedByIdentity: db.table(name).identity === 'k' })),
      resume: o.resume,
      boundaries: bug === 'boundaries-ignored' ? [] : o.boundaries,
      at: endOf(this.streamed),
      repeatsUntil: bug === 'repeat-not-listed' ? 0n : endOf(db.log.length),
      visibility: visibilityWith(bug, dice),
      merge: (row: Row, parts: readonly unknown[]): Row => (bug === 'merge-stale' ? row : Object.assign({ ...row }, ...(parts as Image[]))),
      random: dice.next,
      limits: {
        chunkRows: 1 + dice.int(5),
        chunkBytes: 1_000,
        batchRows: 1 + dice.int(3),
        batchBytes: dice.pick([1, 1_000]),
        flights: 1 + dice.int(4),
        flightsPerTable: 1 + dice.int(3),
        windowBytes: dice.chance(0.2) ? 600 : 100_000,
        keysPerChunk: 1 + dice.int(3),
        keysWaiting: dice.pick([1, 3, 100]),
      },
    };
    if (bug === 'lists-of-others-ignored') options.boundaries = o.boundaries.map((b) => ({ ...b, notes: '{}' }));
    this.engine = new SnapshotEngine(options, rulesWith(bug));
  }

  // -- the stream ------------------------------------------------------------------------------------------------------------

  stream(): boolean {
    const { db, bug } = this.#o,
      tx = this.streamed < db.flushed ? db.log[this.streamed] : undefined;
    if (tx === undefined) return false;
    this.streamed++;
    const place = this.streamed * STEP;
    if (tx.events.length === 0) {
      this.#place = place; // a rewrite: nothing is sent but, some time, a keepalive
      this.engine.reached(endOf(this.streamed));
      return true;
    }
    this.#tell(tx);
    const before = this.engine.takeProgress();
    const batch: Batch = { place, snapshots: [], tx, chunk: null, rows: [] };
    if (bug === 'progress-late') this.log.push(batch);
    // A lane that has all before the transaction, and is done, must not take it for what it had.
    if (before.length > 0)
      this.log.push({ ...batch, tx: null, place: bug === 'progress-late' ? place : this.#announcing(), snapshots: before });
    if (bug !== 'progress-late') this.log.push(batch);
    this.#place = place;
    this.engine.commit(endOf(this.streamed));
    this.#o.say(`streamed T${tx.index} ${before.map(show).join(' ')}`);
    return true;
  }

  #tell(tx: Transaction): void {
    const { engine } = this,
      { bug } = this.#o;
    engine.begin(lowBits(tx.xid));
    for (const e of tx.events) {
      if (bug === 'record-after-s' && !this.works.some((w) => w.S !== null && 'table' in w.job && w.job.table === e.table)) continue;
      if (!engine.records(e.table)) continue;
      if (e.op === 'c') engine.insert(e.table, e.key);
      else if (e.op === 'd') engine.delete(e.table, e.oldKey);
      else if (e.op === 'u') engine.update(e.table, e.oldKey, e.key, e.isComplete, { ...e.columns, v: tx.index });
      else if (bug !== 'truncate-untouched') engine.truncate(e.table);
    }
  }

  /** A place right behind what was streamed that no lane has, also none from an earlier process. */
  #announcing(): number {
    if (this.#o.bug === 'announced-at-place') this.#place++;
    else this.#place = Math.floor(this.#place / STEP) * STEP + this.#o.announcement();
    return this.#place;
  }

  due(): boolean {
    // As sources do: what it does not tell of never goes out, and the schedule never ends.
    if (!this.engine.hasDue) return false;
    const out = this.engine.due();
    if (out?.kind !== 'output') return false;
    const { progress, rows, chunk } = out as SnapshotOutput<Row>;
    const begins = progress.some((p) => p.chunk === 0);
    this.log.push({ place: begins ? this.#announcing() : this.#place, snapshots: progress, tx: null, chunk, rows });
    this.#o.say(
      `due ${chunk === null ? '' : `${chunk.table} #${chunk.chunk} ${JSON.stringify(rows.map((r) => Object.values(r).join('/')))}`} ${progress.map(show).join(' ')}`,
    );
    return true;
  }

  // -- jobs ------------------------------------------------------------------------------------------------------------------

  startJob(): boolean {
    if (this.works.length >= JOBS) return false;
    const job = this.engine.nextJob();
    if (job === null || job.kind === 'pass') return false;
    this.works.push({
      job,
      stage: job.kind === 'range' || job.kind === 'keys' ? 'lock' : 'rows',
      isLocked: false,
      S: null,
      bound: 0,
      cuts: [],
      rows: [],
      end: false,
    });
    this.#o.say(`job ${JSON.stringify(job)}`);
    return true;
  }

  /** Moves one job by one step; `false` when it has to wait. */
  work(): boolean {
    const { dice } = this.#o;
    if (this.works.length === 0) return false;
    const work = dice.pick(this.works),
      { job } = work;
    if (dice.chance(0.01)) {
      this.#end(work);
      this.engine.onLost(job);
      return true;
    }
    if (job.kind === 'bound') this.#bound(work, job);
    else if (job.kind === 'split') this.#split(work, job);
    else return this.#read(work, job);
    return true;
  }

  /** The process dies: its transactions end. */
  kill(): void {
    for (const work of [...this.works]) this.#end(work);
  }

  #end(work: Work): void {
    if (work.isLocked && 'table' in work.job) this.#o.db.table(work.job.table).readers--;
    work.isLocked = false;
    if (this.works.includes(work)) this.works.splice(this.works.indexOf(work), 1);
  }

  #bound(work: Work, job: BoundJob): void {
    const { db, bug } = this.#o;
    if (work.stage === 'rows') {
      work.stage = 'mark';
      const { xmax } = db.snapshot(Object.keys(db.tables)[0] as string).seen;
      const planted = bug === 'bound-xmax' ? Number(xmax) : bug === 'bound-xmax+1' ? Number(xmax) + 1 : null;
      work.bound = planted ?? (bug === 'no-bound-within' && this.#bounds++ > 0 ? db.nextXid - 1_000 : db.nextXid);
      return;
    }
    this.#end(work);
    this.engine.onBound(job, lowBits(work.bound));
  }

  #split(work: Work, job: SplitJob): void {
    if (work.stage === 'rows') {
      work.stage = 'mark';
      const keys = [...this.#o.db.table(job.table).rows.keys()].sort((a, b) => a - b).filter((k) => k > keyOf(job.after));
      for (let i = job.rows - 1; i < keys.length && work.cuts.length < job.count; i += job.rows) work.cuts.push(textOf(keys[i] as number));
      return;
    }
    this.#end(work);
    this.engine.onSplit(job, work.cuts);
  }

  #read(work: Work, job: ReadJob): boolean {
    const { db, bug, dice } = this.#o;
    if (work.stage === 'lock') {
      if (bug !== 'no-lock' && !this.#lock(work, job.table)) return false;
      work.stage = 'snapshot';
    } else if (work.stage === 'snapshot') {
      work.S = db.snapshot(job.table);
      work.stage = 'rows';
      if (dice.chance(0.5) && !this.engine.accepts(job, work.S.seen)) {
        this.#end(work);
        this.engine.onLost(job);
      }
    } else if (work.stage === 'rows') {
      if (!work.isLocked && !this.#lock(work, job.table)) return false;
      this.#select(work, job, work.S as TableSnapshot);
      work.stage = 'mark';
    } else {
      const h = this.#h();
      this.#end(work);
      this.#report(work, job, work.S as TableSnapshot, h);
    }
    return true;
  }

  #lock(work: Work, name: string): boolean {
    const table = this.#o.db.table(name);
    if (table.isOwned) return false;
    table.readers++;
    work.isLocked = true;
    return true;
  }

  #select(work: Work, job: ReadJob, S: TableSnapshot): void {
    const rows = this.#o.db.select(job.table, S),
      { identity } = this.#o.db.table(job.table);
    if (job.kind === 'keys') {
      work.rows = rows.filter((r) => job.keys.includes(String(r[identity])));
      work.end = true;
      return;
    }
    const within = rows.filter((r) => r.k > keyOf(job.after) && (job.upTo === null || r.k <= keyOf(job.upTo)));
    work.rows = within.slice(0, job.maxRows);
    work.end = within.length <= job.maxRows;
  }

  #report(work: Work, job: ReadJob, { seen, file }: TableSnapshot, h: bigint): void {
    const { db, dice, bug } = this.#o,
      { identity } = db.table(job.table);
    this.engine.onRead(job, {
      seen,
      fingerprint: bug === 'no-fingerprint' ? this.#firstFile(job.table, file) : String(file),
      h,
      rows: chunkRows(
        work.rows.map((row) => ({
          key: String(row[bug === 'match-chunk-key' ? 'k' : identity]),
          place: textOf(row.k),
          row,
          bytes: ROW_BYTES,
          ...(dice.chance(0.03) ? { doubtful: true as const } : {}),
        })),
      ),
      bytes: work.rows.length * ROW_BYTES,
      end: work.end,
    });
  }

  /** What the run's first chunk was read from. */
  #firstFile(table: string, file: number): string {
    const run = this.engine.status().find((t) => t.table === table)?.run ?? '';
    if (!this.#files.has(run)) this.#files.set(run, String(file));
    this.#o.filesRead.set(run, file);
    return this.#files.get(run) as string;
  }

  #h(): bigint {
    const { db, bug } = this.#o;
    if (bug === 'no-h') return 0n;
    if (bug === 'h-flushed') return endOf(db.flushed);
    const h = db.insertPosition();
    if (bug === 'h-page-header') return h;
    return h % BLOCK === HEADER ? h - HEADER : h;
  }
}

const textOf = (k: number): string => JSON.stringify([String(k)]);
const keyOf = (text: string | null): number => (text === null ? Number.NEGATIVE_INFINITY : Number((JSON.parse(text) as string[])[0]));

export function show({ table, run, chunk, lastKey, state, notes }: SnapshotProgress): string {
  return `[${table} ${run} #${chunk} ${lastKey} ${state} ${notes}]`;
}
