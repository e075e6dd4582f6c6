// What a lane is made with, and what it shows of itself.

import type { ChangeLog } from '../log/change-log.ts';
import type { CdcError, Clock, Destination, Logger, Middleware, Random, ResumePoint } from '../sdk/index.ts';
import type { ReplayRequest } from '../state/store.ts';
import type { DeadLetterQueue, LaneStatus } from './api.ts';
import type { Barriers } from './barriers.ts';
import type { WorkerSlot } from './batcher.ts';
import type { SharedEncoder } from './encoding.ts';
import type { PausedLane } from './errands.ts';
import type { LaneTransform } from './lane-transform.ts';
import type { Meeting } from './meeting.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { DestinationConfig } from './pipeline-config.ts';
import type { Codecs } from './places.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { LogEntry } from './resume-rules.ts';

export interface NamedMiddleware {
  readonly name: string;
  readonly timeoutMs: number;
  readonly middleware: Middleware;
}

export interface LaneOptions {
  readonly pipeline: string;
  readonly config: DestinationConfig;
  readonly destination: Destination;
  readonly holdsPoint: boolean;
  /** Writing the same again leaves the same state. */
  readonly idempotent: boolean;
  readonly epoch: number;
  readonly log: ChangeLog;
  readonly codecs: Codecs;
  readonly queues: ReadonlySet<string>;
  /** The lane's point when it was opened: what its destination, or else state, holds. */
  readonly point: ResumePoint;
  /** Where it enters the log. */
  readonly entry: LogEntry;
  /** `null`: the destination reads the events themselves. */
  readonly encoder: SharedEncoder | null;
  readonly transform: LaneTransform | null;
  readonly middleware: readonly NamedMiddleware[];
  readonly failFast: boolean;
  /** The run would be over but for this lane, whose destination is optional. */
  isWaitedFor(): boolean;
  readonly deadLetters: DeadLetterQueue;
  /** Which keys are parked; workers of a lane share it, and their rate limit. */
  readonly keys: ParkedKeys;
  readonly rate: RateLimiter;
  /** `null`: the lane's only one. */
  readonly worker: (WorkerSlot & { readonly barriers: Barriers; readonly meeting: Meeting }) | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Throws, retriable, while this process may not write to destinations that cannot fence it. */
  assertLease(): void;
  /** Where it joined, or was placed by an operator: a replay never begins before. */
  readonly joinedAt: ResumePoint;
  /** What it was to send again when it was opened. */
  readonly replay: ReplayRequest | null;
  /** Resolves when state has it. */
  saveReplay(replay: ReplayRequest | null): Promise<void>;
  /** Something was confirmed or released. */
  onProgress(): void;
  onError(error: CdcError): void;
}

/** A lane as the pipeline sees it, with one worker or several. */
export interface RunningLane {
  readonly name: string;
  readonly required: boolean;
  /** Processed up to here. */
  readonly doneSeq: number;
  /** What is durable, per worker: at the destination if it holds points, else confirmed by it. */
  readonly durablePoints: readonly ResumePoint[];
  /** The oldest of them. */
  readonly durablePoint: ResumePoint;
  readonly releasedSeq: number;
  /** What is still to be sent again. */
  readonly replay: ReplayRequest | null;
  readonly delivered: number;
  readonly parked: number;
  status(): LaneStatus;
  /** There may be something to do. */
  wake(): void;
  /** Write a moved point soon, even if no event comes. */
  requestProgress(): void;
  /** Send a stretch of the log again before going on. State has it already. */
  beginReplay(request: ReplayRequest): void;
  /** Runs `work` between two batches. Rejects with `DLQ_BUSY` when that does not come soon. */
  pause<T>(work: (lane: PausedLane) => Promise<T>): Promise<T>;
  /** Deliver what is in the log, then end. */
  drain(): void;
  /** End after what is under way. */
  finish(): void;
  /** The pipeline is to stop: nothing is waited for that is known to be away. */
  stop(): void;
  /** The log may forget what only this lane still needed. */
  release(): void;
  /** Runs until drained or aborted. Throws what cannot be tried again. */
  run(signal: AbortSignal): Promise<void>;
}

/** What changes while a lane works, for its status. */
export class LaneRecord {
  state: LaneStatus['state'] = 'starting';
  delivered = 0;
  parked = 0;
  discarded = 0;
  lagMs: number | null = null;
  lastError: CdcError | null = null;

  failed(error: CdcError): void {
    this.state = 'failed';
    this.lastError = error;
  }

  /** Of one worker. */
  status(
    { name, type, required }: DestinationConfig,
    now: Pick<LaneStatus, 'queued' | 'point' | 'breaker' | 'batchSize' | 'parkedKeys' | 'replay'>,
  ): LaneStatus {
    const { state, delivered, parked: deadLetters, discarded: discardedValues, lagMs, lastError } = this;
    // `lagBytes`: sources know, see run-record.ts.
    return { name, type, required, state, delivered, deadLetters, discardedValues, lagBytes: null, lagMs, lastError, workers: 1, ...now };
  }
}
