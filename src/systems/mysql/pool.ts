// Connections kept for the next use. The driver's own pool ends lent connections with `end()` and lets waiters wait for ever.

import type { Clock } from '../../sdk/index.ts';

export interface PoolOptions<C> {
  readonly max: number;
  /** This many stay open while idle. */
  readonly min: number;
  readonly idleMs: number;
  /** Longest wait for a connection that others have. */
  readonly waitMs: number;
  open(): Promise<C>;
  destroy(connection: C): void;
}

/** Thrown when all connections are lent for too long. */
export class PoolExhausted extends Error {
  override readonly name = 'PoolExhausted';
}

interface Waiter<C> {
  take(connection: C | null): void;
  fail(error: Error): void;
}

export class Pool<C extends object> {
  readonly #options: PoolOptions<C>;
  readonly #clock: Clock;
  /** Least recently used first, with the time since when. */
  readonly #idle = new Map<C, number>();
  readonly #waiting = new Set<Waiter<C>>();
  readonly #ended = new AbortController();
  /** Open or being opened. */
  #count = 0;
  #lent = 0;
  #reaping = false;
  #drained: (() => void) | null = null;

  constructor(options: PoolOptions<C>, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Opens a connection, or waits for one, unless stopped first. */
  async take(signal: AbortSignal | null): Promise<C> {
    for (;;) {
      if (this.#ended.signal.aborted) throw new Error('the pool is closed');
      const idle = [...this.#idle.keys()].at(-1);
      if (idle !== undefined) {
        this.#idle.delete(idle);
        this.#lent++;
        return idle;
      }
      if (this.#count < this.#options.max) return await this.#open();
      const passed = await this.#wait(signal);
      if (passed !== null) return passed;
    }
  }

  async #open(): Promise<C> {
    this.#count++;
    this.#lent++;
    try {
      return await this.#options.open();
    } catch (error) {
      this.#left();
      throw error;
    }
  }

  /** `null`: there is room to open another one. */
  #wait(signal: AbortSignal | null): Promise<C | null> {
    return new Promise((resolve, reject) => {
      const over = new AbortController();
      const settle = (): void => {
        this.#waiting.delete(waiter);
        over.abort();
        signal?.removeEventListener('abort', abort);
      };
      const waiter: Waiter<C> = {
        take: (connection) => {
          settle();
          resolve(connection);
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      const abort = (): void => waiter.fail(signal?.reason as Error);
      this.#waiting.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
      const { waitMs } = this.#options;
      void this.#clock.sleep(waitMs, over.signal).then(() => {
        if (!over.signal.aborted) waiter.fail(new PoolExhausted(`no connection was free for ${waitMs} ms`));
      });
    });
  }

  /** Takes a connection back. `isUsable: false` closes it. */
  give(connection: C, isUsable: boolean): void {
    const [waiter] = this.#waiting;
    if (isUsable && !this.#ended.signal.aborted) {
      if (waiter !== undefined) {
        waiter.take(connection);
        return;
      }
      this.#lent--;
      this.#idle.set(connection, this.#clock.now());
      if (!this.#reaping) void this.#reap();
      return;
    }
    this.#options.destroy(connection);
    this.#left();
  }

  /** An idle connection was lost. */
  drop(connection: C): void {
    if (!this.#idle.delete(connection)) return;
    this.#count--;
    this.#options.destroy(connection);
  }

  /** A lent connection is gone: there is room for another. */
  #left(): void {
    this.#count--;
    this.#lent--;
    const [waiter] = this.#waiting;
    waiter?.take(null);
    if (this.#lent === 0) this.#drained?.();
  }

  async #reap(): Promise<void> {
    this.#reaping = true;
    const { idleMs, min, destroy } = this.#options;
    while (this.#idle.size > min && !this.#ended.signal.aborted) {
      await this.#clock.sleep(idleMs, this.#ended.signal);
      for (const [connection, since] of this.#idle) {
        if (this.#idle.size <= min || this.#clock.now() - since < idleMs) break;
        this.#idle.delete(connection);
        this.#count--;
        destroy(connection);
      }
    }
    this.#reaping = false;
  }

  /** Waits for connections that are lent. */
  async close(): Promise<void> {
    this.#ended.abort();
    for (const waiter of this.#waiting) waiter.fail(new Error('the pool is closed'));
    for (const connection of this.#idle.keys()) this.#options.destroy(connection);
    this.#count -= this.#idle.size;
    this.#idle.clear();
    if (this.#lent > 0)
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
  }
}
