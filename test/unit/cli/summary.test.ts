import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { summaryDocument, summaryLines } from '../../../src/cli/summary.ts';
import type { PipelineStatus } from '../../../src/engine/api.ts';
import { CdcError } from '../../../src/sdk/index.ts';
import { fakeConfig, fakeLane, fakeRun, fakeSnapshot, fakeSource, fakeStatus, NOW_MS } from '../observability/fake-status.ts';

const plain = pc.createColors(false);
const lines = (status: PipelineStatus) => summaryLines(status, fakeConfig(), NOW_MS, plain);

describe('summaryLines', () => {
  it('tells of a first run', () => {
    expect(lines(fakeStatus({ mode: 'one_time', state: 'stopped', run: fakeRun({ outcome: 'done', endedAtMs: NOW_MS }) }))).toEqual([
      '✔ orders  done in 1.3 s · first run',
      '  from  shop     12 events (9.2/s), now at change 712',
      '  to    replica  12 delivered',
    ]);
  });

  it('tells of a second run where it continued, and that nothing was new', () => {
    const run = fakeRun({ outcome: 'done', endedAtMs: NOW_MS - 1290, eventsRead: 0, resumedFrom: { shop: { main: 'change 700' } } });
    expect(
      lines(
        fakeStatus({ run, sources: [fakeSource({ read: 0, positions: { main: 'change 700' } })], lanes: [fakeLane({ delivered: 0 })] }),
      ),
    ).toEqual([
      '✔ orders  done in 10 ms · continued from change 700, nothing new',
      '  from  shop     0 events, now at change 700',
      '  to    replica  0 delivered',
    ]);
  });

  it('tells of everything that was not delivered', () => {
    const status = fakeStatus({
      run: fakeRun({
        outcome: 'failed',
        endedAtMs: NOW_MS,
        eventsFiltered: 3,
        deadLetters: 5,
        error: new CdcError('DESTINATION_FULL', 'no space'),
      }),
      sources: [
        fakeSource({
          snapshots: [fakeSnapshot({ table: 'orders', state: 'done', rows: 8 }), fakeSnapshot({ table: 'items', state: 'done', rows: 1 })],
        }),
      ],
      lanes: [
        fakeLane({ deadLetters: 1 }),
        fakeLane({ name: 'files', state: 'failed', delivered: 2, queued: 1700 }),
        fakeLane({ name: 'old', state: 'detached', delivered: 0 }),
      ],
    });
    expect(lines(status)).toEqual([
      '✖ orders  failed after 1.3 s · first run',
      '  from  shop          12 events (9.2/s), 9 of them from the snapshot of 2 tables, now at change 712',
      '  left  filters       3 filtered out',
      '  to    replica       12 delivered, 1 dead letter → dlq/orders.ndjson',
      '  to    files         2 delivered, 1,700 events not delivered, failed',
      '  to    old           0 delivered, detached',
      '  left  dead letters  4 before delivery → dlq/orders.ndjson',
    ]);
  });

  it('names sources and partitions when there are several, and shows positions without their padding', () => {
    const sources = [
      fakeSource({ name: 'a', positions: { 0: 'offset 5', 1: 'offset 6' } }),
      fakeSource({ name: 'b', positions: { main: 'event 0000000000000020' } }),
    ];
    const run = fakeRun({
      outcome: 'stopped',
      endedAtMs: NOW_MS,
      resumedFrom: { a: { 0: 'offset 1', 1: 'offset 2' }, b: { main: 'event 0000000000000010' } },
    });
    expect(lines(fakeStatus({ sources, run })).slice(0, 3)).toEqual([
      '■ orders  stopped after 1.3 s · continued from a: 0: offset 1, 1: offset 2, b: event 10',
      '  from  a        12 events (9.2/s), now at 0: offset 5, 1: offset 6',
      '  from  b        12 events (9.2/s), now at event 20',
    ]);
  });
});

describe('summaryDocument', () => {
  it('says the same to machines', () => {
    const document = summaryDocument(
      fakeStatus({ run: fakeRun({ outcome: 'done', endedAtMs: NOW_MS, resumedFrom: { shop: {} } }) }),
      fakeConfig(),
      NOW_MS,
    );
    expect(document).toMatchObject({
      kind: 'summary',
      ok: true,
      pipeline: 'orders',
      outcome: 'done',
      durationMs: 1300,
      firstRun: true,
      eventsRead: 12,
      deadLetterQueue: 'dlq/orders.ndjson',
      sources: [{ name: 'shop', read: 12, positions: { main: 'change 712' } }],
      destinations: [{ name: 'replica', delivered: 12 }],
    });
  });
});
