// A lane on a real database: joined, with its place, as the engine would drive it.

import { descriptor as postgresql } from '../../src/destinations/postgresql/index.ts';
import {
  additiveOnly,
  type ChangeEvent,
  type Destination,
  type DestinationContext,
  type LaneBatch,
  type Logger,
  type PointHoldingDestination,
  type ResumePoint,
  type SchemaEvolution,
  silentLogger,
  systemClock,
  systemRandom,
  type WriteResult,
} from '../../src/sdk/index.ts';
import { laneBatch, pointAt } from '../../src/sdk/testing/index.ts';

export const LANE = { pipeline: 'orders', lane: 'replica' };
export const STORED = { kind: 'stored' };
const never = new AbortController().signal;

export interface LaneSettings {
  readonly epoch?: number;
  readonly schemaEvolution?: SchemaEvolution;
  readonly logger?: Logger;
  /** Of the destination; PostgreSQL's unless given. */
  readonly descriptor?: { create(config: never, ctx: DestinationContext): Promise<Destination> };
}

export function openReplica(
  config: object,
  { schemaEvolution = additiveOnly, logger = silentLogger, descriptor = postgresql }: LaneSettings = {},
): Promise<Destination> {
  return descriptor.create(config as never, {
    pipeline: LANE.pipeline,
    name: LANE.lane,
    logger,
    clock: systemClock,
    random: systemRandom,
    schemaEvolution,
  });
}

/** A lane that has joined, and its place. */
export class Lane implements AsyncDisposable {
  readonly destination: PointHoldingDestination;
  point: ResumePoint = pointAt(0);
  readonly epoch: number;

  constructor(destination: Destination, epoch: number) {
    this.destination = destination as PointHoldingDestination;
    this.epoch = epoch;
  }

  static async join(config: object, settings: LaneSettings | number = {}): Promise<Lane> {
    const all = typeof settings === 'number' ? { epoch: settings } : settings,
      { epoch = 1 } = all;
    const destination = await openReplica(config, all);
    const lane = new Lane(destination, epoch);
    const committed = await destination.committed(LANE);
    await lane.destination.claim(LANE, epoch);
    if (committed.kind === 'points') lane.point = committed.points[0] as ResumePoint;
    else await lane.destination.setPoints(LANE, epoch, [lane.point]);
    return lane;
  }

  batch(events: readonly ChangeEvent[], options: Parameters<typeof laneBatch>[1] = {}): LaneBatch {
    const { through } = laneBatch(events, { previous: this.point, epoch: this.epoch });
    return laneBatch(events, { previous: this.point, through: events.length === 0 ? this.point : through, epoch: this.epoch, ...options });
  }

  async write(events: readonly ChangeEvent[], options: Parameters<typeof laneBatch>[1] = {}): Promise<WriteResult> {
    const batch = this.batch(events, options);
    const result = await this.destination.write(batch, never);
    if (result.kind === 'stored') this.point = batch.through;
    return result;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destination.close();
  }
}

export function failed(result: WriteResult): { index: number; code: string; message: string }[] {
  if (result.kind !== 'refused') throw new Error(`expected a refusal, got ${result.kind}`);
  return result.failed.map(({ index, error }) => ({ index, code: error.code, message: error.message }));
}
