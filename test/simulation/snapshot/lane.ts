// A lane and its destination: takes what the log holds step by step, keeps its place, and dies at any moment. Which rows it takes
// is decided by the engine's own code. Checks that no key goes back and nothing arrives without its row.

import { LaneSnapshots } from '../../../src/engine/lane-snapshots.ts';
import type { LogPlace } from '../../../src/log/change-log.ts';
import { type ChangeEvent, type Position, positionOfNumber, type SnapshotProgress } from '../../../src/sdk/index.ts';
import { parseNotes } from '../../../src/snapshot/progress.ts';
import type { OutputChunk } from '../../../src/snapshot/types.ts';
import type { Bug } from './bugs.ts';
import { COLUMNS, type Image, type LogEvent, pick, type Row, type Table, type Transaction } from './database.ts';

export const SOURCE = 'db';
export const PARTITION = 'main';
/** Places between two transactions: behind the n-th it is n × STEP, what is announced there comes right behind. */
export const STEP = 1_000;

/** What the log holds. */
export interface Batch {
  readonly place: number;
  readonly snapshots: readonly SnapshotProgress[];
  readonly tx: Transaction | null;
  readonly chunk: OutputChunk | null;
  readonly rows: readonly Row[];
}

export interface StoredPoint {
  readonly place: number;
  readonly snapshots: readonly SnapshotProgress[];
}

export function placeOf({ place, snapshots }: StoredPoint): LogPlace {
  const sources: LogPlace['sources'] = place === 0 ? {} : { [SOURCE]: { [PARTITION]: positionOfNumber(place) } };
  return { sources, snapshots };
}
export const numberOf = (position: Position | undefined): number => Number(position ?? 0);

export class Lane {
  readonly name: string;
  /** The destination stores the point in the transaction of the data. */
  readonly holdsPoint: boolean;
  readonly #identities: { readonly [table: string]: 'k' | 'e' };
  readonly #bug: Bug;
  readonly tables = new Map<string, Map<string, Image>>();
  stored: StoredPoint;
  #applied: StoredPoint;
  #snapshots: LaneSnapshots;
  #own: number | null = null;
  #next = 0;
  #step = 0;
  problem: string | null = null;
  /** Newest transaction whose state of a key was sent. */
  readonly #newest = new Map<string, number>();
  readonly #truncated = new Map<string, number>();
  #high = -1;
  #repeatsTo = -1;
  #restartedAt = 0;

  constructor(name: string, holdsPoint: boolean, identities: { readonly [table: string]: 'k' | 'e' }, at: StoredPoint, bug: Bug) {
    this.name = name;
    this.holdsPoint = holdsPoint;
    this.#identities = identities;
    this.#bug = bug;
    for (const table of Object.keys(identities)) this.tables.set(table, new Map());
    this.stored = at;
    this.#applied = at;
    this.#snapshots = new LaneSnapshots(at.snapshots);
  }

  /** The process has died: back to what is stored. The log begins anew at `start`. */
  restart(start: number): void {
    this.#applied = this.stored;
    this.#snapshots = new LaneSnapshots(this.stored.snapshots);
    this.#own = this.stored.place > start ? this.stored.place : null;
    this.#next = 0;
    this.#step = 0;
    this.#repeatsTo = this.#high;
    this.#restartedAt = this.stored.place;
  }

  isAtEnd(log: readonly Batch[]): boolean {
    return this.#next === log.length && this.stored === this.#applied;
  }
  progressOf(table: string): SnapshotProgress | undefined {
    return this.stored.snapshots.find((s) => s.table === table);
  }
  lose(table: string, key: string): void {
    this.table(table).delete(key);
  }
  table(name: string): Map<string, Image> {
    return this.tables.get(name) as Map<string, Image>;
  }

  save(log: readonly Batch[]): boolean {
    if (this.stored === this.#applied) return false;
    let { snapshots } = this.#applied;
    if (this.#bug === 'list-not-saved') snapshots = snapshots.map((s) => ({ ...s, notes: JSON.stringify({ ...parseNotes(s), list: [] }) }));
    if (this.#bug === 'progress-early') {
      const early = new LaneSnapshots(snapshots);
      for (const b of log) early.follow(SOURCE, b.snapshots, false);
      snapshots = early.progress;
    }
    this.#applied = { ...this.#applied, snapshots };
    this.stored = this.#applied;
    return true;
  }

  /** One row or event of the next batch, or its end. Events of a transaction go in one, if the point goes with them. */
  deliver(log: readonly Batch[]): boolean {
    const batch = log[this.#next];
    if (batch === undefined) return false;
    const events = batch.tx !== null && !this.#covers(batch) ? batch.tx.events : [],
      rows = this.#takes(batch) ? batch.rows : [];
    do {
      const step = this.#step++,
        event = events[step],
        row = rows[step];
      if (event !== undefined) this.#apply(event, batch);
      else if (row !== undefined) this.#read((batch.chunk as OutputChunk).table, row);
      else {
        this.#finish(batch);
        if (this.holdsPoint) this.save(log);
      }
    } while (this.#step > 0 && this.holdsPoint && events.length > 0);
    return true;
  }

  #covers({ place }: Batch): boolean {
    return this.#own !== null && place <= this.#own;
  }

  #takes({ chunk, place }: Batch): boolean {
    if (chunk === null) return false;
    if (this.#bug === 'r-by-position' && this.#restartedAt > 0 && place <= this.#restartedAt) return false;
    const { run, table } = chunk;
    return this.#snapshots.takes({ source: SOURCE, snapshot: { run, table, chunk: chunk.chunk, place: 'true' } } as unknown as ChangeEvent);
  }

  #finish(batch: Batch): void {
    this.#snapshots.follow(SOURCE, batch.snapshots, this.#covers(batch));
    this.#applied = { place: Math.max(batch.place, this.#own ?? 0), snapshots: this.#snapshots.progress };
    if (this.#own !== null && batch.place >= this.#own) this.#own = null;
    this.#next++;
    this.#step = 0;
  }

  // -- the destination -------------------------------------------------------------------------------------------------------

  #apply(event: LogEvent, batch: Batch): void {
    const { op, table, oldKey, key, columns, isComplete } = event,
      { index } = batch.tx as Transaction,
      isRepeat = index <= this.#repeatsTo,
      rows = this.table(table);
    this.#high = Math.max(this.#high, index);
    if (op === 't') {
      rows.clear();
      this.#truncated.set(table, Math.max(index, this.#truncated.get(table) ?? -1));
      return;
    }
    const there = oldKey === null ? undefined : rows.get(oldKey);
    if (oldKey !== null && (op === 'd' || isComplete || there !== undefined)) rows.delete(oldKey);
    if (key !== null && isComplete) rows.set(key, pick(columns, COLUMNS));
    // Incomplete: an UPDATE of the present columns, never an INSERT.
    else if (key !== null && there !== undefined) rows.set(key, { ...there, ...columns });
    else if (key !== null && this.#bug === 'partial-insert') rows.set(key, columns);
    const now = key === null ? undefined : rows.get(key);
    if (now !== undefined && COLUMNS.some((c) => now[c] === undefined)) this.#fail(`${table}.${key} is incomplete`);
    for (const k of [oldKey, key]) if (k !== null) this.#see(table, k, index, isRepeat, `T${index}`);
    const runs = this.#snapshots.progress.find((s) => s.table === table)?.state === 'running';
    if (op === 'u' && !isComplete && there === undefined && !isRepeat && !runs)
      this.#fail(`T${index}: an incomplete event for ${table}.${oldKey}, which is not there`);
  }

  #read(table: string, row: Row): void {
    const key = String(row[this.#identities[table] as 'k' | 'e']);
    this.#see(table, key, row.v, false, `a row of T${row.v}`);
    this.table(table).set(key, pick(row, COLUMNS));
  }

  #see(table: string, key: string, index: number, isRepeat: boolean, what: string): void {
    const id = `${table}.${key}`,
      last = Math.max(this.#newest.get(id) ?? -1, this.#truncated.get(table) ?? -1);
    if (!isRepeat && index < last) this.#fail(`${id} went back: ${what} after T${last}`);
    this.#newest.set(id, Math.max(index, last));
  }

  #fail(problem: string): void {
    this.problem ??= `${this.name}: ${problem}`;
  }

  compare({ name, rows, identity }: Table): void {
    const expected = new Map([...rows.values()].map((row) => [String(row[identity]), row])),
      got = this.table(name);
    for (const [key, row] of expected) {
      const there = got.get(key);
      if (there === undefined) this.#fail(`${name}.${key} is missing`);
      else for (const c of COLUMNS) if (there[c] !== row[c]) this.#fail(`${name}.${key}.${c} is ${there[c]}, should be ${row[c]}`);
    }
    for (const key of got.keys()) if (!expected.has(key)) this.#fail(`${name}.${key} should not be there`);
  }
}
