// Cases of `describeSource` about existing rows: no gap to the stream, resumable, the same values.

import { expect } from 'vitest';
import { type Row, sameValue } from '../../index.ts';
import { positionsAfter, progressAfter } from '../reading.ts';
import { type Change, insert, remove, update } from '../sample-tables.ts';
import { fold, idOf, type SourceTest, sorted, truthOf } from '../source-harness.ts';
import { has, rowsFrom, type SourceCase, snapshots } from './common.ts';

/** Changes of rows that are there, as far as this upstream has them. */
function mixedChanges(t: SourceTest): Change[] {
  const { ops } = t.harness;
  return [
    insert(900, 'new'),
    ...(ops.includes('update') ? [update(2, 'changed'), update(24, 'changed too')] : []),
    ...(ops.includes('delete') ? [remove(3), remove(23)] : []),
  ];
}

async function commitEach(t: SourceTest, changes: readonly Change[]): Promise<void> {
  for (const change of changes) await t.harness.commit([change]);
}

export const SNAPSHOT_CASES: readonly SourceCase[] = [
  {
    title: 'hands off from snapshot to stream without a gap',
    lacks: snapshots,
    async run(t) {
      const before = rowsFrom(1, 25),
        during = mixedChanges(t),
        last = insert(999, 'last');
      await t.harness.commit(before);
      const reader = t.reader(await t.open(), { maxBatchEvents: 5 });
      await reader.events(1);
      await commitEach(t, during);
      await t.harness.commit([last]);
      const { events } = await reader.until(
        (r) => r.events.some((e) => idOf(e) === 999) && progressAfter(r.batches).every((s) => s.state !== 'running'),
        'the last row',
      );
      expect(sorted(fold(events))).toEqual(sorted(truthOf([...before, ...during, last])));
      expect(
        events.some((e) => e.op === 'r'),
        'rows that were there come as op r',
      ).toBe(true);
    },
  },
  {
    title: 'resumes a snapshot after any of its batches',
    lacks: snapshots,
    async run(t) {
      const before = rowsFrom(1, 12),
        between = insert(500, 'between');
      await t.harness.commit(before);
      const first = t.reader(await t.open(), { maxBatchEvents: 4 });
      await first.until((r) => r.events.length >= 12 && progressAfter(r.batches).every((s) => s.state !== 'running'), 'the snapshot');
      const { batches } = first.reading;
      await t.closeSource();
      await t.harness.commit([between]);
      for (let n = 1; n <= batches.length; n++) {
        const done = batches.slice(0, n),
          state = fold(done.flatMap((b) => b.events));
        const from = { partitions: positionsAfter(done), snapshots: progressAfter(done), maxBatchEvents: 4 };
        const reader = t.reader(await t.open(), from);
        await reader.until(
          (r) => r.events.some((e) => idOf(e) === 500) && progressAfter(r.batches, from.snapshots).every((s) => s.state !== 'running'),
          `the rest after batch ${n}`,
        );
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
      await first.until(
        (r) => progressAfter(r.batches).length > 0 && progressAfter(r.batches).every((s) => s.state !== 'running'),
        'the snapshot',
      );
      const { batches } = first.reading,
        chunks = batches.filter((b) => b.events.length > 0),
        ahead = chunks.slice(0, -1).at(-1);
      const start = batches.slice(0, batches.indexOf(chunks[0] ?? (batches[0] as never))),
        boundary = ahead?.snapshots?.[0];
      await t.closeSource();
      if (ahead === undefined || boundary === undefined) return; // all rows came as one chunk: there is nothing between
      const lead = chunks.slice(0, chunks.indexOf(ahead) + 1).flatMap((b) => b.events.map(idOf));
      const again = t.reader(await t.open(), {
        partitions: positionsAfter(start),
        snapshots: progressAfter(start),
        boundaries: [boundary],
        maxBatchEvents: 4,
      });
      await again.events(12);
      const { events } = again.reading,
        marked = events.filter((e) => e.snapshot !== false && e.snapshot.run === boundary.run && e.snapshot.chunk <= boundary.chunk);
      expect([...new Set(events.map(idOf))]).toHaveLength(12);
      if (marked.length === 0) return; // a source that cannot resume begins a new run, which no lane drops
      expect(marked.map(idOf)).toEqual(lead);
      const last = again.reading.batches
        .flatMap((b) => b.snapshots ?? [])
        .find((s) => s.run === boundary.run && s.chunk === boundary.chunk);
      expect(last).toMatchObject({ lastKey: boundary.lastKey, state: 'running' });
    },
  },
  {
    title: 'begins each run with progress of chunk 0, before any of its rows',
    lacks: snapshots,
    async run(t) {
      await t.harness.commit(rowsFrom(1, 6));
      const reader = t.reader(await t.open(), { maxBatchEvents: 4 });
      await reader.until(
        (r) => progressAfter(r.batches).length > 0 && progressAfter(r.batches).every((s) => s.state !== 'running'),
        'the snapshot',
      );
      const begun = new Set<string>();
      for (const { events, snapshots: progress = [] } of reader.reading.batches) {
        for (const e of events) if (e.snapshot !== false) expect([...begun], `the runs begun before ${e.id}`).toContain(e.snapshot.run);
        for (const s of progress) if (s.chunk === 0) begun.add(s.run);
      }
      expect(begun.size).toBeGreaterThan(0);
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
      const { events } = await reader.events(2),
        [first, second] = events.map((e) => e.after as Row);
      for (const column of Object.keys(first ?? {}).filter((name) => name !== 'id')) {
        expect(sameValue(first?.[column], second?.[column]), `${column}: ${String(first?.[column])} and ${String(second?.[column])}`).toBe(
          true,
        );
      }
      for (const [column, value] of Object.entries(harness.typed ?? {})) {
        expect(sameValue(second?.[column], value), `${column} is ${String(second?.[column])}`).toBe(true);
      }
    },
  },
];
