// What a pipeline says of its log on disk while a destination holds it.

import { expect, it } from 'vitest';
import { logStatus } from '../../../src/engine/log-status.ts';
import { MemoryFiles } from '../../../src/log/disk/memory-files.ts';
import { diskLogStore } from '../../../src/log/disk/store.ts';
import { silentLogger } from '../../../src/sdk/index.ts';
import { LaneWorld, unreachable } from '../../helpers/lane-world.ts';

const DISK = {
  type: 'disk',
  path: '/log',
  maxEvents: Number.POSITIVE_INFINITY,
  maxBytes: 40_000,
  maxAgeMs: null,
  whenFull: 'block',
  durability: 'fsync',
  compression: 'none',
} as const;

it('warns at checkpoints when a destination that is away fills the log, and names it', async () => {
  const world = new LaneWorld({ pipeline: { log: DISK } });
  const { clock, random } = world.deps;
  const warnings: { message: string; waitsFor: unknown }[] = [];
  const logger = {
    ...silentLogger,
    child: () => logger,
    warn: (message: string, fields?: object) =>
      warnings.push({ message, waitsFor: (fields as { waitsFor?: unknown } | undefined)?.waitsFor }),
  };
  const store = diskLogStore({ ...DISK, pipeline: 'test', clock, random, logger: silentLogger }, new MemoryFiles());
  Object.assign(world.deps, { logStore: store, logger });
  world.around = () => Promise.reject(unreachable());
  world.fill(1, 1500);
  const run = world.start();
  await world.clock.until(new Promise<void>((resolve) => void world.clock.sleep(20_000).then(resolve)));
  expect(warnings).toContainEqual({ message: expect.stringMatching(/^the change log is \d+ % full$/) as string, waitsFor: 'fake_holding' });
  const { neededEvents, maxEvents, events } = run.status().log;
  expect([neededEvents, maxEvents]).toEqual([events, null]);
  world.around = (_batch, _signal, write) => write();
  expect((await world.clock.until(run.done)).outcome).toBe('done');
});

it('shows bounds before the log is open', () => {
  expect(logStatus(DISK, null)).toEqual({
    type: 'disk',
    events: 0,
    bytes: 0,
    neededEvents: 0,
    neededBytes: 0,
    maxEvents: null,
    maxBytes: 40_000,
  });
});
