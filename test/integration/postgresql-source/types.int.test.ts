// Every type on a real server: what a row becomes when it is read, and when it is streamed.

import { beforeAll, describe, expect, it } from 'vitest';
import type { ChangeEvent, Row, Value } from '../../../src/sdk/index.ts';
import { JsonText } from '../../../src/sdk/index.ts';
import { createDatabase, skipReason, type TestDatabase } from '../../helpers/postgres.ts';
import { capture } from './capture.ts';

const missing = (await skipReason()) !== null;
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const json = (text: string): Value => new JsonText(text) as unknown as Value;
const DIGITS = `${'9'.repeat(1000)}.5`;

type Case = readonly [type: string, sql: string, value: Value];

const NUMBERS: readonly Case[] = [
  ['boolean', 'true', true],
  ['smallint', '-32768', -32_768],
  ['integer', '2147483647', 2_147_483_647],
  ['bigint', '9223372036854775807', 9_223_372_036_854_775_807n],
  ['bigint', '-9223372036854775808', -9_223_372_036_854_775_808n],
  ['oid', '4294967295', 4_294_967_295n],
  ['real', '0.1', 0.1],
  ['real', "'NaN'", Number.NaN],
  ['double precision', '1.7976931348623157e308', Number.MAX_VALUE],
  ['double precision', "'-Infinity'", Number.NEGATIVE_INFINITY],
  ['double precision', "'-0'", -0],
  ['numeric', DIGITS, DIGITS],
  ['numeric', "'NaN'", 'NaN'],
  ['numeric', '0.000', '0.000'],
  ['numeric(1000)', '9'.repeat(1000), '9'.repeat(1000)],
  ['numeric(12,2)', '-0.5', '-0.50'],
  ['money', "'-1234.5'", '-1234.50'],
];

const TEXTS: readonly Case[] = [
  ['text', "E'a\\tb\\\\\\n🚀'", 'a\tb\\\n🚀'],
  ['text', "''", ''],
  ['text', "'\\N'", '\\N'],
  ['varchar(5)', "'naïve'", 'naïve'],
  ['char(6)', "'äöü'", 'äöü   '],
  ['"char"', "'x'", 'x'],
  ['name', "'a name'", 'a name'],
  ['bytea', "''", bytes('')],
  ['bytea', "'\\x00ff5c'", bytes('00ff5c')],
  ['uuid', "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['json', `'{"b":  1, "b": 1.50}'`, json('{"b":  1, "b": 1.50}')],
  ['jsonb', `'{"b": 1e2, "a": "\\u00e9"}'`, json('{"a": "é", "b": 100}')],
  ['xml', "'<a>t</a>'", '<a>t</a>'],
  ['mood', "'ok'", 'ok'],
  ['bit(3)', "B'101'", '101'],
  ['bit varying(9)', "B''", ''],
];

const TIMES: readonly Case[] = [
  ['date', "'infinity'", 'infinity'],
  ['date', "'0044-03-15 BC'", '-0043-03-15'],
  ['date', "'12024-02-29'", '+12024-02-29'],
  ['time', "'24:00:00'", '24:00:00'],
  ['time(3)', "'12:34:56.789'", '12:34:56.789'],
  ['timetz', "'12:34:56.5+05:30'", '12:34:56.5+05:30'],
  ['timestamp', "'2024-02-29 12:34:56.789123'", '2024-02-29T12:34:56.789123'],
  ['timestamp', "'-infinity'", '-infinity'],
  ['timestamp', "'0001-12-31 23:59:59 BC'", '0000-12-31T23:59:59'],
  ['timestamp', "'294276-12-31 23:59:59.999999'", '+294276-12-31T23:59:59.999999'],
  ['timestamptz', "'2024-02-29 12:34:56.5+02'", '2024-02-29T10:34:56.5Z'],
  ['timestamptz', "'infinity'", 'infinity'],
  ['timestamptz', "'0044-03-15 12:00:00+00 BC'", '-0043-03-15T12:00:00Z'],
  ['interval', "'1 year 2 mons 3 days 04:05:06.789'", 'P1Y2M3DT4H5M6.789S'],
  ['interval', "'-1 year +2 days -00:00:01.5'", 'P-1Y2DT-1.5S'],
  ['interval', "'0'", 'PT0S'],
];

const NESTED: readonly Case[] = [
  ['int[]', "'{1,NULL,-3}'", [1, null, -3]],
  ['int[]', "'{}'", []],
  ['bigint[]', "'{{1,2},{3,NULL}}'", [[1n, 2n] as Value, [3n, null] as Value]],
  ['text[]', `'{"a,b","NULL",NULL,"","q\\"\\\\"}'`, ['a,b', 'NULL', null, '', 'q"\\']],
  ['numeric[]', "'{1.50,NaN}'", ['1.50', 'NaN']],
  ['boolean[]', "'{t,f}'", [true, false]],
  ['timestamptz[]', "'{2024-02-29 12:00:00+02}'", ['2024-02-29T10:00:00Z']],
  ['bytea[]', `'{"\\\\x00ff"}'`, [bytes('00ff')]],
  ['jsonb[]', `'{"{\\"a\\": 1}"}'`, [json('{"a": 1}')]],
  ['mood[]', "'{sad,happy}'", ['sad', 'happy']],
  ['box[]', "'{(1,1),(0,0);(2,2),(1,1)}'", ['(1,1),(0,0)', '(2,2),(1,1)']],
  ['price', "'12.3'", '12.30'],
  ['price[]', "'{1,2}'", ['1.00', '2.00']],
  ['address', `ROW('Long "Street"', 7, '{a,"b c"}')`, { street: 'Long "Street"', number: 7n, tags: ['a', 'b c'] }],
  ['address[]', `ARRAY[ROW('a', NULL, NULL)::address]`, [{ street: 'a', number: null, tags: null }]],
];

const OTHERS: readonly Case[] = [
  ['inet', "'192.168.0.1/24'", '192.168.0.1/24'],
  ['cidr', "'10.0.0.0/8'", '10.0.0.0/8'],
  ['macaddr', "'08-00-2b-01-02-03'", '08:00:2b:01:02:03'],
  ['macaddr8', "'08-00-2b-01-02-03-04-05'", '08:00:2b:01:02:03:04:05'],
  ['int4range', "'[1,10]'", '[1,11)'],
  ['numrange', "'empty'", 'empty'],
  ['tstzrange', "'[2024-01-01 00:00:00+02,)'", '["2023-12-31 22:00:00+00",)'],
  ['int4multirange', "'{[1,3),[5,7)}'", '{[1,3),[5,7)}'],
  ['point', "'(1.5,-2.5)'", '(1.5,-2.5)'],
  ['line', "'{1,2,3}'", '{1,2,3}'],
  ['lseg', "'[(0,0),(1,1)]'", '[(0,0),(1,1)]'],
  ['box', "'(1,1),(0,0)'", '(1,1),(0,0)'],
  ['path', "'((0,0),(1,1))'", '((0,0),(1,1))'],
  ['polygon', "'((0,0),(1,1),(1,0))'", '((0,0),(1,1),(1,0))'],
  ['circle', "'<(0,0),1>'", '<(0,0),1>'],
  ['tsvector', "'a fat:2 cat:1'", "'a' 'cat':1 'fat':2"],
  ['tsquery', "'fat & cat'", "'fat' & 'cat'"],
  ['pg_lsn', "'16/B374D848'", '16/B374D848'],
  ['jsonpath', "'$.a[*]'", '$."a"[*]'],
  ['xid', "'7'", '7'],
];

/** Of extensions, where the server has them. */
const EXTENSIONS: Readonly<Record<string, readonly Case[]>> = {
  hstore: [
    ['hstore', `'k1=>v1, k2=>NULL, "a\\"b"=>"c d"'`, { k1: 'v1', k2: null, 'a"b': 'c d' }],
    ['hstore', "''", {}],
    ['hstore[]', `ARRAY['a=>1'::hstore]`, [{ a: '1' }]],
  ],
  citext: [['citext', "'Straße'", 'Straße']],
  ltree: [['ltree', "'Top.Science'", 'Top.Science']],
  isn: [['isbn', "'978-0-393-04002-9'", '0-393-04002-X']],
  vector: [
    ['vector(3)', "'[1,2.5,-3]'", [1, 2.5, -3]],
    ['vector', "'[1e-7,1e20]'", [1e-7, 1e20]],
  ],
  postgis: [
    ['geometry', "'SRID=4326;POINT(1 2)'", bytes('0101000020e6100000000000000000f03f0000000000000040')],
    ['geometry(Point,3857)', "'SRID=3857;POINT(1 2)'", bytes('0101000020110f0000000000000000f03f0000000000000040')],
    ['geometry', "'POINT EMPTY'", bytes('0101000000000000000000f87f000000000000f87f')],
    ['geography(Point,4326)', "'POINT(1 2)'", bytes('0101000020e6100000000000000000f03f0000000000000040')],
    // Its arrays are divided by colons.
    ['geometry[]', "ARRAY['POINT(1 2)'::geometry, NULL]", [bytes('0101000000000000000000f03f0000000000000040'), null]],
    ['box2d', "'BOX(1 2,3 4)'::box2d", 'BOX(1 2,3 4)'],
  ],
};

const TYPES = `
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
  CREATE DOMAIN price AS numeric(12,2);
  CREATE TYPE address AS (street text, number bigint, tags text[])`;

async function withExtensions(db: TestDatabase): Promise<Case[]> {
  const found: Case[] = [];
  for (const [name, cases] of Object.entries(EXTENSIONS)) {
    const [row] = await db.query('SELECT 1 FROM pg_available_extensions WHERE name = $1', [name]);
    if (row === undefined) {
      console.warn(`SKIPPED: the server has no extension ${name}`);
      continue;
    }
    await db.query(`CREATE EXTENSION ${name}`);
    found.push(...cases);
  }
  return found;
}

const rowsOf = (events: readonly ChangeEvent[], op: string): Row[] =>
  events.filter((e) => e.table.id.table === 'kinds' && e.op === op).map((e) => e.after ?? {});

describe.skipIf(missing)('values', () => {
  let cases: readonly Case[] = [],
    events: readonly ChangeEvent[] = [];

  beforeAll(async () => {
    await using db = await createDatabase();
    await db.query(TYPES);
    cases = [...NUMBERS, ...TEXTS, ...TIMES, ...NESTED, ...OTHERS, ...(await withExtensions(db))];
    await db.query(`CREATE TABLE kinds (id int PRIMARY KEY, ${cases.map(([type], i) => `c${i} ${type}`).join(', ')})`);
    await db.query('CREATE TABLE zz_end (id int PRIMARY KEY)');
    const insert = (id: number): string => `INSERT INTO kinds VALUES (${id}, ${cases.map(([, sql]) => sql).join(', ')})`;
    await db.query(insert(1));
    ({ events } = await capture(db, [insert(2), 'INSERT INTO kinds VALUES (3)', 'INSERT INTO zz_end VALUES (1)']));
  });

  it('are what the table says', () => {
    const [row = {}] = rowsOf(events, 'c');
    const shown = cases.map(([type, sql], i) => [type, sql.slice(0, 40), row[`c${i}`]]);
    expect(shown).toEqual(cases.map(([type, sql, value]) => [type, sql.slice(0, 40), value]));
  });

  it('are the same from the stream and from a snapshot', () => {
    const [streamed] = rowsOf(events, 'c'),
      [read] = rowsOf(events, 'r');
    expect({ ...read, id: 2 }).toEqual(streamed);
  });

  it('are NULL where the row has none', () => {
    const row = rowsOf(events, 'c')[1] ?? {};
    expect(Object.keys(row)).toHaveLength(cases.length + 1);
    expect(Object.values(row).filter((value) => value !== null)).toEqual([3]);
  });
});

describe.skipIf(missing)('rows', () => {
  it('lack unchanged values that are stored out of line, unless the whole old row is sent', async () => {
    await using db = await createDatabase();
    const LONG = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 300) AS n)";
    for (const table of ['usual', 'whole']) await db.query(`CREATE TABLE ${table} (id int PRIMARY KEY, n int, doc text)`);
    await db.query('ALTER TABLE whole REPLICA IDENTITY FULL');
    await db.query('CREATE TABLE zz_end (id int PRIMARY KEY)');
    for (const table of ['usual', 'whole']) await db.query(`INSERT INTO ${table} VALUES (1, 1, ${LONG})`);
    const dml = ['usual', 'whole'].map((table) => `UPDATE ${table} SET n = 2`);
    const { events } = await capture(db, [...dml, 'INSERT INTO zz_end VALUES (1)']);
    const [usual, whole] = events.filter((e) => e.op === 'u');
    expect([usual?.after, usual?.incomplete]).toEqual([{ id: 1, n: 2 }, true]);
    expect([whole?.incomplete, String(whole?.after?.['doc']).length, String(whole?.before?.['doc']).length]).toEqual([false, 9600, 9600]);
  });

  it('have the old values that the replica identity says', async () => {
    await using db = await createDatabase();
    await db.query('CREATE TABLE by_key (id int PRIMARY KEY, v text)');
    await db.query('CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL UNIQUE, v text)');
    await db.query('ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key');
    await db.query('CREATE TABLE whole (id int, v text)');
    await db.query('ALTER TABLE whole REPLICA IDENTITY FULL');
    await db.query('CREATE TABLE zz_end (id int PRIMARY KEY)');
    await db.query("INSERT INTO by_key VALUES (1, 'a')");
    await db.query("INSERT INTO by_index VALUES (1, 'x', 'a')");
    await db.query('CREATE TABLE by_wide_index (id int PRIMARY KEY, code text NOT NULL, UNIQUE (code, id))');
    await db.query('ALTER TABLE by_wide_index REPLICA IDENTITY USING INDEX by_wide_index_code_id_key');
    await db.query("INSERT INTO by_wide_index VALUES (1, 'x')");
    await db.query("INSERT INTO whole VALUES (1, 'a')");
    const dml = ['by_key', 'by_index', 'whole'].flatMap((t) => [`UPDATE ${t} SET v = 'b'`, `DELETE FROM ${t}`]);
    dml.splice(3, 0, 'UPDATE by_index SET id = 2', "UPDATE by_index SET code = 'y'");
    dml.push('DELETE FROM by_wide_index');
    const { events } = await capture(db, [...dml, 'INSERT INTO zz_end VALUES (1)']);
    const seen = events.filter((e) => e.op === 'u' || e.op === 'd').map((e) => [e.table.id.table, e.op, e.key, e.before]);
    expect(seen).toEqual([
      ['by_key', 'u', { id: 1 }, null],
      ['by_key', 'd', { id: 1 }, { id: 1 }],
      // The index is what every event has: a change of the primary key would not be told from one of another column.
      ['by_index', 'u', { code: 'x' }, null],
      ['by_index', 'u', { code: 'x' }, null],
      ['by_index', 'u', { code: 'y' }, { code: 'x' }],
      ['by_index', 'd', { code: 'y' }, { code: 'y' }],
      ['whole', 'u', null, { id: 1, v: 'a' }],
      ['whole', 'd', null, { id: 1, v: 'b' }],
      ['by_wide_index', 'd', { id: 1 }, { id: 1, code: 'x' }],
    ]);
  });

  it('leave generated columns out, and keep odd names', async () => {
    await using db = await createDatabase();
    await db.query(
      'CREATE TABLE "Odd $ta.ble" (id int PRIMARY KEY, "a b" int, "__proto__" int, twice int GENERATED ALWAYS AS (id * 2) STORED)',
    );
    await db.query('CREATE TABLE zz_end (id int PRIMARY KEY)');
    const insert = (id: number): string => `INSERT INTO "Odd $ta.ble" VALUES (${id}, 7, 8)`;
    await db.query(insert(1));
    const { events } = await capture(db, [insert(2), 'INSERT INTO zz_end VALUES (1)']);
    const rows = events.filter((e) => e.table.id.table === 'Odd $ta.ble').map((e) => [e.op, Object.entries(e.after ?? {})]);
    const entries = (id: number): [string, number][] => [
      ['id', id],
      ['a b', 7],
      ['__proto__', 8],
    ];
    expect(rows).toEqual([
      ['r', entries(1)],
      ['c', entries(2)],
    ]);
  });
});
