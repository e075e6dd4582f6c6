// Scheduled times: what is due next, what was missed, and what a change of daylight saving time does.

import { describe, expect, it } from 'vitest';
import { dueRunMs, nextRunMs } from '../../../src/engine/cron.ts';

const ms = (iso: string): number => Date.parse(iso);
const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString().replace('.000', ''));

describe('next run', () => {
  it.each([
    ['*/5 * * * *', 'UTC', '2026-01-01T00:03:00Z', '2026-01-01T00:05:00Z'],
    ['30 2 * * *', 'Europe/Berlin', '2026-01-01T12:00:00Z', '2026-01-02T01:30:00Z'],
    // Spring forward: 02:30 does not exist on 29 March; the run comes at 03:00 local instead of being skipped.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00Z'],
    // Fall back: 02:30 comes twice on 25 October; the run comes once.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00Z'],
    ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
    // Every half hour goes on through the hour that comes twice.
    ['*/30 * * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T01:00:00Z'],
  ])('%s in %s after %s is %s', (schedule, zone, after, expected) => {
    expect(iso(nextRunMs(schedule, zone, ms(after)))).toBe(expected);
  });
});

describe('due run', () => {
  it.each([
    ['the next time, when nothing ran before', null, '2026-01-01T00:03:00Z', '2026-01-01T00:05:00Z'],
    ['the next time, when the last one ran', '2026-01-01T00:00:00Z', '2026-01-01T00:03:00Z', '2026-01-01T00:05:00Z'],
    ['at once, when one was missed', '2026-01-01T00:00:00Z', '2026-01-01T00:06:00Z', '2026-01-01T00:05:00Z'],
    ['only the latest of many that were missed', '2026-01-01T00:00:00Z', '2026-01-01T09:59:00Z', '2026-01-01T09:55:00Z'],
    ['only the latest of a year of them', '2025-01-01T00:00:00Z', '2026-01-01T09:59:00Z', '2026-01-01T09:55:00Z'],
  ])('is %s', (_title, last, now, expected) => {
    expect(iso(dueRunMs('*/5 * * * *', 'UTC', last === null ? null : ms(last), ms(now)))).toBe(expected);
  });

  it('catches a yearly run up that was missed long ago', () => {
    expect(iso(dueRunMs('0 0 1 1 *', 'UTC', ms('2020-01-01T00:00:00Z'), ms('2026-06-01T00:00:00Z')))).toBe('2026-01-01T00:00:00Z');
  });

  it('is null once a pattern never matches again', () => {
    expect(nextRunMs('0 0 31 2 *', 'UTC', ms('2026-01-01T00:00:00Z'))).toBeNull();
  });
});
