// Waiting for what a server or another process is about to do: for the condition, never for a time that was enough once.

import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than anything takes on a busy machine; shorter than a test may take, so that it is said what did not happen. */
const PATIENCE_MS = 90_000;
const PAUSE_MS = 20;

/** Resolves once `isSo`. A look that fails has not seen it yet (no table, no file, no connection): why it failed is told at the end. */
export async function eventually(
  isSo: () => boolean | Promise<boolean>,
  what = 'what was waited for',
  patienceMs: number = PATIENCE_MS,
): Promise<void> {
  for (const began = performance.now(); ; await sleep(PAUSE_MS)) {
    let cause: unknown;
    try {
      if (await isSo()) return;
    } catch (error) {
      cause = error;
    }
    if (performance.now() - began > patienceMs) throw new Error(`${what}: it did not happen within ${patienceMs / 1000} s`, { cause });
  }
}
