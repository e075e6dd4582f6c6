// The effects that engine, log and state may have: time, chance and plugin storage come in through these, so that the
// simulator can drive the real code. Nothing else in `src` calls `Date.now`, `setTimeout` or `Math.random`.

/** Time. All durations in milliseconds. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Resolves after `ms`, or at once when `signal` aborts (it never rejects: look at the signal). With 0 it lets timers, sockets
   * and signals have their turn.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Chance, seeded in tests: a number in [0, 1). */
export type Random = () => number;

/** A small key-value store that a plugin owns; survives restarts. Values are opaque bytes. */
export interface PluginStore {
  get(key: string): Promise<Uint8Array | null>;
  set(key: string, value: Uint8Array): Promise<void>;
}

/** Keeps nothing: for commands that only look at a component. */
export const forgetfulStore: PluginStore = { get: () => Promise.resolve(null), set: () => Promise.resolve() };

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      if (ms <= 0) {
        setImmediate(resolve);
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

export const systemRandom: Random = Math.random;
