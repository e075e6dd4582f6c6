// The lanes of a running pipeline and what state knows of each, the detached ones included.

import type { ChangeLog } from '../log/change-log.ts';
import type { Clock, Logger, ResumePoint } from '../sdk/index.ts';
import type { DetachedState, LaneState, ReplayRequest, StateChange } from '../state/store.ts';
import { Notifier } from '../util/signal.ts';
import type { LaneStatus } from './api.ts';
import { busy, type PausedLane } from './errands.ts';
import type { RunningLane } from './lane-options.ts';
import type { DestinationConfig } from './pipeline-config.ts';
import { planReplay, type ReplayAsk, type ReplayPlan } from './replay-plan.ts';

export interface LaneSetOptions {
  /** Optional lanes give way when they alone keep the log full. */
  readonly mayDetach: boolean;
  readonly destinations: readonly DestinationConfig[];
  readonly clock: Clock;
  readonly logger: Logger;
  save(change: StateChange): Promise<void>;
  /** Runs while no checkpoint does: both write the lane's state. */
  exclusive(change: () => Promise<void>): Promise<void>;
}

type LaneCounts = Pick<RunningLane, 'name' | 'delivered' | 'parked'>;

/** Of a destination that has no lane. */
const AWAY = {
  delivered: 0,
  deadLetters: 0,
  discardedValues: 0,
  queued: 0,
  lagBytes: null,
  lagMs: null,
  lastError: null,
  breaker: 'closed',
  batchSize: 0,
  parkedKeys: 0,
  workers: 0,
  replay: null,
} as const;

export class LaneSet {
  readonly #o: LaneSetOptions;
  readonly #active = new Map<string, { lane: RunningLane; abort: AbortController }>();
  readonly #states = new Map<string, LaneState>();
  /** What lanes had done before they were detached in this run. */
  readonly #gone = new Map<string, LaneCounts>();
  #ending: 'drain' | 'stop' | null = null;
  /** Notified when a lane has confirmed or released something. */
  readonly moved = new Notifier();

  constructor(options: LaneSetOptions) {
    this.#o = options;
  }

  /** Lanes that are not detached. */
  get active(): RunningLane[] {
    return [...this.#active.values()].map(({ lane }) => lane);
  }
  get required(): RunningLane[] {
    return this.active.filter((l) => l.required);
  }

  /** Those for which the source waits when the log is full. */
  get blocking(): RunningLane[] {
    return this.#o.mayDetach ? this.required : this.active;
  }

  /** Of all lanes that ran in this run. */
  get counts(): LaneCounts[] {
    return [...this.active, ...this.#gone.values()];
  }

  /** Why destinations get nothing, by name; `undefined` when all of them do. */
  get detached(): { readonly [lane: string]: string } | undefined {
    const reasons = this.#o.destinations.flatMap(({ name }) => {
      const reason = this.#states.get(name)?.detached?.reason;
      return reason === undefined || this.#active.has(name) ? [] : [[name, reason] as const];
    });
    return reasons.length === 0 ? undefined : Object.fromEntries(reasons);
  }

  /** Is the run to end by itself, and only optional destinations are left? */
  waitsFor(name: string): boolean {
    const lane = this.#active.get(name)?.lane;
    return this.#ending === 'drain' && lane?.required === false && this.required.every((l) => l.status().state === 'stopped');
  }

  add(lane: RunningLane): void {
    this.#active.set(lane.name, { lane, abort: new AbortController() });
  }
  /** Aborts when the lane is detached. */
  signalOf(lane: RunningLane): AbortSignal {
    return (this.#active.get(lane.name) as { abort: AbortController }).abort.signal;
  }

  stateOf(name: string): LaneState | undefined {
    return this.#states.get(name);
  }
  /** Called with what was saved, and only then. */
  setState(name: string, state: LaneState): void {
    this.#states.set(name, state);
  }

  wake(): void {
    for (const { lane } of this.#active.values()) lane.wake();
  }
  finish(): void {
    for (const { lane } of this.#active.values()) lane.finish();
  }
  drain(): void {
    this.#ending ??= 'drain';
    for (const { lane } of this.#active.values()) lane.drain();
  }
  stop(): void {
    this.#ending = 'stop';
    for (const { lane } of this.#active.values()) lane.stop();
  }
  requestProgress(): void {
    for (const { lane } of this.#active.values()) lane.requestProgress();
  }

  /** The gap is stored before the lane lets go of the log: nothing is skipped unnoticed (invariant 3). */
  async detach(lane: RunningLane, reason: string): Promise<void> {
    const entry = this.#active.get(lane.name);
    if (entry === undefined) return;
    await this.#o.exclusive(async () => {
      await this.recordDetached(lane.name, this.#states.get(lane.name), lane.durablePoint, reason);
      this.#active.delete(lane.name);
      this.#gone.set(lane.name, { name: lane.name, delivered: lane.delivered, parked: lane.parked });
    });
    entry.abort.abort();
    lane.release();
    this.moved.notify();
  }

  saveReplay(name: string, replay: ReplayRequest | null): Promise<void> {
    return this.#o.exclusive(() => this.#o.save({ lanes: { [name]: { ...(this.#states.get(name) as LaneState), replay } } }));
  }

  /** Stores the request and wakes the lane, with no checkpoint in between that does not know of it. */
  async replay(pipeline: string, log: ChangeLog, ask: ReplayAsk): Promise<ReplayPlan> {
    let plan: ReplayPlan | null = null;
    await this.#o.exclusive(async () => {
      const lane = this.#active.get(ask.destination)?.lane,
        state = this.#states.get(ask.destination);
      // One that state does not show yet is being ended: what it was to send is sent.
      const known = state === undefined ? undefined : { ...state, replay: lane?.replay ?? state.replay };
      plan = planReplay({ pipeline, state: known, log, place: lane?.doneSeq ?? null }, ask);
      await this.#o.save({ lanes: { [ask.destination]: { ...(state as LaneState), replay: plan.request } } });
      lane?.beginReplay(plan.request);
    });
    return plan as unknown as ReplayPlan;
  }

  pause<T>(name: string, work: (lane: PausedLane) => Promise<T>): Promise<T> {
    const lane = this.#active.get(name)?.lane;
    return lane === undefined ? Promise.reject(busy(name, 'does not run')) : lane.pause(work);
  }

  /** `logEnd`: where the durable log ends, at a start. */
  async recordDetached(
    name: string,
    known: LaneState | undefined,
    from: ResumePoint,
    reason: string,
    logEnd: ResumePoint | null = null,
  ): Promise<void> {
    const detached = withLogEnd(known?.detached ?? { from, sinceMs: this.#o.clock.now(), reason }, logEnd);
    const state: LaneState = {
      points: known?.points ?? [from],
      joinedAt: known?.joinedAt ?? from,
      detached,
      lacksForgotten: known?.lacksForgotten ?? false,
      replay: null,
      ...(known?.joining === undefined ? {} : { joining: known.joining }),
    };
    await this.#o.save({ lanes: { [name]: state } });
    this.#o.logger.warn(`destination "${name}" is detached: it gets nothing until you decide about its gap`, {
      reason: detached.reason,
      fix: `run with --rejoin ${name}`,
    });
  }

  /** Optional lanes that alone keep the log full: those that hold more than twice what the required ones do. */
  laggards(log: ChangeLog): RunningLane[] {
    if (!this.#o.mayDetach || !log.heldBack) return [];
    const required = Math.min(...this.required.map((l) => l.releasedSeq));
    return this.active.filter((l) => !l.required && log.lastSeq - required < (log.lastSeq - l.releasedSeq) / 2);
  }

  statuses(): LaneStatus[] {
    return this.#o.destinations.flatMap(({ name, type, required }): LaneStatus[] => {
      const lane = this.#active.get(name)?.lane,
        point = this.#states.get(name)?.detached?.from ?? null;
      if (lane !== undefined) return [lane.status()];
      const state = point === null ? 'starting' : 'detached',
        { delivered = 0, parked: deadLetters = 0 } = this.#gone.get(name) ?? {};
      return [{ ...AWAY, delivered, deadLetters, name, type, required, state, point }];
    });
  }
}

/** Each start may find the log shorter than the one before. */
function withLogEnd(detached: DetachedState, logEnd: ResumePoint | null): DetachedState {
  const known = detached.logEnd?.log ?? null;
  if (logEnd === null || logEnd.log === null) return detached;
  return known?.id === logEnd.log.id && known.seq <= logEnd.log.seq ? detached : { ...detached, logEnd };
}
