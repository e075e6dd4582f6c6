// A destination that holds its point: rows, points and epoch change in one transaction, as in a database. The store
// outlives its sessions.

import {
  CdcError,
  type ChangeEvent,
  type Committed,
  type Finding,
  formatPoint,
  type LaneBatch,
  type LaneId,
  type PointHoldingDestination,
  type ResumePoint,
  type WriteFailure,
  type WriteResult,
} from '../../index.ts';
import { type Faults, rejected } from './faults.ts';
import { applyEvent, type Rows } from './rows.ts';
import { atOnce, type Step } from './step.ts';

interface LaneRecord {
  epoch: number;
  points: ResumePoint[] | null;
}

/** Told about effects as they happen, for oracles. */
export interface DestinationObserver {
  applied?(event: ChangeEvent): void;
  pointMoved?(worker: number, from: ResumePoint, to: ResumePoint): void;
  /** The lane's points were replaced: it joined, another log was entered, an operator moved it. */
  pointsSet?(points: readonly ResumePoint[]): void;
}

/** What the server keeps. */
export class HoldingStore {
  rows: Rows = new Map();
  readonly lanes = new Map<string, LaneRecord>();
  readonly faults: Faults;
  readonly observer: DestinationObserver;

  constructor(faults: Faults, observer: DestinationObserver = {}) {
    this.faults = faults;
    this.observer = observer;
  }

  lane({ pipeline, lane }: LaneId): LaneRecord {
    const id = `${pipeline}/${lane}`,
      known = this.lanes.get(id);
    if (known !== undefined) return known;
    const record: LaneRecord = { epoch: 0, points: null };
    this.lanes.set(id, record);
    return record;
  }

  /** Everything is gone: restored from nothing, replaced by an empty one. */
  wipe(): void {
    this.rows = new Map();
    this.lanes.clear();
  }
}

function fenced(what: string): CdcError {
  return new CdcError('DESTINATION_FENCED', `another run writes here: ${what}`, { fix: 'Stop the other run.' });
}

export class FakeHoldingDestination implements PointHoldingDestination {
  readonly #store: HoldingStore;
  readonly #step: Step;
  #lane: LaneId = { pipeline: '', lane: '' };
  #cut = false;

  constructor(store: HoldingStore, step: Step = atOnce) {
    this.#store = store;
    this.#step = step;
  }

  async *check(): AsyncIterable<Finding> {
    if (this.#store.faults.down)
      yield { level: 'error', check: 'reachable', message: 'the store does not answer', fix: 'Start it.', code: 'DESTINATION_UNREACHABLE' };
    else yield { level: 'ok', check: 'reachable', message: 'the store answers' };
  }

  async committed(lane: LaneId): Promise<Committed> {
    await this.#call('read the point');
    this.#lane = lane;
    const { epoch, points } = this.#store.lane(lane);
    return points === null ? { kind: 'empty', epoch } : { kind: 'points', epoch, points: points.slice() };
  }

  async claim(lane: LaneId, epoch: number): Promise<void> {
    await this.#call('claim');
    this.#lane = lane;
    const record = this.#store.lane(lane);
    if (record.epoch > epoch) throw fenced(`epoch ${record.epoch} is above ${epoch}`);
    record.epoch = epoch;
  }

  async setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void> {
    await this.#call('set the points');
    const record = this.#store.lane(lane);
    if (record.epoch !== epoch) throw fenced(`epoch ${record.epoch} is not ${epoch}`);
    this.#store.observer.pointsSet?.(points);
    record.points = points.slice();
  }

  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    if (signal.aborted) throw aborted();
    await this.#call('write');
    const reply = this.#store.faults.lostReplies.shift();
    if (reply === 'before_commit') throw unknownOutcome();
    const result = this.#commit(batch);
    await this.#step('reply');
    if (reply === 'after_commit') throw unknownOutcome();
    return result;
  }

  async close(): Promise<void> {
    this.#cut = true;
  }

  /** The connection breaks: what is under way fails, and the next call opens a new one. */
  cut(): void {
    this.#cut = true;
  }

  async #call(what: string): Promise<void> {
    this.#cut = false;
    await this.#step(what);
    this.#store.faults.assertUp('the store', 'DESTINATION_UNREACHABLE');
    if (this.#cut)
      throw new CdcError('DESTINATION_UNREACHABLE', 'the connection was cut', { retriable: true, fix: 'Wait: it is opened again.' });
  }

  /** One transaction: all or nothing, with the point. */
  #commit(batch: LaneBatch): WriteResult {
    const record = this.#store.lane(this.#lane),
      held = record.points?.[batch.worker];
    if (held === undefined || record.epoch !== batch.through.epoch || formatPoint(held) !== formatPoint(batch.previous)) {
      throw fenced(
        `it holds ${held === undefined ? 'no point' : formatPoint(held)} under epoch ${record.epoch}, expected was ${formatPoint(batch.previous)} under ${batch.through.epoch}`,
      );
    }
    const rows: Rows = new Map(this.#store.rows),
      failed: WriteFailure[] = [];
    for (const [index, event] of batch.events.entries()) {
      if (batch.skip.has(index)) continue;
      const error = this.#store.faults.rejects(event) ? rejected(event) : applyEvent(rows, event, batch, true);
      if (error !== null) failed.push({ index, error });
    }
    if (failed.length > 0) return { kind: 'refused', failed };
    this.#store.rows = rows;
    for (const [index, event] of batch.events.entries()) if (!batch.skip.has(index)) this.#store.observer.applied?.(event);
    this.#store.observer.pointMoved?.(batch.worker, held, batch.through);
    (record.points as ResumePoint[])[batch.worker] = batch.through;
    return { kind: 'stored' };
  }
}

export function unknownOutcome(): CdcError {
  return new CdcError('DESTINATION_OUTCOME_UNKNOWN', 'the connection broke during the commit', {
    retriable: true,
    fix: 'Wait: the point is read back.',
  });
}
export function aborted(): CdcError {
  return new CdcError('DESTINATION_FAILED', 'the write was stopped before it began', { retriable: true, fix: 'Start again.' });
}
