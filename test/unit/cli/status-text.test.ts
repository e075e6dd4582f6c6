import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { runningLines, storedLines } from '../../../src/cli/status-text.ts';
import { CdcError } from '../../../src/sdk/index.ts';
import { fakeLane, fakeRun, fakeSnapshot, fakeSource, fakeStatus, NOW_MS } from '../observability/fake-status.ts';

const plain = pc.createColors(false);

describe('status of a running pipeline', () => {
  it('shows sources and destinations with their places and troubles', () => {
    const status = fakeStatus({
      sources: [
        fakeSource({
          state: 'snapshot',
          snapshots: [
            fakeSnapshot({ rows: 12_000, estimate: 50_000, etaMs: 12_000 }),
            fakeSnapshot({ table: 'items', state: 'paused', error: 'no such column' }),
            fakeSnapshot({ table: 'old', state: 'done' }),
          ],
        }),
      ],
      lanes: [
        fakeLane(),
        fakeLane({
          name: 'files',
          state: 'retrying',
          delivered: 5,
          queued: 7,
          deadLetters: 1,
          lagMs: null,
          breaker: 'half_open',
          parkedKeys: 2,
          replay: { done: 1200, total: 3400 },
          lastError: new CdcError('DESTINATION_FULL', 'no space'),
        }),
      ],
    });
    expect(runningLines({ pid: 4711, status }, NOW_MS, plain)).toEqual([
      '● orders  running for 1 min · continuous · process 4711',
      '  from  shop     snapshot  12 events, at change 712',
      '        orders   running   12,000 of about 50,000 rows (24 %), about 12.0 s left',
      '        items    paused    700 rows, no such column',
      '                           1 table done',
      '  to    replica  running   12 delivered, lag 0.1 s',
      '  to    files    retrying  5 delivered, replay: 1,200 of 3,400 records, 7 waiting, 1 dead letter, 2 keys parked, circuit breaker half open, DESTINATION_FULL: no space',
    ]);
  });
});

it.each([
  [
    'with what is needed of it',
    { maxBytes: 4096, maxEvents: null, neededEvents: 3, neededBytes: 300 },
    ' (at most 4 KiB), 300 B of it needed by destinations',
  ],
  ['with what nobody needs', { maxBytes: null, maxEvents: 90, neededEvents: 0, neededBytes: 99 }, ' (at most 90 events)'],
  ['without a bound', { maxBytes: null, maxEvents: null, neededEvents: 0, neededBytes: 0 }, ''],
])('status of a running pipeline shows its log on disk %s', (_title, more, text) => {
  const status = fakeStatus({ log: { type: 'disk', events: 7, bytes: 700, ...more } });
  expect(runningLines({ pid: 1, status }, NOW_MS, plain).at(-1)?.trim()).toMatch(/^log {2,}on disk {2,}700 B, 7 events/);
  expect(runningLines({ pid: 1, status }, NOW_MS, plain).at(-1)).toContain(`7 events${text}`);
});

describe('status of a stopped pipeline', () => {
  const stored = {
    name: 'orders',
    epoch: 3,
    detached: ['old'],
    lanes: { replica: { shop: { main: '0000000000000700' } }, old: {} },
    errors: [{ component: 'replica', code: 'DESTINATION_UNREACHABLE', message: 'no answer', count: 3, firstMs: 0, lastMs: NOW_MS }],
  };

  it('shows the last run, where each destination stands, and errors', () => {
    expect(storedLines({ ...stored, lastRun: fakeRun({ outcome: 'stopped', endedAtMs: NOW_MS, deadLetters: 1 }) }, plain)).toEqual([
      '○ orders  not running',
      '  last run  #3 stopped at 2026-01-02 03:04:05 UTC, 12 events, 1 dead letter',
      '  replica   shop at 700',
      '  old       at its beginning, detached',
      '  error     DESTINATION_UNREACHABLE 3 times at replica, last 2026-01-02 03:04:05 UTC: no answer',
    ]);
  });

  it('tells that a process was killed', () => {
    expect(storedLines({ ...stored, errors: [], lastRun: fakeRun({ outcome: 'running' }) }, plain)[1]).toBe(
      '  last run  #3 ended without saying so, 12 events',
    );
  });
});
