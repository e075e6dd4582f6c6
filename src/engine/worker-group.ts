// A lane with several workers: each is a lane over its own slot of the events, with its own point, and they meet at barriers.
// Seen from outside it is one lane, as far as its slowest worker. A replay is sent by worker 0, while the others wait.

import { CdcError, type ResumePoint } from '../sdk/index.ts';
import type { ReplayRequest } from '../state/store.ts';
import type { LaneStatus } from './api.ts';
import { Barriers } from './barriers.ts';
import type { PausedLane } from './errands.ts';
import { Lane } from './lane.ts';
import type { LaneOptions, RunningLane } from './lane-options.ts';
import { Meeting } from './meeting.ts';
import { type Codecs, oldestPoint } from './places.ts';
import type { LogEntry } from './resume-rules.ts';
import type { Slots } from './slots.ts';

export interface WorkerPoint {
  readonly point: ResumePoint;
  readonly entry: LogEntry;
}

export class WorkerGroup implements RunningLane {
  readonly name: string;
  readonly required: boolean;
  readonly #lanes: readonly Lane[];
  readonly #first: Lane;
  readonly #codecs: Codecs;
  readonly #barriers = new Barriers();
  readonly #meeting = new Meeting();

  constructor(options: Omit<LaneOptions, 'point' | 'entry' | 'worker'>, slots: Slots, points: readonly WorkerPoint[]) {
    this.name = options.config.name;
    this.required = options.config.required;
    this.#codecs = options.codecs;
    const onProgress = (): void => {
      this.#barriers.moved();
      this.#meeting.moved();
      options.onProgress();
    };
    const shared = { slots, barriers: this.#barriers, meeting: this.#meeting };
    this.#lanes = points.map(({ point, entry }, index) => {
      const replay = index === 0 ? options.replay : null;
      return new Lane({ ...options, replay, point, entry, onProgress, worker: { ...shared, index } });
    });
    this.#first = this.#lanes[0] as Lane;
    for (const lane of this.#lanes) {
      this.#barriers.join(lane);
      this.#meeting.join(lane);
    }
  }

  get doneSeq(): number {
    return Math.min(...this.#lanes.map((l) => l.doneSeq));
  }
  get durablePoints(): readonly ResumePoint[] {
    return this.#lanes.map((l) => l.durablePoint);
  }
  get durablePoint(): ResumePoint {
    const [first, ...rest] = this.durablePoints;
    return oldestPoint(this.#codecs, [first as ResumePoint, ...rest]);
  }
  get releasedSeq(): number {
    return Math.min(...this.#lanes.map((l) => l.releasedSeq));
  }
  get replay(): ReplayRequest | null {
    return this.#first.replay;
  }
  get delivered(): number {
    return this.#lanes.reduce((n, l) => n + l.delivered, 0);
  }
  get parked(): number {
    return this.#lanes.reduce((n, l) => n + l.parked, 0);
  }

  /** As bad as the worst of them. */
  status(): LaneStatus {
    const all = this.#lanes.map((l) => l.status()),
      order: readonly LaneStatus['state'][] = ['failed', 'retrying', 'starting', 'running', 'stopped', 'detached'];
    const worst = [...all].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || b.queued - a.queued)[0] as LaneStatus;
    const lags = all.flatMap((s) => s.lagMs ?? []);
    return {
      ...worst,
      delivered: this.delivered,
      deadLetters: this.parked,
      discardedValues: all.reduce((n, s) => n + s.discardedValues, 0),
      queued: Math.max(...all.map((s) => s.queued)),
      lagMs: lags.length === 0 ? null : Math.max(...lags),
      lastError: all.find((s) => s.lastError !== null)?.lastError ?? null,
      breaker: all.find((s) => s.breaker !== 'closed')?.breaker ?? 'closed',
      workers: all.length,
      point: this.durablePoint,
      replay: this.#first.status().replay,
    };
  }

  wake(): void {
    for (const lane of this.#lanes) lane.wake();
  }
  requestProgress(): void {
    for (const lane of this.#lanes) lane.requestProgress();
  }
  /** The others come to where the furthest of them is, and wait there. */
  beginReplay(request: ReplayRequest): void {
    this.#first.beginReplay(request);
    for (const lane of this.#lanes) lane.lookUp();
  }
  pause<T>(work: (lane: PausedLane) => Promise<T>): Promise<T> {
    const done = this.#first.pause(work);
    for (const lane of this.#lanes) lane.lookUp();
    return done;
  }
  drain(): void {
    for (const lane of this.#lanes) lane.drain();
  }
  stop(): void {
    for (const lane of this.#lanes) lane.stop();
  }
  release(): void {
    for (const lane of this.#lanes) lane.release();
  }

  /** All end at one place, so that the next start may have another number of workers. */
  finish(): void {
    const furthest = Math.max(...this.#lanes.map((l) => l.doneSeq));
    for (const lane of this.#lanes) lane.finish(furthest);
    this.#meeting.moved();
  }

  /** Rejects with the first worker's error, once all have ended. */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController(),
      any = AbortSignal.any([signal, failed.signal]);
    const ends = await Promise.allSettled(
      this.#lanes.map(async (lane) => {
        try {
          await lane.run(any);
        } catch (error) {
          failed.abort();
          throw error;
        } finally {
          this.#barriers.ended(lane);
          this.#meeting.ended(lane);
        }
      }),
    );
    const bad = ends.find((end) => end.status === 'rejected');
    if (bad !== undefined) throw bad.reason instanceof Error ? bad.reason : new CdcError('INTERNAL_UNEXPECTED', String(bad.reason));
  }
}
