// The cases of `describeSource`: what every source promises, each as one sentence. A case that needs more than this source
// or its harness can do is skipped, with the reason.

import { expect } from 'vitest';
import { CdcError, type Finding, sameValue, type Row } from '../index.ts';
import { positionsAfter, progressAfter, readToEnd, Reader, within } from './reading.ts';
import { type Change, insert, remove, update } from './sample-tables.ts';
import { fold, idOf, placeOf, sorted, type SourceHarness, type SourceTest, truthOf } from './source-harness.ts';

export interface SourceCase {
  readonly title: string;
  /** Why it cannot run; `null` when it can. */
  readonly lacks?: (t: SourceTest) => string | null;
  readonly run: (t: SourceTest) => Promise<void>;
}

/** Being asked to stop must not keep an operator waiting. */
const ABORT_LIMIT_MS = 1000;

const has = (name: keyof SourceHarness) => (t: SourceTest): string | null => (t.harness[name] === undefined ? `the harness has no "${name}"` : null);
const isLog = (t: SourceTest): string | null => (t.capabilities.ordering === 'log' ? null : 'positions of a queue are receipts');
const isQueue = (t: SourceTest): string | null => (t.capabilities.ordering === 'queue' ? null : 'positions of a log outlive the session');
const snapshots = (t: SourceTest): string | null => (t.capabilities.snapshot ? null : 'capabilities: no snapshot');
const both = (a: (t: SourceTest) => string | null, b: (t: SourceTest) => string | null) => (t: SourceTest): string | null => a(t) ?? b(t);

async function findings(t: SourceTest, config: unknown): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of (await t.open(config)).check()) found.push(finding);
  return found;
}

function checkCase(what: 'unreachable' | 'forbidden' | 'misconfigured', code: string): SourceCase {
  return {
    title: `check says ${code} with a fix when the upstream is ${what}`,
    lacks: has(what),
    async run(t) {
      const errors = (await findings(t, t.harness[what])).filter((f) => f.level === 'error');
      expect(errors.map((f) => f.code)).toContain(code);
      for (const f of errors) expect(f.fix, f.message).toBeTruthy();
    },
  };
}

const rowsFrom = (first: number, count: number): Change[] => Array.from({ length: count }, (_, i) => insert(first + i, `row ${first + i}`));

/** Changes of rows that are there, as far as this upstream has them. */
function mixedChanges(t: SourceTest): Change[] {
  const { ops } = t.harness;
  return [
    insert(900, 'new'), ...(ops.includes('update') ? [update(2, 'changed'), update(24, 'changed too')] : []),
    ...(ops.includes('delete') ? [remove(3), remove(23)] : []),
  ];
}

async function commitEach(t: SourceTest, changes: readonly Change[]): Promise<void> {
  for (const change of changes) await t.harness.commit([change]);
}

export const SOURCE_CASES: readonly SourceCase[] = [
  {
    title: 'check finds no error in a source that can be read',
    async run(t) {
      const found = await findings(t, t.harness.config);
      expect(found.filter((f) => f.level === 'error')).toEqual([]);
      expect(found.length).toBeGreaterThan(0);
    },
  },
  checkCase('unreachable', 'SOURCE_UNREACHABLE'),
  checkCase('forbidden', 'SOURCE_FORBIDDEN'),
  checkCase('misconfigured', 'SOURCE_MISCONFIGURED'),
  {
    title: 'gives each operation its shape',
    async run(t) {
      const { reader } = await t.streaming(), { ops, insertsLookLikeUpdates } = t.harness, seen = reader.reading.events.length;
      await t.harness.commit([insert(7, 'seven', 'a note')]);
      await reader.events(seen + 1);
      if (ops.includes('update')) await t.harness.commit([update(7, 'sieben')]);
      await reader.events(seen + (ops.includes('update') ? 2 : 1));
      if (ops.includes('delete')) await t.harness.commit([remove(7)]);
      const { events } = await reader.events(seen + ops.filter((op) => op !== 'truncate').length);
      const created = events[seen], updated = events.find((e, i) => i > seen && e.after !== null), deleted = events.find((e) => e.op === 'd');
      if (!insertsLookLikeUpdates) expect(created?.op).toBe('c');
      expect(created?.after).toMatchObject({ name: 'seven', note: 'a note' });
      expect(created?.before).toBeNull();
      if (ops.includes('update')) {
        expect(updated?.op).toBe('u');
        expect(updated?.after).toMatchObject({ name: 'sieben' });
        if (t.capabilities.beforeImage) expect(updated?.before).toMatchObject({ name: 'seven', note: 'a note' });
      }
      if (ops.includes('delete')) {
        expect(deleted?.after).toBeNull();
        expect(Number(deleted?.key?.['id'])).toBe(7);
        if (t.capabilities.beforeImage) expect(deleted?.before).toMatchObject({ name: 'sieben' });
      }
      for (const e of events) expect(e.sourceTsMs, 'sourceTsMs is in milliseconds').toBeTypeOf('number');
    },
  },
  {
    title: 'says when a table was truncated',
    lacks: (t) => (t.harness.ops.includes('truncate') ? null : 'this upstream has no truncate'),
    async run(t) {
      const { reader } = await t.streaming(), seen = reader.reading.events.length;
      await t.harness.commit([{ op: 'truncate' }]);
      const { events } = await reader.events(seen + 1);
      expect(events[seen]).toMatchObject({ op: 't', before: null, after: null });
    },
  },
  {
    title: 'hands off from snapshot to stream without a gap',
    lacks: snapshots,
    async run(t) {
      const before = rowsFrom(1, 25), during = mixedChanges(t), last = insert(999, 'last');
      await t.harness.commit(before);
      const reader = t.reader(await t.open(), { maxBatchEvents: 5 });
      await reader.events(1);
      await commitEach(t, during);
      await t.harness.commit([last]);
      const { events } = await reader.until((r) => r.events.some((e) => idOf(e) === 999) && progressAfter(r.batches).every((s) => s.state !== 'running'), 'the last row');
      expect(sorted(fold(events))).toEqual(sorted(truthOf([...before, ...during, last])));
      expect(events.some((e) => e.op === 'r'), 'rows that were there come as op r').toBe(true);
    },
  },
  {
    title: 'resumes a snapshot after any of its batches',
    lacks: snapshots,
    async run(t) {
      const before = rowsFrom(1, 12), between = insert(500, 'between');
      await t.harness.commit(before);
      const first = t.reader(await t.open(), { maxBatchEvents: 4 });
      await first.until((r) => r.events.length >= 12 && progressAfter(r.batches).every((s) => s.state !== 'running'), 'the snapshot');
      const { batches } = first.reading;
      await t.closeSource();
      await t.harness.commit([between]);
      for (let n = 1; n <= batches.length; n++) {
        const done = batches.slice(0, n), state = fold(done.flatMap((b) => b.events));
        const from = { partitions: positionsAfter(done), snapshots: progressAfter(done), maxBatchEvents: 4 };
        const reader = t.reader(await t.open(), from);
        await reader.until((r) => r.events.some((e) => idOf(e) === 500) && progressAfter(r.batches, from.snapshots).every((s) => s.state !== 'running'), `the rest after batch ${n}`);
        expect(sorted(fold(reader.reading.events, state)), `after batch ${n}`).toEqual(sorted(truthOf([...before, between])));
      }
    },
  },
  {
    title: 'ends a chunk exactly at a boundary that a faster lane has',
    lacks: snapshots,
    async run(t) {
      await t.harness.commit(rowsFrom(1, 12));
      const first = t.reader(await t.open(), { maxBatchEvents: 4 });
      await first.until((r) => progressAfter(r.batches).length > 0 && progressAfter(r.batches).every((s) => s.state !== 'running'), 'the snapshot');
      const { batches } = first.reading, chunks = batches.filter((b) => b.events.length > 0), ahead = chunks.slice(0, -1).at(-1);
      const start = batches.slice(0, batches.indexOf(chunks[0] ?? batches[0] as never)), boundary = ahead?.snapshots?.[0];
      await t.closeSource();
      if (ahead === undefined || boundary === undefined) return;   // all rows came as one chunk: there is nothing between
      const lead = chunks.slice(0, chunks.indexOf(ahead) + 1).flatMap((b) => b.events.map(idOf));
      const again = t.reader(await t.open(), { partitions: positionsAfter(start), snapshots: progressAfter(start), boundaries: [boundary], maxBatchEvents: 4 });
      await again.events(12);
      const { events } = again.reading, marked = events.filter((e) => e.snapshot !== false && e.snapshot.run === boundary.run && e.snapshot.chunk <= boundary.chunk);
      expect([...new Set(events.map(idOf))]).toHaveLength(12);
      if (marked.length === 0) return;   // a source that cannot resume begins a new run, which no lane drops
      expect(marked.map(idOf)).toEqual(lead);
      expect(new Set(marked.map((e) => e.snapshot !== false && e.snapshot.chunk))).toEqual(new Set([boundary.chunk]));
    },
  },
  {
    title: 'keeps the order of transactions and of the changes in them',
    async run(t) {
      const { reader } = await t.streaming(), seen = reader.reading.events.length;
      for (const at of [10, 20, 30]) await t.harness.commit(rowsFrom(at, 3));
      const events = (await reader.events(seen + 9)).events.slice(seen);
      if (t.capabilities.ordering === 'log') expect(events.map(idOf)).toEqual([10, 11, 12, 20, 21, 22, 30, 31, 32]);
      const marked = events.filter((e) => e.transaction !== null);
      if (marked.length === 0) return;
      expect(marked.map((e) => e.transaction?.order)).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
      expect(marked.map((e) => e.transaction?.last)).toEqual([false, false, true, false, false, true, false, false, true]);
      expect(new Set(marked.map((e) => e.transaction?.id)).size).toBe(3);
    },
  },
  {
    title: 'gives an event the same position whatever the size of the batches',
    lacks: isLog,
    async run(t) {
      const { from } = await t.streaming();
      for (const at of [10, 20, 30]) await t.harness.commit(rowsFrom(at, 3));
      const small = await t.read(9, { ...from, maxBatchEvents: 1 }), large = await t.read(9, { ...from, maxBatchEvents: 100 });
      expect(small.events.map(placeOf)).toEqual(large.events.map(placeOf));
      expect(new Set(small.events.map(placeOf)).size).toBe(9);
    },
  },
  {
    title: 'hands over at most the number of events that was asked for',
    async run(t) {
      const { from } = await t.streaming();
      for (const at of [10, 20]) await t.harness.commit(rowsFrom(at, 6));
      const { batches } = await t.read(12, { ...from, maxBatchEvents: 4 });
      for (const b of batches) {
        expect(b.events.length).toBeLessThanOrEqual(4);
        if (b.events.length > 0) expect(b.bytes, 'bytes of a batch with events').toBeGreaterThan(0);
      }
    },
  },
  {
    title: 'orders positions as it emits them, and a point covers what lies before it',
    lacks: isLog,
    async run(t) {
      const { source, from } = await t.streaming();
      const { positions } = source;
      for (const at of [10, 20]) await t.harness.commit(rowsFrom(at, 3));
      const { batches, events } = await t.read(6, { ...from, maxBatchEvents: 2 });
      for (const [i, a] of events.entries()) {
        expect(positions.covers(a.position, a.position)).toBe(true);
        expect(positions.describe(a.position)).not.toBe('');
        for (const b of events.slice(i + 1).filter((e) => e.partition === a.partition)) {
          expect([positions.compare(a.position, b.position), positions.compare(b.position, a.position)]).toEqual([-1, 1]);
          expect([positions.covers(b.position, a.position), positions.covers(a.position, b.position)]).toEqual([true, false]);
          if (positions.sortable) expect(a.position < b.position).toBe(true);
        }
      }
      for (const b of batches) for (const e of b.events) expect(b.resume !== null && positions.covers(b.resume, e.position)).toBe(true);
    },
  },
  {
    title: 'resumes after any emitted position without skipping or repeating',
    lacks: isLog,
    async run(t) {
      const { from } = await t.streaming();
      for (const at of [10, 20, 30]) await t.harness.commit(rowsFrom(at, 2));
      const { batches } = await t.read(6, { ...from, maxBatchEvents: 1 });
      const places = batches.map((b) => b.events.map(placeOf));
      for (let n = 0; n < batches.length; n++) {
        const rest = places.slice(n).flat();
        if (rest.length === 0) continue;
        const again = await t.read(rest.length, { ...from, partitions: positionsAfter(batches.slice(0, n), from.partitions) });
        expect(again.events.map(placeOf), `after batch ${n}`).toEqual(rest);
      }
    },
  },
  {
    title: 'delivers again what was not acknowledged',
    async run(t) {
      const { from } = await t.streaming();
      await t.harness.commit(rowsFrom(10, 3));
      const ids = (events: readonly Parameters<typeof idOf>[0][]): number[] => events.map(idOf).filter((id) => id >= 10).sort((a, b) => a - b);
      const count = t.capabilities.ordering === 'queue' ? 4 : 3;
      expect(ids((await t.read(count, from)).events)).toEqual([10, 11, 12]);
      expect(ids((await t.read(count, from)).events)).toEqual([10, 11, 12]);
    },
  },
  {
    title: 'does not deliver again what was acknowledged',
    lacks: isQueue,
    async run(t) {
      const { source, reader } = await t.streaming();
      await t.harness.commit([insert(10, 'ten')]);
      const { batches } = await reader.events(2);
      await source.acknowledge(positionsAfter(batches));
      await t.harness.commit([insert(11, 'eleven')]);
      expect((await t.read(1)).events.map(idOf)).toEqual([11]);
    },
  },
  {
    title: 'ignores receipts of an older session',
    lacks: isQueue,
    async run(t) {
      const { reader } = await t.streaming(), old = positionsAfter(reader.reading.batches);
      const source = await t.open(), again = t.reader(source);
      await again.events(1);
      await source.acknowledge(old);
      expect((await t.read(1)).events.map(idOf)).toEqual([1]);
    },
  },
  {
    title: 'never takes an acknowledgement back',
    lacks: isLog,
    async run(t) {
      const { source, reader, from } = await t.streaming();
      await t.harness.commit(rowsFrom(10, 1));
      await t.harness.commit(rowsFrom(11, 1));
      const { batches } = await reader.events(reader.reading.events.length + 2), upTo = positionsAfter(batches);
      await source.acknowledge(upTo);
      await source.acknowledge(from.partitions ?? {});
      await source.acknowledge(upTo);
      const known = await source.acknowledged();
      for (const [partition, position] of Object.entries(known ?? {})) {
        expect(source.positions.covers(position, upTo[partition] ?? position), source.positions.describe(position)).toBe(true);
      }
      await t.harness.commit([insert(12, 'twelve')]);
      expect((await t.read(1, { ...from, partitions: upTo })).events.map(idOf)).toEqual([12]);
    },
  },
  {
    title: 'gives every type the same value in snapshot and stream',
    lacks: has('insertTyped'),
    async run(t) {
      const { harness } = t;
      await harness.insertTyped?.(1);
      const reader = t.reader(await t.open());
      await reader.until((r) => r.events.length > 0 && progressAfter(r.batches).every((s) => s.state !== 'running'), 'the first row');
      await harness.insertTyped?.(2);
      const { events } = await reader.events(2), [first, second] = events.map((e) => e.after as Row);
      for (const column of Object.keys(first ?? {}).filter((name) => name !== 'id')) {
        expect(sameValue(first?.[column], second?.[column]), `${column}: ${String(first?.[column])} and ${String(second?.[column])}`).toBe(true);
      }
      for (const [column, value] of Object.entries(harness.typed ?? {})) {
        expect(sameValue(second?.[column], value), `${column} is ${String(second?.[column])}`).toBe(true);
      }
    },
  },
  {
    title: 'notices a new column and names it from the next row on',
    lacks: both(has('addColumn'), (t) => (t.capabilities.schemaChanges ? null : 'capabilities: no schema changes')),
    async run(t) {
      const { reader } = await t.streaming(), old = reader.reading.events.at(-1)?.table;
      await t.harness.addColumn?.();
      await t.harness.commit([insert(10, 'ten')]);
      const { events } = await reader.until((r) => r.events.some((e) => e.op !== 's' && idOf(e) === 10), 'row 10');
      const row = events.at(-1), at = events.findIndex((e) => e.op === 's');
      expect(at, 'an event of op s').toBeGreaterThanOrEqual(0);
      expect(row?.table.columns.map((c) => c.name)).toContain('extra');
      expect(row?.table.version).toBeGreaterThan(old?.version ?? 0);
    },
  },
  {
    title: 'refuses for good to begin before what upstream holds',
    lacks: both(isLog, has('loseHistory')),
    async run(t) {
      const { from } = await t.streaming();
      await t.closeSource();
      await t.harness.commit(rowsFrom(10, 2));
      await t.harness.loseHistory?.();
      const failure = await t.read(1, from).then(() => null, (error: unknown) => error);
      expect(failure).toBeInstanceOf(CdcError);
      expect(failure).toMatchObject({ code: 'SOURCE_POSITION_GONE', retriable: false });
    },
  },
  {
    title: 'calls a cut connection retriable, and goes on where it was',
    lacks: has('cut'),
    async run(t) {
      const { source, reader, from } = await t.streaming();
      await t.harness.cut?.();
      await t.harness.commit([insert(10, 'ten')]);
      const failure = await reader.next().then(() => null, (error: unknown) => error);
      expect(failure).toMatchObject({ name: 'CdcError', retriable: true });
      const again = new Reader(source, from);
      await again.until((r) => r.events.some((e) => idOf(e) === 10), 'row 10');
      await again.stop();
    },
  },
  {
    title: 'moves on while there is nothing to capture',
    lacks: both(isLog, has('advance')),
    async run(t) {
      const { source, reader, from } = await t.streaming(), old = positionsAfter(reader.reading.batches, from.partitions);
      await t.harness.advance?.();
      const moved = await reader.until((r) => {
        const last = r.batches.at(-1);
        return last !== undefined && last.events.length === 0 && last.resume !== null && last.resume !== old[last.partition];
      }, 'a batch without events');
      const last = moved.batches.at(-1), before = old[last?.partition ?? ''];
      expect(before === undefined || source.positions.covers(last?.resume as never, before)).toBe(true);
    },
  },
  {
    title: 'rejects an input that it cannot decode, and reads on',
    lacks: has('garbage'),
    async run(t) {
      const { reader } = await t.streaming();
      await t.harness.garbage?.();
      await t.harness.commit([insert(10, 'ten')]);
      const { rejected } = await reader.until((r) => r.events.some((e) => idOf(e) === 10), 'row 10');
      expect(rejected).toHaveLength(1);
      expect(rejected[0]?.at).not.toBe('');
    },
  },
  {
    title: 'ends by itself at the end that was asked for',
    async run(t) {
      await t.harness.commit(rowsFrom(1, 5));
      const { events } = await readToEnd(await t.open());
      expect(events.map(idOf).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
    },
  },
  {
    title: 'ends within a second when it is stopped while it waits',
    async run(t) {
      const { reader } = await t.streaming();
      const waiting = reader.next().catch(() => null);
      expect(await reader.stop()).toBeLessThan(ABORT_LIMIT_MS);
      await waiting;
    },
  },
  {
    title: 'ends within a second when it is stopped between two batches, and closes',
    async run(t) {
      await t.harness.commit(rowsFrom(1, 20));
      const source = await t.open(), reader = t.reader(source, { maxBatchEvents: 2 });
      await reader.events(2);
      expect(await reader.stop()).toBeLessThan(ABORT_LIMIT_MS);
      await within(t.closeSource(), 'close() did not return');
    },
  },
  {
    title: 'tells its lag without failing',
    async run(t) {
      const { source } = await t.streaming(), lag = await source.lag();
      for (const n of [lag.events, lag.bytes]) expect(n === null || n >= 0).toBe(true);
    },
  },
];
