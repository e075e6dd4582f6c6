// When a one_time run is over: when each partition is read to the end that it had at the start, whoever of the group reads it. What
// another member has is waited for: it commits that, or dies, and then it comes to us.

import type { Clock, Logger, PartitionPositions } from '../../../sdk/index.ts';
import { offsetOf } from './position.ts';

/** How often the group is asked what others have committed. */
const ASK_MS = 1000;

/** Where we stand in our partitions: the next offset of each, `null` before it is placed. */
type Places = ReadonlyMap<string, { readonly next: bigint | null }>;

export interface EndsOptions {
  readonly until: PartitionPositions;
  readonly own: () => Places;
  /** What members of the group have committed: the next offset of each partition. */
  readonly committed: () => Promise<ReadonlyMap<string, bigint>>;
  readonly reached: () => void;
  readonly failed: (error: unknown) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Ends {
  readonly #o: EndsOptions;
  /** The last offset to read of each partition that has any. */
  readonly #lasts: ReadonlyMap<string, bigint>;
  readonly #over = new AbortController();
  #isWaiting = false;

  constructor(options: EndsOptions) {
    this.#o = options;
    this.#lasts = new Map(Object.entries(options.until).map(([name, end]) => [name, offsetOf(end)]));
  }

  /** Is what comes next of this partition behind its end? */
  isBehind(name: string, next: bigint): boolean {
    const last = this.#lasts.get(name);
    return last !== undefined && next > last;
  }

  /** Called whenever a place has moved, or the group has divided its partitions. */
  check(): void {
    const own = this.#o.own();
    if (this.#over.signal.aborted || [...own.values()].some(({ next }) => next === null)) return;
    const open = this.#open(own);
    if (open.length === 0) this.#o.reached();
    else if (!open.some(([name]) => own.has(name))) this.#waitForOthers().catch((error: unknown) => this.#o.failed(error));
  }

  /** Nobody is waited for any more. */
  stop(): void {
    this.#over.abort();
  }

  /** Those that we have not read to their ends ourselves. */
  #open(own: Places): [name: string, last: bigint][] {
    return [...this.#lasts].filter(([name, last]) => {
      const next = own.get(name)?.next ?? null;
      return next === null || next <= last;
    });
  }

  async #waitForOthers(): Promise<void> {
    const { own, committed, reached, clock, logger } = this.#o,
      { signal } = this.#over;
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    logger.info('waits for partitions that another member of the group has', { partitions: this.#open(own()).map(([name]) => name) });
    try {
      while (!signal.aborted) {
        const places = own(),
          open = this.#open(places);
        // One of them has come to us: reading goes on.
        if (open.some(([name]) => places.has(name))) return;
        const nextOf = await committed();
        if (open.every(([name, last]) => (nextOf.get(name) ?? 0n) > last)) {
          reached();
          return;
        }
        await clock.sleep(ASK_MS, signal);
      }
    } finally {
      this.#isWaiting = false;
    }
  }
}
