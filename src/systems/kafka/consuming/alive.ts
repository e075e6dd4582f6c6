// Waiting, while the group is told that we live: who is silent for `session_timeout` loses its partitions.

import type { Clock } from '../../../sdk/index.ts';

/** Members are told to divide anew within this of a change. */
export const HEARTBEAT_MS = 1000;

/** What the work gives, or what a heartbeat throws before. */
export async function whileAlive<T>(work: Promise<T>, heartbeat: () => Promise<void>, clock: Clock): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => undefined);
  for (;;) {
    const timer = new AbortController();
    try {
      await Promise.race([done, clock.sleep(HEARTBEAT_MS, timer.signal)]);
    } finally {
      timer.abort();
    }
    if (isDone) return done;
    await heartbeat();
  }
}
