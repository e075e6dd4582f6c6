// A destination during a replay of a stopped pipeline: opened and claimed like at a start, written to under the point that it
// holds. The point keeps its place and gets our epoch, so the write is fenced and atomic, and the next run goes on where it would have.

import type { EngineDeps } from '../engine/api.ts';
import type { Encoders, OpenDestination } from '../engine/components.ts';
import { pointHolder } from '../engine/components.ts';
import type { SharedEncoder } from '../engine/encoding.ts';
import { aroundNext } from '../engine/guard.ts';
import type { NamedMiddleware } from '../engine/lane-options.ts';
import type { RetryConfig } from '../engine/pipeline-config.ts';
import { CdcError, type LaneBatch, type LaneId, type ResumePoint, type WriteResult } from '../sdk/index.ts';
import { ReplayTarget, type Seat } from './replay-target.ts';

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

export const NOWHERE: ResumePoint = { epoch: 0, log: null, sources: {}, snapshots: [] };

export class ReplayLane implements Seat {
  readonly target: ReplayTarget;
  readonly #o: ReplayLaneOptions;
  readonly #id: LaneId;
  #epoch = 0;
  #point: ResumePoint | null = null;
  #encoder: SharedEncoder | null = null;

  constructor(options: ReplayLaneOptions) {
    const { config, capabilities } = options.open,
      { retry, deps, signal } = options;
    const { idempotent } = capabilities;
    this.#o = options;
    this.#id = { pipeline: options.pipeline, lane: config.name };
    this.target = new ReplayTarget({
      name: config.name,
      idempotent,
      maxEvents: config.batch.maxEvents,
      retry,
      ports: deps,
      signal,
      seat: this,
    });
  }

  get point(): ResumePoint | null {
    return this.#point;
  }
  get points(): Seat['points'] {
    return { previous: this.#point ?? NOWHERE, through: this.#through() };
  }
  get encoder(): SharedEncoder | null {
    return this.#encoder;
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
        `destination "${this.#id.lane}" holds no point: the pipeline has not delivered to it yet, or it was emptied`,
        {
          where: `destination "${this.#id.lane}"`,
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

  /** Wrapped in the middleware like every write: an audit log has to know of it. */
  send(batch: LaneBatch): Promise<WriteResult> {
    const { open, middleware, deps, signal } = this.#o;
    // Where nothing fences a process that was thought dead, the lease must.
    this.#o.assertLease();
    let next = (): Promise<WriteResult> => open.destination.write(batch, signal);
    for (const { name, timeoutMs, middleware: plugin } of [...middleware].reverse()) {
      const around = plugin.aroundWrite?.bind(plugin),
        inner = next;
      if (around !== undefined) next = () => aroundNext(deps.clock, name, timeoutMs, (n) => around(this.#id.lane, batch, n), inner);
    }
    return next();
  }

  stored(): void {
    if (this.#point !== null) this.#point = this.#through();
  }

  close(): Promise<void> {
    return this.#o.open.destination.close();
  }
}
