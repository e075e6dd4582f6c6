// Holds rows back whose watermark says nothing about time: they were seen first less than `settle` ago. A change that was
// given an older watermark and committed a little later is then still read in its place. Pure; the caller brings the time.

export class Settling<Place> {
  readonly #settleMs: number;
  readonly #isBehind: (a: Place, b: Place) => boolean;
  /** The newest row at each look, oldest look first. Bounded by the looks within `settle`. */
  readonly #seen: { readonly atMs: number; readonly place: Place }[] = [];
  #settled: Place | null = null;

  /** `isBehind(a, b)`: a comes later in the order of watermarks and keys. */
  constructor(settleMs: number, isBehind: (a: Place, b: Place) => boolean) {
    this.#settleMs = settleMs;
    this.#isBehind = isBehind;
  }

  /** Up to which row may be read, now that `newest` is the newest one; `null`: none yet. */
  upTo(newest: Place | null, nowMs: number): Place | 'all' | null {
    if (this.#settleMs === 0) return 'all';
    const last = this.#seen.at(-1)?.place ?? this.#settled;
    if (newest !== null && (last === null || this.#isBehind(newest, last))) this.#seen.push({ atMs: nowMs, place: newest });
    while (this.#seen[0] !== undefined && this.#seen[0].atMs <= nowMs - this.#settleMs) this.#settled = this.#seen.shift()?.place ?? null;
    return this.#settled;
  }
}
