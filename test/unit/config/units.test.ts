// Durations, sizes, cron patterns, time zones.

import { describe, expect, it } from 'vitest';
import { cronProblem, formatDuration, isTimezone, parseDuration, parseSize } from '../../../src/config/units.ts';

describe('durations', () => {
  it.each([
    ['200ms', 200],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['1.5s', 1500],
    ['0', 0],
    [0, 0],
    [' 5s ', 5000],
    [30, 30_000],
    ['30', 30_000],
    [0.5, 500],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text, 's')).toBe(ms);
  });

  it('takes bare numbers in the unit of the key', () => {
    expect(parseDuration(30, 'ms')).toBe(30);
  });

  it.each(['', '-5s', '5 s', 's', '5S', '5w', '1h30m', '1e3s', 'NaN', '99999999999999999999d', '٣s'])('%j is none', (text) => {
    expect(parseDuration(text, 's')).toBeNull();
  });

  it.each([
    [0, '0ms'],
    [100, '100ms'],
    [1500, '1500ms'],
    [90_000, '90s'],
    [300_000, '5m'],
    [86_400_000, '1d'],
  ])('%i ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('sizes', () => {
  it.each([
    ['512', 512],
    [512, 512],
    ['512B', 512],
    ['1KB', 1000],
    ['1KiB', 1024],
    ['10MB', 10_000_000],
    ['64 KiB', 65_536],
    ['1.5GiB', 1_610_612_736],
    ['2tib', 2_199_023_255_552],
    ['0', 0],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', '-1', '10M', '10 apples', '1e9', '99999999TiB'])('%j is none', (text) => {
    expect(parseSize(text)).toBeNull();
  });
});

describe('cron patterns', () => {
  it.each(['* * * * *', '*/15 * * * *', '0 */5 * * * *', '30 2 * * MON-FRI', '0 0 L * *', '@daily'])('%s is one', async (pattern) => {
    expect(await cronProblem(pattern)).toBeNull();
  });

  it.each(['', 'x', '* * * *', '60 * * * *', '* 24 * * *', '0 0 31 2 *', '@never'])('%j is none', async (pattern) => {
    expect(await cronProblem(pattern)).toEqual(expect.any(String));
  });
});

describe('time zones', () => {
  it.each([
    ['UTC', true],
    ['Europe/Berlin', true],
    ['Mars/Olympus', false],
    ['', false],
  ])('%j: %s', (name, known) => {
    expect(isTimezone(name)).toBe(known);
  });
});
