import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../../../src/sdk/index.ts';
import { formatLsn, hiOf, loOf, lsnOf, parseLsn } from '../../../../src/sources/postgresql/lsn.ts';
import {
  ChangePlace,
  confirmable,
  formatPlace,
  logPositions,
  parsePlace,
  positionAfter,
} from '../../../../src/sources/postgresql/position.ts';

const lsns = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });

describe('LSNs', () => {
  it.each([
    ['16/B374D848', 97_500_059_720n],
    ['0/0', 0n],
    ['0/1', 1n],
    ['1/0', 4_294_967_296n],
    ['FFFFFFFF/FFFFFFFF', 0xffff_ffff_ffff_ffffn],
  ])('%s ↔ %d', (text, lsn) => {
    expect(parseLsn(text)).toBe(lsn);
    expect(formatLsn(lsn)).toBe(text);
    expect(lsnOf(hiOf(lsn), loOf(lsn))).toBe(lsn);
  });

  it.each(['', '16', '16/', '/1', '16/B374D8481', 'x/1', '-1/1', '1/2/3'])('%j is none', (text) => {
    expect(parseLsn(text)).toBeNull();
  });

  it('keep their value through text and halves', () => {
    fc.assert(
      fc.property(lsns, (lsn) => {
        expect(parseLsn(formatLsn(lsn))).toBe(lsn);
        expect(lsnOf(hiOf(lsn), loOf(lsn))).toBe(lsn);
        // Halves may come from signed arithmetic.
        expect(lsnOf(hiOf(lsn) | 0, loOf(lsn) | 0)).toBe(lsn);
      }),
    );
  });
});

describe('positions', () => {
  it.each([
    [formatPlace(0x16, 0xb374d848, 0x16, 0xb374d700, 2), '00000016b374d848/00000016b374d700/000002'],
    [positionAfter(97_500_059_720n), '00000016b374d848/0000000000000000/000000'],
  ])('are text of fixed width: %s', (position, text) => {
    expect(position).toBe(text);
  });

  it.each([
    ['00000016b374d848/00000016b374d700/000002', 'LSN 16/B374D700 in the transaction that commits at 16/B374D848'],
    ['00000016b374d848/0000000000000000/000000', 'LSN 16/B374D848'],
    ['00000016b374d848/00000016b374d700/000001.s1', 'LSN 16/B374D700 in the transaction that commits at 16/B374D848'],
    ['00000016b374d848/0000000000000000/000000.r.1a.2.3', 'LSN 16/B374D848'],
    ['something else', 'something else'],
  ])('%s is described as %s', (position, words) => {
    expect(logPositions.describe(position as Position)).toBe(words);
  });

  it.each([
    ['16/B374D848', '00000016b374d848/0000000000000000/000000'],
    ['LSN 16/b374d848', '00000016b374d848/0000000000000000/000000'],
    ['00000016b374d848/00000016b374d700/000002', '00000016b374d848/00000016b374d700/000002'],
    ['42', null],
    ['00000016B374D848/00000016b374d700/000002', null],
  ])('an operator writes %s', (text, position) => {
    expect(logPositions.parse?.(text)).toBe(position);
  });

  it('sort as transactions come: by commit, then within it by change, behind what was done before the commit', () => {
    const places = [
      positionAfter(5n),
      // A message that ends where the next transaction commits.
      positionAfter(10n),
      formatPlace(0, 10, 0, 3, 0),
      formatPlace(0, 10, 0, 3, 1),
      formatPlace(0, 10, 0, 9, 0),
      positionAfter(12n),
      // Began before the one above, committed after it.
      formatPlace(0, 20, 0, 1, 0),
      positionAfter(24n),
      formatPlace(1, 0, 0, 2, 0),
    ];
    expect(places.toSorted()).toEqual(places);
    for (const [i, p] of places.entries()) {
      for (const [j, q] of places.entries()) {
        expect(logPositions.compare(p, q)).toBe(Math.sign(i - j));
        expect(logPositions.covers(p, q)).toBe(j <= i);
      }
    }
  });

  it('keep their parts, and give the slot the commit', () => {
    fc.assert(
      fc.property(lsns, lsns, fc.integer({ min: 0, max: 0xff_ffff }), (commit, lsn, index) => {
        const position = formatPlace(hiOf(commit), loOf(commit), hiOf(lsn), loOf(lsn), index);
        expect(position).toHaveLength(40);
        expect(parsePlace(position)).toEqual({ commit, lsn, index });
        expect(confirmable(position)).toBe(commit);
        const fields = logPositions.fields?.(position, '7');
        expect(fields).toMatchObject({ txId: 7 });
        expect(BigInt(fields?.['commit_lsn'] ?? 0)).toBe(commit);
        expect(BigInt(fields?.['lsn'] ?? 0)).toBe(lsn === 0n ? commit : lsn);
        const lazy = new ChangePlace(hiOf(commit), loOf(commit), hiOf(lsn), loOf(lsn), index),
          bytes = Buffer.alloc(lazy.length);
        lazy.put(bytes, 0);
        expect([lazy.text(), bytes.toString(), lazy.fields('7')]).toEqual([position, position, fields]);
      }),
    );
  });

  it('stand over that of another change of the transaction as if written anew', () => {
    const changes = fc.record({ lsn: fc.oneof(lsns, fc.bigInt({ min: 0n, max: 0xffff_ffffn })), index: fc.integer({ min: 0, max: 3 }) });
    fc.assert(
      fc.property(lsns, changes, changes, (commit, first, second) => {
        const [before, after] = [first, second].map(
          ({ lsn, index }) => new ChangePlace(hiOf(commit), loOf(commit), hiOf(lsn), loOf(lsn), index),
        ) as [ChangePlace, ChangePlace];
        const bytes = Buffer.alloc(before.length);
        before.put(bytes, 0);
        after.putOver(bytes, 0, before);
        expect(bytes.toString()).toBe(after.text());
      }),
    );
  });

  it('refuse a number that would not fit', () => {
    expect(() => formatPlace(0, 1, 0, 1, 0x100_0000)).toThrow(RangeError);
  });
});
