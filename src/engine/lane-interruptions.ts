// What comes between two batches of a lane: a stretch of the log to be sent again, and the errands of somebody outside. Workers
// of a lane meet for it, and worker 0 does it for all.

import type { ResumePoint } from '../sdk/index.ts';
import type { ReplayRequest } from '../state/store.ts';
import type { LaneStatus } from './api.ts';
import { DestinationCaller } from './destination-caller.ts';
import { busy, Errands, type PausedLane } from './errands.ts';
import { pointOnly } from './lane-load.ts';
import { LaneReplay, type ReplayingLane } from './lane-replay.ts';
import type { MeetingWorker } from './meeting.ts';

export interface InterruptedLane extends ReplayingLane {
  /** As the workers' meeting knows it. */
  readonly worker: MeetingWorker;
  /** The last record that its destination has, or has nothing of. */
  heldSeq(): number;
  /** Stores what was skipped since. Gives the lane up, if that is not possible. */
  writeProgress(signal: AbortSignal): Promise<void>;
  /** The destination may be called; else the lane is given up. */
  isReady(signal: AbortSignal): Promise<boolean>;
  isGivenUp(): boolean;
  giveUp(): void;
  /** There is something else to do than to wait for events. */
  lookUp(): void;
}

export class LaneInterruptions {
  readonly #lane: InterruptedLane;
  readonly #replay: LaneReplay;
  readonly #errands: Errands;

  constructor(lane: InterruptedLane) {
    const { config, clock, worker } = lane.options;
    this.#lane = lane;
    this.#replay = new LaneReplay(lane);
    this.#errands = new Errands(config.name, clock, () => {
      lane.lookUp();
      worker?.meeting.moved();
    });
  }

  get isDue(): boolean {
    return this.#errands.isDue || this.#replay.isDue;
  }
  /** What state is to know of a replay. */
  get replay(): ReplayRequest | null {
    return this.#replay.request;
  }
  replayStatus(): LaneStatus['replay'] {
    return this.#replay.status();
  }
  /** Where it stops for now, at the latest: where the workers meet. */
  get bound(): number | null {
    const meeting = this.#lane.options.worker?.meeting;
    return meeting?.isCalled === true ? meeting.place : null;
  }

  beginReplay(request: ReplayRequest): void {
    this.#replay.begin(request);
    this.#lane.lookUp();
  }

  pause<T>(work: (lane: PausedLane) => Promise<T>): Promise<T> {
    return this.#errands.ask(work);
  }

  /** The lane has to end: nothing is begun any more. */
  end(): void {
    this.#errands.end();
  }

  /** The log may forget what only a replay still needed. */
  release(): void {
    this.#replay.close();
  }

  /** Called between two batches. `true`: look again what there is to do. */
  async take(signal: AbortSignal): Promise<boolean> {
    const { options, worker, isStopping, isGivenUp } = this.#lane,
      meeting = options.worker?.meeting;
    if (meeting === undefined) {
      if (!this.isDue) return false;
      await this.#doDue(signal);
      return true;
    }
    if (!meeting.isCalled || isStopping() || worker.doneSeq < meeting.place) return false;
    // It may wait for long: what it has skipped must not come between its point and what the log still holds.
    await this.#lane.writeProgress(signal);
    if (isGivenUp() || signal.aborted) return true;
    const met = await meeting.attend(worker, signal);
    if (met === 'never') this.#lane.giveUp();
    if (met !== 'lead') return true;
    try {
      await this.#doDue(signal);
    } finally {
      meeting.over();
    }
    return true;
  }

  async #doDue(signal: AbortSignal): Promise<void> {
    const lane = this.#lane;
    if (!this.#errands.isDue) {
      if ((await this.#replay.run(signal)) === 'away') lane.giveUp();
      return;
    }
    // A letter leaves its queue when it is confirmed: from then on no restart may come to its event again.
    await lane.writeProgress(signal);
    await this.#ownPoint(signal);
    if (!lane.isGivenUp() && !signal.aborted) await this.#errands.run(this.#paused(AbortSignal.any([signal, this.#errands.signal])));
  }

  #paused(signal: AbortSignal): PausedLane {
    const { options, delivery, held } = this.#lane,
      { name } = options.config;
    const caller = new DestinationCaller(options);
    return {
      options,
      point: held(),
      signal,
      write: async (batch) => {
        if (await options.rate.take(batch.events.length - batch.skip.size, 0, signal)) return caller.write(batch, signal);
        throw busy(name, 'is ending');
      },
      saveKeys: async () => {
        await delivery.parking.stored(signal);
        if (signal.aborted) throw busy(name, 'is ending');
      },
    };
  }

  /** Under our epoch: a write that leaves it where it is cannot be told from one that did not take place. */
  async #ownPoint(signal: AbortSignal): Promise<void> {
    const { delivery, held, heldSeq, isReady, options, rewritten } = this.#lane,
      { epoch, holdsPoint } = options,
      point: ResumePoint = held();
    if (!holdsPoint || point.epoch === epoch) return;
    const own = { ...point, epoch };
    while (await isReady(signal)) {
      const outcome = await delivery.attempt(pointOnly(heldSeq(), own), own, point, signal);
      if (outcome === 'stopped') return;
      if (outcome === 'again') continue;
      rewritten(own);
      return;
    }
  }
}
