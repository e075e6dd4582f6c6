// Arithmetic of places: older, newer, covered, per partition and table.

import { describe, expect, it } from 'vitest';
import {
  coversPlace,
  movePlace,
  newestPlace,
  olderPosition,
  oldestPlace,
  oldestPoint,
  snapshotBoundaries,
  withoutForkedRuns,
} from '../../../src/engine/places.ts';
import type { LogPlace } from '../../../src/log/change-log.ts';
import { type Position, type PositionCodec, type SnapshotProgress, sortablePositions } from '../../../src/sdk/index.ts';

const codecs = { a: sortablePositions('n') };
const place = (positions: Record<string, string>, snapshots: SnapshotProgress[] = []): LogPlace => ({
  sources: { a: positions as Record<string, Position> },
  snapshots,
});
const progress = (more: Partial<SnapshotProgress> = {}): SnapshotProgress => ({
  source: 'a',
  run: 'r1',
  table: 't',
  chunk: 1,
  lastKey: '9',
  state: 'running',
  rows: 10,
  ...more,
});

describe('positions', () => {
  it.each([
    [
      'the smaller position of each partition',
      [
        { p: '3', q: '5' },
        { p: '4', q: '2' },
      ],
      { p: '3', q: '2' },
    ],
    ['the beginning where one has no position', [{ p: '3', q: '5' }, { p: '4' }], { p: '3' }],
    ['the place itself when it is alone', [{ p: '3' }], { p: '3' }],
  ] as const)('the oldest place takes %s', (_title, given, expected) => {
    expect(
      oldestPlace(
        codecs,
        given.map((p) => place(p)),
      ).sources['a'],
    ).toEqual(expected);
  });

  it('the newest place takes the greater position and keeps partitions that only one has', () => {
    expect(newestPlace(codecs, place({ p: '3', q: '5' }), place({ p: '4', r: '1' })).sources['a']).toEqual({ p: '4', q: '5', r: '1' });
  });

  it.each([
    [{ p: '4' }, { p: '3' }, true],
    [{ p: '3' }, { p: '3' }, true],
    [{ p: '2' }, { p: '3' }, false],
    [{}, { p: '3' }, false],
    [{ p: '3' }, {}, true],
  ] as const)('%j covers %j: %s', (mine, other, expected) => {
    expect(coversPlace(codecs, place(mine), place(other))).toBe(expected);
  });

  it('positions without an order are compared by what they cover, and refused when neither covers the other', () => {
    const sets: PositionCodec = {
      sortable: false,
      compare: (a, b) => (a === b ? 0 : null),
      covers: (point, p) => p.split(',').every((id) => point.split(',').includes(id)),
      describe: (p) => p,
    };
    expect(olderPosition(sets, 'x,y' as Position, 'x' as Position)).toBe('x');
    expect(() => olderPosition(sets, 'x' as Position, 'y' as Position)).toThrow(/different histories/);
  });

  it('a source that is no longer configured is left out', () => {
    expect(oldestPlace({}, [place({ p: '3' })]).sources).toEqual({});
  });
});

describe('snapshot progress', () => {
  it.each([
    ['the lower chunk of one run', progress({ chunk: 3 }), progress({ chunk: 2 }), progress({ chunk: 2 })],
    [
      'the running one of two runs',
      progress({ run: 'r2', chunk: 1 }),
      progress({ state: 'done', chunk: 9 }),
      progress({ run: 'r2', chunk: 1 }),
    ],
    ['none of two runs that both are unfinished', progress({ run: 'r2' }), progress({ run: 'r1' }), undefined],
    ['none when one has no row yet', progress(), undefined, undefined],
    ['the unfinished end of a run over its end', progress({ chunk: 4, state: 'done' }), progress({ chunk: 4 }), progress({ chunk: 4 })],
  ] as const)('the oldest is %s', (_title, a, b, expected) => {
    const found = oldestPlace(codecs, [place({}, [a]), place({}, b === undefined ? [] : [b])]).snapshots;
    expect(found).toEqual(expected === undefined ? [] : [expected]);
    const reversed = oldestPlace(codecs, [place({}, b === undefined ? [] : [b]), place({}, [a])]).snapshots;
    expect(reversed).toEqual(expected === undefined ? [] : [expected]);
  });

  it('boundaries are the chunk ends of unfinished runs, in order, once each', () => {
    const lanes = [
      place({}, [progress({ chunk: 5, lastKey: '50' })]),
      place({}, [progress({ chunk: 2, lastKey: '20' })]),
      place({}, [progress({ chunk: 3, lastKey: '30' })]),
      place({}, [progress({ chunk: 5, lastKey: '50' })]),
      place({}, [progress({ chunk: 9, lastKey: '90', state: 'done' })]),
    ];
    expect(snapshotBoundaries(lanes).map((b) => b.chunk)).toEqual([2, 3, 5]);
  });

  it('a run that two lanes know with different ends of one chunk cannot be continued', () => {
    const lanes = [place({}, [progress({ chunk: 2, lastKey: '20' })]), place({}, [progress({ chunk: 2, lastKey: '25' })])];
    const low = [progress({ chunk: 1 }), progress({ table: 'u' })];
    expect(withoutForkedRuns(low, lanes)).toEqual([progress({ table: 'u' })]);
    expect(withoutForkedRuns(low, lanes.slice(1))).toEqual(low);
  });

  it('a lane that has finished a run is further than one that needed more chunks of it', () => {
    const done = progress({ chunk: 4, state: 'done' }),
      running = progress({ chunk: 6 });
    expect(oldestPlace(codecs, [place({}, [done]), place({}, [running])]).snapshots).toEqual([running]);
    expect(newestPlace(codecs, place({}, [running]), place({}, [done])).snapshots).toEqual([done]);
  });

  it('a finished snapshot covers any run; an unfinished one covers the lower chunks of its own', () => {
    const has = (mine: SnapshotProgress, theirs: SnapshotProgress): boolean => coversPlace(codecs, place({}, [mine]), place({}, [theirs]));
    expect(has(progress({ state: 'done' }), progress({ run: 'r2', chunk: 7 }))).toBe(true);
    expect(has(progress({ chunk: 9 }), progress({ run: 'r2', chunk: 7 }))).toBe(false);
    expect(has(progress({ chunk: 9 }), progress({ chunk: 7 }))).toBe(true);
    expect(has(progress({ chunk: 9 }), progress({ chunk: 7, state: 'done' }))).toBe(false);
  });

  it('a lane without progress of a table does not cover one that has some', () => {
    expect(coversPlace(codecs, place({}), place({}, [progress()]))).toBe(false);
    expect(coversPlace(codecs, place({}, [progress({ chunk: 2 })]), place({}, [progress()]))).toBe(true);
  });

  it('moving a place replaces the progress of the tables named and shares the rest', () => {
    const before = place({ p: '1' }, [progress(), progress({ table: 'u' })]);
    const after = movePlace(before, 'a', 'p', null, [progress({ chunk: 2 })]);
    expect(after.sources).toBe(before.sources);
    expect(after.snapshots.map((s) => [s.table, s.chunk])).toEqual([
      ['u', 1],
      ['t', 2],
    ]);
  });
});

describe('the oldest point of several workers', () => {
  const point = (id: string, seq: number, p: string) => ({ epoch: 1, log: { id, seq }, ...place({ p }) });

  it('has the smallest number, where all stand in one log', () => {
    expect(oldestPoint(codecs, [point('new', 6, '9'), point('new', 4, '8')])).toEqual(point('new', 4, '8'));
  });

  it('has no number where one of them stands in another log, whose numbers say nothing here', () => {
    expect(oldestPoint(codecs, [point('new', 6, '9'), point('old', 12, '8')])).toEqual({ ...point('new', 6, '8'), log: null });
  });
});
