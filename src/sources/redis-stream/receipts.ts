// Receipts of a session: what was handed over and not acknowledged yet. A receipt is `session-number`, so one of an older session
// is known and never acknowledged; the numbers grow in the order of handing over.

import { type Position, positionOfNumber } from '../../sdk/index.ts';
import { type Entry, isBehind } from './entries.ts';

export class Receipts {
  readonly #session: string;
  /** Ids of entries, in the order of their numbers, which follow each other. */
  #open: string[] = [];
  #last = 0;
  /** No open entry is behind it. */
  #greatest = '0-0';

  /** `session` is greater than those before. */
  constructor(session: number) {
    this.#session = positionOfNumber(session);
  }

  /** Those of a reply, which are in order, that are not under way. Mostly that is plain: they are behind all that came before. */
  unknown(entries: readonly Entry[]): readonly Entry[] {
    const [first, last] = [entries[0], entries.at(-1)];
    if (first === undefined || last === undefined) return entries;
    const isNew = isBehind(first.id, this.#greatest);
    if (isBehind(last.id, this.#greatest)) this.#greatest = last.id;
    if (isNew) return entries;
    const open = new Set(this.#open);
    return entries.filter((e) => !open.has(e.id));
  }

  get ids(): readonly string[] {
    return this.#open;
  }

  /** The receipt of an entry that is handed over now, one of `unknown`. */
  give(id: string): Position {
    this.#open.push(id);
    return `${this.#session}-${positionOfNumber(++this.#last)}` as Position;
  }

  /** All entries that the receipt covers. */
  upTo(receipt: Position | undefined): string[] {
    return this.#open.slice(0, this.#covered(receipt));
  }

  /** They are finished. A second time changes nothing. */
  forget(receipt: Position | undefined): void {
    this.#open.splice(0, this.#covered(receipt));
  }

  #covered(receipt: Position | undefined): number {
    const [session, number] = (receipt ?? '').split('-');
    return session === this.#session ? Math.max(0, Number(number) - (this.#last - this.#open.length)) : 0;
  }
}
