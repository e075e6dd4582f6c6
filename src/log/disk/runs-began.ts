// With which batch the present snapshot run of each table first appeared in the log.

import type { SnapshotProgress } from '../../sdk/index.ts';
import type { RunBegan } from './segment-header.ts';

export class RunsBegan {
  readonly #runs = new Map<string, RunBegan>();

  constructor(runs: readonly RunBegan[]) {
    for (const run of runs) this.#runs.set(id(run), run);
  }

  /** Progress came with the batch that begins at `seq`. */
  follow(snapshots: readonly SnapshotProgress[], seq: number): void {
    for (const { source, table, run } of snapshots) {
      const key = id({ source, table });
      if (this.#runs.get(key)?.run !== run) this.#runs.set(key, { source, table, run, seq });
    }
  }

  seq(source: string, table: string): number {
    return this.#runs.get(id({ source, table }))?.seq ?? 0;
  }

  list(): RunBegan[] {
    return [...this.#runs.values()];
  }
}

const id = ({ source, table }: { readonly source: string; readonly table: string }): string => JSON.stringify([source, table]);
