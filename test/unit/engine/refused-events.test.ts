// Events that a destination refuses without naming them, and those that must wait behind a parked one of their key.

import { describe, expect, it } from 'vitest';
import { MAX_PARKED_KEYS } from '../../../src/engine/parked-keys.ts';
import { CdcError, type Descriptor, type LaneBatch } from '../../../src/sdk/index.ts';
import { type Change, fakeTransformer, insert, remove, update } from '../../../src/sdk/testing/index.ts';
import { LaneWorld, poisoned } from '../../helpers/lane-world.ts';
import { plugin } from '../../helpers/pipeline.ts';

const TRUNCATE: Change = { op: 'truncate' };
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const idOf = (batch: LaneBatch, i: number): number => Number((batch.events[i]?.after ?? batch.events[i]?.before)?.['id']);

/** A destination that throws for a batch with one of these ids in it, and names none. */
function poison(world: LaneWorld, ids: ReadonlySet<number>, error = poisoned): void {
  world.around = async (batch, _signal, write) => {
    for (const i of batch.events.keys()) if (!batch.skip.has(i) && ids.has(idOf(batch, i))) throw error();
    return write();
  };
}
const parkedIds = (world: LaneWorld): unknown[] => world.letters.map((l) => l.event?.after?.['id']);

describe.each(['holding', 'rows'] as const)('a destination (%s) that refuses a batch without naming events', (kind) => {
  it.each([
    ['one', [500]],
    ['the first and the last', [1, 1000]],
    ['neighbours', [300, 301, 302]],
    ['many', range(1, 1000).filter((i) => i % 7 === 0)],
  ])('gets all but the poisoned: %s', async (_, ids) => {
    const world = new LaneWorld({ kind });
    world.fill(1, 1000);
    poison(world, new Set(ids));
    const { outcome, delivered, deadLetters } = await world.run();
    expect([outcome, delivered[`fake_${kind}`], deadLetters]).toEqual(['done', 1000 - ids.length, ids.length]);
    expect(parkedIds(world)).toEqual(ids);
    expect(world.ids).toEqual(range(1, 1000).filter((i) => !ids.includes(i)));
  });

  it('is searched in some twenty writes for one event in a thousand', async () => {
    const world = new LaneWorld({ kind });
    world.fill(1, 1000);
    poison(world, new Set([777]));
    await world.run();
    expect(world.writes.length).toBeLessThan(30);
  });

  it('gets one event per write while everything fails: 10,000 in a row', async () => {
    const world = new LaneWorld({ kind }),
      count = kind === 'holding' ? 10_000 : 1000;
    world.fill(1, count + 10);
    poison(world, new Set(range(1, count)));
    const { outcome, deadLetters } = await world.run();
    expect([outcome, deadLetters, world.ids]).toEqual(['done', count, range(count + 1, count + 10)]);
    expect(world.writes.length).toBeLessThan(count + 50);
  });

  it('gets nothing twice when the run ends in the middle and begins again', async () => {
    const world = new LaneWorld({ kind: 'holding' });
    world.fill(1, 100);
    poison(world, new Set([50]));
    const inner = world.around;
    let writes = 0;
    world.around = async (batch, signal, write) => {
      if (++writes === 12) throw new CdcError('DESTINATION_FORBIDDEN', 'no longer');
      return inner(batch, signal, write);
    };
    expect((await world.run()).outcome).toBe('failed');
    await world.run();
    expect(world.ids).toEqual(range(1, 100).filter((i) => i !== 50));
    expect(parkedIds(world)).toEqual([50]);
  });
});

describe('a snapshot chunk that is refused without naming rows', () => {
  const chunkWorld = (idempotent: boolean): LaneWorld => {
    const world: LaneWorld = new LaneWorld({
      snapshot: true,
      idempotent,
      destination: { start: 'snapshot', batch: { maxEvents: 4, maxBytes: 1e6, timeoutMs: 0 } },
    });
    world.fill(1, 60);
    poison(world, new Set([17, 18]));
    return world;
  };

  it('is written in portions, its point with the last one', async () => {
    const world = chunkWorld(true);
    expect((await world.run()).outcome).toBe('done');
    expect(world.ids).toEqual(range(1, 60).filter((i) => i !== 17 && i !== 18));
    expect(parkedIds(world)).toEqual([17, 18]);
    expect((await world.run()).eventsRead).toBe(0);
  });

  it('is written in portions also when an earlier run has left its point', async () => {
    const world = chunkWorld(true);
    const inner = world.around;
    world.around = () => Promise.reject(new CdcError('DESTINATION_FORBIDDEN', 'not yet'));
    expect((await world.run()).outcome).toBe('failed');
    world.around = inner;
    expect((await world.run()).outcome).toBe('done');
    expect(parkedIds(world)).toEqual([17, 18]);
  });

  it('stops a destination that would get rows twice after a crash', async () => {
    const world = chunkWorld(false);
    expect((await world.run()).error?.code).toBe('DESTINATION_EVENT_REJECTED');
    expect([world.ids.length, world.letters]).toEqual([0, []]);
  });
});

describe('events that a transformer made of one', () => {
  it('are parked together where the point is held: no place lies between them', async () => {
    const twice = fakeTransformer('twice', () => ({ transform: (events) => events.flatMap((e) => [e, e.copy()]) }));
    const world = new LaneWorld({
      descriptors: [twice as Descriptor],
      pipeline: { transformers: [plugin('twice')] },
    });
    world.fill(1, 5);
    poison(world, new Set([3]));
    await world.run();
    expect(world.ids).toEqual([1, 1, 2, 2, 4, 4, 5, 5]);
    expect(parkedIds(world)).toEqual([3, 3]);
  });
});

describe('a permanent error that is not about the data', () => {
  it('ends the pipeline, and parks nothing', async () => {
    const world = new LaneWorld();
    world.fill(1, 10);
    poison(world, new Set([5]), () => new CdcError('DESTINATION_MISCONFIGURED', 'there is no table'));
    const { error } = await world.run();
    expect([error?.code, world.letters, world.ids]).toEqual(['DESTINATION_MISCONFIGURED', [], []]);
  });
});

describe('a key with a parked event', () => {
  const nameless = (world: LaneWorld) => world.letters.map((l) => [l.event?.after?.['name'] ?? l.event?.op, l.error.code]);
  const refuse = (world: LaneWorld, ...names: string[]): void => {
    world.faults.rejects = (e) => names.includes(String(e.after?.['name']));
  };
  const names = (world: LaneWorld): unknown[] => [...world.holding.rows.values()].map((r) => r['name']).sort();

  it('keeps its later events behind it, in the same batch and in later ones; other keys flow', async () => {
    const world = new LaneWorld({ destination: { batch: { maxEvents: 3, maxBytes: 1e6, timeoutMs: 0 } } });
    world.log.commit([insert(1, 'bad'), insert(2, 'two'), update(1, 'good'), update(2, 'deux')]);
    world.log.commit([update(1, 'better'), insert(3, 'three'), remove(1)]);
    refuse(world, 'bad');
    const { outcome, deadLetters, delivered } = await world.run();
    expect([outcome, deadLetters, delivered['fake_holding'], names(world)]).toEqual(['done', 4, 3, ['deux', 'three']]);
    expect(nameless(world)).toEqual([
      ['bad', 'DESTINATION_EVENT_REJECTED'],
      ['good', 'DLQ_KEY_PARKED'],
      ['better', 'DLQ_KEY_PARKED'],
      ['d', 'DLQ_KEY_PARKED'],
    ]);
    expect(world.letters[1]?.error.message).toBe(`behind ${world.letters[0]?.event?.id}`);
  });

  it('stays parked after a restart', async () => {
    const world = new LaneWorld();
    world.log.commit([insert(1, 'bad')]);
    refuse(world, 'bad');
    await world.run();
    world.log.commit([update(1, 'good'), insert(2, 'two')]);
    const handle = world.start();
    await world.clock.until(handle.done);
    expect([nameless(world)[1], names(world), handle.status().lanes[0]?.parkedKeys]).toEqual([['good', 'DLQ_KEY_PARKED'], ['two'], 1]);
  });

  it('takes the other key of a change of key along', async () => {
    const world = new LaneWorld();
    world.log.commit([insert(1, 'bad'), { op: 'update', id: 1, name: 'moved', to: 2 }, update(2, 'again'), insert(3, 'three')]);
    refuse(world, 'bad');
    await world.run();
    expect([nameless(world).map(([name]) => name), names(world)]).toEqual([['bad', 'moved', 'again'], ['three']]);
  });

  it('begins anew when its table is emptied', async () => {
    const world = new LaneWorld();
    world.log.commit([insert(1, 'bad'), TRUNCATE, insert(1, 'new')]);
    refuse(world, 'bad');
    await world.run();
    expect([nameless(world).map(([name]) => name), names(world)]).toEqual([['bad'], ['new']]);
  });

  it('is free behind a truncate, also when an event before that in the same batch still had to wait', async () => {
    const world = new LaneWorld();
    world.log.commit([insert(1, 'bad')]);
    refuse(world, 'bad');
    await world.run();
    world.log.commit([update(1, 'part'), TRUNCATE, insert(1, 'new')]);
    const handle = world.start();
    await world.clock.until(handle.done);
    expect([nameless(world).map(([name]) => name), names(world)]).toEqual([['bad', 'part'], ['new']]);
    expect(handle.status().lanes[0]?.parkedKeys).toBe(0);
  });

  it('waits on behind a truncate that is refused itself', async () => {
    const world = new LaneWorld();
    world.holding.faults.rejects = (e) => e.op === 't' || e.after?.['name'] === 'bad';
    world.log.commit([insert(1, 'bad')]);
    await world.run();
    world.log.commit([TRUNCATE, insert(1, 'new'), insert(2, 'two')]);
    const handle = world.start();
    await world.clock.until(handle.done);
    expect([nameless(world).map(([name]) => name), names(world)]).toEqual([['bad', 't', 'new'], ['two']]);
    expect(handle.status().lanes[0]?.parkedKeys).toBe(1);
  });

  it('lets whole rows pass with parked_keys: pass, and is then free', async () => {
    const world = new LaneWorld({ delivery: { parkedKeys: 'pass' } });
    world.log.commit([insert(1, 'bad'), { op: 'update', id: 1, name: 'part', partial: true }, update(1, 'whole')]);
    world.log.commit([{ op: 'update', id: 1, name: 'after', partial: true }]);
    refuse(world, 'bad');
    const handle = world.start();
    await world.clock.until(handle.done);
    expect([nameless(world).map(([name]) => name), names(world)]).toEqual([['bad', 'part'], ['after']]);
    expect(handle.status().lanes[0]?.parkedKeys).toBe(0);
  });

  it('lets events pass that are older than the parked one: a destination without a point gets them again', async () => {
    const world = new LaneWorld({ kind: 'rows', destination: { batch: { maxEvents: 1, maxBytes: 1e6, timeoutMs: 0 } } });
    world.log.commit([insert(1, 'old'), update(1, 'bad'), update(1, 'late')]);
    world.rows.faults.rejects = (e) => e.after?.['name'] === 'bad';
    const state = await world.deps.state.load('test');
    // The state cannot take the lane's point: the next run begins where this one did.
    const save = world.deps.state.save.bind(world.deps.state);
    let isBroken = false;
    world.deps.state.save = async (pipelineName, owner, untilMs, change) => {
      if (isBroken && change.lanes !== undefined) throw new CdcError('STATE_CORRUPT', 'the disk is gone');
      return save(pipelineName, owner, untilMs, change);
    };
    world.around = async (_batch, _signal, write) => {
      isBroken = true;
      return write();
    };
    expect([state.used, (await world.run()).outcome]).toEqual([false, 'failed']);
    world.deps.state.save = save;
    expect((await world.run()).outcome).toBe('done');
    expect(world.applied.map((e) => e.after?.['name'])).toEqual(['old', 'old']);
    expect(nameless(world).map(([name]) => name)).toEqual(['bad', 'late']);
  });

  it('is one of so many that the pipeline stops rather than mix up their order', async () => {
    const world = new LaneWorld();
    world.fill(1, MAX_PARKED_KEYS + 1);
    world.faults.rejects = () => true;
    expect((await world.run()).error?.code).toBe('DLQ_TOO_MANY_KEYS');
    expect(world.letters.length).toBeGreaterThan(0);
  });
});
