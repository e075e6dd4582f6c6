// Touched keys of one table, in the order of the stream: those of transactions that some read in flight, or the next one, may
// not see. Bounded by the engine, which forgets all of them when there are too many.

import type { Touch } from './rules.ts';

/** A streamed transaction. `visibleAt`: reads begun after the engine's job of this number see it; `null`: not known to be visible. */
export interface StreamedTransaction<Id> {
  readonly id: Id;
  visibleAt: number | null;
}

/** Estimate of what one remembered event costs beside its keys. */
const TOUCH_BYTES = 120;
/** After images keep a part of the receive buffer alive. */
const PART_BYTES = 2_000;

interface Entry<Id> extends Touch {
  readonly transaction: StreamedTransaction<Id>;
}

export class TouchLog<Id> {
  #entries: Entry<Id>[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(transaction: StreamedTransaction<Id>, touch: Touch): void {
    this.#entries.push({ transaction, ...touch });
    this.#bytes += sizeOf(touch);
  }

  /** Those of transactions for which `isNewer`. */
  filter(isNewer: (transaction: StreamedTransaction<Id>) => boolean): Touch[] {
    return this.#entries.filter((e) => isNewer(e.transaction));
  }

  /** A read sees some of the transactions: so do all that are begun after the job `lastJob`. */
  learn(sees: (id: Id) => boolean, lastJob: number): void {
    let unseen: StreamedTransaction<Id> | null = null;
    for (const { transaction } of this.#entries) {
      if (transaction.visibleAt !== null || transaction === unseen) continue;
      if (sees(transaction.id)) transaction.visibleAt = lastJob;
      else unseen = transaction;
    }
  }

  /** Drops what every read in flight sees; `oldest` is the number of the oldest of them. */
  prune(oldest: number): void {
    this.#keep(({ transaction: { visibleAt } }) => visibleAt === null || visibleAt >= oldest);
  }

  /** As if nothing had been told of the transaction. */
  remove(transaction: StreamedTransaction<Id>): void {
    this.#keep((e) => e.transaction !== transaction);
  }

  #keep(isKept: (entry: Entry<Id>) => boolean): void {
    this.#entries = this.#entries.filter(isKept);
    this.#bytes = this.#entries.reduce((sum, e) => sum + sizeOf(e), 0);
  }

  clear(): void {
    this.#entries = [];
    this.#bytes = 0;
  }
}

function sizeOf({ oldKey, key, part }: Touch): number {
  return TOUCH_BYTES + 2 * ((oldKey?.length ?? 0) + (key?.length ?? 0)) + (part === undefined ? 0 : PART_BYTES);
}
