// Barriers between the workers of a lane: what touches more than one key waits until all workers have done what is before it,
// and nobody goes on before it is done (invariant 4). Worker 0 delivers it.

import { Notifier } from '../util/signal.ts';

interface Worker {
  readonly doneSeq: number;
}

export class Barriers {
  readonly #workers: Worker[] = [];
  readonly #moved = new Notifier();
  readonly #ended = new Set<Worker>();

  join(worker: Worker): void {
    this.#workers.push(worker);
  }
  /** A worker has done something. */
  moved(): void {
    this.#moved.notify();
  }
  /** Whoever waits for what it has not done gives up. */
  ended(worker: Worker): void {
    this.#ended.add(worker);
    this.#moved.notify();
  }

  /** Called by a worker that has come to a barrier: what is `before` it and the barrier itself are record numbers. */
  reach(index: number, before: number, barrier: number, signal: AbortSignal): Promise<boolean> {
    return index === 0 ? this.othersReach(before, signal) : this.firstReaches(barrier, signal);
  }

  /** Before worker 0 delivers a barrier: all others have done what is before it. `false`: one never will. */
  othersReach(seq: number, signal: AbortSignal): Promise<boolean> {
    return this.#until(this.#workers.slice(1), seq, signal);
  }

  /** Before any other goes on behind it: it is done. */
  firstReaches(seq: number, signal: AbortSignal): Promise<boolean> {
    return this.#until(this.#workers.slice(0, 1), seq, signal);
  }

  async #until(workers: readonly Worker[], seq: number, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const waiting = workers.filter((w) => w.doneSeq < seq);
      if (waiting.length === 0) return true;
      if (signal.aborted || waiting.some((w) => this.#ended.has(w))) return false;
      await this.#moved.wait(signal);
    }
  }
}
