// What only MariaDB has: system-versioned tables and sequences, of which the log has more than a SELECT shows, CREATE OR REPLACE TABLE, and
// statements within SET STATEMENT.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ChangeEvent, Row } from '../../../src/sdk/index.ts';
import { type OwnMysql, startOwnMysql } from '../../chaos/own-mysql.ts';
import { describeOn, mysqlServers } from '../../helpers/mysql.ts';
import { SourceWorld } from './source-world.ts';

const PERIOD = (type: string): string =>
  `from_ ${type} GENERATED ALWAYS AS ROW START, to_ ${type} GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (from_, to_)`;
const TABLES: Readonly<Record<string, string>> = {
  hidden: 'id int PRIMARY KEY, a int',
  named: `id int PRIMARY KEY, a int, ${PERIOD('TIMESTAMP(6)')}`,
  keyless: 'id int, a int',
};
const NAMES = Object.keys(TABLES);
const CHANGES = [
  'INSERT INTO $ (id, a) VALUES (4, 1), (5, 1)',
  'UPDATE $ SET a = 2 WHERE id IN (1, 4)',
  'UPDATE $ SET id = 9 WHERE id = 1',
  'DELETE FROM $ WHERE id = 2',
  'INSERT INTO $ (id, a) VALUES (2, 7)',
  'REPLACE INTO $ (id, a) VALUES (6, 8)',
  'UPDATE $ SET a = a + 1',
  'DELETE HISTORY FROM $',
  'UPDATE $ SET a = a + 1 WHERE id > 4',
  'DELETE FROM $ WHERE id = 5',
];

const servers = (await mysqlServers()).filter((s) => s === 'mariadb');
const isEnd = (e: ChangeEvent): boolean => e.table.id.table === 'zz_end' && e.op === 'c';
const isOver = (events: readonly ChangeEvent[]): boolean => events.some(isEnd);

/** The rows that whoever follows these events has in the end. */
function rowsAfter(events: readonly ChangeEvent[], table: string, keys: readonly string[]): unknown[] {
  const rows: Row[] = [];
  const at = (row: Row | null): number => rows.findIndex((r) => keys.every((k) => r[k] === row?.[k]));
  for (const {
    op,
    table: { id },
    before,
    after,
  } of events) {
    if (id.table !== table || op === 's') continue;
    const old = at(op === 'c' || op === 'r' ? after : before);
    expect(old >= 0, `${op} of ${String(before?.['id'] ?? after?.['id'])}`).toBe(op !== 'c' && op !== 'r');
    if (op === 'd') rows.splice(old, 1);
    else if (op === 'u') rows[old] = { ...rows[old], ...after };
    else rows.push({ ...after });
  }
  return rows.map(({ id, a }) => `${id}: ${a}`).sort();
}

describeOn(servers, 'on %s', (server) => {
  let own: OwnMysql;

  beforeAll(async () => {
    own = await startOwnMysql(server);
  }, 120_000);

  afterAll(() => own[Symbol.asyncDispose]());

  async function create(...sql: string[]): Promise<SourceWorld> {
    await own.query('DROP DATABASE shop; CREATE DATABASE shop CHARACTER SET utf8mb4');
    for (const statement of ['CREATE TABLE zz_end (id int PRIMARY KEY)', ...sql]) await own.query(statement);
    return SourceWorld.on(own, { tables: ['*'] });
  }

  const selected = async (table: string): Promise<unknown[]> =>
    (await own.query(`SELECT id, a FROM ${table}`)).map((r) => `${r['id']}: ${r['a']}`).sort();

  it.each(['FULL', 'NO_LOG'])('rows are those that a SELECT shows (metadata %s)', async (metadata) => {
    await own.query(`SET GLOBAL binlog_row_metadata = ${metadata}`);
    await using world = await create(
      ...NAMES.map((name) => `CREATE TABLE ${name} (${TABLES[name]}) WITH SYSTEM VERSIONING`),
      ...NAMES.map((name) => `INSERT INTO ${name} (id, a) VALUES (1, 1), (2, 1), (3, 1)`),
    );
    const reader = await world.streaming();
    for (const name of NAMES) for (const sql of CHANGES) await own.query(sql.replaceAll('$', name));
    await own.query('INSERT INTO zz_end VALUES (1)');
    await world.take(reader, isOver, 'the end');
    for (const name of NAMES) {
      const keys = name === 'keyless' ? ['id', 'a'] : ['id'],
        columns = name === 'named' ? ['id', 'a', 'from_', 'to_'] : ['id', 'a'];
      expect(rowsAfter(world.events, name, keys), name).toEqual(await selected(name));
      const { table } = world.events.find((e) => e.table.id.table === name) as ChangeEvent;
      expect(
        table.columns.map((c) => c.name),
        name,
      ).toEqual(columns);
      expect(table.key, name).toEqual(name === 'keyless' ? [] : ['id']);
    }
    expect(world.events.filter((e) => e.op === 's')).toEqual([]);
  });

  it('the same with images of what changed only', async () => {
    await own.query('SET GLOBAL binlog_row_metadata = FULL; SET GLOBAL binlog_row_image = MINIMAL');
    try {
      await using world = await create(`CREATE TABLE hidden (${TABLES['hidden']}) WITH SYSTEM VERSIONING`);
      const reader = await world.open({}, { binlog_row_image: 'MINIMAL' });
      await world.take(reader, () => world.batches.length > 0, 'the beginning');
      await own.query('INSERT INTO hidden VALUES (1, 1), (2, 1), (3, 1)');
      for (const sql of CHANGES) await own.query(sql.replaceAll('$', 'hidden'));
      await own.query('INSERT INTO zz_end VALUES (1)');
      await world.take(reader, isOver, 'the end');
      expect(rowsAfter(world.events, 'hidden', ['id'])).toEqual(await selected('hidden'));
    } finally {
      await own.query('SET GLOBAL binlog_row_image = FULL');
    }
  });

  it.each(['at once', 'later'])('a table becomes versioned, changes, and is so no longer (read %s)', async (when) => {
    await own.query('SET GLOBAL binlog_row_metadata = FULL');
    await using world = await create('CREATE TABLE t (id int PRIMARY KEY, a int)', 'INSERT INTO t VALUES (1, 1), (2, 1), (3, 1)');
    let reader = await world.streaming();
    const steps = ['ADD SYSTEM VERSIONING', 'ADD COLUMN b TIMESTAMP(6) NOT NULL DEFAULT NOW(6)', 'DROP SYSTEM VERSIONING'];
    if (when === 'later') await world.stop();
    for (const [n, step] of steps.entries()) {
      await own.query(`SET STATEMENT system_versioning_alter_history = KEEP FOR ALTER TABLE t ${step}`);
      await own.query(`UPDATE t SET a = a + 1 WHERE id <= 2; DELETE FROM t WHERE id = 3; INSERT INTO t (id, a) VALUES (3, ${n})`);
      if (when === 'at once') await world.take(reader, (e) => e.some(({ after }) => after?.['id'] === 3 && after['a'] === n), `step ${n}`);
    }
    await own.query('INSERT INTO zz_end VALUES (1)');
    if (when === 'later') reader = await world.open();
    await world.take(reader, isOver, 'the end');
    expect(rowsAfter(world.events, 't', ['id'])).toEqual(await selected('t'));
    expect(world.events.at(-2)?.table.columns.map((c) => c.name)).toEqual(['id', 'a', 'b']);
  });

  it.each(['FULL', 'NO_LOG'])('a sequence is no table (metadata %s)', async (metadata) => {
    await own.query(`SET GLOBAL binlog_row_metadata = ${metadata}`);
    await using world = await create('CREATE SEQUENCE numbers');
    const reader = await world.streaming();
    await own.query('DO NEXT VALUE FOR numbers; DO SETVAL(numbers, 5000)');
    await own.query('INSERT INTO zz_end VALUES (1)');
    await world.take(reader, isOver, 'the end');
    expect(world.events.map((e) => [e.op, e.table.id.table])).toEqual([['c', 'zz_end']]);
    expect(reader.reading.rejected).toEqual([]);
  });

  it('CREATE OR REPLACE takes the table that was there away', async () => {
    await using world = await create('CREATE TABLE t (id int PRIMARY KEY)', 'INSERT INTO t VALUES (1)');
    const reader = await world.streaming();
    await own.query('CREATE OR REPLACE TABLE t (id int PRIMARY KEY, b int) SELECT 2 AS id, 3 AS b; CREATE OR REPLACE TABLE u (id int)');
    await own.query('INSERT INTO zz_end VALUES (1)');
    await world.take(reader, isOver, 'the end');
    expect(world.events.map((e) => [e.op, e.table.id.table, e.after ?? e.schemaChange?.kind])).toEqual([
      ['r', 't', { id: 1 }],
      ['s', 't', 'drop'],
      ['s', 't', 'alter'],
      ['c', 't', { id: 2, b: 3 }],
      ['c', 'zz_end', { id: 1 }],
    ]);
  });

  it('what SET STATEMENT runs counts', async () => {
    await own.query('SET GLOBAL binlog_row_metadata = FULL');
    const set = 'SET STATEMENT max_statement_time = 10, lock_wait_timeout = 5 FOR';
    await using world = await create(
      'CREATE TABLE t (id int PRIMARY KEY)',
      'CREATE TABLE u (id int PRIMARY KEY)',
      'INSERT INTO t VALUES (1)',
    );
    const reader = await world.streaming();
    await own.query(`${set} ALTER TABLE t ADD b int DEFAULT 5; INSERT INTO t (id) VALUES (2)`);
    await own.query(`${set} TRUNCATE t; ${set} DROP TABLE u`);
    await own.query('INSERT INTO t VALUES (3, 3); SET STATEMENT binlog_format = STATEMENT FOR UPDATE t SET b = 6 WHERE id = 3');
    await own.query('INSERT INTO zz_end VALUES (1)');
    await world.take(reader, isOver, 'the end');
    expect(world.events.map((e) => [e.op, e.table.id.table, e.after ?? e.schemaChange?.kind])).toEqual([
      ['r', 't', { id: 1 }],
      ['s', 't', 'alter'],
      ['c', 't', { id: 2, b: 5 }],
      ['t', 't', undefined],
      ['s', 'u', 'drop'],
      ['c', 't', { id: 3, b: 3 }],
      ['c', 'zz_end', { id: 1 }],
    ]);
    expect(reader.reading.rejected.map((r) => r.error.message)).toEqual([expect.stringMatching(/shop\.t is stopped.* as a statement/)]);
  });
});
