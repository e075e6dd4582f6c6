// What somebody outside wants to do at a destination while its lane runs (sending dead letters again): the lane does it between
// two batches, when it has nothing on its hands, and goes on afterwards.

import { CdcError, type Clock, type LaneBatch, type ResumePoint, toCdcError, type WriteResult } from '../sdk/index.ts';
import type { LaneOptions } from './lane-options.ts';

/** How long it is waited for a lane that is in the middle of something: a batch, retries, a replay. */
const PATIENCE_MS = 30_000;

/** A lane between two batches. */
export interface PausedLane {
  readonly options: LaneOptions;
  /** What its destination holds, under our epoch; it stays. */
  readonly point: ResumePoint;
  /** Aborts when the lane has to end. */
  readonly signal: AbortSignal;
  /** One call, through the middleware, bounded in time. */
  write(batch: LaneBatch): Promise<WriteResult>;
  /** The keys that were let go are let go after a restart, too. Throws when the lane has to end before. */
  saveKeys(): Promise<void>;
}

interface Errand {
  begin(lane: PausedLane): Promise<void>;
  refuse(error: CdcError): void;
}

export class Errands {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #stop = new AbortController();
  #waiting: Errand[] = [];

  /** `onChange`: there is something to do, or nothing any more. */
  constructor(name: string, clock: Clock, onChange: () => void) {
    this.#name = name;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get isDue(): boolean {
    return this.#waiting.length > 0;
  }
  /** Aborts what is under way when the lane has to end. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Rejects with `DLQ_BUSY` when the lane does not come to it, else with the error of `work`. */
  ask<T>(work: (lane: PausedLane) => Promise<T>): Promise<T> {
    if (this.#stop.signal.aborted) return Promise.reject(busy(this.#name, 'is ending'));
    return new Promise<T>((resolve, reject) => {
      const begun = new AbortController();
      const errand: Errand = {
        begin: (lane) => {
          begun.abort();
          return work(lane).then(resolve, reject);
        },
        refuse: (error) => {
          begun.abort();
          reject(error);
        },
      };
      this.#waiting.push(errand);
      void this.#clock.sleep(PATIENCE_MS, begun.signal).then(() => {
        if (begun.signal.aborted) return;
        this.#waiting = this.#waiting.filter((e) => e !== errand);
        this.#onChange();
        errand.refuse(busy(this.#name, `has been busy for ${PATIENCE_MS / 1000} s: retries, or a replay of the log`));
      });
      this.#onChange();
    });
  }

  /** Throws what the lane must not go on after; what else goes wrong is the business of who asked. */
  async run(lane: PausedLane): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const fatal: CdcError[] = [];
      const watched = async <T>(call: Promise<T>, isFatal: (error: CdcError) => boolean): Promise<T> => {
        try {
          return await call;
        } catch (cause) {
          const error = toCdcError(cause);
          if (isFatal(error)) fatal.push(error);
          throw error;
        }
      };
      await next.begin({
        ...lane,
        write: (batch) => watched(lane.write(batch), ({ code }) => code === 'DESTINATION_HANGS' || code.endsWith('_FENCED')),
        // Newer events of a key must not overtake the note that it is free: a restart would take its letters for the newest.
        saveKeys: () => watched(lane.saveKeys(), ({ code }) => code !== 'DLQ_BUSY'),
      });
      if (fatal[0] !== undefined) throw fatal[0];
    }
  }

  /** The lane has to end: nothing is begun any more. */
  end(): void {
    this.#stop.abort();
    for (const errand of this.#waiting.splice(0)) errand.refuse(busy(this.#name, 'is ending'));
  }
}

export function busy(name: string, why: string): CdcError {
  return new CdcError('DLQ_BUSY', `Destination "${name}" ${why}.`, {
    where: `destination "${name}"`,
    fix: 'Try again when `cdc-run status` shows it as running, or stop the pipeline and repeat the command.',
    retriable: true,
  });
}
