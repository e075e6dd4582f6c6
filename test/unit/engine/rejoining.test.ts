// A destination that joins anew, and a process that dies between telling it and saving so.

import { describe, expect, it } from 'vitest';
import { formatPoint } from '../../../src/sdk/index.ts';
import type { StateChange } from '../../../src/state/store.ts';
import { LaneWorld } from '../../helpers/lane-world.ts';
import { destination } from '../../helpers/pipeline.ts';

const destinations = [destination('fake_rows'), destination('fake_holding', {}, { required: false, start: 'now' })];
const NAME = 'fake_holding';

async function detached(): Promise<LaneWorld> {
  const world = new LaneWorld({ pipeline: { destinations } });
  world.fill(1, 3);
  await world.run();
  world.faults.down = true;
  world.fill(4, 6);
  await world.run();
  world.faults.down = false;
  world.fill(7, 8);
  return world;
}

/** State does not take the first save for which this holds, nor any after it. */
function dying(world: LaneWorld, at: (change: StateChange) => boolean): () => void {
  const { state } = world.deps,
    save = state.save.bind(state);
  let isDead = false;
  state.save = async (pipeline, owner, untilMs, change) => {
    isDead ||= at(change);
    if (isDead) throw new Error('it has died');
    return save(pipeline, owner, untilMs, change);
  };
  return () => {
    state.save = save;
  };
}

const laneOf = async (world: LaneWorld) => (await world.deps.state.load('test')).lanes[NAME];
const pointOf = (world: LaneWorld) => world.holding.lane({ pipeline: 'test', lane: NAME }).points?.[0];

describe('a destination that joins anew when the process dies', () => {
  it('behind telling it has joined at the next start, at the place that it was told', async () => {
    const world = await detached();
    const revive = dying(world, (change) => change.lanes?.[NAME]?.detached === null);
    expect((await world.run({}, { rejoin: [NAME] })).outcome).toBe('failed');
    revive();
    const told = pointOf(world);
    expect(told).toBeDefined();
    world.applied.length = 0;
    world.fill(9, 10);
    expect((await world.run()).detached).toBeUndefined();
    const state = await laneOf(world);
    expect([state?.detached, state?.joining, formatPoint(state?.joinedAt as never)]).toEqual([null, undefined, formatPoint(told as never)]);
    expect([...world.holding.rows.values()].map((row) => (row as { id: unknown }).id)).toContain(10);
  });

  it('before telling it is detached as before, and may be asked again', async () => {
    const world = await detached(),
      before = pointOf(world),
      joinedAt = (await laneOf(world))?.joinedAt;
    world.holding.observer.pointsSet = () => {
      throw new Error('it has died');
    };
    await world.run({}, { rejoin: [NAME] });
    delete world.holding.observer.pointsSet;
    expect(pointOf(world)).toBe(before);
    expect((await world.run()).detached?.[NAME]).toMatch(/./);
    expect(await laneOf(world)).toMatchObject({ joinedAt });
    expect(await laneOf(world)).not.toHaveProperty('joining');
    expect((await world.run({}, { rejoin: [NAME] })).detached).toBeUndefined();
  });

  it('is remembered as asked for while the destination is away at the next start', async () => {
    const world = await detached();
    const revive = dying(world, (change) => change.lanes?.[NAME]?.detached === null);
    await world.run({}, { rejoin: [NAME] });
    revive();
    const told = pointOf(world);
    world.faults.down = true;
    expect((await world.run()).detached?.[NAME]).toMatch(/./);
    world.faults.down = false;
    await world.run();
    expect(formatPoint((await laneOf(world))?.joinedAt as never)).toBe(formatPoint(told as never));
  });
});
