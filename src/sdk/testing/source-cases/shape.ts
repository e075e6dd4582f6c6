// Cases of `describeSource` about what an event says: operations, truncates, schema changes.

import { expect } from 'vitest';
import { insert, remove, update } from '../sample-tables.ts';
import { idOf } from '../source-harness.ts';
import { both, has, type SourceCase } from './common.ts';

export const SHAPE_CASES: readonly SourceCase[] = [
  {
    title: 'gives each operation its shape',
    async run(t) {
      const { reader } = await t.streaming(),
        { ops, insertsLookLikeUpdates } = t.harness,
        seen = reader.reading.events.length;
      await t.harness.commit([insert(7, 'seven', 'a note')]);
      await reader.events(seen + 1);
      if (ops.includes('update')) await t.harness.commit([update(7, 'sieben')]);
      await reader.events(seen + (ops.includes('update') ? 2 : 1));
      if (ops.includes('delete')) await t.harness.commit([remove(7)]);
      const { events } = await reader.events(seen + ops.filter((op) => op !== 'truncate').length);
      const created = events[seen],
        updated = events.find((e, i) => i > seen && e.after !== null),
        deleted = events.find((e) => e.op === 'd');
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
      const { reader } = await t.streaming(),
        seen = reader.reading.events.length;
      await t.harness.commit([{ op: 'truncate' }]);
      const { events } = await reader.events(seen + 1);
      expect(events[seen]).toMatchObject({ op: 't', before: null, after: null });
    },
  },
  {
    title: 'notices a new column, and from then on its rows have it',
    lacks: both(has('addColumn'), (t) => (t.capabilities.schemaChanges ? null : 'capabilities: no schema changes')),
    async run(t) {
      const { reader } = await t.streaming(),
        old = reader.reading.events.at(-1)?.table;
      await t.harness.addColumn?.();
      // Triggers may still have the old columns at the first row; the source renews them when it sees the change.
      await t.harness.commit([insert(10, 'ten')]);
      await reader.until((r) => r.events.some((e) => e.op !== 's' && idOf(e) === 10), 'row 10');
      await t.harness.commit([insert(11, 'eleven')]);
      const { events } = await reader.until((r) => r.events.some((e) => e.op !== 's' && idOf(e) === 11), 'row 11');
      const row = events.at(-1),
        at = events.findIndex((e) => e.op === 's');
      expect(at, 'an event of op s').toBeGreaterThanOrEqual(0);
      expect(row?.table.columns.map((c) => c.name)).toContain('extra');
      expect(row?.table.version).toBeGreaterThan(old?.version ?? 0);
    },
  },
];
