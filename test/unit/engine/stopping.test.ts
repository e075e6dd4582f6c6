// SIGTERM asks every pipeline to stop. Wherever it is just then, it ends within `grace_period`, and what was confirmed is kept: the
// next run goes on behind it, and nothing is lost.

import { describe, expect, it } from 'vitest';
import type { PipelineHandle } from '../../../src/engine/api.ts';
import type { DestinationConfig } from '../../../src/engine/pipeline-config.ts';
import type { LaneBatch } from '../../../src/sdk/index.ts';
import { FakeHoldingDestination, fakeDestination, type LogChange } from '../../../src/sdk/testing/index.ts';
import { DiskWorld } from '../../helpers/disk-world.ts';
import { LaneWorld, type LaneWorldOptions, poisoned, unreachable } from '../../helpers/lane-world.ts';
import { delivery, ONE_WORKER, pipeline } from '../../helpers/pipeline.ts';

const GRACE_MS = 30_000;
const retry = { maxAttempts: 4, maxElapsedMs: null, initialDelayMs: 1000, maxDelayMs: 8000, backoff: 'exponential', jitter: 0 } as const;
const circuitBreaker = { failureThreshold: 3, resetTimeoutMs: 300_000, halfOpenProbes: 2 };
const { sync } = pipeline({ sources: [], destinations: [] });
const continuous = { sync: { ...sync, mode: 'continuous' as const } };
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const small: Partial<DestinationConfig> = { batch: { maxEvents: 10, maxBytes: 1e6, timeoutMs: 0 } };
const truncate = { op: 'truncate' } as unknown as LogChange;
const hang = (): Promise<never> => new Promise(() => {});

interface Stage {
  /** What is to be there at the end, in order. */
  readonly ids: readonly number[];
  readonly options?: LaneWorldOptions;
  readonly disk?: true;
  /** Before the start. */
  prepare?(world: LaneWorld): void | Promise<void>;
  /** It is there. */
  reached(world: LaneWorld, handle: PipelineHandle): boolean;
  /** Between being there and the stop. */
  meanwhile?(world: LaneWorld, handle: PipelineHandle): Promise<unknown>;
  /** The fault is over. */
  mend?(world: LaneWorld): void;
}

const slowly = (world: LaneWorld): void => {
  world.around = async (_batch, _signal, write) => {
    await world.clock.sleep(4000);
    return write();
  };
};
const ids = (batch: LaneBatch): unknown[] => batch.events.map((e) => e.after?.['id']);

const STAGES: [string, Stage][] = [
  [
    'opening, while its destination is away',
    {
      ids: range(1, 3),
      prepare: (world) => {
        world.faults.down = true;
        world.fill(1, 3);
      },
      reached: (_world, handle) => handle.status().state === 'starting',
      meanwhile: (world) => world.clock.pass(20_000),
      mend: (world) => {
        world.faults.down = false;
      },
    },
  ],
  [
    'opening, while its destination does not answer',
    {
      ids: range(1, 3),
      prepare: (world) => {
        world.fill(1, 3);
        const create = async (): Promise<FakeHoldingDestination> =>
          Object.assign(new FakeHoldingDestination(world.holding), { committed: hang });
        const resolve = world.deps.resolve.bind(world.deps);
        const descriptor = fakeDestination('holding', create as never);
        Object.assign(world.deps, {
          resolve: (kind: never, type: string) => (type === 'fake_holding' ? descriptor : resolve(kind, type)),
          before: resolve,
        });
      },
      reached: (_world, handle) => handle.status().state === 'starting',
      meanwhile: (world) => world.clock.pass(20_000),
      mend: (world) => {
        Object.assign(world.deps, { resolve: (world.deps as unknown as { before: unknown }).before });
      },
    },
  ],
  [
    'in its snapshot',
    {
      ids: range(1, 200),
      options: { snapshot: true, destination: small },
      prepare: (world) => {
        world.fill(1, 200);
        slowly(world);
      },
      reached: (world) => world.applied.length >= 20,
    },
  ],
  [
    'streaming',
    {
      ids: range(1, 200),
      options: { destination: small },
      prepare: (world) => {
        world.fill(1, 200);
        slowly(world);
      },
      reached: (world) => world.applied.length >= 20,
    },
  ],
  [
    'streaming from a log on disk',
    {
      ids: range(1, 200),
      options: { destination: small },
      disk: true,
      prepare: (world) => {
        world.fill(1, 200);
        slowly(world);
      },
      reached: (world) => world.applied.length >= 20,
    },
  ],
  [
    'waiting for the next try',
    {
      ids: range(1, 30),
      options: { destination: small, delivery: { retry } },
      prepare: (world) => {
        world.fill(1, 30);
        world.around = (batch, _signal, write) => (ids(batch).includes(15) ? Promise.reject(unreachable()) : write());
      },
      reached: (_world, handle) => handle.status().lanes[0]?.state === 'retrying',
    },
  ],
  [
    'behind an open circuit breaker',
    {
      ids: range(1, 30),
      options: { destination: small, delivery: { retry, circuitBreaker } },
      prepare: (world) => {
        world.fill(1, 30);
        world.around = (batch, _signal, write) => (ids(batch).includes(15) ? Promise.reject(unreachable()) : write());
      },
      reached: (_world, handle) => handle.status().lanes[0]?.breaker === 'open',
    },
  ],
  [
    'in a write that does not answer and does not let go',
    {
      ids: range(1, 30),
      options: { destination: small },
      prepare: (world) => {
        world.fill(1, 30);
        world.around = (batch, _signal, write) => (ids(batch).includes(15) ? hang() : write());
      },
      reached: (world) => world.applied.length === 10,
    },
  ],
  [
    'at a barrier, where workers wait for one that hangs',
    {
      ids: [...range(41, 60)],
      options: { destination: { parallelism: { ...ONE_WORKER, workers: 3 } } },
      prepare: (world) => {
        for (let id = 1; id <= 40; id++) world.fill(id, id);
        world.log.commit([truncate]);
        for (let id = 41; id <= 60; id++) world.fill(id, id);
        world.around = (batch, _signal, write) => (batch.worker === 1 ? hang() : write());
      },
      reached: (world) => world.applied.length > 5,
    },
  ],
  [
    'in a replay',
    {
      ids: range(1, 200),
      options: { destination: small },
      disk: true,
      prepare: (world) => world.fill(1, 200),
      reached: (world) => world.applied.length === 200,
      meanwhile: async (world, handle) => {
        slowly(world);
        await handle.replay({ destination: 'fake_holding', from: 1, to: null, tables: [], force: false });
        await world.clock.when(() => world.applied.length >= 220);
      },
    },
  ],
  [
    'writing a dead letter that cannot be written',
    {
      ids: range(1, 30),
      options: { destination: small },
      prepare: (world) => {
        world.fill(1, 30);
        world.around = (batch, _signal, write) =>
          ids(batch).some((id, i) => id === 15 && !batch.skip.has(i)) ? Promise.reject(poisoned()) : write();
        world.deps.deadLetters.put = () => Promise.reject(unreachable());
      },
      reached: (world) => world.logged.some((l) => l.message.startsWith('the dead letter queue cannot be written')),
      mend: (world) => {
        delete (world.deps.deadLetters as Partial<typeof world.deps.deadLetters>).put;
      },
    },
  ],
  [
    'writing a dead letter to a queue that hangs',
    {
      ids: range(1, 30),
      options: { destination: small },
      prepare: (world) => {
        world.fill(1, 30);
        world.around = (batch, _signal, write) =>
          ids(batch).some((id, i) => id === 15 && !batch.skip.has(i)) ? Promise.reject(poisoned()) : write();
        world.deps.deadLetters.put = hang;
      },
      reached: (world) => world.applied.length >= 10,
      meanwhile: (world) => world.clock.pass(5000),
      mend: (world) => {
        delete (world.deps.deadLetters as Partial<typeof world.deps.deadLetters>).put;
      },
    },
  ],
  [
    'in a checkpoint, while the source does not take what it may forget',
    {
      ids: range(1, 30),
      prepare: (world) => {
        world.fill(1, 30);
        world.log.acknowledge = hang as never;
      },
      reached: (world) => world.applied.length === 30,
      meanwhile: (world) => world.clock.pass(20_000),
      mend: (world) => {
        delete (world.log as Partial<typeof world.log>).acknowledge;
      },
    },
  ],
];

describe('a stop', () => {
  it.each(STAGES)('%s ends within grace_period, and what was confirmed is kept', async (_title, stage) => {
    const options = { ...stage.options, pipeline: continuous, delivery: delivery(stage.options?.delivery) };
    const world = stage.disk === true ? new DiskWorld(options) : new LaneWorld(options);
    await stage.prepare?.(world);
    const handle = world.start();
    await world.clock.when(() => stage.reached(world, handle));
    await stage.meanwhile?.(world, handle);
    const stoppedMs = world.clock.now();
    expect((await world.clock.until(handle.stop())).outcome).toBe('stopped');
    expect(world.clock.now() - stoppedMs).toBeLessThanOrEqual(GRACE_MS);
    expect(handle.status().state).toBe('stopped');

    const before = world.applied.length,
      replayed = (await world.deps.state.load('test')).lanes['fake_holding']?.replay?.next ?? null;
    stage.mend?.(world);
    world.around = (_batch, _signal, write) => write();
    expect(await world.run({ pipeline: { sync } })).toMatchObject({ outcome: 'done', error: null });
    const held = [...world.holding.rows.values()].map((row) => (row as { id: unknown }).id);
    expect(held.sort((a, b) => Number(a) - Number(b))).toEqual(stage.ids);
    // The point is held with the data: what was there does not come again; a replay goes on where it was.
    const again = world.ids.slice(before),
      once = new Set(world.ids.slice(0, before));
    expect(again.filter((id) => id !== undefined && once.has(id) && replayed === null)).toEqual([]);
    if (replayed !== null) expect(again.length).toBeLessThan(200);
  });
});
