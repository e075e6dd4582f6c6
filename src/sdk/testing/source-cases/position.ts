// Cases of `describeSource` about places: order, resuming, acknowledging, batches.

import { expect } from 'vitest';
import { CdcError } from '../../index.ts';
import { positionsAfter } from '../reading.ts';
import { insert } from '../sample-tables.ts';
import { idOf, placeOf } from '../source-harness.ts';
import { both, has, isLog, isQueue, rowsFrom, type SourceCase } from './common.ts';

export const POSITION_CASES: readonly SourceCase[] = [
  {
    title: 'keeps the order of transactions and of the changes in them',
    async run(t) {
      const { reader } = await t.streaming(),
        seen = reader.reading.events.length;
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
      const small = await t.read(9, { ...from, maxBatchEvents: 1 }),
        large = await t.read(9, { ...from, maxBatchEvents: 100 });
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
      const ids = (events: readonly Parameters<typeof idOf>[0][]): number[] =>
        events
          .map(idOf)
          .filter((id) => id >= 10)
          .sort((a, b) => a - b);
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
    title: 'gives a message the same message id when it is delivered again, if it gives one',
    lacks: isQueue,
    async run(t) {
      const { from } = await t.streaming();
      await t.harness.commit(rowsFrom(10, 3));
      const idsIn = async (): Promise<Record<string, string | null>> =>
        Object.fromEntries((await t.read(4, from)).events.map((e) => [idOf(e), e.messageId]));
      const first = await idsIn();
      expect(await idsIn()).toEqual(first);
      const given = Object.values(first).filter((id) => id !== null);
      expect(new Set(given).size).toBe(given.length);
    },
  },
  {
    title: 'ignores receipts of an older session',
    lacks: isQueue,
    async run(t) {
      const { reader } = await t.streaming(),
        old = positionsAfter(reader.reading.batches);
      const source = await t.open(),
        again = t.reader(source);
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
      const { batches } = await reader.events(reader.reading.events.length + 2),
        upTo = positionsAfter(batches);
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
    title: 'refuses for good to begin before what upstream holds',
    lacks: both(isLog, has('loseHistory')),
    async run(t) {
      const { from } = await t.streaming();
      await t.closeSource();
      await t.harness.commit(rowsFrom(10, 2));
      await t.harness.loseHistory?.();
      const failure = await t.read(1, from).then(
        () => null,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(CdcError);
      expect(failure).toMatchObject({ code: 'SOURCE_POSITION_GONE', retriable: false });
    },
  },
  {
    title: 'moves on while there is nothing to capture',
    lacks: both(isLog, has('advance')),
    async run(t) {
      const { source, reader, from } = await t.streaming(),
        old = positionsAfter(reader.reading.batches, from.partitions);
      await t.harness.advance?.();
      const moved = await reader.until((r) => {
        const last = r.batches.at(-1);
        return last !== undefined && last.events.length === 0 && last.resume !== null && last.resume !== old[last.partition];
      }, 'a batch without events');
      const last = moved.batches.at(-1),
        before = old[last?.partition ?? ''];
      expect(before === undefined || source.positions.covers(last?.resume as never, before)).toBe(true);
    },
  },
];
