import { describe, expect, it } from 'vitest';
import {
  formatCount,
  formatDuration,
  formatRate,
  formatTime,
  plural,
  table,
  truncate,
  visibleLength,
  wrap,
} from '../../../src/cli/format.ts';

describe('numbers and times', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1_234_567, '1,234,567'],
    [1234.6, '1,235'],
  ])('formatCount(%d): %s', (n, text) => {
    expect(formatCount(n)).toBe(text);
  });

  it.each([
    [0, '0 ms'],
    [99.4, '99 ms'],
    [100, '0.1 s'],
    [1300, '1.3 s'],
    [59_949, '59.9 s'],
    [59_950, '1 min'],
    [75_000, '1 min 15 s'],
    [3_600_000, '1 h'],
    [7_380_000, '2 h 3 min'],
    [183_600_000, '2 d 3 h'],
  ])('formatDuration(%d): %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it.each([
    [0, '0/s'],
    [3.21, '3.2/s'],
    [310.4, '310/s'],
    [12_400, '12,400/s'],
  ])('formatRate(%d): %s', (rate, text) => {
    expect(formatRate(rate)).toBe(text);
  });

  it('counts one and many', () => {
    expect([plural(1, 'event'), plural(0, 'event'), plural(1240, 'row')]).toEqual(['1 event', '0 events', '1,240 rows']);
  });

  it('writes times in UTC', () => {
    expect(formatTime(Date.UTC(2026, 0, 2, 3, 4, 5))).toBe('2026-01-02 03:04:05 UTC');
  });
});

describe('table', () => {
  it('pads columns by what is seen, not by colours, and leaves no spaces at the end', () => {
    expect(
      table([
        ['\u001b[2mfrom\u001b[22m', 'a', 'x'],
        ['to', 'bcd', ''],
      ]),
    ).toEqual(['  \u001b[2mfrom\u001b[22m  a    x', '  to    bcd']);
  });
});

describe('truncate', () => {
  it('cuts what is seen and keeps the codes that end colours', () => {
    const text = truncate('\u001b[1mabc\u001b[22mdef', 4);
    expect(text).toBe('\u001b[1mabc\u001b[22m…');
    expect(visibleLength(text)).toBe(4);
  });

  it('leaves what fits', () => {
    expect(truncate('abc', 3)).toBe('abc');
  });
});

describe('wrap', () => {
  it('breaks at spaces, and never inside of a word', () => {
    expect(wrap('one two three', 7, '> ')).toBe('one two\n> three');
    expect(wrap('unbreakable', 3, '')).toBe('unbreakable');
  });
});
