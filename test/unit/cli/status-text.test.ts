import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { runningLines, storedLines } from '../../../src/cli/status-text.ts';
import { CdcError } from '../../../src/sdk/index.ts';
import { fakeLane, fakeRun, fakeSource, fakeStatus, NOW_MS } from '../observability/fake-status.ts';

const plain = pc.createColors(false);

describe('status of a running pipeline', () => {
  it('shows sources and destinations with their places and troubles', () => {
    const status = fakeStatus({
      sources: [fakeSource({ state: 'snapshot', snapshots: [{ table: 'orders', state: 'running', rows: 700 }] })],
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
      '  from  shop     snapshot  12 events, at change 712, snapshot of orders: 700 rows',
      '  to    replica  running   12 delivered, lag 0.1 s',
      '  to    files    retrying  5 delivered, replay: 1,200 of 3,400 records, 7 waiting, 1 dead letter, 2 keys parked, circuit breaker half open, DESTINATION_FULL: no space',
    ]);
  });
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
