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
  readonly #progress: SnapshotProgress[] = [];
  /** Partitions whose start is not in a batch yet. */
  readonly #starts: string[] = [];

  constructor(log: FakeLog, source: string, ctx: ReadContext, on: boolean) {
    this.#log = log;
    this.#source = source;
    this.#ctx = ctx;
    if (on) for (const table of log.tables.keys()) this.#progress.push(this.#start(table));
  }

  get isRunning(): boolean {
    return this.#starts.length > 0 || this.#progress.some((p) => p.state === 'running');
  }
  /** Before any chunk nothing may come from the stream: destinations must first know that rows may be missing. */
  get comesFirst(): boolean {
    return this.#starts.length > 0;
  }

  /** Where the stream of a partition begins that has no position yet: at its slot, if a snapshot is on. */
  startOf(partition: string): Position | null {
    if (!this.isRunning) return null;
    this.#starts.push(partition);
    return this.#log.slotOf(partition);
  }

  /** `null` when there is nothing to send (no partition is read). */
  next(cursors: Cursors): ChangeBatch | null {
    const starting = this.#starts.shift();
    // The start of the stream is saved before the first chunk: else a crash would leave a gap between the two.
    if (starting !== undefined)
      return {
        source: this.#source,
        partition: starting,
        resume: cursors.get(starting) ?? null,
        events: [],
        bytes: 0,
        snapshots: this.#progress.slice(),
      };
    const partition = [...cursors.keys()][0];
    if (partition === undefined) return null;
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

  #start(table: string): SnapshotProgress {
    const isMine = (s: SnapshotProgress): boolean => s.source === this.#source && s.table === table;
    const known = this.#ctx.snapshots.find(isMine);
    if (known !== undefined) return known;
    const run = this.#ctx.boundaries.find(isMine)?.run ?? this.#log.nextRun();
    return { source: this.#source, run, table, chunk: 0, lastKey: null, state: 'running', rows: 0 };
  }

  /** Up to the next boundary if there is one, else as many rows as a batch may have. */
  #chunk(old: SnapshotProgress, table: TableSchema, all: readonly Row[]): { rows: Row[]; progress: SnapshotProgress } {
    const key = table.key[0] ?? '',
      keyOf = (row: Row): number => Number(row[key]);
    const rest = all.filter((row) => old.lastKey === null || keyOf(row) > Number(old.lastKey));
    const boundary = this.#ctx.boundaries.find(
      (b) => b.source === this.#source && b.table === formatTableId(table.id) && b.run === old.run && b.chunk > old.chunk,
    );
    if (boundary !== undefined) {
      const rows = rest.filter((row) => boundary.lastKey !== null && keyOf(row) <= Number(boundary.lastKey));
      return { rows, progress: { ...boundary, rows: old.rows + rows.length } };
    }
    const rows = rest.slice(0, this.#ctx.maxBatchEvents),
      last = rows.at(-1);
    const state = rows.length === rest.length ? 'done' : 'running';
    return {
      rows,
      progress: {
        ...old,
        chunk: old.chunk + 1,
        lastKey: last === undefined ? old.lastKey : String(keyOf(last)),
        state,
        rows: old.rows + rows.length,
      },
    };
  }
}
