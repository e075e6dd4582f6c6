// One value from those who push to the one who pulls: a batch is given away when the reader asks, and the giver waits until then
// (invariant 5: nothing piles up between them).

interface Offer<T> {
  readonly make: () => T;
  readonly settle: (isTaken: boolean) => void;
}

/** What became of an offer: `true` when it was taken; `false` when it was withdrawn, or nobody takes anything any more. */
export interface Offered {
  readonly taken: Promise<boolean>;
  withdraw(): void;
}

export class Handoff<T> {
  #offers: Offer<T>[] = [];
  #wanted: (() => void) | null = null;
  #error: { readonly cause: unknown } | null = null;
  #state: 'open' | 'finishing' | 'over' = 'open';

  /** Nothing is taken any more. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** `make` is called when the value is taken. */
  put(make: () => T): Offered {
    if (this.#state === 'over') return { taken: Promise.resolve(false), withdraw: () => undefined };
    let settle = (_isTaken: boolean): void => undefined;
    const taken = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    const offer: Offer<T> = { make, settle };
    this.#offers.push(offer);
    this.#wake();
    const withdraw = (): void => {
      this.#offers = this.#offers.filter((o) => o !== offer);
      settle(false); // too late for one that was taken: it has settled
    };
    return { taken, withdraw };
  }

  /** The next value; `null`: it is over. Throws what the givers failed with, after what was offered before. */
  async take(): Promise<T | null> {
    for (;;) {
      const next = this.#offers.shift();
      if (next !== undefined) {
        const value = next.make();
        next.settle(true);
        return value;
      }
      if (this.#error !== null && this.#state !== 'over') throw this.#error.cause;
      if (this.#state !== 'open') return null;
      await new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
    }
  }

  fail(cause: unknown): void {
    this.#error ??= { cause };
    this.#wake();
  }

  /** What is offered is still taken, then it is over. */
  finish(): void {
    if (this.#state === 'open') this.#state = 'finishing';
    this.#wake();
  }

  /** Nothing more is taken: givers go on at once. */
  end(): void {
    this.#state = 'over';
    const left = this.#offers;
    this.#offers = [];
    for (const { settle } of left) settle(false);
    this.#wake();
  }

  #wake(): void {
    const wanted = this.#wanted;
    this.#wanted = null;
    wanted?.();
  }
}
