// The generator as a source: resume, ends, batches, pace, lazy rows.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ChangeBatch,
  type ChangeEvent,
  type Clock,
  forgetfulStore,
  formatTableId,
  type PartitionPositions,
  type Position,
  positionOfNumber,
  type ReadContext,
  type Source,
  silentLogger,
} from '../../../../src/sdk/index.ts';
import { type GeneratorConfig, validate } from '../../../../src/sources/generator/config.ts';
import { descriptor } from '../../../../src/sources/generator/index.ts';

const defaults: GeneratorConfig = {
  seed: 1,
  count: 100,
  rate: null,
  row_bytes: 200,
  keys: 10,
  mix: { create: 10, update: 80, delete: 10 },
  tables: ['events'],
  partitions: 1,
  event_time: 'sequence',
};

/** A clock that only moves when somebody sleeps. */
function testClock(): Clock & { ms: number } {
  return {
    ms: 0,
    now() {
      return this.ms;
    },
    async sleep(ms) {
      this.ms += ms;
    },
  };
}

async function generator(config: Partial<GeneratorConfig>, clock: Clock = testClock()): Promise<Source> {
  return descriptor.create(
    { ...defaults, ...config },
    { pipeline: 'p', name: 'gen', logger: silentLogger, clock, random: () => 0, store: forgetfulStore },
  );
}

function context(from: PartitionPositions, until: PartitionPositions | null, maxBatchEvents = 1000): ReadContext {
  return {
    maxBatchEvents,
    maxBatchBytes: 1 << 30,
    until: until && { partitions: until, snapshots: [] },
    snapshots: [],
    boundaries: [],
    assign: async (p) => from[p] ?? null,
    revoke: async () => {},
    end: async () => {},
    reject: async () => {},
  };
}

async function readAll(source: Source, from: PartitionPositions = {}, maxBatchEvents = 1000): Promise<ChangeBatch[]> {
  const batches: ChangeBatch[] = [];
  for await (const batch of source.read(context(from, await source.end(), maxBatchEvents), new AbortController().signal))
    batches.push(batch);
  return batches;
}

const plain = (e: ChangeEvent) => ({
  id: e.id,
  op: e.op,
  table: formatTableId(e.table.id),
  ts: e.sourceTsMs,
  key: e.key,
  before: e.before,
  after: e.after,
});

describe('the generator source', () => {
  it('resumes after any emitted position with the very same events', async () => {
    const all = (await readAll(await generator({ count: 300 }))).flatMap((b) => b.events).map(plain);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 70 }), async (done, max) => {
        const rest = await readAll(await generator({ count: 300 }), { 0: positionOfNumber(done) }, max);
        expect(rest.flatMap((b) => b.events).map(plain)).toEqual(all.slice(done));
      }),
      { numRuns: 20 },
    );
  });

  it('numbers positions without a gap across the places where the position text carries over', async () => {
    const batches = await readAll(await generator({ count: 20_002, row_bytes: 0 }), { 0: positionOfNumber(9_990) }, 7);
    const positions = batches.flatMap((b) => b.events).map((e) => e.position);
    expect(positions).toEqual(Array.from({ length: 10_012 }, (_, i) => positionOfNumber(9_991 + i)));
    expect(batches.every((b) => b.resume === b.events.at(-1)?.position)).toBe(true);
  });

  it('keeps within the bounds of a batch in events and bytes', async () => {
    const source = await generator({ count: 100, row_bytes: 800 });
    const ctx = { ...context({}, await source.end(), 30), maxBatchBytes: 10_000 };
    const sizes: number[] = [];
    for await (const batch of source.read(ctx, new AbortController().signal)) {
      sizes.push(batch.events.length);
      expect(batch.bytes).toBeLessThanOrEqual(10_000);
    }
    expect(sizes).toEqual([10, 10, 10, 10, 10, 10, 10, 10, 10, 10]);
  });

  it('splits the count over partitions whose rows do not meet', async () => {
    const batches = await readAll(await generator({ count: 203, partitions: 2, tables: ['a', 'b'], keys: 5 }), {}, 10);
    const sizes = ['0', '1'].map((p) => batches.filter((b) => b.partition === p).reduce((n, b) => n + b.events.length, 0));
    expect(sizes).toEqual([102, 101]);
    const ids = (p: string) =>
      new Set(batches.filter((b) => b.partition === p).flatMap((b) => b.events.map((e) => e.get(e.op === 'd' ? 'before' : 'after', 'id'))));
    expect([...ids('0')].filter((id) => ids('1').has(id))).toEqual([]);
  });

  it('gives each row one table', async () => {
    const events = (await readAll(await generator({ count: 500, tables: ['a', 'b', 'c'] }))).flatMap((b) => b.events);
    const tables = new Map<unknown, string>();
    for (const e of events) {
      const id = e.key?.['id'],
        table = e.table.id.table;
      expect(tables.get(id) ?? table).toBe(table);
      tables.set(id, table);
    }
    expect(new Set(tables.values())).toEqual(new Set(['a', 'b', 'c']));
  });

  it('answers single columns like the decoded row', async () => {
    for (const e of (await readAll(await generator({ count: 200 }))).flatMap((b) => b.events)) {
      const side = e.op === 'd' ? 'before' : 'after';
      const single = e.table.columns.map((c) => [c.name, e.get(side, c.name)]).filter(([, v]) => v !== undefined);
      expect(Object.fromEntries(single)).toEqual(e[side]);
      expect(e.op === 'd' ? Object.keys(e.before ?? {}) : typeof e.after?.['id']).toEqual(e.op === 'd' ? ['id'] : 'bigint');
    }
  });

  it('makes rows of about the size asked for', async () => {
    for (const row_bytes of [200, 1000, 5000]) {
      const rows = (await readAll(await generator({ row_bytes })))
        .flatMap((b) => b.events)
        .flatMap((e) => (e.after === null ? [] : [e.after]));
      const sizes = rows.map((r) => JSON.stringify(r, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : v)).length);
      const mean = sizes.reduce((a, b) => a + b, 0) / sizes.length;
      expect(Math.abs(mean - row_bytes)).toBeLessThan(0.15 * row_bytes);
    }
  });

  it('sends at the rate it was told, by the clock', async () => {
    const clock = testClock();
    const source = await generator({ count: null, rate: 500 }, clock);
    let events = 0;
    const abort = new AbortController();
    for await (const batch of source.read(context({}, null), abort.signal)) {
      events += batch.events.length;
      expect(events).toBeLessThanOrEqual((clock.ms * 500) / 1000 + 1);
      if (clock.ms >= 10_000) abort.abort();
    }
    expect(events).toBeGreaterThan(4_950);
  });

  it('catches up by no more than one second after a stall', async () => {
    const clock = testClock();
    const source = await generator({ count: null, rate: 100 }, clock);
    const batches = source.read(context({}, null), new AbortController().signal)[Symbol.asyncIterator]();
    await batches.next();
    clock.ms += 60_000;
    expect((await batches.next()).value?.events).toHaveLength(100);
    expect((await batches.next()).value?.events).toHaveLength(1);
    await batches.return?.();
  });

  it('stays open after its count in a continuous run, until it is aborted', async () => {
    const abort = new AbortController();
    const clock: Clock = {
      now: () => 0,
      sleep: async () => {
        abort.abort();
      },
    };
    const sizes: number[] = [];
    for await (const batch of (await generator({ count: 5 }, clock)).read(context({}, null), abort.signal)) sizes.push(batch.events.length);
    expect(sizes).toEqual([5]);
    expect(abort.signal.aborted).toBe(true);
  });

  it('has nothing to read in a one_time run without a count', async () => {
    expect(await readAll(await generator({ count: null }))).toEqual([]);
  });

  it('tells how much is left', async () => {
    const source = await generator({ count: 100 });
    const batches = source
      .read(context({ 0: '0000000000000030' as Position }, null, 20), new AbortController().signal)
      [Symbol.asyncIterator]();
    await batches.next();
    expect((await source.lag()).events).toBe(50);
    await batches.return?.();
  });

  it.each([
    [{ create: 50, update: 20, delete: 10 }, 10, 'add up to 80'],
    [{ create: 10, update: 70, delete: 20 }, null, 'cannot feed 20 % deletes'],
    [{ create: 0, update: 100, delete: 0 }, null, 'cannot feed'],
  ])('refuses the mix %o with keys %s', (mix, keys, message) => {
    expect(
      validate({ ...defaults, mix, keys })
        .map((p) => p.message)
        .join(),
    ).toContain(message);
  });

  it.each([
    [{ create: 0, update: 100, delete: 0 }, 10],
    [{ create: 50, update: 0, delete: 50 }, null],
  ])('takes the mix %o with keys %s', (mix, keys) => {
    expect(validate({ ...defaults, mix, keys })).toEqual([]);
  });
});
