// Token buckets for events and bytes per second of one lane. A write may be larger than the bucket (a snapshot chunk is
// never cut): it then goes out at once and the next one waits until its debt is paid, so that the rate holds in the long run.

import type { Clock } from '../sdk/index.ts';
import type { RateLimitConfig } from './pipeline-config.ts';

class Bucket {
  readonly #perSecond: number;
  readonly #size: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, size: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#size = this.#tokens = size;
    this.#atMs = nowMs;
  }

  /** Milliseconds until `amount` may be taken. */
  waitMs(amount: number, nowMs: number): number {
    // A clock that was set back gives nothing, and takes nothing.
    this.#tokens = Math.min(this.#size, this.#tokens + (Math.max(0, nowMs - this.#atMs) * this.#perSecond) / 1000);
    this.#atMs = nowMs;
    const lacking = Math.min(amount, this.#size) - this.#tokens;
    // Rounding: what is lacking by less than a millionth never comes.
    return lacking <= 1e-6 ? 0 : Math.ceil((lacking * 1000) / this.#perSecond);
  }

  take(amount: number): void {
    this.#tokens -= amount;
  }
}

export class RateLimiter {
  readonly #clock: Clock;
  readonly #events: Bucket | null;
  readonly #bytes: Bucket | null;

  constructor(config: RateLimitConfig | null, clock: Clock) {
    this.#clock = clock;
    const { eventsPerSecond = null, bytesPerSecond = null, burst = 0 } = config ?? {};
    this.#events = eventsPerSecond === null ? null : new Bucket(eventsPerSecond, burst, clock.now());
    this.#bytes = bytesPerSecond === null ? null : new Bucket(bytesPerSecond, bytesPerSecond, clock.now());
  }

  /** Waits until so much may be sent, and counts it. `false`: aborted before. */
  async take(events: number, bytes: number, signal: AbortSignal): Promise<boolean> {
    if (this.#events === null && this.#bytes === null) return true;
    while (!signal.aborted) {
      const nowMs = this.#clock.now();
      const waitMs = Math.max(this.#events?.waitMs(events, nowMs) ?? 0, this.#bytes?.waitMs(bytes, nowMs) ?? 0);
      if (waitMs === 0) {
        this.#events?.take(events);
        this.#bytes?.take(bytes);
        return true;
      }
      await this.#clock.sleep(waitMs, signal);
    }
    return false;
  }
}
