// The capture triggers against SQLite itself: whatever statements, conflict clauses, settings and other triggers do,
// replaying what was recorded gives the table; where no other trigger interferes, it is also the exact history.

import BetterSqlite3 from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTable, type SqliteTable } from '../../../../src/sources/sqlite/introspect.ts';
import { CHANGES, captureTriggers, DISPLACED, slots } from '../../../../src/sources/sqlite/triggers.ts';

/** More of them were run while this was made; these keep it so. */
const RUNS = Number(process.env['FUZZ'] ?? 25);

type Db = BetterSqlite3.Database;
interface Change {
  readonly op: string;
  readonly before: unknown[] | null;
  readonly after: unknown[] | null;
}

function capture(db: Db, name: string): SqliteTable {
  const table = readTable(db, name) as SqliteTable,
    width = table.columns.length;
  db.exec(`CREATE TABLE ${CHANGES} (id INTEGER PRIMARY KEY AUTOINCREMENT, t INTEGER, op TEXT, ts INTEGER, ${slots(0, 2 * width)});
    CREATE TABLE ${DISPLACED} (t INTEGER, l, k, ${slots(0, width)}); CREATE INDEX _cdc_run_l ON ${DISPLACED} (t, l); CREATE INDEX _cdc_run_k ON ${DISPLACED} (t, k)`);
  for (const { sql } of captureTriggers(table, 1)) db.exec(sql);
  return table;
}

function changesOf(db: Db, width: number): Change[] {
  const rows = db
    .prepare(`SELECT op, ${slots(0, 2 * width)} FROM ${CHANGES} ORDER BY id`)
    .raw()
    .safeIntegers()
    .all() as unknown[][];
  return rows.map(([op, ...values]) => {
    const first = values.slice(0, width),
      second = values.slice(width);
    if (op === 'd') return { op, before: first, after: null };
    return op === 'u' ? { op, before: first, after: second } : { op: op as string, before: null, after: first };
  });
}

const text = (row: unknown): string => JSON.stringify(row, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v));

/** What a destination holds after the changes: an upsert by key, as destinations do it. `problems`: where it was no exact history. */
function replay(changes: readonly Change[], table: SqliteTable): { rows: string[]; problems: string[] } {
  const keyAt = table.key.map((k) => table.columns.findIndex((c) => c.name === k));
  const keyOf = (row: unknown[]): string => text(keyAt.map((i) => row[i]));
  const rows = new Map<string, string>(),
    problems: string[] = [];
  for (const change of changes) {
    const { op, before, after } = change;
    if (before !== null && rows.get(keyOf(before)) !== text(before)) problems.push(`${text(change)}: held ${rows.get(keyOf(before))}`);
    if (op === 'c' && after !== null && rows.has(keyOf(after))) problems.push(`${text(change)}: the key is taken`);
    if (before !== null) rows.delete(keyOf(before));
    if (op === 'u' && after !== null && rows.has(keyOf(after))) problems.push(`${text(change)}: the new key is taken`);
    if (after !== null) rows.set(keyOf(after), text(after));
  }
  return { rows: [...rows.values()].sort(), problems };
}

function tableRows(db: Db, table: SqliteTable): string[] {
  const columns = table.columns.map((c) => `"${c.name}"`).join(', ');
  return (db.prepare(`SELECT ${columns} FROM "${table.name}"`).raw().safeIntegers().all() as unknown[][]).map(text).sort();
}

/** Tables that differ in what makes a row unique; all have the columns k (a key or part of it), u, v and w. */
const TABLES: readonly [string, string][] = [
  ['integer key', 'CREATE TABLE t (k INTEGER PRIMARY KEY, u UNIQUE, v, w)'],
  ['integer key alone', 'CREATE TABLE t (k INTEGER PRIMARY KEY, u, v, w)'],
  ['text key', 'CREATE TABLE t (k TEXT PRIMARY KEY NOT NULL, u INTEGER UNIQUE, v, w)'],
  ['key without regard to case', 'CREATE TABLE t (k TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, u TEXT UNIQUE, v, w)'],
  ['composite key, no rowid', 'CREATE TABLE t (k TEXT, u INTEGER, v UNIQUE, w, PRIMARY KEY (u, k)) WITHOUT ROWID'],
  ['strict', 'CREATE TABLE t (k INTEGER PRIMARY KEY, u TEXT UNIQUE, v TEXT UNIQUE, w ANY) STRICT'],
  [
    'constraints that replace',
    'CREATE TABLE t (k INTEGER PRIMARY KEY ON CONFLICT REPLACE, u UNIQUE ON CONFLICT REPLACE, v UNIQUE ON CONFLICT IGNORE, w)',
  ],
  ['a default in place of NULL', "CREATE TABLE t (k INTEGER PRIMARY KEY, u TEXT NOT NULL ON CONFLICT REPLACE DEFAULT 'x' UNIQUE, v, w)"],
  [
    'partial and expression indexes',
    "CREATE TABLE t (k INTEGER PRIMARY KEY, u, v, w); CREATE UNIQUE INDEX i1 ON t (u COLLATE NOCASE DESC) WHERE v = 'x'; CREATE UNIQUE INDEX i2 ON t (lower(v), w)",
  ],
  ['generated columns', 'CREATE TABLE t (k INTEGER PRIMARY KEY, u, v, w, g AS (u || v) VIRTUAL UNIQUE, s TEXT AS (v || 1) STORED)'],
];

const values = fc.constantFrom('1', '2', '3', "'x'", "'X'", "'y'", 'NULL');
const keys = fc.constantFrom('1', '2', '3', '4', "'a'", "'A'", 'NULL');
const clause = fc.constantFrom('', 'OR REPLACE ', 'OR REPLACE ', 'OR IGNORE ', 'OR FAIL ', 'OR ABORT ');
const statement = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(clause, keys, values, values, values)
      .map(([c, k, u, v, w]) => `INSERT ${c}INTO t (k, u, v, w) VALUES (${k}, ${u}, ${v}, ${w})`),
  },
  fc.tuple(clause, values, values).map(([c, u, v]) => `INSERT ${c}INTO t (u, v) VALUES (${u}, ${v}), (${v}, ${u})`),
  fc
    .tuple(keys, values, values)
    .map(([k, u, v]) => `INSERT INTO t (k, u, v) VALUES (${k}, ${u}, ${v}) ON CONFLICT DO UPDATE SET w = excluded.u, v = 7`),
  fc.tuple(keys, values).map(([k, u]) => `INSERT INTO t (k, u) VALUES (${k}, ${u}) ON CONFLICT DO NOTHING`),
  fc.tuple(clause, values, keys).map(([c, u, k]) => `UPDATE ${c}t SET u = ${u} WHERE k = ${k}`),
  fc.tuple(clause, values, values).map(([c, u, v]) => `UPDATE ${c}t SET u = ${u}, v = ${v}`),
  fc.tuple(clause, keys, keys).map(([c, k, l]) => `UPDATE ${c}t SET k = ${k} WHERE k = ${l}`),
  fc.constantFrom(
    'UPDATE OR REPLACE t SET k = k + 1',
    'UPDATE t SET w = 1',
    'DELETE FROM t',
    'REPLACE INTO t SELECT * FROM (SELECT k + 1, v, u, w FROM t)',
  ),
  keys.map((k) => `DELETE FROM t WHERE k = ${k}`),
);

/** Statements that fail are part of the game: what they undo must be undone in the record too. */
function attempt(db: Db, sql: string): void {
  try {
    db.exec(sql);
  } catch (error) {
    expect(String(error)).toMatch(
      /constraint failed|datatype mismatch|cannot store|may not be NULL|table t has|cannot modify|too many levels of trigger recursion/,
    );
  }
}

/** Triggers of an application that change the same table: before and after ours are made, so that each order occurs. */
const OTHERS = [
  'BEFORE INSERT ON t WHEN NEW.w IS NULL BEGIN UPDATE t SET w = 8 WHERE u = NEW.u; END',
  'BEFORE INSERT ON t WHEN NEW.u = 3 BEGIN DELETE FROM t WHERE v = NEW.v; END',
  'BEFORE UPDATE ON t WHEN NEW.u = 2 BEGIN DELETE FROM t WHERE v = NEW.v AND k <> OLD.k; END',
  'AFTER INSERT ON t WHEN NEW.v = 2 BEGIN UPDATE t SET w = 9, v = 3 WHERE k = NEW.k; END',
  'AFTER INSERT ON t WHEN NEW.u = 1 BEGIN DELETE FROM t WHERE k = NEW.k; END',
  "AFTER INSERT ON t WHEN NEW.w = 'x' BEGIN REPLACE INTO t (k, u, v, w) VALUES (NEW.k, NEW.u, 4, 4); END",
  "AFTER UPDATE ON t WHEN OLD.k <> NEW.k BEGIN INSERT OR IGNORE INTO t (k, u, v, w) VALUES (OLD.k, 'moved', 5, 5); END",
  'AFTER UPDATE ON t WHEN NEW.w = 1 BEGIN UPDATE OR REPLACE t SET k = 4, w = 2 WHERE k = NEW.k; END',
  "AFTER DELETE ON t WHEN OLD.u = 2 BEGIN INSERT OR IGNORE INTO t (k, u, v, w) VALUES (OLD.k, 'back', 6, 6); END",
  'BEFORE DELETE ON t WHEN OLD.u = 3 BEGIN UPDATE t SET w = 7 WHERE k = OLD.k; END',
];

describe('the triggers', () => {
  it.each(TABLES)('find rows by an index in a table with %s', (_, ddl) => {
    const db = new BetterSqlite3(':memory:');
    db.exec(ddl);
    const table = capture(db, 't'),
      ours = captureTriggers(table, 1).flatMap(({ sql }) => sql.slice(sql.indexOf('BEGIN') + 5, -3).split(';\n'));
    // SQLite does not explain triggers, so their statements are explained with values in place of the rows.
    for (const statement of ours.filter((text) => /^\s*(?:INSERT|UPDATE|DELETE)/.test(text))) {
      const sql = statement.replaceAll(/(?:NEW|OLD)\."[^"]*"/g, "'5'");
      const plan = db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map((r) => (r as { detail: string }).detail);
      expect(
        plan.filter((line) => /^SCAN [a-z_]/.test(line)),
        sql,
      ).toEqual([]);
    }
    db.close();
  });

  it('record rows of a table without a key by their rowid', () => {
    const db = new BetterSqlite3(':memory:');
    db.exec('CREATE TABLE t (v, u UNIQUE)');
    const table = capture(db, 't');
    db.exec(
      "INSERT INTO t VALUES (1, 'a'), (1, 'b'), (1, 'b2'); UPDATE t SET v = 2 WHERE u = 'a'; REPLACE INTO t VALUES (3, 'b'); UPDATE t SET rowid = 9 WHERE u = 'a'; UPDATE OR REPLACE t SET rowid = 9 WHERE u = 'b2'; DELETE FROM t WHERE u = 'b'",
    );
    expect(changesOf(db, table.columns.length).map((c) => [c.op, c.before?.[1] ?? null, c.after?.[1] ?? null])).toEqual([
      ['c', null, 'a'],
      ['c', null, 'b'],
      ['c', null, 'b2'],
      ['u', 'a', 'a'],
      ['d', 'b', null],
      ['c', null, 'b'],
      ['u', 'a', 'a'],
      ['d', 'a', null],
      ['u', 'b2', 'b2'],
      ['d', 'b', null],
    ]);
    db.close();
  });

  it('undo with the transaction what they recorded', () => {
    const db = new BetterSqlite3(':memory:');
    db.exec('CREATE TABLE t (k INTEGER PRIMARY KEY)');
    capture(db, 't');
    db.exec(
      'BEGIN; INSERT INTO t VALUES (1); SAVEPOINT s; INSERT INTO t VALUES (2); ROLLBACK TO s; INSERT INTO t VALUES (3); COMMIT; BEGIN; DELETE FROM t; ROLLBACK',
    );
    expect(changesOf(db, 1).map((c) => c.after)).toEqual([[1n], [3n]]);
    db.close();
  });

  it('leave what an application asks its connection for as it was', () => {
    const answers = [true, false].map((captured) => {
      const db = new BetterSqlite3(':memory:');
      db.exec('CREATE TABLE t (k INTEGER PRIMARY KEY, u UNIQUE)');
      if (captured) capture(db, 't');
      const insert = db.prepare('INSERT INTO t (u) VALUES (?)');
      const given = [
        insert.run('a'),
        insert.run('b'),
        db.prepare("UPDATE t SET u = u || 'x'").run(),
        db.prepare("REPLACE INTO t (u) VALUES ('ax') RETURNING *, changes(), last_insert_rowid()").raw().all(),
      ];
      const kept = db.prepare('SELECT changes(), last_insert_rowid()').raw().get();
      db.close();
      return [...given, kept];
    });
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe.each([['on'], ['off']])('with recursive_triggers %s, capture', (recursive) => {
  it.each(TABLES)('records the exact history of a table with %s', (_, ddl) => {
    fc.assert(
      fc.property(fc.array(statement, { minLength: 1, maxLength: 25 }), (statements) => {
        const db = new BetterSqlite3(':memory:');
        db.pragma(`recursive_triggers = ${recursive}`);
        db.exec(ddl);
        const table = capture(db, 't');
        for (const sql of statements) attempt(db, sql);
        const { rows, problems } = replay(changesOf(db, table.columns.length), table);
        expect(problems).toEqual([]);
        expect(rows).toEqual(tableRows(db, table));
        db.close();
      }),
      { numRuns: RUNS },
    );
  });

  it.each(TABLES)('ends where the table ends when other triggers change it too: %s', (_, ddl) => {
    const others = fc.array(fc.tuple(fc.constantFrom(...OTHERS), fc.boolean()), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(others, fc.array(statement, { minLength: 1, maxLength: 25 }), (triggers, statements) => {
        const db = new BetterSqlite3(':memory:');
        db.pragma(`recursive_triggers = ${recursive}`);
        db.exec(ddl);
        const create = (older: boolean): void =>
          triggers.forEach(([sql, isOlder], i) => {
            if (isOlder === older) db.exec(`CREATE TRIGGER other${i} ${sql}`);
          });
        create(true);
        const table = capture(db, 't');
        create(false);
        // OR FAIL keeps what a failing trigger had done so far, without running the rest (see README, Limits).
        for (const sql of statements) attempt(db, sql.replace('OR FAIL', 'OR ABORT'));
        expect(replay(changesOf(db, table.columns.length), table).rows).toEqual(tableRows(db, table));
        db.close();
      }),
      { numRuns: RUNS },
    );
  });
});
