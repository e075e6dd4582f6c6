// A log on disk that lost its end (a power cut with `durability: os`, or an older copy of its folder) gives the numbers behind its
// new end out again, while a destination that is away just then keeps a point that names one of them.

import { describe, expect, it } from 'vitest';
import { DiskWorld } from '../../helpers/disk-world.ts';
import { destination } from '../../helpers/pipeline.ts';

const destinations = [destination('fake_rows'), destination('fake_holding', {}, { required: false })];

class TailWorld extends DiskWorld {
  constructor() {
    super({ pipeline: { destinations } });
  }
  get held(): unknown[] {
    return [...this.holding.rows.values()].map((row) => (row as { id: unknown }).id);
  }
  get seq(): number | undefined {
    return this.holding.lane({ pipeline: 'test', lane: 'fake_holding' }).points?.[0]?.log?.seq;
  }
}

describe('a destination whose point lies beyond the end of a log that lost its tail', () => {
  async function lostTail(): Promise<TailWorld> {
    const world = new TailWorld();
    world.fill(1, 3);
    await world.run();
    const putBack = world.copy();
    for (let id = 4; id <= 8; id++) world.fill(id, id);
    await world.run();
    expect(world.held).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    putBack();
    return world;
  }

  it('gets what was given its number again although it was away at the start that found the log shorter', async () => {
    const world = await lostTail(),
      beyond = world.seq as number;
    world.faults.down = true;
    for (let id = 9; id <= 20; id++) world.fill(id, id);
    const away = await world.run();
    expect(Object.keys(away.detached ?? {})).toEqual(['fake_holding']);
    expect((await world.deps.state.load('test')).lanes['fake_rows']?.points[0]?.log?.seq).toBeGreaterThan(beyond);
    world.faults.down = false;
    world.applied.length = 0;
    expect(await world.run()).toMatchObject({ outcome: 'done', error: null });
    expect(world.ids).toEqual([9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  });

  it('does so when it was away at several such starts, and the log was shorter still at one of them', async () => {
    const world = new TailWorld();
    world.fill(1, 3);
    await world.run();
    const putShortBack = world.copy();
    world.fill(4, 6);
    await world.run();
    const putLongBack = world.copy();
    world.fill(7, 9);
    await world.run();
    world.faults.down = true;
    putLongBack();
    await world.run();
    putShortBack();
    world.fill(10, 14);
    await world.run();
    world.fill(15, 30);
    await world.run();
    world.faults.down = false;
    world.applied.length = 0;
    await world.run();
    expect(world.ids.filter((id) => (id as number) > 9)).toEqual(Array.from({ length: 21 }, (_, i) => i + 10));
  });
});
