// Notices that the server wants to stop. It says so to nobody, but waits until its reader has confirmed everything, and asks
// again as soon as it has its answer: thousands of times a second. A reader whose destination is slow would hold up the
// server for ever (seen with 15.18: a fast shutdown did not end); so after a grace in which it may still confirm, it goes.
// What was not confirmed is sent again after the restart. Pure.

/** Answers in a row that go out at once; what follows waits, or both sides would do nothing else. */
const PROMPT_ANSWERS = 10;
const GRACE_MS = 5000;
/** Otherwise the server asks once in half of its `wal_sender_timeout`: requests closer than this are a row. */
const GAP_MS = 1000;

export class ShutdownWatch {
  readonly #gapMs: number;
  #since = 0;
  #last = Number.NEGATIVE_INFINITY;
  #inARow = 0;

  constructor(senderTimeoutMs: number) {
    this.#gapMs = Math.min(GAP_MS, senderTimeoutMs / 4);
  }

  /** The server wants an answer: give it `now`, `later`, or `leave`. */
  asked(nowMs: number): 'now' | 'later' | 'leave' {
    if (nowMs - this.#last > this.#gapMs) {
      this.#since = nowMs;
      this.#inARow = 0;
    }
    this.#last = nowMs;
    if (++this.#inARow <= PROMPT_ANSWERS) return 'now';
    return nowMs - this.#since > GRACE_MS ? 'leave' : 'later';
  }
}
