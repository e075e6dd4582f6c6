import { describe, expect, it } from 'vitest';
import { parseXidSnapshot, reachableLsn, widenXid, xidVisibility } from '../../../../src/sources/postgresql/xids.ts';

describe('parseXidSnapshot', () => {
  it.each([
    ['733:738:733,735', { xmin: 733n, xmax: 738n, xip: new Set([733n, 735n]) }],
    ['738:738:', { xmin: 738n, xmax: 738n, xip: new Set() }],
    ['12884901888:12884901889:', { xmin: 12884901888n, xmax: 12884901889n, xip: new Set() }],
  ])('reads %s', (text, expected) => {
    expect(parseXidSnapshot(text)).toEqual(expected);
  });

  it.each(['', '1:2', '1:2:3,', 'a:b:'])('refuses "%s"', (text) => {
    expect(() => parseXidSnapshot(text)).toThrow(TypeError);
  });
});

describe('widenXid', () => {
  it.each([
    [740, 738n, 740n],
    [5, (1n << 32n) - 3n, (1n << 32n) + 5n],
    [0xfffffffe, (3n << 32n) + 2n, (3n << 32n) - 2n],
  ])('takes %i near %i for %i', (xid, near, full) => {
    expect(widenXid(xid, near)).toBe(full);
  });
});

describe('xidVisibility', () => {
  const seen = parseXidSnapshot('733:738:733,735');

  it.each([
    [732, true],
    [733, false],
    [734, true],
    [735, false],
    [738, false],
    [739, false],
  ])('says of %i that it is visible: %s', (xid, expected) => {
    expect(xidVisibility.sees(seen, xid)).toBe(expected);
  });

  it.each([
    ['738:738:', 740, false],
    ['740:740:', 740, true],
    ['739:745:739', 740, false],
    ['4294967300:4294967300:', 2, true],
    ['4294967300:4294967300:', 5, false],
  ])('compares %s with the bound %i: %s', (text, bound, expected) => {
    expect(xidVisibility.passes(parseXidSnapshot(text), bound)).toBe(expected);
  });
});

describe('reachableLsn', () => {
  const BLOCK = 8_192,
    SEGMENT = 16 << 20;

  it.each([
    ['in a page', 0x2000100n, 0x2000100n],
    ['behind a page header', 0x2002018n, 0x2002000n],
    ['behind the header of a segment', 0x2000028n, 0x2000000n],
  ])('leaves no position %s that an idle server never reaches', (_where, lsn, expected) => {
    expect(reachableLsn(lsn, BLOCK, SEGMENT)).toBe(expected);
  });
});
