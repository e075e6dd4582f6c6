// A destination's own filter and transformers: on copies, with the point moving past what they leave out.

import { describe, expect, it } from 'vitest';
import { descriptor as filterDescriptor } from '../../../plugins/transformers/filter/index.ts';
import type { ChangeEvent, Descriptor, Transformer } from '../../../src/sdk/index.ts';
import { FakeWindow, fakeTransformer, insert, update } from '../../../src/sdk/testing/index.ts';
import { LaneWorld, type LaneWorldOptions } from '../../helpers/lane-world.ts';
import { destination, plugin } from '../../helpers/pipeline.ts';

const each = (type: string, change: (event: ChangeEvent) => void): Descriptor =>
  fakeTransformer(
    type,
    (): Transformer => ({
      transform: (events) => {
        for (const e of events) change(e);
        return events;
      },
    }),
  ) as Descriptor;

const descriptors = [
  filterDescriptor as unknown as Descriptor,
  each('shout', (e) => e.replace('after', 'name', String(e.get('after', 'name')).toUpperCase())),
  each('picky', (e) => {
    if (e.get('after', 'id') === 2) throw new Error('no twos');
  }),
  fakeTransformer('twice', () => ({ transform: (events) => events.flatMap((e) => [e, e.copy({ before: null })]) })) as Descriptor,
];
const filter = (expression: string) => plugin('filter', { expression, tables: [], ops: [], mode: 'keep', on_error: 'fail' });
const worldOf = (...transformers: ReturnType<typeof plugin>[]): LaneWorld => {
  const options: LaneWorldOptions = {
    descriptors,
    pipeline: { destinations: [destination('fake_holding', {}, { transformers }), destination('fake_rows')] },
  };
  return new LaneWorld(options);
};
const names = (world: LaneWorld) => ({
  own: [...world.holding.rows.values()].map((r) => r['name']),
  other: [...world.rows.rows.values()].map((r) => r['name']),
});

describe("a destination's own transformers", () => {
  it('leave out and change events for it alone', async () => {
    const world = worldOf(filter('row.id != 2'), plugin('shout'));
    world.log.commit([insert(1, 'a'), insert(2, 'b'), insert(3, 'c')]);
    const { outcome, delivered } = await world.run();
    expect([outcome, delivered]).toEqual(['done', { fake_holding: 2, fake_rows: 3 }]);
    expect(names(world)).toEqual({ own: ['A', 'C'], other: ['a', 'b', 'c'] });
  });

  it('move the point past what they leave out', async () => {
    const world = worldOf(filter('false'));
    world.fill(1, 20);
    await world.run();
    expect(names(world).own).toEqual([]);
    expect((await world.run()).eventsRead).toBe(0);
  });

  it('may add events', async () => {
    const world = worldOf(plugin('twice'));
    world.fill(1, 2);
    await world.run();
    expect(world.holding.rows.size).toBe(2);
    expect(world.applied.map((e) => e.derived).sort()).toEqual([0, 0, 0, 0, 1, 1]);
  });

  it('send an event for which they throw to the dead letter queue as it was before, and later ones of its key behind it', async () => {
    const world = worldOf(plugin('shout'), plugin('picky'));
    world.log.commit([insert(1, 'a'), insert(2, 'b'), insert(3, 'c')]);
    expect((await world.run()).outcome).toBe('done');
    expect(names(world)).toEqual({ own: ['A', 'C'], other: ['a', 'b', 'c'] });
    expect(world.letters).toMatchObject([
      {
        stage: 'lane_transform',
        lane: 'fake_holding',
        component: 'picky',
        error: { code: 'PLUGIN_FAILED' },
        event: { after: { id: 2, name: 'b' } },
      },
    ]);
    world.log.commit([{ op: 'update', id: 2, name: 'x', to: 4 }, update(1, 'y')]);
    await world.run();
    expect(names(world).own.sort()).toEqual(['C', 'Y']);
    expect(world.letters.map((l) => l.error.code)).toEqual(['PLUGIN_FAILED', 'DLQ_KEY_PARKED']);
  });

  it('park an event for which the filter cannot be evaluated', async () => {
    const world = worldOf(filter('row.note > 5'));
    world.fill(1, 1);
    await world.run();
    expect(world.letters).toMatchObject([{ stage: 'lane_transform', component: 'filter' }]);
  });

  it('may hold nothing back', async () => {
    const window = fakeTransformer('window', () => new FakeWindow()) as Descriptor;
    const world = new LaneWorld({
      descriptors: [window],
      pipeline: { destinations: [destination('fake_holding', {}, { transformers: [plugin('window')] })] },
    });
    const { error } = await world.run();
    expect([error?.code, error?.where]).toEqual(['CONFIG_INVALID_VALUE', 'fake_holding.transformers']);
  });
});
