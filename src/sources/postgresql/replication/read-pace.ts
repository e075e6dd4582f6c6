// When to rest between two reads of the socket: the walsender writes each change by itself, so a reader that wakes for each spends
// more on waking than on decoding (270,882 reads → 402 for 500,000 inserts). An idle stream, or one of a thousand small commits a
// second, never rests. Pure.

/** More than this within `REST_MS` means that more is coming: a short rest lets the kernel gather it. */
const REST_ABOVE_BYTES = 16 << 10;
const REST_MS = 2;
/** A single read above this: we are catching up, and nobody waits for the single event. */
const CATCH_UP_ABOVE_BYTES = 64 << 10;
const CATCH_UP_REST_MS = 5;

export class ReadPace {
  #bytes = 0;
  #sinceMs = 0;

  /** How long to rest after a read of `n` bytes; 0: not at all. */
  restAfter(n: number, nowMs: number): number {
    if (nowMs - this.#sinceMs > REST_MS) {
      this.#sinceMs = nowMs;
      this.#bytes = 0;
    }
    this.#bytes += n;
    if (this.#bytes <= REST_ABOVE_BYTES) return 0;
    return n > CATCH_UP_ABOVE_BYTES ? CATCH_UP_REST_MS : REST_MS;
  }

  /** A rest begins. */
  rest(): void {
    this.#bytes = 0;
  }
}
