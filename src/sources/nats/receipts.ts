// Receipts of a session: what was handed over and not acknowledged yet. A receipt is `session-number`, so one of an older session
// is known and never acknowledged; the numbers grow in the order of handing over.

import { type Position, positionOfNumber } from '../../sdk/index.ts';

interface Open {
  readonly number: number;
  /** Subject that finishes the message. */
  reply: string;
}

export class Receipts {
  readonly #session: string;
  /** Sequence in the stream → what finishes it, in the order of the numbers. */
  readonly #open = new Map<number, Open>();
  #last = 0;

  /** `session` is greater than those before. */
  constructor(session: number) {
    this.#session = positionOfNumber(session);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Is it under way? Then its newest delivery is the one to finish. */
  renew(sequence: number, reply: string): boolean {
    const open = this.#open.get(sequence);
    if (open === undefined) return false;
    open.reply = reply;
    return true;
  }

  /** The receipt of a message that is handed over now. */
  give(sequence: number, reply: string): Position {
    this.#open.set(sequence, { number: ++this.#last, reply });
    return `${this.#session}-${positionOfNumber(this.#last)}` as Position;
  }

  replies(): string[] {
    return [...this.#open.values()].map(({ reply }) => reply);
  }

  /** All messages that the receipt covers. */
  upTo(receipt: Position | undefined): readonly (readonly [sequence: number, reply: string])[] {
    const [session, number] = (receipt ?? '').split('-'),
      covered: [number, string][] = [];
    if (session !== this.#session) return covered;
    const last = Number(number);
    for (const [sequence, open] of this.#open) {
      if (open.number > last) break;
      covered.push([sequence, open.reply]);
    }
    return covered;
  }

  forget(covered: readonly (readonly [sequence: number, reply: string])[]): void {
    for (const [sequence] of covered) this.#open.delete(sequence);
  }

  clear(): void {
    this.#open.clear();
  }
}
