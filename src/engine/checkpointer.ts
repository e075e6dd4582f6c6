// Checkpoints: lanes' confirmed points → state → and only then the source may forget (invariant 1). Each step is one await;
// dying between two of them repeats events at most, since every step only moves what the one before has made durable.

import type { ChangeLog, LogPlace } from '../log/change-log.ts';
import { type PartitionPositions, type Position, type ResumePoint, type Source, toCdcError } from '../sdk/index.ts';
import type { LaneState, StateChange, StatefulPoint } from '../state/store.ts';
import type { EngineDeps } from './api.ts';
import type { Deduplicator } from './deduplication.ts';
import type { RunningLane } from './lane-options.ts';
import type { RetryConfig } from './pipeline-config.ts';
import { type Codecs, oldestPlace } from './places.ts';
import { retryDelayMs } from './retry.ts';

/** A queue message batch that is in the log: acknowledged once all required lanes are past it. */
interface Receipt {
  readonly endSeq: number;
  readonly source: string;
  readonly partition: string;
  readonly position: Position;
}

/** The chain's state after a batch: saved once what it emitted up to there is durable. */
interface PendingState {
  readonly seq: number;
  readonly saved: StatefulPoint;
}

export interface CheckpointerOptions {
  readonly deps: EngineDeps;
  readonly log: ChangeLog;
  /** What is in the log survives: the source may forget it, whoever lacks it. */
  readonly isDurable: boolean;
  readonly codecs: Codecs;
  readonly sources: ReadonlyMap<string, Source>;
  /** Lanes that are not detached. */
  lanes(): readonly RunningLane[];
  laneState(lane: string): LaneState;
  save(change: StateChange): Promise<void>;
  onCheckpoint(point: ResumePoint): Promise<void>;
  /** `null` without a deduplication window. */
  readonly deduplicator: Deduplicator | null;
}

export class Checkpointer {
  readonly #o: CheckpointerOptions;
  #receipts: Receipt[] = [];
  #pending: PendingState[] = [];
  /** The stateful chain's place that is saved; `null` without a stateful chain. */
  #savedState: ResumePoint | null;
  #running: Promise<void> = Promise.resolve();
  #acknowledging = false;
  /** Up to there upstream has forgotten what no cursor can tell of: messages of a queue, partitions that have ended. */
  #forgottenSeq = 0;

  constructor(options: CheckpointerOptions, savedState: ResumePoint | null) {
    this.#o = options;
    this.#savedState = savedState;
  }

  get isDurable(): boolean {
    return this.#o.isDurable;
  }
  addReceipt(receipt: Receipt): void {
    this.#receipts.push(receipt);
  }
  addState(seq: number, saved: StatefulPoint): void {
    this.#pending.push({ seq, saved });
  }

  /** One checkpoint at a time; a second caller waits for its own. */
  checkpoint(): Promise<void> {
    return this.exclusive(() => this.#checkpoint());
  }

  /** A checkpoint at each interval until aborted; `before` asks the others to get ready. Throws what trying again cannot help. */
  async keep(intervalMs: number, signal: AbortSignal, before: () => void): Promise<void> {
    const { clock, logger } = this.#o.deps;
    while (!signal.aborted) {
      await clock.sleep(intervalMs, signal);
      if (signal.aborted) return;
      before();
      try {
        await this.checkpoint();
      } catch (cause) {
        const error = toCdcError(cause);
        if (!error.retriable) throw error;
        logger.warn('the checkpoint failed, trying again at the next', { code: error.code, error: error.message });
      }
    }
  }

  /** The one at the end of a run. */
  async last(retry: RetryConfig): Promise<void> {
    const { clock, logger, random } = this.#o.deps;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.checkpoint();
        return;
      } catch (cause) {
        const error = toCdcError(cause);
        if (error.retriable && attempt < retry.maxAttempts) {
          await clock.sleep(retryDelayMs(retry, attempt, random));
          continue;
        }
        // The points are saved by then; a source that is away is told at the next start what it may forget.
        if (!error.retriable || !error.code.startsWith('SOURCE_')) throw error;
        logger.warn('the source was not told what it may forget; the next run tells it', { code: error.code, error: error.message });
        return;
      }
    }
  }

  /** Runs `work` while no checkpoint does. */
  exclusive(work: () => Promise<void>): Promise<void> {
    const next = this.#running.then(work);
    this.#running = next.catch(() => {});
    return next;
  }

  async #checkpoint(): Promise<void> {
    const lanes = this.#o
      .lanes()
      .map((lane) => ({ lane, points: lane.durablePoints, replay: lane.replay, lacksForgotten: this.#lacksForgotten(lane) }));
    const synced = this.#o.isDurable ? await this.#synced() : null;
    const state = this.#dueState(synced?.seq ?? this.#floor());
    const changed = lanes.filter(({ lane, points, replay, lacksForgotten }) => {
      const known = this.#o.laneState(lane.name);
      return !isSame(known.points, points) || known.replay !== replay || known.lacksForgotten !== lacksForgotten;
    });
    if (changed.length > 0 || state !== null) {
      await this.#o.save({
        lanes: Object.fromEntries(changed.map(({ lane, ...now }) => [lane.name, { ...this.#o.laneState(lane.name), ...now }])),
        ...(state === null ? {} : { transformer: state.saved }),
      });
      if (state !== null) this.#savedState = state.saved.point;
    }
    // Invariant 1: what is acknowledged was saved above.
    const required = lanes.flatMap(({ lane, points }) => (lane.required ? points : []));
    // Not beyond what was read in this run: a destination that joins now may still need it.
    await this.#acknowledge(synced === null ? [...required, this.#o.log.tail] : [synced.place]);
    await this.#acknowledgeReceipts();
    const first = lanes[0]?.points[0];
    if (first !== undefined && changed.length > 0) await this.#o.onCheckpoint(first);
  }

  /** The newest state whose output is durable at every required lane (design: later pairs only after their output). */
  #dueState(floor: number): PendingState | null {
    let due: PendingState | null = null;
    for (const p of this.#pending) if (p.seq <= floor) due = p;
    this.#pending = this.#pending.filter((p) => p.seq > floor);
    return due;
  }

  /** What every required lane is done with. */
  #floor(): number {
    return Math.min(this.#o.log.lastSeq, ...this.#o.lanes().flatMap((l) => (l.required ? [l.doneSeq] : [])));
  }

  /** The end of what is on disk. */
  async #synced(): Promise<{ readonly seq: number; readonly place: LogPlace }> {
    const { log } = this.#o,
      seq = log.readableSeq;
    return { seq, place: seq < log.firstSeq ? log.head : ((await log.read(seq))?.after ?? log.head) };
  }

  async #acknowledge(limits: readonly LogPlace[]): Promise<void> {
    const place = oldestPlace(this.#o.codecs, this.#savedState === null ? limits : [...limits, this.#savedState]);
    for (const [name, source] of this.#o.sources) {
      const upTo: PartitionPositions = place.sources[name] ?? {};
      if (source.ordering === 'log' && Object.keys(upTo).length > 0) await source.acknowledge(upTo);
    }
  }

  /**
   * For queue sources: a broker hands out only so many unacknowledged messages, so they do not wait for the next checkpoint. Throws
   * what trying again cannot help.
   */
  async acknowledgeSoon(): Promise<void> {
    if (this.#acknowledging || this.#receipts.length === 0) return;
    this.#acknowledging = true;
    return this.exclusive(async () => {
      this.#acknowledging = false;
      try {
        await this.#acknowledgeReceipts();
      } catch (cause) {
        const error = toCdcError(cause);
        if (!error.retriable) throw error;
        this.#o.deps.logger.debug('receipts could not be acknowledged, trying again at the next checkpoint', { code: error.code });
      }
    });
  }

  /** As soon as every required lane is past them. An optional lane that lacks one is marked first. */
  async #acknowledgeReceipts(): Promise<void> {
    const floor = this.#o.isDurable ? this.#o.log.readableSeq : this.#floor();
    const due = this.#receipts.filter((r) => r.endSeq <= floor);
    if (due.length === 0) return;
    await this.#saveBeforeForgotten((due[due.length - 1] as Receipt).endSeq);
    const bySource = new Map<string, { [partition: string]: Position }>();
    for (const r of due) bySource.set(r.source, { ...bySource.get(r.source), [r.partition]: r.position });
    for (const [name, positions] of bySource) await this.#o.sources.get(name)?.acknowledge(positions);
    this.#receipts = this.#receipts.filter((r) => !due.includes(r));
  }

  /** A partition has ended, and upstream drops it with all that is in the log up to here. */
  async ended(seq: number): Promise<void> {
    return this.exclusive(() => this.#saveBeforeForgotten(seq));
  }

  /**
   * No cursor can tell what an optional lane missed of it, so state says it before it is gone. Ids of delivered messages go with it
   * in one step: a repeat that is dropped by its id must not be one that such a lane still lacks.
   */
  async #saveBeforeForgotten(endSeq: number): Promise<void> {
    this.#forgottenSeq = Math.max(this.#forgottenSeq, endSeq);
    const marks: { [lane: string]: LaneState } = {};
    for (const lane of this.#o.lanes()) {
      const state = this.#o.laneState(lane.name),
        lacksForgotten = this.#lacksForgotten(lane);
      if (state.lacksForgotten !== lacksForgotten) marks[lane.name] = { ...state, lacksForgotten };
    }
    const delivered = this.#o.deduplicator?.due(endSeq) ?? null;
    if (Object.keys(marks).length === 0 && delivered === null) return;
    await this.#o.save({ lanes: marks, ...(delivered === null ? {} : { delivered }) });
    this.#o.deduplicator?.saved();
  }

  #lacksForgotten(lane: RunningLane): boolean {
    return !this.#o.isDurable && !lane.required && lane.doneSeq < this.#forgottenSeq;
  }
}

/** By identity: points are never changed after they were made. */
function isSame(a: readonly ResumePoint[], b: readonly ResumePoint[]): boolean {
  return a.length === b.length && a.every((point, i) => point === b[i]);
}
