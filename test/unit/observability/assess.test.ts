import { describe, expect, it } from 'vitest';
import { checksOf, isReady, isStalled, worst } from '../../../src/observability/assess.ts';
import { CdcError } from '../../../src/sdk/index.ts';
import { fakeLane, fakeRun, fakeSnapshot, fakeSource, fakeStatus, NOW_MS } from './fake-status.ts';

const LIMIT_MS = 60_000;
const longAgo = { lastProgressMs: NOW_MS - LIMIT_MS - 1 };

describe('isStalled', () => {
  it.each([
    ['events wait and nothing moves', fakeStatus({ ...longAgo, lanes: [fakeLane({ queued: 1 })] }), true],
    [
      'events wait, but something moved in time',
      fakeStatus({ lastProgressMs: NOW_MS - LIMIT_MS, lanes: [fakeLane({ queued: 1 })] }),
      false,
    ],
    ['a snapshot does not move', fakeStatus({ ...longAgo, sources: [fakeSource({ state: 'snapshot' })] }), true],
    ['the start hangs', fakeStatus({ ...longAgo, state: 'starting', sources: [], lanes: [] }), true],
    ['the stop hangs', fakeStatus({ ...longAgo, state: 'stopping' }), true],
    ['there is nothing to do', fakeStatus(longAgo), false],
    [
      'a required destination is unreachable: a restart would not help',
      fakeStatus({ ...longAgo, lanes: [fakeLane({ state: 'retrying', queued: 9 })] }),
      false,
    ],
    ['it is a standby', fakeStatus({ ...longAgo, state: 'standby' }), false],
    ['it waits for its schedule', fakeStatus({ ...longAgo, state: 'waiting' }), false],
    ['it has failed', fakeStatus({ ...longAgo, state: 'failed' }), false],
  ])('when %s: %j', (_title, status, stalled) => {
    expect(isStalled(status, NOW_MS, LIMIT_MS)).toBe(stalled);
  });
});

describe('isReady', () => {
  it.each([
    ['it streams', fakeStatus(), true],
    ['it takes a snapshot', fakeStatus({ sources: [fakeSource({ state: 'snapshot' })] }), true],
    ['it is a standby', fakeStatus({ state: 'standby' }), true],
    ['it waits for its schedule', fakeStatus({ state: 'waiting' }), true],
    ['it is done', fakeStatus({ state: 'stopped', run: fakeRun({ outcome: 'done' }) }), true],
    ['it was stopped', fakeStatus({ state: 'stopped', run: fakeRun({ outcome: 'stopped' }) }), false],
    ['it starts', fakeStatus({ state: 'starting' }), false],
    ['it has failed', fakeStatus({ state: 'failed' }), false],
    ['its source is lost', fakeStatus({ sources: [fakeSource({ state: 'retrying' })] }), false],
    ['a required destination is lost', fakeStatus({ lanes: [fakeLane({ state: 'retrying' })] }), false],
    ['an optional destination is detached', fakeStatus({ lanes: [fakeLane(), fakeLane({ required: false, state: 'detached' })] }), true],
  ])('when %s: %j', (_title, status, ready) => {
    expect(isReady(status)).toBe(ready);
  });
});

const LOG = { type: 'disk', events: 10, bytes: 1, neededEvents: 1, neededBytes: 1, maxEvents: 10, maxBytes: null } as const;

describe('checksOf', () => {
  it.each([
    ['a healthy pipeline', fakeStatus(), 'pass'],
    ['a log full of what is needed', fakeStatus({ log: { ...LOG, neededEvents: 10 } }), 'warn'],
    ['a log full of what nobody needs any more', fakeStatus({ log: LOG }), 'pass'],
    [
      'a retrying destination',
      fakeStatus({ lanes: [fakeLane({ state: 'retrying', lastError: new CdcError('DESTINATION_UNREACHABLE', 'no answer') })] }),
      'warn',
    ],
    ['a failed optional destination', fakeStatus({ lanes: [fakeLane({ state: 'failed', required: false })] }), 'warn'],
    ['a failed required destination', fakeStatus({ lanes: [fakeLane({ state: 'failed' })] }), 'fail'],
    ['a failed source', fakeStatus({ sources: [fakeSource({ state: 'failed' })] }), 'fail'],
    ['a failed pipeline', fakeStatus({ state: 'failed', error: new CdcError('STATE_CORRUPT', 'damaged') }), 'fail'],
    ['a stalled pipeline', fakeStatus({ ...longAgo, lanes: [fakeLane({ queued: 1 })] }), 'fail'],
  ])('judges %s', (_title, status, verdict) => {
    expect(worst(checksOf(status, NOW_MS, LIMIT_MS))).toBe(verdict);
  });

  it('warns of tables that are not followed any more, and names them', () => {
    const source = fakeSource({ snapshots: [fakeSnapshot({ table: 'shop.items', state: 'stopped' }), fakeSnapshot({ state: 'done' })] });
    expect(checksOf(fakeStatus({ sources: [source] }), NOW_MS, LIMIT_MS)).toContainEqual({
      name: `source:${source.name}`,
      status: 'warn',
      message: `${source.state}; not followed any more: shop.items`,
    });
  });

  it('names what a failing destination says', () => {
    const lane = fakeLane({ state: 'retrying', lastError: new CdcError('DESTINATION_UNREACHABLE', 'no answer') });
    expect(checksOf(fakeStatus({ lanes: [lane] }), NOW_MS, LIMIT_MS)).toContainEqual({
      name: 'destination:replica',
      status: 'warn',
      message: 'retrying, DESTINATION_UNREACHABLE: no answer',
    });
  });
});
