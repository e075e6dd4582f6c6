// Cases of `describeDestination` about points: stored with the data, fenced by epoch. They are what "effectively-once"
// rests on.

import { expect } from 'vitest';
import { type Destination, formatPoint, type PointHoldingDestination } from '../../index.ts';
import { Events, item, LANE, pointAt } from '../batches.ts';
import type { DestinationHarness, DestinationTest } from '../destination-harness.ts';
import { ITEMS } from '../sample-tables.ts';
import { all, type DestinationCase, has, holdsPoint } from './common.ts';

const holding = (d: Destination): PointHoldingDestination => d as PointHoldingDestination;

/** The point as a new session finds it. */
async function pointOf(t: DestinationTest): Promise<string | null> {
  const committed = await (await t.create()).committed(LANE);
  return committed.kind === 'points' ? formatPoint(committed.points[0] as never) : null;
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => null,
    (error: unknown) => error,
  );
}
const FENCED = { code: 'DESTINATION_FENCED' };

export const POINT_CASES: readonly DestinationCase[] = [
  {
    title: 'stores the point with the data',
    lacks: holdsPoint,
    async run(t) {
      const destination = await t.open(),
        e = new Events();
      await t.write(destination, [e.create(item(1, 'a'))]);
      expect(await pointOf(t)).toBe(formatPoint(pointAt(1)));
      await t.write(destination, [], { through: pointAt(5) });
      expect(await pointOf(t)).toBe(formatPoint(pointAt(5)));
    },
  },
  {
    title: 'stores neither data nor point when it refuses an event',
    lacks: all(holdsPoint, has('poison')),
    async run(t) {
      const destination = await t.open(),
        e = new Events(),
        before = await pointOf(t);
      const result = await t.write(destination, [
        e.create(item(1, 'a')),
        (t.harness.poison as NonNullable<DestinationHarness['poison']>)(e),
      ]);
      expect(result.kind).toBe('refused');
      expect([await t.stored(), await pointOf(t)]).toEqual([[], before]);
    },
  },
  {
    title: 'refuses a batch that does not begin at its point',
    lacks: holdsPoint,
    async run(t) {
      const destination = await t.open(),
        e = new Events(),
        events = [e.create(item(1, 'a'))];
      await t.write(destination, events);
      const stored = await t.stored();
      expect(await failureOf(t.write(destination, events, { previous: pointAt(0) }))).toMatchObject(FENCED);
      expect(await failureOf(t.write(destination, [e.create(item(2, 'b'))], { previous: pointAt(7) }))).toMatchObject(FENCED);
      expect([await t.stored(), await pointOf(t)]).toEqual([stored, formatPoint(pointAt(1))]);
    },
  },
  {
    title: 'fences an older run once a newer one has claimed it',
    lacks: holdsPoint,
    async run(t) {
      const old = await t.open(1),
        e = new Events();
      await t.write(old, [e.create(item(1, 'a'))]);
      const held = t.point,
        newer = await t.open(2);
      const late = [e.create(item(2, 'late'))];
      expect(await failureOf(t.write(old, late, { previous: held, epoch: 1 }))).toMatchObject(FENCED);
      expect(await failureOf(holding(old).setPoints(LANE, 1, [held]))).toMatchObject(FENCED);
      expect(await failureOf(holding(old).claim(LANE, 1))).toMatchObject(FENCED);
      expect(await t.write(newer, [e.create(item(3, 'b'))])).toEqual({ kind: 'stored' });
      expect(await t.stored()).not.toContainEqual(item(2, 'late'));
    },
  },
  {
    title: 'fences an older run in an empty destination too',
    lacks: holdsPoint,
    async run(t) {
      await t.harness.prepare?.(ITEMS);
      const old = holding(await t.create()),
        newer = holding(await t.create());
      await old.committed(LANE);
      await newer.committed(LANE);
      await newer.claim(LANE, 2);
      expect(await failureOf(old.claim(LANE, 1))).toMatchObject(FENCED);
      expect(await failureOf(old.setPoints(LANE, 1, [pointAt(0)]))).toMatchObject(FENCED);
      expect(await newer.committed(LANE)).toEqual({ kind: 'empty', epoch: 2 });
    },
  },
  {
    title: 'tells the epoch it was claimed with, and may be claimed with it again',
    lacks: holdsPoint,
    async run(t) {
      const destination = holding(await t.open(3));
      await destination.claim(LANE, 3);
      expect(await destination.committed(LANE)).toMatchObject({ kind: 'points', epoch: 3 });
    },
  },
  {
    title: 'replaces all points in one step',
    lacks: holdsPoint,
    async run(t) {
      const destination = holding(await t.open(1));
      await destination.setPoints(LANE, 1, [pointAt(4), pointAt(6)]);
      expect(await destination.committed(LANE)).toMatchObject({ kind: 'points', points: [pointAt(4), pointAt(6)] });
      await destination.setPoints(LANE, 1, [pointAt(9)]);
      expect(await destination.committed(LANE)).toMatchObject({ kind: 'points', points: [pointAt(9)] });
    },
  },
  {
    title: 'keeps the points of two lanes apart',
    lacks: holdsPoint,
    async run(t) {
      const destination = holding(await t.open(1)),
        other = { pipeline: LANE.pipeline, lane: 'other' };
      await t.write(destination, [new Events().create(item(1, 'a'))]);
      expect((await (await t.create()).committed(other)).kind).toBe('empty');
    },
  },
  {
    title: 'says so when the outcome of a commit is unknown, and its point tells it',
    lacks: all(holdsPoint, has('loseReply')),
    async run(t) {
      const destination = await t.open();
      await t.harness.loseReply?.();
      const failure = await failureOf(t.write(destination, [new Events().create(item(1, 'a'))]));
      expect(failure).toMatchObject({ code: 'DESTINATION_OUTCOME_UNKNOWN' });
      expect(await pointOf(t)).toBe(formatPoint(pointAt(1)));
    },
  },
];
