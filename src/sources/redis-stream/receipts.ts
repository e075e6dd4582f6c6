// Receipts of a session: what was handed over and not acknowledged yet. A receipt is `session-number`, so one of an older session
// is known and never acknowledged; the numbers grow in the order of handing over.

import { type Position, positionOfNumber } from '../../sdk/index.ts';

export class Receipts {
  readonly #session: string;
  /** Entry id → number, in the order of the numbers. */
  readonly #open = new Map<string, number>();
  #last = 0;

  /** `session` is greater than those before. */
  constructor(session: number) {
    this.#session = positionOfNumber(session);
  }

  has(id: string): boolean {
    return this.#open.has(id);
  }

  get ids(): readonly string[] {
    return [...this.#open.keys()];
  }

  /** The receipt of an entry that is handed over now. */
  give(id: string): Position {
    this.#open.set(id, ++this.#last);
    return this.#position(this.#last);
  }

  /** All entries that the receipt covers. */
  upTo(receipt: Position | undefined): string[] {
    const [session, number] = (receipt ?? '').split('-');
    if (session !== this.#session) return [];
    const ids: string[] = [];
    for (const [id, n] of this.#open) {
      if (n > Number(number)) break;
      ids.push(id);
    }
    return ids;
  }

  forget(ids: readonly string[]): void {
    for (const id of ids) this.#open.delete(id);
  }

  #position(n: number): Position {
    return `${this.#session}-${positionOfNumber(n)}` as Position;
  }
}
