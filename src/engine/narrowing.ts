// How a lane finds the events that a destination refuses without naming them: it writes smaller and smaller parts from the
// front, until one event stands alone. A search in halves over one batch, but in order and with nothing to remember: parts grow
// again with each that is stored, and while one event after the other fails they stay at one, so that a long run of poisoned
// events costs one write each.

/** Parts of this many events and more are no longer held small. */
const WIDE = 100_000;

export class Narrowing {
  #limit = Infinity;

  /** Events of the next part at most. */
  get limit(): number {
    return this.#limit;
  }

  /** A part of so many events was refused as a whole. */
  refused(count: number): void {
    this.#limit = Math.max(1, count >> 1);
  }

  /** A part was stored. */
  stored(count: number): void {
    this.#limit = this.#limit >= WIDE ? Infinity : Math.max(this.#limit, count * 2);
  }
}
