import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deduplicator } from '../../../src/engine/deduplication.ts';
import { startPipeline } from '../../../src/engine/pipeline.ts';
import { ChangeEvent, type Clock, type Descriptor, type Position } from '../../../src/sdk/index.ts';
import {
  FakeQueue,
  FakeRecordsDestination,
  Faults,
  fakeDestination,
  fakeQueueSource,
  fakeTransformer,
  ITEMS,
  UntrackedStore,
} from '../../../src/sdk/testing/index.ts';
import type { DeliveredIds } from '../../../src/state/store.ts';
import { component, destination, memoryDeps, pipeline, plugin, runOptions } from '../../helpers/pipeline.ts';

const WINDOW_MS = 60_000;
let receipts = 0;

function message(id: string | null, source = 'queue'): ChangeEvent {
  const position = String(++receipts) as Position;
  return new ChangeEvent({ op: 'c', table: ITEMS, source, partition: 'p', position, sourceTsMs: 0, after: { id: 1 }, messageId: id });
}

/** A window with a clock that is set by hand, and the saved ids as a store would keep them. */
class Window {
  nowMs = 0;
  readonly stored = new Map<number, DeliveredIds>();
  readonly maxIds: number;
  endSeq = 0;
  deduplicator: Deduplicator;

  constructor(maxIds = 1000) {
    this.maxIds = maxIds;
    this.deduplicator = this.#open();
  }
  #open(): Deduplicator {
    const clock = { now: () => this.nowMs } as Clock;
    return new Deduplicator({ windowMs: WINDOW_MS, maxIds: this.maxIds, clock, sources: new Set(['queue']) });
  }
  /** Ids of a batch that pass. */
  read(...ids: (string | null)[]): (string | null)[] {
    const fresh = this.deduplicator.fresh(ids.map((id) => message(id)));
    this.deduplicator.appended(++this.endSeq, fresh);
    return fresh.map((e) => e.messageId);
  }
  deliver(upTo = this.endSeq): void {
    for (const change of this.deduplicator.due(upTo) ?? []) {
      if (change.ids === null) this.stored.delete(change.bucket);
      else this.stored.set(change.bucket, change);
    }
    this.deduplicator.saved();
  }
  restart(): void {
    this.deduplicator = this.#open();
    this.deduplicator.restore([...this.stored.values()].sort((a, b) => a.bucket - b.bucket));
  }
}

describe('the window', () => {
  it('lets the first copy through and drops the others: in its batch, in the log, delivered', () => {
    const w = new Window();
    expect(w.read('a', 'b', 'a')).toEqual(['a', 'b']);
    expect(w.read('b', 'c')).toEqual(['c']);
    w.deliver();
    expect(w.read('a', 'd')).toEqual(['d']);
  });

  it('forgets an id when its time is over', () => {
    const w = new Window();
    w.read('a');
    w.deliver();
    w.nowMs = WINDOW_MS;
    expect(w.read('a')).toEqual([]);
    w.nowMs = WINDOW_MS + 1;
    expect(w.read('a')).toEqual(['a']);
  });

  it('knows after a restart what was saved as delivered, and nothing else', () => {
    const w = new Window();
    w.read('a');
    w.deliver();
    w.read('b'); // in the log, not delivered
    w.restart();
    expect(w.read('a', 'b')).toEqual(['b']);
  });

  it('counts an id only once its event is delivered', () => {
    const w = new Window();
    w.read('a');
    w.read('b');
    w.deliver(1);
    w.restart();
    expect(w.read('a', 'b')).toEqual(['b']);
  });

  it('saves again what could not be saved', () => {
    const w = new Window();
    w.read('a');
    expect(w.deduplicator.due(1)).toHaveLength(1);
    expect(w.deduplicator.due(1)).toHaveLength(1); // `saved` was not called
    w.deduplicator.saved();
    expect(w.deduplicator.due(1)).toBeNull();
  });

  it('keeps messages without an id, and those of other sources', () => {
    const w = new Window();
    expect(w.read(null, null)).toEqual([null, null]);
    const others = [message('a', 'log'), message('a', 'log')];
    expect(w.deduplicator.fresh(others)).toBe(others);
  });

  it('holds no more ids than allowed, in memory and in state: the oldest go', () => {
    const w = new Window(1000);
    for (let n = 0; n < 3000; n++) {
      w.read(`m${n}`);
      w.deliver();
      const held = [...w.stored.values()].reduce((sum, { ids }) => sum + ids.length / 16, 0);
      expect(held).toBeLessThanOrEqual(1000);
    }
    expect(w.stored.size).toBeLessThanOrEqual(257);
    expect(w.read('m2999', 'm2100', 'm1')).toEqual(['m1']);
  });

  it('writes again only a small part of what is kept', () => {
    const w = new Window(100_000);
    w.read(...Array.from({ length: 50_000 }, (_, n) => `m${n}`));
    w.deliver();
    w.read('one more');
    const again = w.deduplicator.due(w.endSeq) ?? [];
    expect(again.reduce((sum, { ids }) => sum + (ids?.length ?? 0), 0)).toBeLessThanOrEqual(16 * 400);
  });

  it('never drops what was not delivered, and drops what was, whatever happens in between', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('read' as const), id: fc.integer({ min: 0, max: 6 }) }),
      fc.record({ kind: fc.constant('deliver' as const) }),
      fc.record({ kind: fc.constant('crash' as const) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 50_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const w = new Window(1_000_000);
        const deliveredAt = new Map<string, number>();
        let inLog: string[] = [];
        for (const a of actions) {
          if (a.kind === 'wait') w.nowMs += a.ms;
          else if (a.kind === 'crash') {
            w.restart();
            inLog = [];
          } else if (a.kind === 'deliver') {
            w.deliver();
            for (const id of inLog) deliveredAt.set(id, w.nowMs);
            inLog = [];
          } else {
            const id = String(a.id),
              at = deliveredAt.get(id);
            const passed = w.read(id).length === 1;
            const isKnown = inLog.includes(id) || (at !== undefined && w.nowMs - at <= WINDOW_MS);
            // A bucket is forgotten as a whole, up to 1/256 of the window late.
            const isLate = at !== undefined && w.nowMs - at > WINDOW_MS && w.nowMs - at <= WINDOW_MS * (1 + 1 / 256);
            if (!isLate) expect(passed).toBe(!isKnown);
            if (passed) inLog.push(id);
          }
        }
      }),
    );
  });
});

describe('a pipeline with a window', () => {
  function world() {
    const queue = new FakeQueue(),
      records = new UntrackedStore(new Faults());
    const descriptors = [
      fakeQueueSource(queue),
      fakeDestination('records', () => new FakeRecordsDestination(records)),
      fakeTransformer('same', () => ({ transform: (events) => events })),
    ] as Descriptor[];
    const deps = memoryDeps(descriptors);
    const run = (more: Partial<Parameters<typeof pipeline>[0]> = {}) =>
      startPipeline(
        pipeline({
          sources: [component('fake_queue')],
          destinations: [destination('fake_records')],
          deduplication: { windowMs: 600_000, maxIds: 1000 },
          ...more,
        }),
        deps,
        runOptions(),
      ).done;
    return { queue, records, run };
  }

  it('delivers a message once that is sent again, in the same run and in the next, and acknowledges each copy', async () => {
    const { queue, records, run } = world();
    for (const id of [1, 2, 1]) queue.publish({ id, text: `m${id}` });
    expect(await run()).toMatchObject({ outcome: 'done', eventsRead: 3, eventsFiltered: 1 });
    for (const id of [2, 3]) queue.publish({ id, text: `m${id}` });
    expect(await run()).toMatchObject({ outcome: 'done', eventsFiltered: 1 });
    expect([records.records.length, queue.size]).toEqual([3, 0]);
  });

  it('does so with transformers, too', async () => {
    const { queue, records, run } = world();
    for (const id of [1, 2, 1]) queue.publish({ id, text: `m${id}` });
    await run({ transformers: [plugin('same')] });
    expect([records.records.length, queue.size]).toEqual([2, 0]);
  });

  it('delivers both copies without a window', async () => {
    const { queue, records, run } = world();
    for (const id of [1, 1]) queue.publish({ id, text: `m${id}` });
    await run({ deduplication: null });
    expect(records.records).toHaveLength(2);
  });
});
