// Several workers for one destination: what planWorkers decides, and whole runs over the fakes.

import { describe, expect, it } from 'vitest';
import { startPipeline } from '../../../src/engine/pipeline.ts';
import { planResume } from '../../../src/engine/resume.ts';
import { createSlots } from '../../../src/engine/slots.ts';
import { planWorkers } from '../../../src/engine/workers.ts';
import {
  type ChangeEvent,
  type Descriptor,
  type LaneBatch,
  type Position,
  type ResumePoint,
  sortablePositions,
} from '../../../src/sdk/index.ts';
import {
  FakeHoldingDestination,
  FakeLog,
  Faults,
  fakeDestination,
  fakeLogSource,
  HoldingStore,
  insert,
  update,
} from '../../../src/sdk/testing/index.ts';
import { component, destination, memoryDeps, ONE_WORKER, pipeline, runOptions } from '../../helpers/pipeline.ts';

const FOUR = createSlots({ ...ONE_WORKER, workers: 4 }, null);
const at = (seq: number): ResumePoint => ({
  epoch: 1,
  log: { id: 'L', seq },
  sources: { s: { p: String(seq) as Position } },
  snapshots: [],
});
const made = (count: number) => ({ count, expression: FOUR.expression });

describe('planWorkers', () => {
  it.each([
    ['goes on with the points of as many workers', [at(1), at(2), at(3), at(4)], made(4), { kept: null, count: 4, isNew: false }],
    ['spreads one point over all workers', [at(5)], undefined, { kept: null, count: 4, isNew: true }],
    ['changes the number where all stand at one place', [at(5), at(5)], made(2), { kept: null, count: 4, isNew: true }],
    ['keeps the old number while they do not', [at(5), at(6)], made(2), { kept: made(2), count: 2, isNew: false }],
    [
      'keeps the old spreading while they do not',
      [at(1), at(2), at(3), at(4)],
      { count: 4, expression: '["hash","other",[]]' },
      { kept: { count: 4, expression: '["hash","other",[]]' }, count: 4, isNew: false },
    ],
  ])('%s', (_title, rows, known, expected) => {
    const { kept, points, isNew } = planWorkers('d', FOUR, rows, known);
    expect({ kept, count: points.length, isNew }).toEqual(expected);
  });

  it('stops when points of another number are at several places and nothing says what they were made with', () => {
    expect(() => planWorkers('d', FOUR, [at(5), at(6)], undefined)).toThrow(expect.objectContaining({ code: 'STATE_LOST' }) as Error);
  });
});

it('what each worker has of a snapshot bounds the next chunks', () => {
  const progress = (chunk: number) => ({
    source: 's',
    run: 'r',
    table: 't',
    chunk,
    lastKey: String(chunk * 10),
    state: 'running' as const,
    rows: chunk,
  });
  const rows = [1, 3, 2].map((chunk) => ({ ...at(5), snapshots: [progress(chunk)] }));
  const plan = planResume({
    state: { used: true, epoch: 1, lanes: {}, transformer: null, lastScheduledMs: null, intent: null },
    epoch: 2,
    codecs: { s: sortablePositions('n') },
    sources: [{ name: 's', ordering: 'log', snapshots: true, acknowledged: null }],
    lanes: [{ name: 'd', required: true, start: 'snapshot', committed: { kind: 'points', epoch: 1, points: rows } }],
    stateful: false,
    rejoin: [],
  });
  expect(plan.start.snapshots).toEqual([progress(1)]);
  expect(plan.boundaries).toEqual([progress(1), progress(2), progress(3)]);
});

function world() {
  const log = new FakeLog(),
    store = new HoldingStore(new Faults());
  const writes: { worker: number; ids: unknown[]; underWay: number }[] = [];
  let underWay = 0;
  const deps = memoryDeps([
    fakeLogSource(log),
    fakeDestination('holding', () => {
      const made = new FakeHoldingDestination(store),
        write = made.write.bind(made);
      made.write = async (batch: LaneBatch, signal) => {
        underWay++;
        writes.push({ worker: batch.worker, ids: batch.events.map((e: ChangeEvent) => e.key?.['id'] ?? e.op), underWay });
        await new Promise((resolve) => setImmediate(resolve));
        underWay--;
        return write(batch, signal);
      };
      return made;
    }),
  ] as Descriptor[]);
  const run = async (workers: number): Promise<void> => {
    const lane = destination('fake_holding', {}, { parallelism: { ...ONE_WORKER, workers } });
    const ended = await startPipeline(pipeline({ sources: [component('fake_log')], destinations: [lane] }), deps, runOptions()).done;
    expect(ended.error).toBeNull();
  };
  return { log, store, writes, run, points: () => [...store.lanes.values()][0]?.points ?? [] };
}

describe('a lane with workers', () => {
  it('delivers side by side, each worker the events of its keys', async () => {
    const { log, store, writes, run } = world();
    log.commit(Array.from({ length: 40 }, (_, i) => insert(i + 1, `n${i}`)));
    await run(4);
    expect(store.rows.size).toBe(40);
    expect(new Set(writes.filter((w) => w.ids.length > 0).map((w) => w.worker)).size).toBe(4);
    expect(Math.max(...writes.map((w) => w.underWay))).toBeGreaterThan(1);
  });

  it('lets a barrier through alone, between what was before and what comes after', async () => {
    const { log, store, writes, run } = world();
    log.commit(Array.from({ length: 8 }, (_, i) => insert(i + 1, 'a')));
    log.commit([{ op: 'truncate' }]);
    log.commit(Array.from({ length: 8 }, (_, i) => insert(i + 11, 'b')));
    await run(4);
    const barrier = writes.findIndex((w) => w.ids.includes('t'));
    expect(writes[barrier]).toMatchObject({ worker: 0, ids: ['t'], underWay: 1 });
    expect(writes.slice(0, barrier).flatMap((w) => w.ids.filter((id) => Number(id) > 10))).toEqual([]);
    expect(store.rows.size).toBe(8);
  });

  it('moves a key from worker to worker by a barrier', async () => {
    const { log, store, run } = world();
    log.commit([insert(1, 'a'), insert(2, 'b')]);
    log.commit([{ op: 'update', id: 1, to: 9, name: 'moved' }]);
    log.commit([insert(1, 'new')]);
    await run(3);
    expect([...store.rows.values()].map((row) => [row['id'], row['name']]).sort()).toEqual([
      [1, 'new'],
      [2, 'b'],
      [9, 'moved'],
    ]);
  });

  it('may have another number of workers at the next start, and nothing comes twice', async () => {
    const { log, store, run, points } = world();
    const counts = [4, 2, 1, 3];
    for (const [i, workers] of counts.entries()) {
      log.commit([insert(i * 10 + 1, 'x'), insert(i * 10 + 2, 'y'), ...(i > 0 ? [update(1, `round ${i}`)] : [])]);
      await run(workers);
      expect(points()).toHaveLength(workers);
    }
    expect(store.rows.size).toBe(2 * counts.length);
  });
});
