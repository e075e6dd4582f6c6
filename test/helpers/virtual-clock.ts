// A clock that stands still while anything happens and jumps to the next sleeper when nothing does: waits of hours take no time.

import type { Clock } from '../../src/sdk/index.ts';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** Turns of the event loop without a change after which nothing goes on by itself. */
const QUIET_TURNS = 5;

export class VirtualClock implements Clock {
  #nowMs: number;
  #sleepers: Sleeper[] = [];
  /** By how much the clock on the wall is off. */
  #offsetMs = 0;

  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs + this.#offsetMs;
  }

  /** Somebody sets the clock. Who sleeps sleeps on for as long as before. */
  set(byMs: number): void {
    this.#offsetMs += byMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    if (ms <= 0) return turn();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        atMs: this.#nowMs + ms,
        wake: () => {
          signal?.removeEventListener('abort', sleeper.wake);
          this.#sleepers = this.#sleepers.filter((s) => s !== sleeper);
          resolve();
        },
      };
      signal?.addEventListener('abort', sleeper.wake, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** Lets time pass until the promise has settled. */
  async until<T>(promise: Promise<T>, limitMs = 24 * 3_600_000): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    const endMs = this.#nowMs + limitMs;
    for (;;) {
      for (let i = 0; i < QUIET_TURNS; i++) await turn();
      if (isSettled) return promise;
      if (!this.#jump(endMs)) throw new Error(`nothing has happened by ${this.#nowMs} ms`);
    }
  }

  /** Lets time pass until something holds. */
  async when(condition: () => boolean): Promise<void> {
    for (let i = 0; i < 100_000; i++) {
      for (let n = 0; n < QUIET_TURNS; n++) await turn();
      if (condition()) return;
      if (!this.#jump(Infinity)) break;
    }
    throw new Error(`it did not happen by ${this.#nowMs} ms`);
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    do for (let n = 0; n < QUIET_TURNS; n++) await turn();
    while (this.#jump(endMs));
    this.#nowMs = endMs;
  }

  #jump(endMs: number): boolean {
    const next = this.#sleepers.reduce<Sleeper | null>((least, s) => (least === null || s.atMs < least.atMs ? s : least), null);
    if (next === null || next.atMs > endMs) return false;
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.wake();
    return true;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
