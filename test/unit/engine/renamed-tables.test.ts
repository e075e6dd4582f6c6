// What a snapshot promises for a table holds under the name that a transformer gave it.

import { describe, expect, it } from 'vitest';
import { descriptor as routeDescriptor } from '../../../plugins/transformers/route/index.ts';
import type { PipelineConfig } from '../../../src/engine/pipeline-config.ts';
import type { Descriptor } from '../../../src/sdk/index.ts';
import { FakeLog, fakeLogSource, insert } from '../../../src/sdk/testing/index.ts';
import { DiskWorld } from '../../helpers/disk-world.ts';
import { LaneWorld } from '../../helpers/lane-world.ts';
import { component, destination, pipeline, plugin } from '../../helpers/pipeline.ts';

const route = (match: string, table: string) => plugin('route', { routes: [{ match, table }] });
const worlds: [string, typeof LaneWorld][] = [
  ['in memory', LaneWorld],
  ['on disk', DiskWorld],
];
const places: [string, Partial<PipelineConfig>, string?][] = [
  ['without a route', {}, 'items'],
  ['behind a route', { transformers: [route('items', 'moved')] }],
  ['behind two routes', { transformers: [route('items', 'other'), route('other', 'moved')] }],
  ['behind a route of the destination', { destinations: [destination('fake_holding', {}, { transformers: [route('items', 'moved')] })] }],
];

/** Rows 1 to 6, two in a chunk. As soon as the first chunk is read, row 6 gets a name; the event says nothing of its note. */
function worldOf(World: typeof LaneWorld, more: Partial<PipelineConfig>): LaneWorld {
  const log = new FakeLog();
  log.commit([1, 2, 3, 4, 5, 6].map((id) => insert(id, `n${id}`, 'a note')));
  let reads = 0;
  const step = async (what: string): Promise<void> => {
    if (what === 'read main' && ++reads === 2) log.commit([{ op: 'update', id: 6, name: 'new', partial: true }]);
  };
  const source = { ...fakeLogSource(log, { snapshot: true, step }), type: 'busy_log' } as unknown as Descriptor;
  const { sync } = pipeline({ sources: [], destinations: [] });
  return new World({
    descriptors: [source, routeDescriptor as unknown as Descriptor],
    pipeline: { sources: [component('busy_log')], sync: { ...sync, batch: { ...sync.batch, maxEvents: 2 } }, ...more },
  });
}

describe.each(worlds)('an incomplete update that comes before its row, with the log %s', (_where, World) => {
  it.each(places)('is skipped %s', async (_title, more, table = 'moved') => {
    const world = worldOf(World, more);
    expect((await world.run()).outcome).toBe('done');
    expect(world.applied.findIndex((e) => e.incomplete)).toBeLessThan(world.applied.findIndex((e) => e.op === 'r' && e.key?.['id'] === 6));
    expect(world.letters).toEqual([]);
    expect(world.holding.rows.get(`${table}/6`)).toEqual({ id: 6, name: 'new', note: 'a note' });
  });
});
