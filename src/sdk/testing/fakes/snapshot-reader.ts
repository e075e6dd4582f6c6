// Snapshots of the fake log source: key-ordered chunks, sent while the stream stands at the end of the log. A chunk holds the
// rows as they are there, so it is neither too early nor stale.

import {
  type ChangeBatch,
  ChangeEvent,
  formatTableId,
  type Position,
  positionOfNumber,
  type ReadContext,
  type Row,
  type SnapshotProgress,
  type TableSchema,
} from '../../index.ts';
import type { FakeLog } from './log.ts';

const BYTES_PER_ROW = 100;
type Cursors = ReadonlyMap<string, Position | null>;

export class SnapshotReader {
  readonly #log: FakeLog;
  readonly #source: string;
  readonly #ctx: ReadContext;
  readonly #progress: SnapshotProgress[];
  /** Tables whose rows nobody has begun to read. */
  #missing: readonly string[];
  /** Partitions whose start is not in a batch yet. */
  readonly #starts: string[] = [];

  constructor(log: FakeLog, source: string, ctx: ReadContext, on: boolean) {
    this.#log = log;
    this.#source = source;
    this.#ctx = ctx;
    this.#progress = on ? ctx.snapshots.filter((s) => s.source === source && log.tables.has(s.table)) : [];
    this.#missing = on ? [...log.tables.keys()].filter((table) => !this.#progress.some((s) => s.table === table)) : [];
  }

  get isRunning(): boolean {
    return this.comesFirst || this.#progress.some((p) => p.state === 'running');
  }
  /** Before any chunk nothing may come from the stream: destinations must first know that rows may be missing. */
  get comesFirst(): boolean {
    return this.#starts.length > 0 || this.#missing.length > 0;
  }

  /** Where the stream of a partition begins that has no position yet: at its slot, if a snapshot is on. */
  startOf(partition: string): Position | null {
    if (!this.isRunning) return null;
    this.#starts.push(partition);
    return this.#log.slotOf(partition);
  }

  /** `null` when there is nothing to send (no partition is read). */
  next(cursors: Cursors): ChangeBatch | null {
    if (cursors.size === 0) return null;
    // The start of the stream is saved before the first chunk, and so is that of a run: else a crash would leave a gap between the two.
    if (this.comesFirst) {
      const runs = this.#missing.map((table) => this.#begin(table, cursors)),
        known = this.#progress.slice();
      this.#progress.push(...runs);
      this.#missing = [];
      const partition = this.#starts.shift() ?? ([...cursors.keys()][0] as string);
      const snapshots = [...known, ...runs.map((run) => ({ ...run, joining: true as const }))];
      return { source: this.#source, partition, resume: cursors.get(partition) ?? null, events: [], bytes: 0, snapshots };
    }
    const partition = [...cursors.keys()][0] as string;
    const at = this.#progress.findIndex((p) => p.state === 'running'),
      old = this.#progress[at] as SnapshotProgress;
    const table = this.#log.tables.get(old.table) as TableSchema;
    const { rows, progress } = this.#chunk(old, table, this.#log.rowsAt(table, cursors));
    this.#progress[at] = progress;
    const events = rows.map(
      (row, i) =>
        new ChangeEvent({
          op: 'r',
          table,
          source: this.#source,
          partition,
          sourceTsMs: 0,
          after: { ...row },
          position: `${cursors.get(partition) ?? positionOfNumber(0)}r${progress.run}.${progress.table}.${progress.chunk}.${i}` as Position,
          snapshot: { run: progress.run, table: progress.table, chunk: progress.chunk, place: 'true' },
        }),
    );
    return { source: this.#source, partition, resume: null, events, bytes: events.length * BYTES_PER_ROW, snapshots: [progress] };
  }

  /** A new run, or the one that a faster lane began at this very place. */
  #begin(table: string, cursors: Cursors): SnapshotProgress {
    const place = `@${[...cursors].map(([name, at]) => `${name}:${at}`).join()}`;
    const known = this.#ctx.boundaries.find((b) => b.source === this.#source && b.table === table && b.run.endsWith(place));
    const run = known?.run ?? `${this.#log.nextRun()}${place}`;
    return { source: this.#source, run, table, chunk: 0, lastKey: null, state: 'running', rows: 0 };
  }

  /** As many rows as a batch may have, but not beyond the next boundary; without a number left, all up to there. */
  #chunk(old: SnapshotProgress, table: TableSchema, all: readonly Row[]): { rows: Row[]; progress: SnapshotProgress } {
    const key = table.key[0] ?? '',
      keyOf = (row: Row): number => Number(row[key]);
    const boundary = this.#ctx.boundaries.find(
      (b) => b.source === this.#source && b.table === formatTableId(table.id) && b.run === old.run && b.chunk > old.chunk,
    );
    const rest = all.filter(
      (row) =>
        (old.lastKey === null || keyOf(row) > Number(old.lastKey)) &&
        (boundary === undefined || (boundary.lastKey !== null && keyOf(row) <= Number(boundary.lastKey))),
    );
    const mayCut = boundary === undefined || boundary.chunk > old.chunk + 1;
    const rows = mayCut ? rest.slice(0, this.#ctx.maxBatchEvents) : rest,
      last = rows.at(-1);
    const next = { ...old, rows: old.rows + rows.length },
      isEnd = rows.length === rest.length;
    if (isEnd && boundary !== undefined) return { rows, progress: { ...next, chunk: boundary.chunk, lastKey: boundary.lastKey } };
    const lastKey = last === undefined ? old.lastKey : String(keyOf(last));
    return { rows, progress: { ...next, chunk: old.chunk + 1, lastKey, state: isEnd ? 'done' : 'running' } };
  }
}
