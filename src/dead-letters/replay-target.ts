// The writes of a replay to one destination: all letters of a batch that can be stored are, and what is refused is known by event.
// Where the destination stands stays as it is: each write leaves the point that it holds, under our epoch.

import type { SharedEncoder } from '../engine/encoding.ts';
import type { RetryConfig } from '../engine/pipeline-config.ts';
import { waitBeforeRetry } from '../engine/retry.ts';
import {
  CdcError,
  type ChangeEvent,
  type Clock,
  type LaneBatch,
  type Logger,
  type Random,
  type ResumePoint,
  toCdcError,
  type WriteResult,
} from '../sdk/index.ts';
import { KeySet } from './keys.ts';

/** What became of the events of one write, by index; what is in neither stayed because an earlier one of its key failed. */
export interface Written {
  readonly delivered: ReadonlySet<number>;
  readonly failed: ReadonlyMap<number, CdcError>;
}

/** How a destination is reached: opened by the command, or lent by the lane of a running pipeline. */
export interface Seat {
  /** What the destination holds; `null` when it cannot tell. */
  readonly point: ResumePoint | null;
  /** What a batch of ours is to find there, and to leave there. */
  readonly points: Pick<LaneBatch, 'previous' | 'through'>;
  readonly encoder: SharedEncoder | null;
  send(batch: LaneBatch): Promise<WriteResult>;
  /** A batch of ours is stored. */
  stored(): void;
}

export interface TargetOptions {
  readonly name: string;
  readonly idempotent: boolean;
  readonly maxEvents: number;
  readonly retry: RetryConfig;
  readonly ports: { readonly clock: Clock; readonly random: Random; readonly logger: Logger };
  readonly signal: AbortSignal;
  readonly seat: Seat;
}

export class ReplayTarget {
  readonly name: string;
  readonly idempotent: boolean;
  readonly maxEvents: number;
  readonly #o: TargetOptions;

  constructor(options: TargetOptions) {
    this.name = options.name;
    this.idempotent = options.idempotent;
    this.maxEvents = options.maxEvents;
    this.#o = options;
  }

  get point(): ResumePoint | null {
    return this.#o.seat.point;
  }

  /** Writes until all are stored that can be. Throws when the destination cannot be written to at all. */
  async write(events: readonly ChangeEvent[]): Promise<Written> {
    const skip = new Set<number>(),
      delivered = new Set<number>(),
      failed = new Map<number, CdcError>(),
      failedKeys = new KeySet();
    while (skip.size < events.length) {
      const result = await this.#patiently(this.#batch(events, skip));
      const written = result.kind === 'stored' ? events.keys() : result.kind === 'partial' ? result.written : [];
      for (const index of written) {
        if (skip.has(index)) continue;
        delivered.add(index);
        skip.add(index);
      }
      if (result.kind === 'stored') {
        this.#o.seat.stored();
        break;
      }
      if (result.failed.length === 0) throw this.#contractError();
      for (const { index, error } of result.failed) {
        failed.set(index, error);
        skip.add(index);
      }
      // Invariant 4: what comes behind a failed event of its key waits with it.
      for (const [index, event] of events.entries()) {
        if (failed.has(index)) failedKeys.add(event);
        else if (!delivered.has(index) && failedKeys.touches(event)) skip.add(index);
      }
    }
    return { delivered, failed };
  }

  #batch(events: readonly ChangeEvent[], skip: ReadonlySet<number>): LaneBatch {
    const { encoder, points } = this.#o.seat;
    return {
      events,
      skip,
      ...points,
      ...(encoder === null ? {} : { envelope: encoder.description }),
      worker: 0,
      encoded: () => {
        if (encoder === null) throw this.#contractError();
        return encoder.encode(events, null);
      },
    };
  }

  /** As often as the pipeline is told to; then it gives up, and what is left stays in the queue. */
  async #patiently(batch: LaneBatch): Promise<WriteResult> {
    const { retry, ports, signal, seat } = this.#o;
    for (let attempt = 1; ; attempt++) {
      try {
        return await seat.send(batch);
      } catch (cause) {
        const error = toCdcError(cause, 'DESTINATION_FAILED', { where: `destination "${this.name}"` });
        if (!error.retriable || error.code === 'DESTINATION_OUTCOME_UNKNOWN' || attempt >= retry.maxAttempts || signal.aborted) throw error;
        ports.logger.warn(`destination "${this.name}" did not take the letters, trying again`, { code: error.code, error: error.message });
        await waitBeforeRetry(retry, attempt, ports.random, ports.clock, signal);
      }
    }
  }

  #contractError(): CdcError {
    return new CdcError(
      'PLUGIN_CONTRACT',
      `destination "${this.name}" refused a batch without naming an event, or wants what it did not declare`,
      {
        where: `destination "${this.name}"`,
        fix: "Report this to the adapter's author.",
      },
    );
  }
}
