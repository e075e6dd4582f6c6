// Where lanes enter a durable log at a start: at the place that the log has there, which need not be the lane's own.

import { expect, it } from 'vitest';
import { DEFAULT_RUN_OPTIONS } from '../../../src/engine/api.ts';
import { joinDestinations } from '../../../src/engine/joining.ts';
import type { Patience } from '../../../src/engine/patience.ts';
import { entryOfWorker } from '../../../src/engine/resume-durable.ts';
import type { DurableLog, LogBatch, LogPlace } from '../../../src/log/change-log.ts';
import { type Position, type ResumePoint, sortablePositions } from '../../../src/sdk/index.ts';
import { FakeHoldingDestination, Faults, HoldingStore } from '../../../src/sdk/testing/index.ts';
import { destination } from '../../helpers/pipeline.ts';

const at = (p: string): LogPlace => ({ sources: { s: { p: p as Position } }, snapshots: [] });
const pointAt = (seq: number, p: string): ResumePoint => ({ epoch: 1, log: { id: 'the-log', seq }, ...at(p) });

/** Ten records: an empty batch each, record n at position n. */
const log = {
  id: 'the-log',
  firstSeq: 3,
  lastSeq: 10,
  head: at('02'),
  tail: at('10'),
  runBegan: () => 0,
  read: (seq: number) =>
    ({
      source: 's',
      partition: 'p',
      events: [],
      firstSeq: seq,
      endSeq: seq,
      before: at(String(seq - 1).padStart(2, '0')),
    }) as unknown as LogBatch,
} as unknown as DurableLog;

it.each<[string, number, string]>([
  ['in the middle', 5, '05'],
  ['before its first record', 2, '02'],
  ['at its end', 10, '10'],
])('enters the log %s at what stands there, also where the destination is further by position', async (_title, seq, place) => {
  const store = new HoldingStore(new Faults());
  const lane = store.lane({ pipeline: 'orders', lane: 'd' });
  lane.points = [pointAt(seq, '77')];
  let epochAtLog = 0;
  const joined = await joinDestinations({
    pipeline: 'orders',
    state: {
      used: true,
      epoch: 1,
      lanes: { d: { points: [pointAt(seq, '77')], joinedAt: pointAt(2, '02'), detached: null, lacksForgotten: false, replay: null } },
      transformer: null,
      lastScheduledMs: null,
      intent: null,
    },
    sources: [],
    destinations: [
      {
        config: destination('fake', {}, { name: 'd' }),
        destination: new FakeHoldingDestination(store),
        capabilities: { holdsPoint: true, idempotent: true, input: 'rows', keyless: true, maxInFlight: 1, creates: [] },
      },
    ],
    codecs: { s: sortablePositions('n') },
    openLog: async () => {
      epochAtLog = lane.epoch;
      return log;
    },
    isDurable: true,
    stateful: false,
    options: DEFAULT_RUN_OPTIONS,
    patience: { need: (_what: string, call: () => unknown) => call() } as unknown as Patience,
    save: async () => {},
    onKept: () => {},
    detach: async () => {},
  });
  expect(joined.plan.entries.get('d')).toEqual({ seq, place: at(place) });
  // A process that still had the claim before this one may have begun the log.
  expect(epochAtLog).toBe(joined.epoch);
  expect(joined.lanes[0]?.points).toEqual([pointAt(seq, '77')]);
});

it('enters the log with each worker at its record, and not at the place that the worker is ahead', () => {
  const lane = { seq: 5, place: at('05') };
  expect(entryOfWorker(pointAt(8, '77'), log, lane)).toEqual({ seq: 8, place: at('05') });
  expect(entryOfWorker(pointAt(10, '77'), log, lane)).toEqual({ seq: 10, place: at('10') });
});
