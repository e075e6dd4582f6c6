// Which snapshot rows a lane takes, and which progress it follows.

import { describe, expect, it } from 'vitest';
import { LaneSnapshots } from '../../../src/engine/lane-snapshots.ts';
import { ChangeEvent, type Position, type SnapshotProgress } from '../../../src/sdk/index.ts';
import { ITEMS } from '../../../src/sdk/testing/sample-tables.ts';

const progress = (run: string, chunk: number, more: Partial<SnapshotProgress> = {}): SnapshotProgress => ({
  source: 's',
  run,
  table: 'items',
  chunk,
  lastKey: null,
  state: 'running',
  rows: 0,
  ...more,
});
const row = (run: string, chunk: number): ChangeEvent =>
  new ChangeEvent({
    op: 'r',
    table: ITEMS,
    source: 's',
    partition: 'p',
    position: '1' as Position,
    sourceTsMs: 0,
    snapshot: { run, table: 'items', chunk, place: 'true' },
  });
const NONE = null,
  DONE = progress('old', 4, { state: 'done' }),
  HALF = progress('old', 2);

describe('LaneSnapshots', () => {
  it.each([
    ['any row where it knows of no run', NONE, row('new', 3), true],
    ['a later chunk of its run', HALF, row('old', 3), true],
    ['no chunk of its run that it has', HALF, row('old', 2), false],
    ['the rows of another run when its own is unfinished', HALF, row('new', 1), true],
    ['no rows of another run when it has all', DONE, row('new', 9), false],
    ['no rows beyond the last chunk of a run that it has finished', DONE, row('old', 9), false],
  ])('takes %s', (_title, own, event, expected) => {
    expect(new LaneSnapshots(own === null ? [] : [own]).takes(event)).toBe(expected);
  });

  it.each([
    ['the first run', NONE, progress('new', 0), true, 'new 0'],
    ['its own run, further', HALF, progress('old', 3), false, 'old 3'],
    ['its own run to its end', HALF, DONE, false, 'old 4'],
    ['not back in its own run', HALF, progress('old', 1), false, 'old 2'],
    ['not back from the end of its run', DONE, progress('old', 7), false, 'old 4'],
    ['a new run when its own is unfinished', HALF, progress('new', 0, { joining: true }), true, 'new 0'],
    ['a new run for all', DONE, progress('new', 0), false, 'new 0'],
    ['no run for all that began before its point', DONE, progress('new', 0), true, 'old 4'],
    ['no run for those who join', DONE, progress('new', 0, { joining: true }), false, 'old 4'],
    ['no run that it has not seen begin', DONE, progress('new', 1), false, 'old 4'],
  ])('follows %s', (_title, own, next, isCovered, expected) => {
    const lane = new LaneSnapshots(own === null ? [] : [own]);
    lane.follow('s', [next], isCovered);
    expect(lane.progress.map((s) => `${s.run} ${s.chunk}`)).toEqual([expected]);
  });
});
