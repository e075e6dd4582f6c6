// What a source that streams waits for: something of its stream, or word that there may be rows to send; whichever is first.

import type { Notifier } from '../util/signal.ts';

type Came<T> = { readonly value: T | null } | { readonly error: unknown };

/** Not by `Promise.race`: the word may not come for days, and would hold all that has won against it. */
export class Incoming<T> {
  readonly #stream: { next(signal: AbortSignal): Promise<T | null> };
  readonly #changed: Notifier;
  readonly #signal: AbortSignal;
  #isAsked = false;
  #came: Came<T> | null = null;
  #isListening = false;
  #isCalled = false;
  #wake: (() => void) | null = null;

  constructor(stream: { next(signal: AbortSignal): Promise<T | null> }, changed: Notifier, signal: AbortSignal) {
    this.#stream = stream;
    this.#changed = changed;
    this.#signal = signal;
  }

  /** `null`: look again. */
  async next(): Promise<T | null> {
    this.#ask();
    this.#listen();
    if (this.#came === null && !this.#isCalled)
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    this.#wake = null;
    const came = this.#came;
    if (came === null) {
      this.#isCalled = false;
      return null;
    }
    this.#came = null;
    this.#isAsked = false;
    if ('error' in came) throw came.error;
    return came.value;
  }

  #ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    const take = (came: Came<T>): void => {
      this.#came = came;
      this.#wake?.();
    };
    this.#stream.next(this.#signal).then(
      (value) => take({ value }),
      (error: unknown) => take({ error }),
    );
  }

  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    void this.#changed.wait(this.#signal).then(() => {
      this.#isListening = false;
      this.#isCalled = true;
      this.#wake?.();
    });
  }
}
