// Dates, times and intervals.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { microsOfInterval, parseInterval } from '../../../src/envelope/interval.ts';
import {
  countText,
  dateOfDays,
  momentText,
  parseDate,
  parseMoment,
  parseTime,
  parseZonedTime,
  timeText,
} from '../../../src/envelope/temporal.ts';

describe('dates', () => {
  test.each([
    ['1970-01-01', 0],
    ['2024-02-29', 19782],
    ['0001-01-01', -719162],
    ['9999-12-31', 2932896],
    ['-0043-03-15', -735160],
    ['0044-03-15 BC', -735160],
    ['+12024-02-29', 3672207],
    ['12024-02-29', 3672207],
    ['2024-13-01', null],
    ['2024-02-32', null],
    ['infinity', null],
    ['', null],
    ['2024-2-9', null],
  ])('%s is day %s', (text, days) => {
    expect(parseDate(text)).toBe(days);
  });

  test('agree with the calendar of JavaScript', () => {
    fc.assert(
      fc.property(fc.integer({ min: -50_000_000, max: 50_000_000 }), (days) => {
        const date = new Date(days * 86_400_000),
          text = dateOfDays(days);
        expect(parseDate(text)).toBe(days);
        expect(text.slice(-5)).toBe(date.toISOString().slice(-19, -14));
        expect(Number(text.slice(0, -6))).toBe(date.getUTCFullYear());
      }),
    );
  });
});

describe('moments', () => {
  test.each([
    ['2024-02-29T12:34:56Z', '1709210096000000'],
    ['2024-02-29 12:34:56', '1709210096000000'],
    ['2024-02-29 14:34:56.789123+02', '1709210096789123'],
    ['2024-02-29T12:34:56.789123Z', '1709210096789123'],
    ['2024-02-29T09:04:56-03:30', '1709210096000000'],
    ['9999-12-31T23:59:59.999999', '253402300799999999'],
    ['0001-01-01T00:00:00', '-62135596800000000'],
    ['1969-12-31T23:59:59.999999Z', '-1'],
    ['0044-03-15 12:00:00 BC', '-63517780800000000'],
    ['2024-02-29T24:00:00', '1709251200000000'],
  ])('%s', (text, micros) => {
    const moment = parseMoment(text);
    expect(moment && countText(moment, 'us')).toBe(micros);
  });

  test.each([
    '2024-02-29',
    '2024-02-29T25:00:00',
    '2024-02-30T1:00:00',
    '2024-02-29T12:34:56.Z',
    '2024-02-29T12:34:56+2',
    'infinity',
    '2024-02-29T12:34:56.0000000001',
  ])('%s is none', (text) => {
    expect(parseMoment(text)).toBeNull();
  });

  test('come back equal as text and as count', () => {
    const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
      nanos = fc.integer({ min: 0, max: 999_999_999 });
    fc.assert(
      fc.property(seconds, nanos, (s, n) => {
        const text = momentText({ seconds: s, nanos: n }, null);
        expect(parseMoment(`${text}Z`)).toEqual({ seconds: s, nanos: n });
        expect(parseMoment(`${text}+00:00`)).toEqual({ seconds: s, nanos: n });
        expect(countText({ seconds: s, nanos: n }, 'ns')).toBe((BigInt(s) * 1_000_000_000n + BigInt(n)).toString());
        expect(countText({ seconds: s, nanos: n }, 'ms')).toBe(String(s * 1000 + Math.floor(n / 1_000_000)));
      }),
    );
  });
});

test.each([
  ['12:34:56.789123', '45296789123'],
  ['00:00', '0'],
  ['-838:59:59.999999', '-3020399999999'],
  ['24:00:00', '86400000000'],
  ['12:60:00', null],
  ['1:00', null],
])('time %s', (text, micros) => {
  const time = parseTime(text);
  expect(time && countText(time, 'us')).toBe(micros);
});

test.each([
  ['12:34:56.789123+02', '10:34:56.789123'],
  ['00:30:00+01', '23:30:00'],
  ['23:30:00-01:00', '00:30:00'],
  ['12:00:00Z', '12:00:00'],
  ['12:00:00', null],
])('zoned time %s', (text, utc) => {
  const time = parseZonedTime(text);
  expect(time && timeText(time, null)).toBe(utc);
});

test.each([
  ['P1Y2M3DT4H5M6.789S', '37091106789000'],
  ['1 year 2 mons 3 days 04:05:06.789', '37091106789000'],
  ['PT0S', '0'],
  ['00:00:00', '0'],
  ['-00:00:01.5', '-1500000'],
  ['P-1DT-2H', '-93600000000'],
  ['-1 days +02:03:00', '-79020000000'],
  ['P2W', '1209600000000'],
  ['1 day', '86400000000'],
])('interval %s', (text, micros) => {
  const interval = parseInterval(text);
  expect(interval && microsOfInterval(interval)).toBe(micros);
});

test.each(['', 'P', '1 fortnight', 'PT', '12'])('%j is no interval', (text) => {
  expect(parseInterval(text)).toBeNull();
});
