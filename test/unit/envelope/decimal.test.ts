// Decimals and their two's complement bytes.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  atScale,
  base64OfShort,
  bytesOfInteger,
  formatDecimal,
  integerOfBytes,
  parseDecimal,
  shortUnscaled,
  stripZeros,
} from '../../../src/envelope/decimal.ts';

test.each([
  ['12.30', { unscaled: 1230n, scale: 2 }],
  ['-0.000001', { unscaled: -1n, scale: 6 }],
  ['+5', { unscaled: 5n, scale: 0 }],
  ['.5', { unscaled: 5n, scale: 1 }],
  ['7.', { unscaled: 7n, scale: 0 }],
  ['1.5e3', { unscaled: 1500n, scale: 0 }],
  ['15E-3', { unscaled: 15n, scale: 3 }],
  ['NaN', null],
  ['Infinity', null],
  ['', null],
  ['.', null],
  ['-', null],
  ['1,5', null],
  ['0x10', null],
])('parseDecimal reads %s', (text, expected) => {
  expect(parseDecimal(text)).toEqual(expected);
});

test.each([
  [{ unscaled: 125n, scale: 2 }, 4, 12500n],
  [{ unscaled: 12500n, scale: 4 }, 2, 125n],
  [{ unscaled: 125n, scale: 2 }, 1, null],
])('atScale of %o to %i', (value, scale, expected) => {
  expect(atScale(value, scale)).toBe(expected);
});

test.each([
  ['1.500', '1.5'],
  ['100', '100'],
  ['0.000', '0'],
  ['-2.00', '-2'],
])('stripZeros of %s', (text, expected) => {
  expect(formatDecimal(stripZeros(parseDecimal(text) ?? { unscaled: -1n, scale: 0 }))).toBe(expected);
});

describe('bytes of integers', () => {
  test.each([
    [0n, '00'],
    [127n, '7f'],
    [128n, '0080'],
    [255n, '00ff'],
    [256n, '0100'],
    [-1n, 'ff'],
    [-128n, '80'],
    [-129n, 'ff7f'],
    [-32768n, '8000'],
  ])('%s', (n, hex) => {
    expect(bytesOfInteger(n).toString('hex')).toBe(hex);
  });

  test('are the shortest and come back equal', () => {
    fc.assert(
      fc.property(fc.bigInt(), (n) => {
        const bytes = bytesOfInteger(n);
        expect(integerOfBytes(bytes)).toBe(n);
        expect(bytes.length === 1 || integerOfBytes(bytes.subarray(1)) !== n).toBe(true);
      }),
    );
  });
});

describe('the short way', () => {
  test('gives what the long way gives, or nothing', () => {
    const text = fc.tuple(fc.maxSafeInteger(), fc.nat(6)).map(([n, scale]) => formatDecimal({ unscaled: BigInt(n), scale }));
    fc.assert(
      fc.property(text, fc.nat(6), (decimal, scale) => {
        const short = shortUnscaled(decimal, scale),
          parsed = parseDecimal(decimal);
        const long = parsed === null ? null : atScale(parsed, scale);
        fc.pre(!Number.isNaN(short));
        expect(BigInt(short)).toBe(long);
        expect(base64OfShort(short)).toBe(bytesOfInteger(BigInt(short)).toString('base64'));
      }),
    );
  });

  test.each(['', '-', '.', '-.', '1.2.3', '1e3', 'NaN', ' 1', '123456789012345', '1.234'])(
    'leaves %j at scale 2 to the long way',
    (text) => {
      expect(shortUnscaled(text, 2)).toBeNaN();
    },
  );

  test('writes minus zero as zero', () => {
    expect(base64OfShort(shortUnscaled('-0.00', 2))).toBe('AA==');
  });
});
