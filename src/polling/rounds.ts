// Polls several tables in turn: one page of each, then a pause if none had anything. Knows no database.

import type { ChangeBatch, Clock, ReadContext } from '../sdk/index.ts';

/** An input that cannot be told as an event. */
export interface Rejected {
  readonly input: string | Uint8Array;
  readonly at: string;
  readonly error: Error;
}

export interface Page {
  /** With `resume: null` there was nothing. */
  readonly batch: ChangeBatch;
  readonly rejects: readonly Rejected[];
  /** Nothing more of this table is wanted. */
  readonly isDone: boolean;
}

export interface RoundsOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly reject: ReadContext['reject'];
}

/** Ends on abort, or when all tables are done. */
export async function* pollRounds<Target>(
  targets: Iterable<Target>,
  read: (target: Target) => Promise<Page>,
  { clock, intervalMs, reject }: RoundsOptions,
  signal: AbortSignal,
): AsyncGenerator<ChangeBatch, void, undefined> {
  const open = new Set(targets);
  while (!signal.aborted && open.size > 0) {
    let isIdle = true;
    for (const target of open) {
      const { batch, rejects, isDone } = await read(target);
      // Invariant 3: parked before a place behind it can be confirmed.
      for (const { input, at, error } of rejects) await reject(input, at, error);
      if (signal.aborted) return;
      if (batch.resume !== null) {
        isIdle = false;
        yield batch;
      }
      if (signal.aborted) return;
      if (isDone) open.delete(target);
    }
    if (isIdle && open.size > 0) await clock.sleep(intervalMs, signal);
  }
}
