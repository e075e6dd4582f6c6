// What is under way, and what a receipt covers.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../../../src/sdk/index.ts';
import { type Entry, isBehind } from '../../../../src/sources/redis-stream/entries.ts';
import { Receipts } from '../../../../src/sources/redis-stream/receipts.ts';

const entry = (n: number): Entry => ({ id: `${1_700_000_000_000 + n}-0`, fields: null });
const entries = (...numbers: number[]): Entry[] => numbers.map(entry);
const idsOf = (list: readonly Entry[]): string[] => list.map((e) => e.id);

describe('receipts', () => {
  it('cover what was handed over up to them, and nothing of another session', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(), (count, pick) => {
        const receipts = new Receipts(7),
          all = entries(...Array.from({ length: count }, (_, n) => n)),
          given = all.map((e) => receipts.give(e.id)),
          at = pick % count;
        expect(receipts.upTo(given[at])).toEqual(idsOf(all.slice(0, at + 1)));
        expect(new Receipts(8).upTo(given[at])).toEqual([]);
        expect(receipts.upTo('6-1' as Position)).toEqual([]);
        expect(receipts.upTo(undefined)).toEqual([]);
        // Two acknowledgements may be under way, the later one done first.
        receipts.forget(given[at]);
        receipts.forget(given[0]);
        receipts.forget(given[at]);
        expect(receipts.ids).toEqual(idsOf(all.slice(at + 1)));
        expect(receipts.upTo(given[at])).toEqual([]);
        expect([...given].sort()).toEqual(given);
      }),
    );
  });

  it('know what is under way, also when the group hands it out as new', () => {
    const receipts = new Receipts(1),
      take = (list: readonly Entry[]): string[] => {
        const fresh = receipts.unknown(list);
        for (const e of fresh) receipts.give(e.id);
        return idsOf(fresh);
      };
    expect(take(entries(5, 6))).toEqual(idsOf(entries(5, 6)));
    expect(take([])).toEqual([]);
    // What a dead consumer left is older.
    expect(take(entries(2, 5))).toEqual(idsOf(entries(2)));
    const [last] = entries(7).map((e) => receipts.give(e.id));
    expect(take(entries(1, 2, 6, 7, 8))).toEqual(idsOf(entries(1, 8)));
    receipts.forget(last);
    expect(take(entries(2, 7, 8))).toEqual(idsOf(entries(2, 7)));
  });
});

it.each([
  ['1-1', '1-0', true],
  ['1-0', '1-0', false],
  ['10-0', '9-5', true],
  ['9-18446744073709551615', '9-18446744073709551614', true],
  ['9-2', '10-1', false],
])('entry %s is behind %s: %s', (id, other, expected) => {
  expect(isBehind(id, other)).toBe(expected);
});
