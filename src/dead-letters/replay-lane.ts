// A destination during a replay: opened and claimed like at a start of the pipeline, written to under the point that it holds.
// The point keeps its place and gets our epoch, so the write is fenced and atomic, and the next run goes on where it would have.

import type { EngineDeps } from '../engine/api.ts';
import type { Encoders, OpenDestination } from '../engine/components.ts';
import { pointHolder } from '../engine/components.ts';
import type { SharedEncoder } from '../engine/encoding.ts';
import { aroundNext } from '../engine/guard.ts';
import type { NamedMiddleware } from '../engine/lane-options.ts';
import type { RetryConfig } from '../engine/pipeline-config.ts';
import { waitBeforeRetry } from '../engine/retry.ts';
import { CdcError, type ChangeEvent, type LaneBatch, type LaneId, type ResumePoint, toCdcError, type WriteResult } from '../sdk/index.ts';
import { KeySet } from './keys.ts';

export interface ReplayLaneOptions {
  readonly pipeline: string;
  readonly open: OpenDestination;
  readonly encoders: Encoders;
  readonly middleware: readonly NamedMiddleware[];
  readonly retry: RetryConfig;
  readonly deps: EngineDeps;
  readonly signal: AbortSignal;
  assertLease(): void;
}

/** What became of the events of one write, by index; what is in neither stayed because an earlier one of its key failed. */
export interface Written {
  readonly delivered: ReadonlySet<number>;
  readonly failed: ReadonlyMap<number, CdcError>;
}

const NOWHERE: ResumePoint = { epoch: 0, log: null, sources: {}, snapshots: [] };

export class ReplayLane {
  readonly name: string;
  readonly idempotent: boolean;
  readonly maxEvents: number;
  readonly #o: ReplayLaneOptions;
  readonly #id: LaneId;
  #epoch = 0;
  #point: ResumePoint | null = null;
  #encoder: SharedEncoder | null = null;

  constructor(options: ReplayLaneOptions) {
    const { config, capabilities } = options.open;
    this.name = config.name;
    this.idempotent = capabilities.idempotent;
    this.maxEvents = config.batch.maxEvents;
    this.#o = options;
    this.#id = { pipeline: options.pipeline, lane: this.name };
  }

  /** What the destination holds; `null` when it cannot tell. */
  get point(): ResumePoint | null {
    return this.#point;
  }
  /** The highest epoch it was claimed with. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Reads only. */
  async look(): Promise<void> {
    const found = await this.#o.open.destination.committed(this.#id);
    if (found.kind === 'untracked') return;
    this.#epoch = found.epoch;
    if (found.kind === 'empty') {
      throw new CdcError(
        'DESTINATION_POSITION_LOST',
        `destination "${this.name}" holds no point: the pipeline has not delivered to it yet, or it was emptied`,
        {
          where: `destination "${this.name}"`,
          fix: 'Run the pipeline until it has delivered to the destination, then replay.',
        },
      );
    }
    this.#point = found.points[0] ?? null;
  }

  /** Its place, under the epoch that we claimed: what a batch of ours leaves there. */
  #through(): ResumePoint {
    return { ...(this.#point ?? NOWHERE), epoch: this.#epoch };
  }

  /** From here on an older process is fenced. The point is read behind the claim: until then it could move. */
  async claim(epoch: number): Promise<void> {
    await pointHolder(this.#o.open)?.claim(this.#id, epoch);
    await this.look();
    this.#encoder = await this.#o.encoders.for(this.#o.open);
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
        if (this.#point !== null) this.#point = this.#through();
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

  close(): Promise<void> {
    return this.#o.open.destination.close();
  }

  #batch(events: readonly ChangeEvent[], skip: ReadonlySet<number>): LaneBatch {
    const encoder = this.#encoder;
    return {
      events,
      skip,
      through: this.#through(),
      previous: this.#point ?? NOWHERE,
      worker: 0,
      encoded: () => {
        if (encoder === null) throw this.#contractError();
        return encoder.encode(events, null);
      },
    };
  }

  /** As often as the pipeline is told to; then the command gives up, and what is left stays in the queue. */
  async #patiently(batch: LaneBatch): Promise<WriteResult> {
    const { retry, deps, signal } = this.#o;
    for (let attempt = 1; ; attempt++) {
      // Where nothing fences a process that was thought dead, the lease must.
      this.#o.assertLease();
      try {
        return await this.#write(batch);
      } catch (cause) {
        const error = toCdcError(cause, 'DESTINATION_FAILED', { where: `destination "${this.name}"` });
        if (!error.retriable || error.code === 'DESTINATION_OUTCOME_UNKNOWN' || attempt >= retry.maxAttempts || signal.aborted) throw error;
        deps.logger.warn(`destination "${this.name}" did not take the letters, trying again`, { code: error.code, error: error.message });
        await waitBeforeRetry(retry, attempt, deps.random, deps.clock, signal);
      }
    }
  }

  /** Wrapped in the middleware like every write: an audit log has to know of it. */
  #write(batch: LaneBatch): Promise<WriteResult> {
    const { open, middleware, deps, signal } = this.#o;
    let next = (): Promise<WriteResult> => open.destination.write(batch, signal);
    for (const { name, timeoutMs, middleware: plugin } of [...middleware].reverse()) {
      const around = plugin.aroundWrite?.bind(plugin),
        inner = next;
      if (around !== undefined) next = () => aroundNext(deps.clock, name, timeoutMs, (n) => around(this.name, batch, n), inner);
    }
    return next();
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
