// Tables that cannot be followed: they stop, the others go on; it is said once, kept over restarts, and lifted by reading the table anew.

import { describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../../../src/sdk/index.ts';
import { StoppedTables } from '../../../../src/streaming/stopped-tables.ts';
import { column, queryEvent, rowsEvent, type TestTable, tableMap } from '../../../helpers/binlog.ts';
import { ITEMS, log, ReadingWorld } from '../../../helpers/binlog-reading.ts';

const OTHER: TestTable = { ...ITEMS, id: 2, table: 'other' };
const DOCS: TestTable = { id: 3, database: 'shop', table: 'docs', columns: [column.int('id'), column.blob('doc', 2, 45)], key: [0] };
/** A type that no server has. */
const STRANGE: TestTable = { ...ITEMS, id: 4, columns: [column.int('id'), { ...column.int('a'), type: 200 }] };
const row = (id: number) => ({ id, a: id });
const seen = (e: ChangeEvent): string => `${e.op} ${e.table.id.table} ${(e.after ?? e.before)?.['id'] ?? ''}`.trim();
const minimal = (table: TestTable, id: number): Buffer[] => [
  tableMap(table),
  rowsEvent('u', table, [{ id }, { id, a: 5 }], { before: ['id'], after: ['id', 'a'] }),
];
const after = [log.begin(8), ...log.insert(ITEMS, row(8)), ...log.insert(OTHER, row(9)), log.commit(900)];

describe('a table stops, and the others go on', () => {
  it.each<[string, Buffer[], RegExp]>([
    ['whose rows are of an unknown type', [tableMap(STRANGE), rowsEvent('c', STRANGE, [row(1)])], /Rows of it cannot be read/],
    ['whose images lack columns that are wanted', minimal(ITEMS, 1), /binlog_row_image of a session is not FULL/],
    ['of which a statement says nothing', [queryEvent("UPDATE items SET a = 'x'")], /not as rows: binlog_format of its session/],
    [
      'that a statement over several tables names',
      [queryEvent('UPDATE `Items` AS i JOIN unknown AS u ON u.id = i.id SET i.a = 1')],
      /not as rows: binlog_format of its session/,
    ],
  ])('%s', async (_, events, why) => {
    const world = new ReadingWorld(),
      reading = await world.open();
    await world.read(reading, [...log.file(1), log.begin(1), ...log.insert(ITEMS, row(0)), ...log.insert(OTHER, row(0)), log.commit(500)]);
    await world.read(reading, [log.begin(2), ...events, log.commit(600), ...after]);
    expect(world.events.map(seen)).toEqual(['c items 0', 'c other 0', 'c other 9']);
    expect(world.rejected.map((r) => r.error.message)).toEqual([expect.stringMatching(why)]);
    expect(world.rejected[0]?.error.message).toMatch(/^The table shop\.items is stopped, the others go on: /);
    // Numbers count what is passed over, so that filters and stops may change between two runs.
    expect(world.events.at(-1)?.position).toMatch(/\/0000000002,/);
    const stopped = await StoppedTables.load(world.store);
    expect(stopped.names()).toEqual(['shop.items']);
    expect(stopped.reasonOf('shop.items')).toMatch(why);
    // Another process goes on in the same way, and says nothing twice.
    await world.read(await world.open(), [...log.file(1), ...after]);
    expect(world.rejected).toHaveLength(1);
  });

  it('where names cannot be told any more', async () => {
    const world = new ReadingWorld(),
      nameless: TestTable = { ...ITEMS, metadata: 'none' };
    const reading = await world.open();
    await world.read(reading, [
      ...log.file(1),
      log.begin(1),
      ...log.insert(nameless, row(1)),
      ...log.insert(OTHER, row(2)),
      log.commit(500),
    ]);
    expect(world.events.map(seen)).toEqual(['c other 2']);
    expect(world.rejected[0]?.error.message).toMatch(/The log does not say the columns of shop\.items/);
  });

  it('but not by NOBLOB where only large columns are missing, nor at all by MINIMAL', async () => {
    const noBlob = [tableMap(DOCS), rowsEvent('u', DOCS, [{ id: 1 }, { id: 2 }], { before: ['id'], after: ['id'] })];
    for (const [rowImage, events, stopped] of [
      ['NOBLOB', noBlob, []],
      ['NOBLOB', minimal(ITEMS, 1), ['shop.items']],
      ['MINIMAL', minimal(ITEMS, 1), []],
    ] as const) {
      const world = new ReadingWorld();
      await world.read(await world.open({ rowImage }), [...log.file(1), log.begin(1), ...events, log.commit(500)]);
      expect((await StoppedTables.load(world.store)).names()).toEqual(stopped);
      expect(world.events).toHaveLength(stopped.length === 0 ? 1 : 0);
    }
  });
});

describe('what is kept of stopped tables', () => {
  const all = (): boolean => true;

  it('lasts until its rows have been read again and destinations have heard of it', async () => {
    const world = new ReadingWorld();
    const first = await StoppedTables.load(world.store);
    await first.stop('a', 'p1', 'why');
    expect(await first.follow('b')).toBe(false);
    expect(await first.follow('a')).toBe(true);
    expect([first.has('a'), first.reasonOf('a')]).toEqual([false, null]);
    // Killed before anybody was told: the order is still there, and what is at destinations must go once more.
    const second = await StoppedTables.load(world.store);
    await second.settle(new Set(['a']));
    expect([second.has('a'), await second.follow('a')]).toEqual([false, true]);
    second.told(['a'], 'p7' as never);
    await second.acknowledged((place) => place < 'p7');
    expect(await second.follow('a')).toBe(true);
    second.told(['a'], 'p8' as never);
    await second.acknowledged(all);
    expect(await (await StoppedTables.load(world.store)).follow('a')).toBe(false);
  });

  it('goes when its order was done just before a crash, and when everything is read anew', async () => {
    const world = new ReadingWorld();
    const first = await StoppedTables.load(world.store);
    await first.stop('a', 'p1', 'why');
    await first.stop('b', 'p1', 'why');
    await first.follow('a');
    const second = await StoppedTables.load(world.store);
    await second.settle(new Set());
    expect([await second.follow('a'), second.has('b')]).toEqual([false, true]);
    await second.clear();
    expect((await StoppedTables.load(world.store)).names()).toEqual([]);
  });

  it('may stop again while it is read again', async () => {
    const world = new ReadingWorld(),
      stopped = await StoppedTables.load(world.store);
    await stopped.stop('a', 'p1', 'why');
    await stopped.follow('a');
    stopped.told(['a'], 'p2' as never);
    await stopped.stop('a', 'p3', 'again');
    await stopped.acknowledged(all);
    expect(stopped.reasonOf('a')).toBe('stopped at p3: again');
  });
});
