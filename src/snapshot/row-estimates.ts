// How many rows a table may have, for people: asked of the server beside the reading, and again for each run.

import type { Clock } from '../sdk/index.ts';
import type { TableStatus } from './types.ts';

/** How often it is looked whether there is a run whose size is unknown. */
const LOOK_MS = 1_000;

export class RowEstimates {
  readonly #ask: (table: string, where: string | null, signal: AbortSignal) => Promise<number | null>;
  /** Table → the run it was asked for, and what came of it. */
  readonly #known = new Map<string, { readonly run: string; readonly rows: number | null }>();

  constructor(ask: (table: string, where: string | null, signal: AbortSignal) => Promise<number | null>) {
    this.#ask = ask;
  }

  /** Until `signal` aborts. */
  async watch(status: () => readonly TableStatus[], clock: Clock, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const table = this.next(status());
      // Nothing depends on it: a table that cannot be asked about has no estimate.
      if (table === null) await clock.sleep(LOOK_MS, signal);
      else this.set(table, await this.#ask(table.table, table.where, signal).catch(() => null));
    }
  }

  /** A run that nothing is known of yet. */
  next(tables: readonly TableStatus[]): TableStatus | null {
    return tables.find((t) => (t.state === 'running' || t.state === 'paused') && this.#known.get(t.table)?.run !== t.run) ?? null;
  }

  set({ table, run }: TableStatus, rows: number | null): void {
    this.#known.set(table, { run, rows });
  }

  of(table: string): number | null {
    return this.#known.get(table)?.rows ?? null;
  }
}
