// A lane with several workers sends a stretch of its log again: they meet, worker 0 sends it, and they go on.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PipelineHandle } from '../../../src/engine/api.ts';
import type { LaneBatch } from '../../../src/sdk/index.ts';
import { insert, update } from '../../../src/sdk/testing/index.ts';
import { type LaneWorldOptions, unreachable } from '../../helpers/lane-world.ts';
import { ONE_WORKER } from '../../helpers/pipeline.ts';
import { ask, batches, ReplayWorld } from '../../helpers/replay-world.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const workers = (count: number, kind: 'holding' | 'rows' = 'holding'): LaneWorldOptions => ({
  kind,
  destination: { ...batches(3), parallelism: { ...ONE_WORKER, workers: count } },
});
const sorted = (ids: readonly unknown[]): number[] => ids.map(Number).sort((a, b) => a - b);

/** What the tables hold: `id:name`. */
function rowsOf({ holding, rows, log }: ReplayWorld, kind: 'holding' | 'rows' | 'source'): string[] {
  const of = { holding: holding.rows, rows: rows.rows, source: log.rows }[kind];
  return [...of.values()].map((r) => `${String(r['id'])}:${String(r['name'])}`).sort();
}

describe.each(['holding', 'rows'] as const)('a replay with workers into a destination of kind %s', (kind) => {
  it('sends the stretch in order by one of them, and the others go on behind it', async () => {
    const world = new ReplayWorld(workers(4, kind));
    world.fill(1, 20);
    await world.run();
    world.take();
    await world.request(4);
    world.fill(21, 30);
    const underWay: number[] = [];
    world.around = async (batch: LaneBatch, _signal, write) => {
      underWay.push(batch.worker);
      return write();
    };
    const { outcome, error } = await world.run();
    expect([outcome, error]).toEqual(['done', null]);
    const ids = world.take();
    expect(ids.slice(0, 17)).toEqual(range(4, 20));
    expect(sorted(ids.slice(17))).toEqual(range(21, 30));
    expect(new Set(underWay.slice(0, 6))).toEqual(new Set([0]));
    expect(new Set(underWay).size).toBe(4);
    expect((await world.laneState())?.replay).toBeNull();
    await world.run();
    expect(world.take()).toEqual([]);
  });

  it('goes on where it was after a crash', async () => {
    const world = new ReplayWorld(workers(3, kind));
    world.fill(1, 12);
    await world.run();
    world.take();
    await world.request(1);
    let writes = 0;
    world.around = (_batch, _signal, write) => (++writes > 2 ? Promise.reject(unreachable()) : write());
    const { outcome } = await world.run({}, { failFast: true });
    expect([outcome, world.take()]).toEqual(['failed', range(1, 6)]);
    expect((await world.laneState())?.replay).toMatchObject({ from: 1, next: 7 });
    world.around = (_batch, _signal, write) => write();
    world.fill(13, 13);
    await world.run();
    expect(world.take()).toEqual([...range(7, 12), 13]);
  });

  it('goes on with another number of workers', async () => {
    const world = new ReplayWorld(workers(3, kind));
    world.fill(1, 9);
    await world.run();
    await world.request(1);
    for (const count of [2, 1, 4]) {
      world.take();
      await world.run(workers(count, kind));
      expect(world.take()).toEqual(count === 2 ? range(1, 9) : []);
    }
  });
});

describe('a replay with workers', () => {
  it('moves no point of any of them', async () => {
    const world = new ReplayWorld(workers(3));
    world.fill(1, 12);
    await world.run();
    const places = (): unknown[] =>
      (world.holding.lane({ pipeline: 'test', lane: 'fake_holding' }).points ?? []).map(({ log, sources }) => [log, sources]);
    const before = places();
    await world.request(1);
    await world.run();
    expect(places()).toEqual(before);
    expect(before).toHaveLength(3);
  });

  it('waits until the slowest has done what the fastest has, barriers included', async () => {
    const world = new ReplayWorld(workers(3));
    world.log.commit(range(1, 9).map((id) => insert(id, 'old')));
    const handle = world.continuous();
    await world.clock.when(() => world.applied.length === 9);
    // Worker 1 is slow from here on; a truncate and new rows come behind.
    world.around = async (batch, signal, write) => {
      if (batch.worker === 1) await world.clock.sleep(500, signal);
      return write();
    };
    world.log.commit(range(1, 9).map((id) => update(id, 'mid')));
    world.log.commit([{ op: 'truncate' }]);
    world.log.commit(range(1, 9).map((id) => insert(id, 'new')));
    await world.clock.pass(100);
    await world.clock.until(handle.replay(ask()));
    await world.clock.when(() => handle.status().lanes[0]?.replay === null);
    world.log.commit([update(4, 'live')]);
    await world.clock.when(() => rowsOf(world, 'holding').includes('4:live'));
    expect(rowsOf(world, 'holding')).toEqual(rowsOf(world, 'source'));
    expect((await world.clock.until(handle.stop())).outcome).toBe('stopped');
  });

  it('begins only when all have done what any of them has begun', async () => {
    const world = new ReplayWorld(workers(3));
    const slow = { worker: 1, ms: 0 };
    world.around = async (batch, signal, write) => {
      if (batch.worker === slow.worker) await world.clock.sleep(slow.ms, signal);
      return write();
    };
    world.fill(1, 3);
    const handle = world.continuous();
    await world.clock.when(() => world.applied.length === 3);
    for (const worker of [0, 1, 2]) {
      Object.assign(slow, { worker, ms: 500 });
      const first = world.log.rows.size + 1;
      world.fill(first, first + 11);
      world.take();
      await world.clock.pass(100);
      expect(world.applied.length).toBeLessThan(12);
      await world.clock.until(handle.replay(ask({ from: 1 })));
      await world.clock.when(() => handle.status().lanes[0]?.replay === null);
      const ids = world.take();
      expect(sorted(ids.slice(0, 12))).toEqual(range(first, first + 11));
      expect(ids.slice(12)).toEqual(range(1, first + 11));
    }
    await world.clock.until(handle.stop());
  });

  it('is left for the next start by a stop in the middle', async () => {
    const world = new ReplayWorld(workers(3));
    world.fill(1, 12);
    const handle = world.continuous();
    await world.clock.when(() => world.applied.length === 12);
    world.take();
    world.around = async (_batch, _signal, write) => {
      const result = await write();
      if (world.applied.length === 6) void handle.stop();
      return result;
    };
    await world.clock.until(handle.replay(ask()));
    expect((await world.clock.until(handle.done)).outcome).toBe('stopped');
    expect(world.take()).toEqual(range(1, 6));
    world.around = (_batch, _signal, write) => write();
    await world.run();
    expect(world.take()).toEqual(range(7, 12));
  });

  it('shows how far it is, once', async () => {
    const world = new ReplayWorld(workers(2));
    world.fill(1, 12);
    const handle = world.continuous();
    await world.clock.when(() => world.applied.length === 12);
    world.take();
    let isOpen = false;
    world.around = async (_batch, signal, write) => {
      while (!isOpen && world.applied.length >= 6 && !signal.aborted) await world.clock.sleep(10, signal);
      return write();
    };
    await world.clock.until(handle.replay(ask()));
    await world.clock.when(() => world.applied.length === 6);
    await world.clock.pass(6000);
    expect(handle.status().lanes[0]).toMatchObject({ replay: { done: 6, total: 13 }, workers: 2 });
    expect((await world.laneState())?.replay).toMatchObject({ next: 7 });
    isOpen = true;
    await world.clock.when(() => handle.status().lanes[0]?.replay === null);
    await world.clock.until(handle.stop());
  });

  /** Invariants 3 and 4: whatever is slow, fails, or stops, each row ends as it is at the source. */
  it('leaves every row as it is at the source, whatever happens meanwhile', async () => {
    const actions = fc.array(fc.constantFrom('rows', 'truncate', 'rekey', 'replay', 'wait', 'stop', 'crash'), {
      minLength: 6,
      maxLength: 16,
    });
    await fc.assert(
      fc.asyncProperty(actions, fc.integer({ min: 2, max: 4 }), fc.integer(), fc.boolean(), async (steps, count, seed, holds) => {
        const kind = holds ? 'holding' : 'rows';
        await survives(new ReplayWorld(workers(count, kind)), kind, steps, randomOf(seed));
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

async function survives(world: ReplayWorld, kind: 'holding' | 'rows', steps: readonly string[], random: () => number): Promise<void> {
  const { clock, log } = world;
  let version = 0,
    isDead = false;
  world.around = async (_batch, signal, write) => {
    await clock.sleep(Math.floor(random() * 40), signal);
    if (isDead) throw unreachable();
    return write();
  };
  const start = (): PipelineHandle => world.continuous();
  log.commit(range(1, 8).map((id) => insert(id, 'v0')));
  let handle = start();
  await clock.pass(300);
  const destination = `fake_${kind}`;
  const replay = (): Promise<boolean> =>
    clock.until(
      handle.replay(ask({ destination })).then(
        () => true,
        () => false,
      ),
    );
  for (const step of [...steps, 'replay']) {
    if (step === 'rows')
      for (let i = 0; i < 6; i++) {
        const id = 1 + Math.floor(random() * 8);
        const isThere = [...log.rows.values()].some((r) => r['id'] === id);
        log.commit([isThere ? update(id, `v${++version}`) : insert(id, `v${++version}`)]);
      }
    else if (step === 'truncate') log.commit([{ op: 'truncate' }]);
    else if (step === 'rekey') {
      const [row] = [...log.rows.values()];
      if (row !== undefined) log.commit([{ op: 'update', id: Number(row['id']), to: 100 + ++version, name: `v${version}` }]);
    } else if (step === 'replay') await replay();
    else if (step === 'wait') await clock.pass(Math.floor(random() * 200));
    else {
      isDead = step === 'crash';
      await clock.until(handle.stop());
      isDead = false;
      handle = start();
      await clock.pass(Math.floor(random() * 50));
    }
  }
  await clock.pass(20_000);
  await clock.when(() => handle.status().lanes[0]?.replay === null);
  expect((await clock.until(handle.stop())).error).toBeNull();
  expect(world.letters).toEqual([]);
  expect(rowsOf(world, kind)).toEqual(rowsOf(world, 'source'));
}
