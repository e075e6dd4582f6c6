// A lane sends a stretch of its log again: over the fakes, with a disk log in a file system in memory.

import { describe, expect, it } from 'vitest';
import type { ReplayAsk } from '../../../src/engine/replay-plan.ts';
import { type CdcError, type ChangeEvent, formatPoint } from '../../../src/sdk/index.ts';
import { insert, update } from '../../../src/sdk/testing/index.ts';
import { unreachable } from '../../helpers/lane-world.ts';
import { ask, ReplayWorld } from '../../helpers/replay-world.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe.each(['holding', 'rows'] as const)('a replay into a destination of kind %s', (kind) => {
  it('sends the stretch in order before anything newer, and is forgotten then', async () => {
    const world = new ReplayWorld({ kind });
    world.fill(1, 10);
    await world.run();
    world.take();
    await world.request(4);
    world.fill(11, 12);
    const { outcome } = await world.run();
    // Records 1 to 10 are the rows, 11 is the end mark of their batch.
    expect([outcome, world.take()]).toEqual(['done', [...range(4, 10), 11, 12]]);
    expect((await world.laneState())?.replay).toBeNull();
    await world.run();
    expect(world.take()).toEqual([]);
  });

  it('goes on where it was after a crash', async () => {
    const world = new ReplayWorld({ kind });
    world.fill(1, 12);
    await world.run();
    world.take();
    await world.request(1);
    let writes = 0;
    world.around = (_batch, _signal, write) => (++writes > 2 ? Promise.reject(unreachable()) : write());
    const { outcome } = await world.run({}, { failFast: true });
    expect([outcome, world.take()]).toEqual(['failed', range(1, 8)]);
    expect((await world.laneState())?.replay).toMatchObject({ from: 1, next: 9 });
    world.around = (_batch, _signal, write) => write();
    world.fill(13, 13);
    await world.run();
    expect(world.take()).toEqual([...range(9, 12), 13]);
  });
});

describe('a replay', () => {
  it('leaves the point where it is', async () => {
    const world = new ReplayWorld();
    world.fill(1, 8);
    await world.run();
    const before = world.point;
    await world.request(1);
    await world.run();
    expect(world.point.epoch).toBeGreaterThan(before.epoch);
    expect(formatPoint({ ...world.point, epoch: 0 })).toBe(formatPoint({ ...before, epoch: 0 }));
    expect(world.ids).toEqual([...range(1, 8), ...range(1, 8)]);
  });

  it('is repeated as a whole, and nothing newer undone, when a crash took all news of it', async () => {
    const world = new ReplayWorld();
    world.log.commit([insert(1, 'a')]);
    world.log.commit([update(1, 'b')]);
    await world.run();
    await world.request(1);
    await world.run();
    world.log.commit([insert(2, 'z')]);
    await world.run();
    // As if the end had never been saved: it goes up to where the lane stands by then.
    world.take();
    await world.request(1, { next: 2 });
    await world.run();
    expect(world.take().at(-1)).toBe(2);
    expect([...world.holding.rows.values()].map((r) => r['name'])).toEqual(['b', 'z']);
  });

  it('sends only the tables that were asked for', async () => {
    const world = new ReplayWorld();
    world.fill(1, 3);
    await world.run();
    world.take();
    await world.request(1, { tables: ['nothing_of_that_name'] });
    await world.run();
    expect(world.take()).toEqual([]);
    await world.request(1, { tables: ['items'] });
    await world.run();
    expect(world.take()).toEqual([1, 2, 3]);
  });

  it('sends the rows that a snapshot had read, too', async () => {
    const world = new ReplayWorld({ snapshot: true });
    world.fill(1, 3);
    await world.run();
    expect(world.applied.map((e) => e.op)).toEqual(['r', 'r', 'r']);
    world.take();
    world.fill(4, 4);
    await world.run();
    world.take();
    await world.request(1);
    await world.run();
    expect(world.take()).toEqual([1, 2, 3, 4]);
  });

  it('ends at a record when that was asked for', async () => {
    const world = new ReplayWorld();
    world.fill(1, 9);
    await world.run();
    world.take();
    await world.request(2, { to: 6 });
    await world.run();
    expect(world.take()).toEqual(range(2, 6));
  });

  it('parks what is refused, and goes on', async () => {
    const world = new ReplayWorld();
    world.fill(1, 5);
    await world.run();
    world.take();
    await world.request(1);
    world.faults.rejects = (e) => e.after?.['id'] === 3;
    const { outcome, deadLetters } = await world.run();
    expect([outcome, deadLetters, world.take()]).toEqual(['done', 1, [1, 2, 4, 5]]);
  });

  it('is given up when it is about a log that is gone', async () => {
    const world = new ReplayWorld();
    world.fill(1, 3);
    await world.run();
    world.take();
    await world.request(1, { log: 'another' });
    const { outcome } = await world.run();
    expect([outcome, world.take(), (await world.laneState())?.replay]).toEqual(['done', [], null]);
    expect(world.logged.filter((l) => l.level === 'warn').map((l) => l.message)).toContain(
      'the log that was to be replayed is gone: the replay is given up',
    );
  });
});

describe('the place that an operator chose', () => {
  it.each([4, 8])('is what no replay begins before: behind row %i', async (row) => {
    const world = new ReplayWorld();
    world.fill(1, 4);
    await world.run();
    world.fill(5, 8);
    world.fill(9, 10);
    await world.run();
    const at = world.applied.find((e) => e.after?.['id'] === row);
    if (at === undefined) throw new Error('no such row');
    const to = { ...world.point, log: null, sources: { [at.source]: { [at.partition]: at.position } } };
    await world.state.acquire('test', 'cli', world.clock.now(), world.clock.now() + 1000);
    await world.state.save('test', 'cli', world.clock.now() + 1000, { intent: { atMs: 0, what: 'test', lanes: { [world.lane]: to } } });
    await world.state.release('test', 'cli');
    await world.run();
    world.take();
    await world.request(1);
    await world.run();
    expect(world.take()).toEqual(range(row + 1, 10));
    expect(world.logged.filter((l) => l.level === 'warn').map((l) => l.message)).toEqual([
      'the replay begins where the destination joined or was placed, not before',
    ]);
  });
});

describe('a place that an operator chose for each of several partitions', () => {
  it('leaves out what was skipped of one, also behind what is sent again of another', async () => {
    const world = new ReplayWorld();
    world.log.openPartition('side');
    world.fill(1, 4);
    await world.run();
    world.log.commit([insert(11, 'eleven'), insert(12, 'twelve')], 'side');
    await world.run();
    const of = (id: number) => world.applied.find((e) => e.after?.['id'] === id) as ChangeEvent;
    const places = { [of(2).partition]: of(2).position, [of(11).partition]: of(11).position };
    const to = { ...world.point, log: null, sources: { [of(2).source]: places } };
    await world.state.acquire('test', 'cli', world.clock.now(), world.clock.now() + 1000);
    await world.state.save('test', 'cli', world.clock.now() + 1000, { intent: { atMs: 0, what: 'test', lanes: { [world.lane]: to } } });
    await world.state.release('test', 'cli');
    world.take();
    await world.run();
    expect(world.take()).toEqual([3, 4, 12]);
    await world.request(1);
    await world.run();
    expect(world.take()).toEqual([3, 4, 12]);
  });
});

describe('a place that an operator chose, and that is not reached in the log yet', () => {
  it.each([null, 4])('is where a replay to %s ends: what the log holds behind it comes once', async (last) => {
    const world = new ReplayWorld();
    world.fill(1, 6);
    await world.run();
    const second = world.applied.find((e) => e.after?.['id'] === 2) as ChangeEvent,
      log = world.point.log?.id ?? '';
    const to = { ...world.point, log: null, sources: { [second.source]: { [second.partition]: second.position } } };
    await world.state.acquire('test', 'cli', world.clock.now(), world.clock.now() + 1000);
    await world.state.save('test', 'cli', world.clock.now() + 1000, { intent: { atMs: 0, what: 'test', lanes: { [world.lane]: to } } });
    await world.state.release('test', 'cli');
    world.around = () => Promise.reject(unreachable());
    await world.run({}, { failFast: true });
    world.around = (_batch, _signal, write) => write();
    world.take();
    await world.request(1, { log, to: last });
    await world.run();
    expect(world.take()).toEqual([3, 4, 5, 6]);
  });
});

describe('asked for while the pipeline runs', () => {
  it('is stored, shown, done first, and live events wait behind it', async () => {
    const world = new ReplayWorld();
    world.fill(1, 12);
    const handle = world.continuous();
    await world.clock.when(() => world.applied.length === 12);
    world.take();
    let isOpen = false;
    world.around = async (_batch, signal, write) => {
      while (!isOpen && world.applied.length >= 4 && !signal.aborted) await world.clock.sleep(10, signal);
      return write();
    };
    const plan = await world.clock.until(handle.replay(ask()));
    expect(plan.request).toMatchObject({ from: 1, to: null, next: 1 });
    expect((await world.laneState())?.replay).toMatchObject({ from: 1 });
    await world.clock.when(() => world.applied.length === 4);
    world.fill(13, 14);
    await world.clock.pass(6000);
    expect(handle.status().lanes[0]?.replay).toEqual({ done: 4, total: 13 });
    expect((await world.laneState())?.replay).toMatchObject({ next: 5 });
    await expect(handle.replay(ask())).rejects.toMatchObject({ code: 'LOG_REPLAY_REFUSED' });
    isOpen = true;
    await world.clock.when(() => world.applied.length === 14);
    expect(world.take()).toEqual(range(1, 14));
    expect(handle.status().lanes[0]?.replay).toBeNull();
    await world.clock.until(handle.stop());
    expect((await world.laneState())?.replay).toBeNull();
  });

  it('is left for the next start by a stop in the middle', async () => {
    const world = new ReplayWorld();
    world.fill(1, 12);
    const handle = world.continuous();
    await world.clock.when(() => world.applied.length === 12);
    world.take();
    world.around = async (_batch, _signal, write) => {
      const result = await write();
      if (world.applied.length === 4) void handle.stop();
      return result;
    };
    await world.clock.until(handle.replay(ask()));
    await world.clock.until(handle.done);
    const sent = world.take().length;
    expect(sent).toBeLessThan(12);
    world.around = (_batch, _signal, write) => write();
    await world.run();
    expect(world.take()).toEqual(range(sent + 1, 12));
  });

  const refusals: [string, Partial<ReplayAsk>, string][] = [
    ['before the first record', { from: 0 }, 'record 0 is before record 1'],
    ['beyond the lane', { from: 99 }, 'there is nothing between record 99 and record 11'],
    ['a stretch that ends before the lane', { to: 5 }, 'record 5 is before record 11'],
    ['a destination that is not there', { destination: 'nobody' }, 'has no lane yet'],
  ];
  it.each(refusals)('is refused: %s', async (_title, more, message) => {
    const world = new ReplayWorld();
    world.fill(1, 10);
    const handle = world.continuous();
    await world.clock.when(() => world.applied.length === 10);
    const error = await handle.replay(ask(more)).then(
      () => null,
      (e: unknown) => e as CdcError,
    );
    expect(error?.code).toBe('LOG_REPLAY_REFUSED');
    expect(error?.message).toContain(message);
    await world.clock.until(handle.stop());
  });
});
