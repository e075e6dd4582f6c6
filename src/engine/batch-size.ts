// How many events a lane puts into one write: what the configuration says, or, with adaptive batching, as many as the
// destination stores in the time that one write shall take.

import type { AdaptiveBatchConfig } from './pipeline-config.ts';

/** One write changes the size at most by this factor: a single slow one (a checkpoint, a collection) must not ruin it. */
const MAX_STEP = 2;
/** Below this part of the size a write says nothing about larger ones. */
const FULL = 0.9;

export class BatchSize {
  readonly #adaptive: AdaptiveBatchConfig | null;
  #events: number;

  constructor(maxEvents: number, adaptive: AdaptiveBatchConfig | null) {
    this.#adaptive = adaptive;
    this.#events = adaptive === null ? maxEvents : clamp(maxEvents, adaptive.minEvents, adaptive.maxEvents);
  }

  get events(): number {
    return this.#events;
  }

  /**
   * `count` events were stored in `ms`. The size moves half of the way to `count × target / ms`. For a destination that takes
   * a + b·n this converges to the n with a + b·n = target, whatever a and b are.
   */
  stored(count: number, ms: number): void {
    if (this.#adaptive === null || count === 0) return;
    const { minEvents, maxEvents, targetLatencyMs } = this.#adaptive;
    const isSlow = ms > targetLatencyMs;
    if (!isSlow && count < this.#events * FULL) return;
    const wanted = count * clamp(targetLatencyMs / Math.max(ms, 1e-3), 1 / MAX_STEP, MAX_STEP);
    this.#events = clamp(Math.round((this.#events + wanted) / 2), minEvents, maxEvents);
  }
}

const clamp = (n: number, low: number, high: number): number => Math.min(high, Math.max(low, n));
