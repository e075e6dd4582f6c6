// A `sqlite` destination as the loader configures it, and the lane that writes to it.

import { descriptor } from '../../src/destinations/sqlite/index.ts';
import {
  additiveOnly,
  type ChangeEvent,
  type Clock,
  type LaneBatch,
  type PointHoldingDestination,
  positionOfNumber,
  type ResumePoint,
  type SchemaEvolution,
  silentLogger,
  systemClock,
} from '../../src/sdk/index.ts';

export const SQLITE_DEFAULTS = {
  table: '{table}',
  create_tables: true,
  conflict_resolution: 'upsert',
  deletes: 'apply',
  synchronous: 'normal',
  journal_mode: 'wal',
  busy_timeout: 500,
} as const;
export const LANE = { pipeline: 'p', lane: 'd' };
export const at = (n: number): ResumePoint => ({ epoch: 1, log: null, sources: { s: { p: positionOfNumber(n) } }, snapshots: [] });

export async function openReplica(
  config: { readonly path: string },
  clock: Clock = systemClock,
  schemaEvolution: SchemaEvolution = additiveOnly,
): Promise<PointHoldingDestination> {
  const context = { ...LANE, name: LANE.lane, logger: silentLogger, clock, random: () => 0, schemaEvolution };
  return (await descriptor.create({ ...SQLITE_DEFAULTS, ...config } as never, context)) as PointHoldingDestination;
}

/** The lane stands at `at(0)` under epoch 1. */
export async function joinLane(replica: PointHoldingDestination): Promise<PointHoldingDestination> {
  await replica.claim(LANE, 1);
  await replica.setPoints(LANE, 1, [at(0)]);
  return replica;
}

/** From `at(n)` to `at(n + 1)`. */
export function batchAt(n: number, events: readonly ChangeEvent[]): LaneBatch {
  const encoded = (): never => {
    throw new Error('rows only');
  };
  return { events, skip: new Set(), encoded, previous: at(n), through: at(n + 1), worker: 0 };
}
