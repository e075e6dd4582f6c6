// How fast the snapshots of tables get on, and when they may be done. Fed with the progress of each batch; asked for `status`.

import type { SnapshotProgress } from '../sdk/index.ts';

/** A rate over less than this says nothing. */
const MIN_WINDOW_MS = 500;

interface Pace {
  readonly run: string;
  readonly fromMs: number;
  readonly fromRows: number;
  readonly lastMs: number;
  readonly lastRows: number;
}

export class SnapshotPace {
  readonly #tables = new Map<string, Pace>();

  follow(progress: readonly SnapshotProgress[], nowMs: number): void {
    for (const { table, run, rows } of progress) {
      const known = this.#tables.get(table);
      const start = known?.run === run && rows >= known.lastRows ? known : { run, fromMs: nowMs, fromRows: rows };
      this.#tables.set(table, { ...start, lastMs: nowMs, lastRows: rows });
    }
  }

  /** Milliseconds until `estimate` rows are read; `null`: it cannot be told, or the estimate was too low. */
  etaMs(table: string, estimate: number | null, nowMs: number): number | null {
    const pace = this.#tables.get(table);
    if (pace === undefined || estimate === null || estimate <= pace.lastRows) return null;
    const rows = pace.lastRows - pace.fromRows,
      ms = pace.lastMs - pace.fromMs;
    if (rows <= 0 || ms < MIN_WINDOW_MS) return null;
    // Time that passes without rows makes it later, not earlier.
    const passed = Math.max(ms, nowMs - pace.fromMs);
    return Math.round(((estimate - pace.lastRows) * passed) / rows);
  }
}
