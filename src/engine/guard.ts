// Bounds on foreign code: an awaited plugin that never returns becomes an error that names it.

import { CdcError, type Clock } from '../sdk/index.ts';
import { unlessAborted } from '../util/signal.ts';

/** A reason of its own: without one each abort makes an exception with the stack of the caller. */
const OVER = 'over';

function timeoutError(name: string, ms: number): CdcError {
  return new CdcError('PLUGIN_TIMEOUT', `plugin "${name}" did not answer within ${ms} ms`, {
    where: `plugin "${name}"`,
    fix: 'Raise its `timeout`, or find out what it waits for.',
  });
}

/** Waits for a plugin's promise at most `ms`. The promise itself cannot be stopped; its result is then ignored. */
export async function withTimeout<T>(clock: Clock, name: string, ms: number, call: Promise<T>): Promise<T> {
  const done = new AbortController();
  try {
    return await Promise.race([
      call,
      clock.sleep(ms, done.signal).then(() => {
        if (!done.signal.aborted) throw timeoutError(name, ms);
        return new Promise<never>(() => {});
      }),
    ]);
  } finally {
    done.abort(OVER);
  }
}

/** Waits for work that is to end once `signal` aborts, and not longer than `ms` after that. `false`: it is left behind. */
export async function endsWithin(clock: Clock, ms: () => number, signal: AbortSignal, work: Promise<void>): Promise<boolean> {
  const done = new AbortController();
  const late = async (): Promise<boolean> => {
    await unlessAborted(new Promise(() => {}), signal).catch(() => undefined);
    await clock.sleep(ms(), done.signal);
    return false;
  };
  try {
    return await Promise.race([work.then(() => true), late()]);
  } finally {
    done.abort(OVER);
    work.catch(() => {}); // left behind: nobody waits for it any more
  }
}

/**
 * Runs a middleware around `next`. Its own time is bounded by `ms`, the time inside `next` is not: a write may wait for a
 * destination for hours.
 */
export async function aroundNext<T>(
  clock: Clock,
  name: string,
  ms: number,
  call: (next: () => Promise<T>) => Promise<T>,
  next: () => Promise<T>,
): Promise<T> {
  // While `next` runs: resolves when it has ended.
  const during: { next: Promise<void> | null } = { next: null };
  let calls = 0;
  const guarded = async (): Promise<T> => {
    if (++calls > 1)
      throw new CdcError('PLUGIN_CONTRACT', `middleware "${name}" called next() twice`, {
        where: `plugin "${name}"`,
        fix: 'Call `next` once.',
      });
    let end = (): void => {};
    during.next = new Promise((resolve) => {
      end = resolve;
    });
    try {
      return await next();
    } finally {
      during.next = null;
      end();
    }
  };
  const result = call(guarded);
  result.catch(() => {}); // observed below; it may reject while we wait for `next`
  for (;;) {
    try {
      const value = await withTimeout(clock, name, ms, result);
      if (calls === 0)
        throw new CdcError('PLUGIN_CONTRACT', `middleware "${name}" returned without calling next()`, {
          where: `plugin "${name}"`,
          fix: 'Await `next()` exactly once.',
        });
      return value;
    } catch (error) {
      const isOurs = error instanceof CdcError && error.code === 'PLUGIN_TIMEOUT';
      if (!isOurs || during.next === null) throw error;
      await during.next;
    }
  }
}
