// Tables that go, come again, are emptied or written anew, in the stream and while their rows are read.

import { describe, expect, it } from 'vitest';
import type { ChangeEvent, SnapshotProgress } from '../../../src/sdk/index.ts';
import type { PostgresqlSourceConfig } from '../../../src/sources/postgresql/config.ts';
import { skipReason } from '../../helpers/postgres.ts';
import { areDone, SourceWorld } from './source-world.ts';

const CHUNKS: PostgresqlSourceConfig['snapshot'] = {
  tables: ['*.*'],
  where: {},
  chunk_rows: 10,
  chunk_bytes: 1 << 20,
  workers: 1,
  on_error: 'pause',
};
const ROWS = (table: string): string =>
  `CREATE TABLE ${table} (id int PRIMARY KEY, v text); INSERT INTO ${table} SELECT n, 'old' FROM generate_series(1, 200) n`;

/** The rows of a table as somebody has them who applies the events in order. */
function rowsOf(events: readonly ChangeEvent[], table: string): Record<string, unknown>[] {
  const rows = new Map<unknown, Record<string, unknown>>();
  for (const e of events) {
    if (e.table.id.table !== table) continue;
    if (e.op === 't') rows.clear();
    if (e.before !== null || e.op === 'd') rows.delete((e.before ?? e.key)?.['id']);
    if (e.after !== null) rows.set(e.after['id'], e.after);
  }
  return [...rows.values()].sort((a, b) => Number(a['id']) - Number(b['id']));
}
const has = (table: string, id: number) => (events: readonly ChangeEvent[]) =>
  events.some((e) => e.table.id.table === table && e.after?.['id'] === id);
const isDone = (progress: readonly SnapshotProgress[], table: string): boolean =>
  progress.some((s) => s.table === `public.${table}` && s.state === 'done');

describe.skipIf((await skipReason()) !== null)('a table in the stream', () => {
  const started = async (): Promise<{ world: SourceWorld; reader: Awaited<ReturnType<SourceWorld['open']>> }> => {
    const world = await SourceWorld.create(`${ROWS('a')}; ${ROWS('b')}`, { tables: ['a', 'b'] });
    const reader = await world.open();
    await world.take(reader, (_, progress) => progress.length === 2 && areDone(progress), 'the rows');
    return { world, reader };
  };

  it('that is dropped is delivered up to then, and the others go on', async () => {
    const { world, reader } = await started();
    await using _ = world;
    await world.db.query("INSERT INTO a VALUES (301, 'last')");
    await world.db.query('DROP TABLE a');
    await world.db.query("INSERT INTO b VALUES (301, 'after')");
    const events = await world.take(reader, has('b', 301), 'the change behind the drop');
    expect(has('a', 301)(events)).toBe(true);
  });

  it('that was dropped while nobody read is delivered up to then', async () => {
    const { world } = await started();
    await using _ = world;
    await world.stop();
    await world.db.query("INSERT INTO a VALUES (301, 'last'); UPDATE a SET v = 'new' WHERE id = 1");
    await world.db.query('DROP TABLE a');
    await world.db.query("INSERT INTO b VALUES (301, 'after')");
    const events = await world.take(await world.open(), has('b', 301), 'the change behind the drop');
    expect(
      rowsOf(events, 'a')
        .filter((r) => r['v'] !== 'old')
        .map((r) => r['id']),
    ).toEqual([1, 301]);
  });

  it.each(['while it is read', 'while nobody reads'])('that is made again with other columns goes on with them (%s)', async (when) => {
    const { world, reader } = await started();
    await using _ = world;
    if (when === 'while nobody reads') await world.stop();
    await world.db.query("INSERT INTO a VALUES (301, 'last')");
    await world.db.query('DROP TABLE a');
    await world.db.query('CREATE TABLE a (id int PRIMARY KEY, other numeric(6,2))');
    // Of a publication with a list of tables a new table is no part until somebody adds it.
    await world.stop();
    const again = when === 'while it is read' ? await world.open() : null;
    await world.db.query("INSERT INTO b VALUES (301, 'after')");
    const events = await world.take(again ?? (await world.open()), has('b', 301), 'the change behind the drop');
    await world.db.query('INSERT INTO a VALUES (1, 12.5)');
    const last = await world.take(await world.open(), (e) => e.some((x) => x.after?.['other'] !== undefined), 'the new row');
    expect(has('a', 301)(events)).toBe(true);
    expect(last.find((e) => e.after?.['other'] !== undefined)?.after).toEqual({ id: 1, other: '12.50' });
    expect(reader).toBeDefined();
  });

  it('that is emptied says so at its place', async () => {
    const { world, reader } = await started();
    await using _ = world;
    await world.db.query("BEGIN; INSERT INTO a VALUES (301, 'x'); TRUNCATE a, b; INSERT INTO a VALUES (302, 'y'); COMMIT");
    const events = await world.take(reader, has('a', 302), 'the transaction');
    expect(rowsOf(events, 'a')).toEqual([{ id: 302, v: 'y' }]);
    expect(rowsOf(events, 'b')).toEqual([]);
  });
});

describe.skipIf((await skipReason()) !== null)('a table whose rows are being read', () => {
  const begun = async (): Promise<{ world: SourceWorld; reader: Awaited<ReturnType<SourceWorld['open']>> }> => {
    const world = await SourceWorld.create(`${ROWS('a')}; ${ROWS('b')}`, { tables: ['a', 'b'], snapshot: CHUNKS });
    const reader = await world.open({ maxBatchEvents: 10 });
    await world.take(reader, (e) => e.length >= 30, 'some rows');
    return { world, reader };
  };

  it('and is emptied has no row of before', async () => {
    const { world, reader } = await begun();
    await using _ = world;
    await world.db.query("TRUNCATE a; INSERT INTO a VALUES (7, 'new'), (500, 'new')");
    const events = await world.take(reader, (e, progress) => has('a', 500)(e) && progress.length === 2 && areDone(progress), 'the rest');
    expect(rowsOf(events, 'a')).toEqual(await world.db.query('SELECT * FROM a ORDER BY id'));
    expect(rowsOf(events, 'b')).toHaveLength(200);
  });

  it.each(['VACUUM FULL a', 'CLUSTER a USING a_pkey', "ALTER TABLE a ALTER v TYPE varchar(50) USING 'x' || v"])(
    'and is written anew is read whole (%s)',
    async (statement) => {
      const { world, reader } = await begun();
      await using _ = world;
      await world.db.query(statement);
      await world.db.query("INSERT INTO a VALUES (301, 'after')");
      const events = await world.take(reader, (e, progress) => has('a', 301)(e) && progress.length === 2 && areDone(progress), 'the rest');
      expect(rowsOf(events, 'a')).toEqual(await world.db.query('SELECT * FROM a ORDER BY id'));
      expect(rowsOf(events, 'b')).toHaveLength(200);
    },
  );

  it('and gets a column has its values in every row', async () => {
    const { world, reader } = await begun();
    await using _ = world;
    await world.db.query('ALTER TABLE a ADD COLUMN c int DEFAULT 7');
    const events = await world.take(reader, (_e, progress) => progress.length === 2 && areDone(progress), 'the rest');
    expect(rowsOf(events, 'a')).toEqual(await world.db.query('SELECT * FROM a ORDER BY id'));
  });

  it('and is dropped does not hold up the others', async () => {
    const { world, reader } = await begun();
    await using _ = world;
    await world.db.query('DROP TABLE a');
    await world.db.query("INSERT INTO b VALUES (301, 'after')");
    const events = await world.take(reader, (e, progress) => has('b', 301)(e) && isDone(progress, 'b'), 'the other table');
    expect(rowsOf(events, 'b')).toHaveLength(201);
  });

  it('and is made again has the rows of the new one after the next start', async () => {
    const { world, reader } = await begun();
    await using _ = world;
    await world.db.query(
      'BEGIN; DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, w int); INSERT INTO a SELECT n, n FROM generate_series(1, 30) n; COMMIT',
    );
    await world.db.query("INSERT INTO b VALUES (301, 'after')");
    await world.take(reader, (e, progress) => has('b', 301)(e) && isDone(progress, 'b'), 'the other table');
    const events = await world.take(await world.open({ maxBatchEvents: 10 }), (_e, progress) => isDone(progress, 'a'), 'the new table');
    const now = rowsOf(events, 'a').filter((r) => 'w' in r);
    expect(now).toEqual(await world.db.query('SELECT * FROM a ORDER BY id'));
  });
});
