// Values: every storage class in every kind of column comes the same way from rows and from changes, or is refused by name.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Column, type ColumnType, RowImage, type Value } from '../../../../src/sdk/index.ts';
import { columnOf, plainDecimal, typeOf } from '../../../../src/sources/sqlite/types.ts';
import { type Db, eventsOf, NOTHING, World } from './harness.ts';

let world: World;
let db: Db;
beforeEach(() => {
  world = new World();
  db = world.db();
});
afterEach(() => {
  world.close();
});

describe('declared types', () => {
  it.each<[string, ColumnType, object?]>([
    ['INTEGER', 'int64'],
    ['int', 'int64'],
    ['BIGINT UNSIGNED', 'int64'],
    ['TINYINT(1)', 'int64'],
    ['BOOLEAN', 'boolean'],
    ['bool', 'boolean'],
    ['TEXT', 'string'],
    ['VARCHAR(255)', 'string', { length: 255 }],
    ['CHARACTER(20)', 'string', { length: 20 }],
    ['CLOB', 'string'],
    ['BLOB', 'bytes'],
    ['', 'any'],
    ['REAL', 'float64'],
    ['DOUBLE PRECISION', 'float64'],
    ['FLOAT', 'float64'],
    ['DECIMAL(10,2)', 'decimal', { precision: 10, scale: 2 }],
    ['numeric(8)', 'decimal', { precision: 8, scale: 0 }],
    ['DECIMAL(20,2)', 'any'],
    ['NUMERIC', 'any'],
    ['DATE', 'any'],
    ['DATETIME', 'any'],
    ['JSON', 'any'],
    ['UUID', 'any'],
  ])('%s is %s', (declared, type, more = {}) => {
    expect(typeOf(declared)).toEqual({ type, ...more });
  });

  it.each<[string, string, Value | undefined]>([
    ['INTEGER', '5', 5n],
    ['INTEGER', '-5', -5n],
    ['REAL', '5', 5],
    ['REAL', '1.5e3', 1500],
    ['TEXT', "'it''s'", "it's"],
    ['BOOLEAN', '1', true],
    ['DECIMAL(5,2)', '1.50', '1.5'],
    ['TEXT', 'CURRENT_TIMESTAMP', undefined],
    ['INTEGER', "'x'", undefined],
    ['TEXT', 'NULL', undefined],
    ['INTEGER', '99999999999999999999', undefined],
  ])('the default of %s %s is %s', (declared, defaultSql, value) => {
    const column = { name: 'c', declared, notNull: false, defaultSql, generatedSql: null };
    const table = {
      name: 't',
      strict: false,
      columns: [column],
      key: [],
      keyCollations: [],
      rowid: 'rowid',
      integerKey: false,
      uniqueKeys: [],
    };
    expect(columnOf(table, column, 'declared').default).toEqual(value);
  });

  it.each([
    [1e21, '1000000000000000000000'],
    [1.5e22, '15000000000000000000000'],
    [1e-7, '0.0000001'],
    [-1.25e-9, '-0.00000000125'],
    [0.1, '0.1'],
    [-12, '-12'],
  ])('%s as digits is %s', (n, digits) => {
    expect(plainDecimal(n)).toBe(digits);
    expect(Number(digits)).toBe(n);
  });
});

/** Column type, value as SQL, what events carry. */
const VALUES: readonly [string, string, Value][] = [
  ['INTEGER', '9223372036854775807', 9223372036854775807n],
  ['INTEGER', '-9223372036854775808', -9223372036854775808n],
  ['INTEGER', '9007199254740993', 9007199254740993n],
  ['INTEGER', 'NULL', null],
  ['REAL', '0.1', 0.1],
  ['REAL', '3', 3],
  ['REAL', '9e999', Number.POSITIVE_INFINITY],
  ['REAL', '-9e999', Number.NEGATIVE_INFINITY],
  ['REAL', '5e-324', 5e-324],
  ['REAL', '1.7976931348623157e308', Number.MAX_VALUE],
  ['TEXT', "''", ''],
  ['TEXT', "'it''s \"q\" ü 😀'", 'it\'s "q" ü 😀'],
  ['TEXT', "'a' || char(0) || 'b'", 'a\0b'],
  ['TEXT', '12', '12'],
  ['TEXT', 'char(0xFFFD)', '\uFFFD'],
  ['BLOB', "x'00ff80'", Buffer.from([0, 255, 128])],
  ['BLOB', "x''", Buffer.alloc(0)],
  ['BOOLEAN', '1', true],
  ['BOOLEAN', '0', false],
  ['DECIMAL(10,2)', '12.30', '12.3'],
  ['DECIMAL(10,2)', "'7'", '7'],
  ['DECIMAL(10,2)', '-0.01', '-0.01'],
  ['', '1', 1n],
  ['', '1.0', 1],
  ['', "'1'", '1'],
  ['', "x'31'", Buffer.from('1')],
  ['DATETIME', "'2024-05-01 10:00:00'", '2024-05-01 10:00:00'],
  ['DATETIME', '1714557600', 1714557600n],
  ['NUMERIC', '12.5', 12.5],
];

describe.each(['UTF-8', 'UTF-16le', 'UTF-16be'])('in a database of %s', (encoding) => {
  it('values come alike from rows and from changes, before and after', async () => {
    db.pragma(`encoding = '${encoding}'`);
    const columns = VALUES.map(([declared], i) => `c${i} ${declared}`).join(', '),
      list = VALUES.map(([, sql]) => sql).join(', ');
    db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, ${columns}); INSERT INTO t VALUES (1, ${list})`);
    const first = await world.run();
    db.exec(
      `INSERT INTO t VALUES (2, ${list}); UPDATE t SET id = 3 WHERE id = 2; DELETE FROM t WHERE id = 3; REPLACE INTO t (id) VALUES (1)`,
    );
    const second = await world.run(first.stored),
      events = eventsOf([...first.batches, ...second.batches]);
    expect(world.rejects).toEqual([]);
    expect(events.map((e) => e.op)).toEqual(['r', 'c', 'u', 'd', 'd', 'c']);
    const expected = VALUES.map(([, , value]) => value);
    for (const e of events.slice(0, 5))
      for (const row of [e.before, e.after]) if (row !== null) expect(VALUES.map((_, i) => row[`c${i}`])).toEqual(expected);
  });
});

describe('an image', () => {
  it('answers for single columns what the decoded row has, and names the columns', async () => {
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, ok BOOLEAN, d DECIMAL(5,2)); INSERT INTO t VALUES (0, 0, 0), (1, 1, 2.5), (2, 0, 0)');
    const event = eventsOf((await world.run()).batches)[1];
    expect(event?.columns('after')).toEqual(['id', 'ok', 'd']);
    expect(['id', 'ok', 'd', 'none'].map((c) => event?.get('after', c))).toEqual([1n, true, '2.5', undefined]);
    expect(event?.save().after).toBeInstanceOf(RowImage);
    expect(event?.after).toEqual({ id: 1n, ok: true, d: '2.5' });
  });
});

describe('a value that its column cannot hold', () => {
  const MISFITS: readonly [string, string, string][] = [
    ['INTEGER', "'abc'", 'TEXT'],
    ['INTEGER', '1.5', 'REAL'],
    ['TEXT', "x'00'", 'BLOB'],
    ['REAL', "'abc'", 'TEXT'],
    ['BLOB', "'abc'", 'TEXT'],
    ['BOOLEAN', '2', 'INTEGER'],
    ['BOOLEAN', "'true'", 'TEXT'],
    ['DECIMAL(5,2)', "'abc'", 'TEXT'],
    ['DECIMAL(5,2)', '9e999', 'REAL'],
  ];

  it.each(MISFITS)('%s %s goes to the dead letters by name, as row and as change', async (declared, sql, storage) => {
    db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v ${declared}); INSERT INTO t VALUES (1, ${sql}), (2, NULL)`);
    const first = await world.run();
    db.exec(`INSERT INTO t VALUES (3, ${sql}); UPDATE t SET v = NULL WHERE id = 1; DELETE FROM t WHERE id = 3`);
    const { batches } = await world.run(first.stored);
    expect(eventsOf(first.batches).map((e) => e.key)).toEqual([{ id: 2n }]);
    expect(world.rejects).toHaveLength(2);
    for (const { error } of world.rejects)
      expect(error).toMatchObject({
        code: 'SOURCE_DATA_INVALID',
        message: expect.stringContaining(`t.v is declared "${declared}", and a row holds ${storage}`),
      });
    // Images before the change inform only: they lack what cannot be told.
    expect(eventsOf(batches).map((e) => [e.op, e.before, e.after])).toEqual([
      ['u', { id: 1n }, { id: 1n, v: null }],
      ['d', { id: 3n }, null],
    ]);
  });

  it.each(MISFITS)('%s %s comes as it is stored when types are', async (declared, sql) => {
    db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v ${declared}); INSERT INTO t VALUES (1, ${sql})`);
    const { batches } = await world.run(NOTHING, { config: { types: 'stored' } });
    const [event] = eventsOf(batches),
      stored = db.prepare('SELECT v FROM t').safeIntegers().pluck().get();
    expect(event?.after).toEqual({ id: 1n, v: stored });
    expect(event?.table.columns.map((c: Column) => c.type)).toEqual(['int64', 'any']);
  });

  it.each(['declared', 'stored'] as const)('such as bytes that are no text goes to the dead letters, with types %s', async (types) => {
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, CAST(x'61ff62' AS TEXT)), (2, char(0xFFFD))");
    const first = await world.run(NOTHING, { config: { types } });
    db.exec("INSERT INTO t VALUES (3, CAST(x'c0' AS TEXT)), (4, char(0xFFFD)); DELETE FROM t WHERE id = 1");
    const { batches } = await world.run(first.stored, { config: { types } });
    expect(eventsOf([...first.batches, ...batches]).map((e) => [e.op, e.key, e.before])).toEqual([
      ['r', { id: 2n }, null],
      ['c', { id: 4n }, null],
      ['d', { id: 1n }, { id: 1n }],
    ]);
    expect(world.rejects.map((r) => r.error)).toMatchObject([
      { message: expect.stringContaining('not valid Unicode') },
      { message: expect.stringContaining('not valid Unicode') },
    ]);
  });
});

describe('a key', () => {
  it('that is NULL goes to the dead letters, and the row comes once it has one', async () => {
    db.exec("CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (NULL, 1), ('a', 2), (NULL, 3)");
    const first = await world.run(NOTHING, { ctx: { maxBatchEvents: 1 } });
    db.exec("INSERT INTO t VALUES (NULL, 4); UPDATE t SET k = 'b' WHERE v = 1; UPDATE t SET k = NULL WHERE k = 'a'");
    const { batches } = await world.run(first.stored);
    expect(eventsOf([...first.batches, ...batches]).map((e) => [e.op, e.key, e.get('after', 'v')])).toEqual([
      ['r', { k: 'a' }, 2n],
      ['u', { k: 'b' }, 1n],
      ['d', { k: 'a' }, undefined],
    ]);
    expect(world.rejects).toHaveLength(4);
    expect(new Set(world.rejects.map((r) => r.error.message))).toEqual(new Set(['A row of t has NULL in its primary key (k).']));
  });

  it('that is no text does not stop the reading of the rows behind it', async () => {
    db.exec(
      "CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY); INSERT INTO t VALUES ('a'), (CAST(x'ef' AS TEXT)), (CAST(x'ff' AS TEXT)), (CAST(x'ffff' AS TEXT)), (char(0xFFFD))",
    );
    const { batches } = await world.run(NOTHING, { ctx: { maxBatchEvents: 1 } });
    expect(eventsOf(batches).map((e) => e.key)).toEqual([{ k: 'a' }, { k: '\uFFFD' }]);
    expect(world.rejects).toHaveLength(3);
  });

  it.each([
    ['INTEGER', ['-9223372036854775808', '0', '9007199254740993']],
    ['TEXT', ["''", "'a'", "'a' || char(0)", "'ü'", "'😀'"]],
    ['REAL', ['-1.5', '0.1', '9e999']],
    ['BLOB', ["x''", "x'00'", "x'ff'"]],
    ['', ['1', '1.5', "'1'", "x'31'"]],
    ['TEXT COLLATE NOCASE', ["'a'", "'B'", "'c'"]],
  ])('of type %s carries the reading from chunk to chunk', async (declared, keys) => {
    db.exec(`CREATE TABLE t (k ${declared} NOT NULL, n INTEGER, PRIMARY KEY (k, n)) WITHOUT ROWID`);
    for (const [i, key] of keys.entries()) db.exec(`INSERT INTO t VALUES (${key}, ${i}), (${key}, ${-i - 1})`);
    const { batches } = await world.run(NOTHING, { ctx: { maxBatchEvents: 1 } });
    const expected = db.prepare('SELECT k, n FROM t ORDER BY k, n').raw().safeIntegers().all();
    expect(eventsOf(batches).map((e) => [e.after?.['k'], e.after?.['n']])).toEqual(expected);
  });
});
