// Holds rows back whose watermark says nothing about time: they were seen first less than `settle` ago. A change that was
// given an older watermark and committed a little later is then still read in its place. Pure; the caller brings the time.

import { compareTuples } from './position.ts';
import type { Stored } from './types.ts';

export class Settling {
  readonly #settleMs: number;
  /** The newest row at each look, oldest look first. Bounded by the looks within `settle`. */
  readonly #seen: { readonly atMs: number; readonly tuple: readonly Stored[] }[] = [];
  #settled: readonly Stored[] | null = null;

  constructor(settleMs: number) {
    this.#settleMs = settleMs;
  }

  /** Up to which row may be read, now that `newest` is the newest one; `null`: none yet. */
  upTo(newest: readonly Stored[] | null, nowMs: number): readonly Stored[] | 'all' | null {
    if (this.#settleMs === 0) return 'all';
    const last = this.#seen.at(-1)?.tuple ?? this.#settled;
    if (newest !== null && (last === null || compareTuples(newest, last) > 0)) this.#seen.push({ atMs: nowMs, tuple: newest });
    while (this.#seen[0] !== undefined && this.#seen[0].atMs <= nowMs - this.#settleMs) this.#settled = this.#seen.shift()?.tuple ?? null;
    return this.#settled;
  }
}
