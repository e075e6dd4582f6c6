// From a SQLite database into a SQLite database: every value of every storage class arrives byte by byte, through rows that
// are read and through changes, into tables that the destination makes and into tables that are there.

import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeBatch, WriteResult } from '../../../../src/sdk/index.ts';
import { batchAt, joinLane, openReplica } from '../../../helpers/sqlite-destination.ts';
import { type Db, NOTHING, World } from '../../sources/sqlite/harness.ts';

let world: World;
let db: Db;
let replicaPath: string;
beforeEach(() => {
  world = new World();
  db = world.db();
  replicaPath = join(world.folder, 'replica.db');
});
afterEach(() => {
  world.close();
});

async function copy(batches: readonly ChangeBatch[]): Promise<WriteResult[]> {
  const replica = await joinLane(await openReplica({ path: replicaPath }, world.clock));
  const results: WriteResult[] = [];
  for (const { events } of batches) {
    const n = results.filter((r) => r.kind === 'stored').length;
    results.push(await replica.write(batchAt(n, events), new AbortController().signal));
  }
  await replica.close();
  return results;
}

/** Every column of every row as its storage class and its bytes. */
function bytes(from: Db, table: string): string[] {
  const columns = (from.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(table) as string[]).map((c) => `"${c}"`);
  const sql = columns
    .map((c) => `typeof(${c}) || ' ' || CASE typeof(${c}) WHEN 'real' THEN printf('%!.20g', ${c}) ELSE hex(CAST(${c} AS BLOB)) END`)
    .join(" || ', ' || ");
  return (from.prepare(`SELECT ${sql} FROM "${table}"`).pluck().all() as string[]).map((row) => row ?? 'NULL').sort();
}

const VALUES = [
  'NULL',
  '0',
  '-1',
  '9223372036854775807',
  '-9223372036854775808',
  '9007199254740993',
  '0.0',
  '3.0',
  '-0.1',
  '5e-324',
  '1.7976931348623157e308',
  '9e999',
  '-9e999',
  '0.1 + 0.2',
  '123456789.12345',
  "''",
  "'a'",
  "'12'",
  "'1.50'",
  "'1e5'",
  "' 7 '",
  "'0x10'",
  "'a' || char(0) || 'b'",
  "'ü 😀'",
  'char(0xFFFD)',
  "x''",
  "x'00ff'",
  "x'31'",
];
const DECLARED = ['', 'INTEGER', 'REAL', 'TEXT', 'BLOB', 'NUMERIC', 'DATETIME', 'DECIMAL(10,2)', 'DECIMAL(30,5)', 'BOOLEAN', 'VARCHAR(10)'];

describe.each([
  ['tables that it makes', false],
  ['tables that are there', true],
])('into %s', (_, exists) => {
  it('all values arrive byte by byte from columns of all kinds, whatever they were declared for', async () => {
    const columns = DECLARED.map((declared, i) => `c${i} ${declared}`).join(', '),
      ddl = `CREATE TABLE t (id INTEGER PRIMARY KEY, ${columns})`;
    const insert = (sql: string): void => {
      db.exec(`INSERT INTO t (${DECLARED.map((__, i) => `c${i}`).join(', ')}) VALUES (${DECLARED.map(() => sql).join(', ')})`);
    };
    const config = { types: 'stored' } as const;
    db.exec(ddl);
    VALUES.forEach(insert);
    const first = await world.run(NOTHING, { config });
    VALUES.forEach(insert);
    db.exec('UPDATE t SET id = id + 1000 WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0');
    const second = await world.run(first.stored, { config }),
      replica = new BetterSqlite3(replicaPath);
    if (exists) replica.exec(ddl);
    const results = await copy([...first.batches, ...second.batches]);
    expect(results.map((r) => r.kind)).toEqual(results.map(() => 'stored'));
    expect(bytes(replica, 't')).toEqual(bytes(db, 't'));
    replica.close();
  });

  it('values of each declared type arrive byte by byte', async () => {
    const ddl = `CREATE TABLE t (id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB, d DECIMAL(10,2), o BOOLEAN, x, n NUMERIC);
      CREATE TABLE w (a TEXT COLLATE NOCASE, b INTEGER, v, PRIMARY KEY (a, b)) WITHOUT ROWID; CREATE TABLE k (k PRIMARY KEY NOT NULL, v) `;
    db.exec(ddl);
    db.exec(`INSERT INTO t VALUES (1, 9223372036854775807, 3, '007', x'00', 12.30, 1, '1.0', '1.5'), (2, -1, 0.1, '1e5', x'', 7, 0, 1.0, 7), (3, NULL, 9e999, '', NULL, 0.1, NULL, x'31', x'ff'), (4, 0, -0.0, ' 1', x'ff', -99999999.99, 1, '1', 'text');
      INSERT INTO w VALUES ('A', 1, 1), ('a', 2, 1.0); INSERT INTO k VALUES (1, 'i'), (1.5, 'r'), ('1', 't'), (x'31', 'b')`);
    const first = await world.run();
    db.exec(
      "UPDATE w SET a = 'a' WHERE b = 1; UPDATE k SET k = 'moved' WHERE k = 1.5; REPLACE INTO k VALUES ('1', NULL); UPDATE t SET d = d * 3, x = t",
    );
    const second = await world.run(first.stored),
      replica = new BetterSqlite3(replicaPath);
    if (exists) replica.exec(ddl);
    const results = await copy([...first.batches, ...second.batches]);
    expect(results.map((r) => r.kind)).toEqual(results.map(() => 'stored'));
    expect(world.rejects).toEqual([]);
    for (const table of ['t', 'w', 'k']) expect(bytes(replica, table), table).toEqual(bytes(db, table));
    replica.close();
  });
});

describe('a change of schema at the source', () => {
  it('reaches the replica, with the values of rows that were there', async () => {
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    const first = await world.run();
    db.exec(
      "ALTER TABLE t ADD COLUMN size REAL DEFAULT 1.5; ALTER TABLE t ADD COLUMN note TEXT DEFAULT 'it''s'; UPDATE t SET size = 2 WHERE id = 2; INSERT INTO t VALUES (3, 'c', NULL, NULL)",
    );
    const second = await world.run(first.stored);
    await copy([...first.batches, ...second.batches]);
    const replica = new BetterSqlite3(replicaPath);
    expect(bytes(replica, 't')).toEqual(bytes(db, 't'));
    replica.close();
  });
});
