// Cases of `describeDestination` about data: what is stored, in which order, what no row can take.

import { expect } from 'vitest';
import { type ChangeEvent, renamedTable, type SnapshotProgress, sameValue, type TableSchema } from '../../index.ts';
import { Events, item, LANE, laneBatch } from '../batches.ts';
import type { RowOp } from '../destination-harness.ts';
import { ITEMS, LINES, TYPE_SAMPLES, tableNamed } from '../sample-tables.ts';
import { all, type DestinationCase, does, failuresOf, ofRows } from './common.ts';

/** Writes batch after batch, then compares: rows, or the records of all events. */
function storingCase(
  title: string,
  ops: readonly RowOp[],
  batches: (e: Events) => ChangeEvent[][],
  rows: ReturnType<typeof item>[],
): DestinationCase {
  return {
    title,
    lacks: does(...ops),
    async run(t) {
      const destination = await t.open(),
        written = batches(new Events());
      for (const events of written) expect(await t.write(destination, events)).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual(t.expected(rows, written.flat()));
    },
  };
}

/** `table`: as the events have it. */
function skippingCase(what: string, progress: Pick<SnapshotProgress, 'table' | 'state'>, table: TableSchema = ITEMS): DestinationCase {
  return {
    title: `skips an incomplete event for a row that ${what} will bring`,
    lacks: all(ofRows, does('partial')),
    async run(t) {
      const destination = await t.open(),
        events = [new Events(table).partial(null, { id: 9, name: 'x' })];
      const { through } = laneBatch(events, { epoch: t.point.epoch }),
        snapshot = { source: 'origin', run: 'r1', chunk: 1, lastKey: '5', rows: 5, ...progress };
      expect(await t.write(destination, events, { through: { ...through, snapshots: [snapshot] } })).toEqual({ kind: 'stored' });
      expect(await t.stored()).toEqual([]);
    },
  };
}

export const DATA_CASES: readonly DestinationCase[] = [
  {
    title: 'is empty at first, or says that it cannot tell',
    async run(t) {
      await t.harness.prepare?.(ITEMS);
      const committed = await (await t.create()).committed(LANE);
      expect(committed.kind).toBe(t.capabilities.holdsPoint ? 'empty' : 'untracked');
    },
  },
  storingCase(
    'stores inserts and rows of a snapshot',
    ['insert'],
    (e) => [[e.create(item(1, 'one')), e.make({ op: 'r', after: item(2, 'two', 'a note'), transaction: null })]],
    [item(1, 'one'), item(2, 'two', 'a note')],
  ),
  storingCase(
    'stores updates and deletes',
    ['insert', 'update', 'delete'],
    (e) => [
      [e.create(item(1, 'one')), e.create(item(2, 'two')), e.create(item(3, 'three'))],
      [e.update(item(2, 'two'), item(2, 'zwei', 'n')), e.remove(item(3, 'three'))],
    ],
    [item(1, 'one'), item(2, 'zwei', 'n')],
  ),
  storingCase(
    'updates without an image of the row before',
    ['insert', 'update'],
    (e) => [[e.create(item(1, 'one'))], [e.update(null, item(1, 'eins'))]],
    [item(1, 'eins')],
  ),
  storingCase(
    'keeps the order of one key within a batch',
    ['insert', 'update', 'delete'],
    (e) => [
      [
        e.create(item(1, 'a')),
        e.update(item(1, 'a'), item(1, 'b')),
        e.remove(item(1, 'b')),
        e.create(item(1, 'c')),
        e.create(item(2, 'x')),
        e.remove(item(2, 'x')),
      ],
    ],
    [item(1, 'c')],
  ),
  storingCase(
    'keeps the order of one key across batches',
    ['insert', 'update', 'delete'],
    (e) => [[e.create(item(1, 'a'))], [e.remove(item(1, 'a'))], [e.create(item(1, 'b'))], [e.update(item(1, 'b'), item(1, 'c'))]],
    [item(1, 'c')],
  ),
  storingCase(
    'empties the table at a truncate',
    ['insert', 'truncate'],
    (e) => [[e.create(item(1, 'a')), e.create(item(2, 'b')), e.truncate(), e.create(item(3, 'c'))]],
    [item(3, 'c')],
  ),
  storingCase(
    'moves a row whose key changes',
    ['insert', 'update', 'move'],
    (e) => [
      [e.create(item(1, 'a')), e.create(item(2, 'b'))],
      [e.update(item(1, 'a'), item(5, 'a')), e.create(item(1, 'new'))],
    ],
    [item(1, 'new'), item(2, 'b'), item(5, 'a')],
  ),
  storingCase(
    'updates only the columns that an incomplete event has',
    ['insert', 'partial'],
    (e) => [[e.create(item(1, 'a', 'kept'))], [e.partial(null, { id: 1, name: 'b' })]],
    [item(1, 'b', 'kept')],
  ),
  storingCase(
    'takes the last present value of each column when a key changes often in one batch',
    ['insert', 'partial'],
    (e) => [[e.create(item(1, 'a', 'first')), e.partial(null, { id: 1, name: 'b' }), e.partial(null, { id: 1, note: 'second' })]],
    [item(1, 'b', 'second')],
  ),
  storingCase(
    'takes an event of op s or m without harm',
    ['insert'],
    (e) => [
      [
        e.make({ op: 's', schemaChange: { kind: 'alter', previous: null, ddl: null } }),
        e.create(item(1, 'a')),
        e.make({ op: 'm', message: { prefix: 'p', content: new Uint8Array([1]), transactional: false } }),
      ],
    ],
    [item(1, 'a')],
  ),
  {
    title: 'refuses an incomplete event for a row that is not there',
    lacks: all(ofRows, does('partial')),
    async run(t) {
      const destination = await t.open(),
        e = new Events(),
        events = [e.create(item(1, 'a')), e.partial(null, { id: 9, name: 'x' }), e.create(item(2, 'b'))];
      const [failure] = failuresOf(await t.write(destination, events));
      expect(failure).toMatchObject({ index: 1, error: { code: 'DESTINATION_ROW_MISSING' } });
    },
  },
  skippingCase('a running snapshot', { table: 'items', state: 'running' }),
  skippingCase('a snapshot that began and ended within the batch', { table: 'items', state: 'done' }),
  skippingCase(
    'the running snapshot of a table that was renamed on the way',
    { table: 'original', state: 'running' },
    renamedTable(tableNamed('original'), ITEMS.id),
  ),
  {
    title: 'refuses an incomplete change of key, unless its point makes a repeat impossible',
    lacks: all(ofRows, does('partial', 'move')),
    async run(t) {
      const destination = await t.open(),
        e = new Events();
      await t.write(destination, [e.create(item(1, 'a', 'kept'))]);
      const result = await t.write(destination, [e.partial({ id: 1 }, { id: 2, name: 'b' })]);
      if (t.capabilities.holdsPoint) expect(await t.stored()).toEqual([item(2, 'b', 'kept')]);
      else expect(failuresOf(result)).toHaveLength(1);
    },
  },
  {
    title: 'stores events of a table without a key',
    lacks: (t) => (t.capabilities.keyless ? null : 'capabilities: needs a key'),
    async run(t) {
      const destination = await t.open(1, LINES),
        e = new Events(LINES),
        events = [e.create(item(1, 'a')), e.create(item(1, 'a'))];
      expect(await t.write(destination, events)).toEqual({ kind: 'stored' });
      expect(await t.stored(LINES)).toEqual(t.expected([item(1, 'a'), item(1, 'a')], events));
    },
  },
  {
    title: 'keeps every value of every type',
    lacks: all(ofRows, (t) => (t.harness.types?.length === 0 ? 'the harness names no types' : null)),
    async run(t) {
      const samples = TYPE_SAMPLES.filter(({ column }) => t.harness.types?.includes(column.type) ?? true);
      const table: TableSchema = { ...tableNamed('types'), columns: [...ITEMS.columns.slice(0, 1), ...samples.map((s) => s.column)] };
      const destination = await t.open(1, table),
        e = new Events(table),
        count = Math.max(...samples.map((s) => s.values.length));
      const rows = Array.from({ length: count }, (_, i) => ({
        id: i + 1,
        ...Object.fromEntries(samples.map((s) => [s.column.name, s.values[i] ?? null])),
      }));
      expect(
        await t.write(
          destination,
          rows.map((row) => e.create(row)),
        ),
      ).toEqual({ kind: 'stored' });
      const back = [...((await t.harness.rows?.(table)) ?? [])].sort((a, b) => Number(a['id']) - Number(b['id']));
      expect(back).toHaveLength(count);
      for (const { column, values } of samples) {
        for (const [i, value] of values.entries()) {
          const wanted = t.harness.expected?.(column, value) ?? value,
            got = back[i]?.[column.name];
          expect(sameValue(got, wanted), `${column.name}: wrote ${String(value)}, read ${String(got)} (${typeof got})`).toBe(true);
        }
      }
    },
  },
];
