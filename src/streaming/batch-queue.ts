// Events of the stream that wait to be handed over. Batches end anywhere, also in the middle of a transaction; only its last event
// so far is held back, because the mark `last` is known one event late.

import type { ChangeEvent, Transaction } from '../sdk/index.ts';

/** Mutable: `last` becomes known with the commit. */
export class Mark implements Transaction {
  readonly id: string;
  readonly order: number;
  readonly collectionOrder: number;
  readonly commitTsMs: number;
  last = false;

  constructor(id: string, order: number, collectionOrder: number, commitTsMs: number) {
    this.id = id;
    this.order = order;
    this.collectionOrder = collectionOrder;
    this.commitTsMs = commitTsMs;
  }
}

export class BatchQueue {
  #events: ChangeEvent[] = [];
  #sizes: number[] = [];
  #bytes = 0;
  /** Index of the event that is held back with all behind it; -1: none. */
  #heldAt = -1;
  #heldMark: Mark | null = null;
  /** So many events belong to transactions that are complete. */
  #committed = 0;
  /** Index of the first event of the transaction that is being read; below 0: some of it was handed over. */
  #from = 0;

  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  /** The end of a transaction waits to be handed over. */
  get hasCommitted(): boolean {
    return this.#committed > 0;
  }

  /** As many events as one batch may have, or as many bytes. */
  isFull(maxEvents: number, maxBytes: number): boolean {
    const ready = this.#ready;
    return ready >= maxEvents || (ready > 0 && this.#bytes >= maxBytes);
  }

  /** What comes next is of a new transaction. Only those need say so who may have to `abort`. */
  begin(): void {
    this.#from = this.#events.length;
  }

  /** Some of the transaction that is being read was handed over. */
  get isPartlyOut(): boolean {
    return this.#from < 0;
  }

  /** The end of the transaction never came: what is left of it goes, but for events that `stay`. */
  abort(stay: (event: ChangeEvent) => boolean): void {
    const from = Math.max(0, this.#from),
      events = this.#events.splice(from),
      sizes = this.#sizes.splice(from);
    for (const [i, event] of events.entries()) {
      const size = sizes[i] as number;
      this.#bytes -= size;
      if (stay(event)) this.push(event, size);
    }
    this.#heldMark = null;
    this.#heldAt = -1;
    this.commit();
  }

  /** The event that comes next may be the last of its transaction. */
  hold(mark: Mark): void {
    this.#heldMark = mark;
    this.#heldAt = this.#events.length;
  }

  push(event: ChangeEvent, bytes: number): void {
    this.#events.push(event);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** The transaction is complete: the event held back was its last. */
  endTransaction(): void {
    if (this.#heldMark !== null) this.#heldMark.last = true;
    this.#heldMark = null;
    this.#heldAt = -1;
    this.commit();
  }

  /** What is there is of no transaction that goes on. */
  commit(): void {
    this.#committed = this.#events.length;
  }

  take(maxEvents: number, maxBytes: number): { events: ChangeEvent[]; bytes: number } {
    const ready = this.#ready;
    let count = 0,
      bytes = 0;
    while (count < ready && count < maxEvents && (count === 0 || bytes + (this.#sizes[count] as number) <= maxBytes)) {
      bytes += this.#sizes[count++] as number;
    }
    const events = this.#remove(count);
    this.#bytes -= bytes;
    this.#committed = Math.max(0, this.#committed - count);
    return { events, bytes };
  }

  get #ready(): number {
    return this.#heldAt === -1 ? this.#events.length : this.#heldAt;
  }

  #remove(count: number): ChangeEvent[] {
    if (this.#heldAt !== -1) this.#heldAt -= count;
    this.#from -= count;
    if (count < this.#events.length) {
      this.#sizes.splice(0, count);
      return this.#events.splice(0, count);
    }
    const events = this.#events;
    this.#events = [];
    this.#sizes = [];
    return events;
  }
}
