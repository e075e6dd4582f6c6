// The snapshot of one table: what is stored of it, what is remembered of the stream for it, which reads are in flight.

import type { SnapshotProgress } from '../sdk/index.ts';
import { formatNotes, nextChunk, parseNotes, type SnapshotNotes } from './progress.ts';
import { type KeysFlight, newFlight, putBack, type RangeFlight, Ranges } from './ranges.ts';
import { ChunkSizer } from './sizer.ts';
import { TouchLog } from './touch-log.ts';
import type { SnapshotLimits, SnapshotTable, TableStatus } from './types.ts';

/** What a run is for, and what it goes on from. */
export interface RunInit {
  readonly name: string;
  readonly joining?: boolean;
  readonly requested?: boolean;
  readonly where?: string | null;
}

export class TableRun<Row, Id, Seen, Bound> {
  readonly table: string;
  readonly keyed: boolean;
  readonly isOrderedByIdentity: boolean;
  readonly touches = new TouchLog<Id>();
  readonly sizer: ChunkSizer;
  readonly #source: string;
  readonly #limits: SnapshotLimits;
  state: SnapshotProgress['state'] = 'running';
  run = '';
  chunk = 0;
  lastKey: string | null = null;
  rows = 0;
  file: string | null = null;
  /** All ranges are out. */
  isEnd = false;
  /** Keys to be read once more. */
  readonly list = new Set<string>();
  joining = false;
  requested = false;
  where: string | null = null;
  error: string | null = null;
  isPaused = false;
  /** Chunk ends of other lanes in this run that lie ahead, in order. */
  boundaries: readonly SnapshotProgress[] = [];
  ranges: Ranges<Row, Seen>;
  keysFlight: KeysFlight<Row, Seen> | null = null;
  /** A read counts only if it passes this: what was streamed before the run, or forgotten, is visible in it. */
  bound: Bound | null = null;
  /** The job that asks for the bound; 0: none. */
  boundJob = 0;
  /** The whole-table pass that it takes part in. */
  passJob: number | null = null;

  constructor(source: string, { name, keyed, orderedByIdentity }: SnapshotTable, limits: SnapshotLimits) {
    this.#source = source;
    this.table = name;
    this.keyed = keyed;
    this.isOrderedByIdentity = orderedByIdentity;
    this.#limits = limits;
    this.sizer = new ChunkSizer(limits);
    this.ranges = new Ranges(limits);
  }

  get isRunning(): boolean {
    return this.state === 'running';
  }
  get boundary(): SnapshotProgress | null {
    return this.boundaries[0] ?? null;
  }
  /** Nothing is left to be read or to go out. */
  get isComplete(): boolean {
    return this.keyed && this.isEnd && this.list.size === 0 && this.boundary === null && this.ranges.flights.length === 0;
  }
  /** Nothing of it is out, nor asked for. */
  get isUntouched(): boolean {
    return this.chunk === 0 && this.flights.length === 0;
  }
  /** Its first rows are under way, and were not asked for in vain before: a table that is locked does not hold up the others. */
  get isBeginning(): boolean {
    return this.isRunning && !this.isPaused && this.chunk === 0 && this.flights.some((f) => f.state !== 'planned' && f.attempt === 0);
  }
  get flights(): readonly (RangeFlight<Row, Seen> | KeysFlight<Row, Seen>)[] {
    return this.keysFlight === null ? this.ranges.flights : [...this.ranges.flights, this.keysFlight];
  }

  // -- runs ----------------------------------------------------------------------------------------------------------------

  /** From the table's beginning. */
  begin({ name, joining = false, requested = false, where = null }: RunInit): void {
    this.forget();
    this.list.clear();
    Object.assign(this, { state: 'running', lastKey: null, rows: 0, file: null, isEnd: false, error: null });
    Object.assign(this, { joining, requested, where });
    this.ranges = new Ranges(this.#limits);
    this.keysFlight = null;
    this.#rename(name);
  }

  /** Under another name from where it stands: for all lanes, also those that are further or done. */
  fork(name: string): void {
    this.joining = false;
    if (this.boundaries.length > 0) this.ranges = new Ranges(this.#limits);
    this.#rename(name);
  }

  #rename(name: string): void {
    this.run = name;
    this.chunk = 0;
    this.boundaries = [];
  }

  /** Goes on where the slowest lane stands. What any lane has on its list is read once more for all. */
  resume(progress: SnapshotProgress, boundaries: readonly SnapshotProgress[]): void {
    const notes = parseNotes(progress),
      ahead = boundaries.filter((b) => b.run === progress.run && b.chunk > progress.chunk).sort((a, b) => a.chunk - b.chunk);
    const all: SnapshotNotes[] = [notes, ...ahead.map(parseNotes)];
    const { run, chunk, lastKey, state, rows } = progress;
    Object.assign(this, { run, chunk, lastKey, state, rows, isEnd: notes.end === true, boundaries: ahead });
    this.file = all.find((n) => n.file !== undefined)?.file ?? null;
    for (const key of all.flatMap((n) => n.list ?? [])) this.list.add(key);
    this.joining = notes.joining === true;
    this.requested = notes.requested === true;
    this.where = notes.where ?? null;
    this.error = notes.error ?? null;
  }

  /** Ends the run for the lanes. */
  close(state: 'failed' | 'skipped', error: string | null): void {
    this.state = state;
    this.error = error;
    this.step();
    this.forget();
    this.ranges = new Ranges(this.#limits);
    this.keysFlight = null;
  }

  /** Everything is out. */
  end(): void {
    this.state = 'done';
    this.isEnd = true;
    this.forget();
  }

  /** Takes the next number. */
  step(): void {
    this.chunk = nextChunk(this.chunk, this.boundary);
  }

  progress(): SnapshotProgress {
    const { run, table, chunk, lastKey, state, rows } = this;
    const notes = formatNotes({
      ...(this.file === null ? {} : { file: this.file }),
      ...(this.isEnd ? { end: true } : {}),
      ...(this.joining ? { joining: true } : {}),
      ...(this.requested ? { requested: true } : {}),
      ...(this.where === null ? {} : { where: this.where }),
      ...(this.error === null ? {} : { error: this.error }),
      list: [...this.list],
    });
    const joining = chunk === 0 && this.joining ? { joining: true as const } : {};
    return { source: this.#source, run, table, chunk, lastKey, state, rows, notes, ...joining };
  }

  // -- what is remembered of the stream -------------------------------------------------------------------------------------

  /** Nothing is known of what was streamed until now: reads must see all of it. */
  forget(): void {
    this.touches.clear();
    this.bound = null;
    this.boundJob = 0;
    for (const flight of this.flights) putBack(flight);
  }

  prune(): void {
    const jobs = this.flights.filter((f) => f.state !== 'planned').map((f) => f.job);
    this.touches.prune(Math.min(this.passJob ?? Number.POSITIVE_INFINITY, ...jobs));
  }

  // -- reads -----------------------------------------------------------------------------------------------------------------

  /** A chunk of keys, if it is their turn. While a boundary lies ahead, lanes that are further would drop it by its number. */
  nextKeys(): KeysFlight<Row, Seen> | null {
    if (this.keysFlight !== null) return this.keysFlight.state === 'planned' ? this.keysFlight : null;
    const isTurn = this.isEnd || this.list.size >= this.#limits.keysWaiting;
    if (this.list.size === 0 || this.boundary !== null || !isTurn) return null;
    this.keysFlight = { ...newFlight(), kind: 'keys', keys: [...this.list].slice(0, this.#limits.keysPerChunk) };
    return this.keysFlight;
  }

  status(): TableStatus {
    const { table, run, rows, chunk, error, where } = this;
    const waitsFor = !this.isRunning || this.isPaused ? null : this.#waitsFor();
    const state = this.isRunning && this.isPaused ? 'paused' : this.state;
    return { table, run, state, rows, chunk, where, rereads: this.list.size, waitsFor, error };
  }

  #waitsFor(): TableStatus['waitsFor'] {
    if (this.bound === null || this.flights.some((f) => f.state === 'planned' && f.attempt > 0)) return 'visibility';
    return this.ranges.flights[0]?.state === 'read' || this.keysFlight?.state === 'read' ? 'stream' : 'rows';
  }
}
