// Where the workers of a lane meet before something old is sent again (a stretch of the log, dead letters): all have done the
// same, none begins anything new, and worker 0 sends it for all. Else it could come behind newer events of its key (invariant 4).

import { Notifier } from '../util/signal.ts';

export interface MeetingWorker {
  readonly doneSeq: number;
  /** The end of what it has on its hands, or of what its destination may have had: nobody stops before. */
  readonly goal: number;
  /** There is something to do between two batches; worker 0 is asked. */
  readonly isDue: boolean;
  /** Asked to end: it waits for nobody. */
  readonly isEnding: boolean;
}

/** `lead`: all others wait, it may begin · `over`: look again · `never`: somebody has ended before. */
export type Met = 'lead' | 'over' | 'never';

export class Meeting {
  readonly #workers: MeetingWorker[] = [];
  readonly #waiting = new Set<MeetingWorker>();
  readonly #ended = new Set<MeetingWorker>();
  readonly #moved = new Notifier();
  /** Worker 0 is at it: nobody leaves. */
  #isMet = false;

  join(worker: MeetingWorker): void {
    this.#workers.push(worker);
  }
  moved(): void {
    this.#moved.notify();
  }
  ended(worker: MeetingWorker): void {
    this.#ended.add(worker);
    this.#moved.notify();
  }
  /** Worker 0 has done what it could. */
  over(): void {
    this.#isMet = false;
    this.#moved.notify();
  }

  get isCalled(): boolean {
    return this.#first?.isDue ?? false;
  }
  /** The furthest that any of them has begun. */
  get place(): number {
    return Math.max(...this.#workers.map((w) => w.goal));
  }
  get #first(): MeetingWorker | undefined {
    return this.#workers[0];
  }

  /** Called by a worker that has come to the place. */
  async attend(worker: MeetingWorker, signal: AbortSignal): Promise<Met> {
    this.#waiting.add(worker);
    this.#moved.notify();
    try {
      while (this.isCalled && !signal.aborted && !worker.isEnding && (this.#isMet || worker.doneSeq >= this.place)) {
        if (this.#isHopeless()) return 'never';
        if (worker === this.#first && this.#isComplete()) {
          this.#isMet = true;
          return 'lead';
        }
        await this.#moved.wait(signal);
      }
      return 'over';
    } finally {
      this.#waiting.delete(worker);
    }
  }

  #isComplete(): boolean {
    return this.#workers.every((w) => this.#isThere(w) && (this.#waiting.has(w) || this.#ended.has(w)));
  }

  #isHopeless(): boolean {
    const first = this.#first;
    return !this.#isMet && [...this.#ended].some((w) => w === first || !this.#isThere(w));
  }

  #isThere({ doneSeq }: MeetingWorker): boolean {
    return doneSeq >= this.place;
  }
}
