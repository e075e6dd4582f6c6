// Places as text: lossless, and in the order that SQLite has.

import BetterSqlite3 from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../../../src/sdk/index.ts';
import {
  changePositions,
  compareStored,
  formatPlace,
  formatPoll,
  formatStored,
  formatTuple,
  parsePlace,
  parsePoll,
  parseStored,
  parseTuple,
  pollPositions,
} from '../../../../src/sources/sqlite/position.ts';
import { runName, runStart } from '../../../../src/sources/sqlite/snapshot.ts';
import type { Stored } from '../../../../src/sources/sqlite/types.ts';

const stored: fc.Arbitrary<Stored> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true }),
  fc.string({ unit: 'binary' }).map((s) => Buffer.from(s).toString()),
  fc.uint8Array().map((b) => Buffer.from(b)),
);

describe('places of changes', () => {
  it.each([
    [{ id: 0, ts: 0 }, '0000000000000000-0000000000000', 'before the first change'],
    [{ id: 42, ts: 1_714_557_600_000 }, '0000000000000042-1714557600000', 'change 42 of 2024-05-01T10:00:00.000Z'],
  ])('%j is %s', (place, text, description) => {
    expect(formatPlace(place)).toBe(text);
    expect(parsePlace(text)).toEqual(place);
    expect(changePositions.describe(text as Position)).toBe(description);
  });

  it('have fixed widths, whichever came before', () => {
    const place = fc.record({
      id: fc.oneof(
        fc.nat(30_000),
        fc.nat({ max: 2 ** 31 - 1 }).map((n) => n * 4000),
      ),
      ts: fc.nat({ max: 2 ** 31 - 1 }).map((n) => n * 4000),
    });
    fc.assert(
      fc.property(fc.array(place), (places) => {
        for (const { id, ts } of places) {
          expect(formatPlace({ id, ts })).toBe(`${String(id).padStart(16, '0')}-${String(ts).padStart(13, '0')}`);
          expect(parsePlace(formatPlace({ id, ts }))).toEqual({ id, ts });
        }
      }),
    );
  });

  it('sort by number, and rows of a chunk behind the change they were read after', () => {
    const places = [
      formatPlace({ id: 9, ts: 5 }),
      `${formatPlace({ id: 9, ts: 5 })}.r.9.1f.1.0`,
      formatPlace({ id: 10, ts: 4 }),
      formatPlace({ id: 1_000_000, ts: 3 }),
    ] as Position[];
    expect([...places].sort()).toEqual(places);
    for (const [i, a] of places.entries())
      for (const [j, b] of places.entries()) {
        expect(changePositions.compare(a, b)).toBe(Math.sign(i - j));
        expect(changePositions.covers(a, b)).toBe(j <= i);
      }
    expect(changePositions.fields?.(places[1] as Position)).toEqual({ change_id: 9 });
  });

  it.each(['', 'x', '42', '0000000000000042'])('"%s" is none', (text) => {
    expect(parsePlace(text)).toBeNull();
  });

  it('runs tell after which change they began', () => {
    expect(runStart(runName({ id: 42, ts: 1 }, '1f.v3'))).toBe(42);
    expect(runStart("somebody else's")).toBeNaN();
  });
});

describe('stored values as text', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(stored, (value) => {
        expect(parseStored(formatStored(value))).toStrictEqual(value);
      }),
    );
    fc.assert(
      fc.property(fc.array(stored), (values) => {
        expect(parseTuple(formatTuple(values))).toStrictEqual(values);
        expect(formatTuple(values)).toBe(JSON.stringify(values.map(formatStored)));
      }),
    );
    fc.assert(
      fc.property(fc.array(stored, { minLength: 1 }), fc.option(stored, { nil: undefined }), (tuple, before) => {
        expect(parsePoll(formatPoll(before === undefined ? { tuple } : { tuple, before }))).toStrictEqual(
          before === undefined ? { tuple } : { tuple, before },
        );
      }),
    );
  });

  it.each(['', 'z1', 'q'])('"%s" is none', (text) => {
    expect(() => parseStored(text)).toThrow(TypeError);
  });

  it('compare as SQLite compares them', () => {
    const compare = new BetterSqlite3(':memory:')
      .prepare('SELECT CASE WHEN @a IS @b THEN 0 WHEN @a IS NULL THEN -1 WHEN @b IS NULL THEN 1 WHEN @a < @b THEN -1 ELSE 1 END')
      .pluck();
    const near = fc.oneof(
      stored,
      fc.constantFrom<Stored>(9007199254740993n, 9007199254740992, 0n, -0, 0, 1.5, 1n, 'a', 'a\0', '😀', '\uFFFD', '', Buffer.from('a')),
    );
    fc.assert(
      fc.property(near, near, (a, b) => {
        expect(compareStored(a, b)).toBe(compare.get({ a, b }));
      }),
      { numRuns: 1000 },
    );
  });

  it('give polling positions an order in which a point covers what is before it', () => {
    fc.assert(
      fc.property(fc.array(stored, { minLength: 2, maxLength: 2 }), fc.array(stored, { minLength: 2, maxLength: 2 }), (a, b) => {
        const [x, y] = [formatPoll({ tuple: a }), formatPoll({ tuple: b })],
          order = pollPositions.compare(x, y);
        expect(pollPositions.compare(y, x)).toBe(order === 0 ? 0 : -(order as number));
        expect(pollPositions.covers(x, y)).toBe(order !== -1);
        expect(pollPositions.covers(x, x)).toBe(true);
      }),
    );
  });

  it('describe themselves to people', () => {
    expect(pollPositions.describe(formatPoll({ tuple: ['2024-05-01', 7n, Buffer.from([255])], before: 1n }))).toBe(
      "watermark 2024-05-01, key 7, x'ff'",
    );
    expect(pollPositions.describe(formatPoll({ tuple: [5n] }))).toBe('watermark 5');
  });
});
