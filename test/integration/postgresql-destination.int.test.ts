// The `postgresql` destination against a real server: what is special to PostgreSQL, beside the contract suite.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PostgresqlConfig } from '../../src/destinations/postgresql/config.ts';
import {
  type CdcError,
  type ChangeEvent,
  type Column,
  type Finding,
  formatPoint,
  type ResumePoint,
  type Row,
  type TableSchema,
} from '../../src/sdk/index.ts';
import { Events, ITEMS, item, pointAt } from '../../src/sdk/testing/index.ts';
import { failureOf } from '../helpers/failure.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { PostgresProxy } from '../helpers/postgres-proxy.ts';
import { postgresqlConfig } from '../helpers/postgresql-destination.ts';
import { failed, LANE, Lane, openReplica, STORED } from '../helpers/postgresql-lane.ts';
import { selfSigned } from '../helpers/self-signed.ts';

const missing = (await skipReason()) !== null;
const never = new AbortController().signal;

type Changes = Partial<PostgresqlConfig>;

describe.skipIf(missing)('postgresql', () => {
  describe('order and reduction', () => {
    it('leaves the same rows whether a batch is written whole or event by event', async () => {
      await using db = await createDatabase();
      const e = new Events(),
        events = mixedEvents(e);
      await using whole = await Lane.join(postgresqlConfig(db.url, { table: 'whole', points_schema: 'p1' }));
      await using single = await Lane.join(postgresqlConfig(db.url, { table: 'single', points_schema: 'p2' }));
      expect(await whole.write(events)).toEqual(STORED);
      for (const event of events) expect(await single.write([event])).toEqual(STORED);
      const rows = await db.query('SELECT * FROM whole ORDER BY id');
      expect(rows.length).toBeGreaterThan(5);
      expect(await db.query('SELECT * FROM single ORDER BY id')).toEqual(rows);
    });

    it('stores 5,000 rows by COPY, new ones and existing ones, with every character that COPY escapes', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events(),
        name = (n: number, round: string): string => `${round}\t${n}\n\\N \\. "'\r ✓ ${n}`;
      for (const round of ['first', 'second']) {
        const events = Array.from({ length: 5000 }, (_, n) =>
          e.make({ op: 'r', after: item(n, name(n, round), n % 3 === 0 ? null : '\\N') }),
        );
        expect(await lane.write(events)).toEqual(STORED);
        const rows = await db.query('SELECT id, name, note FROM items ORDER BY id');
        expect(rows).toEqual(Array.from({ length: 5000 }, (_, n) => item(n, name(n, round), n % 3 === 0 ? null : '\\N')));
      }
      const [stage] = await db.query(
        `SELECT count(*)::int AS n FROM pg_class WHERE relname LIKE 'cdc_run_stage_%' AND relpersistence = 't'`,
      );
      expect(stage).toEqual({ n: 1 });
    });

    it('stores a large batch without COPY where the role may not make temporary tables', async () => {
      await using db = await createDatabase();
      await using role = await limitedRole(db, `GRANT ALL ON SCHEMA public TO $role; REVOKE TEMP ON DATABASE ${db.name} FROM public`);
      await using lane = await Lane.join(postgresqlConfig(role.url));
      const e = new Events();
      expect(await lane.write(Array.from({ length: 3000 }, (_, n) => e.create(item(n, `n${n}`))))).toEqual(STORED);
      expect(await db.query('SELECT count(*)::int AS n, max(name) AS name FROM items')).toEqual([{ n: 3000, name: 'n999' }]);
    });

    it('cuts a batch into statements of batch_insert_size', async () => {
      await using db = await createDatabase();
      const pool = { min_connections: 0, max_connections: 2, connection_timeout: 5000, idle_timeout: 1000, batch_insert_size: 7 };
      await using lane = await Lane.join(postgresqlConfig(db.url, { connection_pool: pool as never }));
      const e = new Events(),
        rows = Array.from({ length: 50 }, (_, n) => item(n, `n${n}`));
      await lane.write(rows.map((r) => e.create(r)));
      await lane.write(rows.slice(0, 40).map((r) => e.partial(null, { id: r['id'] as number, name: 'new' })));
      await lane.write(rows.slice(0, 30).map((r) => e.remove(r)));
      expect(await db.query('SELECT count(*)::int AS n, count(*) FILTER (WHERE name = $1)::int AS changed FROM items', ['new'])).toEqual([
        { n: 20, changed: 10 },
      ]);
    });

    it('takes two spellings of one key as one row', async () => {
      await using db = await createDatabase();
      await db.query('CREATE TABLE prices (id numeric PRIMARY KEY, name text)');
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const prices: TableSchema = {
        ...ITEMS,
        id: { ...ITEMS.id, table: 'prices' },
        columns: [{ name: 'id', type: 'decimal', nativeType: 'numeric', nullable: false }, ...ITEMS.columns.slice(1, 2)],
      };
      const e = new Events(prices);
      expect(
        await lane.write([
          e.create({ id: '1.0', name: 'a' }),
          e.update(null, { id: '1.00', name: 'b' }),
          e.create({ id: '2', name: 'x' }),
          e.remove({ id: '2.000', name: 'x' }),
        ]),
      ).toEqual(STORED);
      expect(await db.query('SELECT trim_scale(id)::text AS id, name FROM prices')).toEqual([{ id: '1', name: 'b' }]);
    });
  });

  describe('conflicts, deletes and keys', () => {
    const existing = `CREATE TABLE items (id int PRIMARY KEY, name text, note text, mine text DEFAULT 'default'); INSERT INTO items VALUES (1, 'old', 'old', 'own'), (2, 'old', 'old', 'own')`;
    const all = 'SELECT * FROM items ORDER BY id';

    it.each([
      [
        'upsert',
        [
          { id: 1, name: 'c', note: null, mine: 'own' },
          { id: 2, name: 'u', note: 'old', mine: 'own' },
          { id: 3, name: 'n', note: null, mine: 'default' },
        ],
      ],
      [
        'replace',
        [
          { id: 1, name: 'c', note: null, mine: 'default' },
          { id: 2, name: 'u', note: null, mine: 'default' },
          { id: 3, name: 'n', note: null, mine: 'default' },
        ],
      ],
      [
        'ignore',
        [
          { id: 1, name: 'old', note: 'old', mine: 'own' },
          { id: 2, name: 'u', note: 'old', mine: 'own' },
          { id: 3, name: 'n', note: null, mine: 'default' },
        ],
      ],
    ] as const)('%s says what happens to rows that are there', async (resolution, rows) => {
      await using db = await createDatabase();
      await db.query(existing);
      await using lane = await Lane.join(postgresqlConfig(db.url, { conflict_resolution: resolution }));
      const e = new Events();
      expect(await lane.write([e.create(item(1, 'c')), e.update(null, { id: 2, name: 'u' }), e.create(item(3, 'n'))])).toEqual(STORED);
      expect(await db.query(all)).toEqual(rows);
    });

    it('keeps deleted and truncated rows with `deletes: ignore`', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url, { deletes: 'ignore' }));
      const e = new Events();
      expect(await lane.write([e.create(item(1, 'a')), e.remove(item(1, 'a')), e.truncate(), e.create(item(2, 'b'))])).toEqual(STORED);
      expect(await db.query(all)).toEqual([item(1, 'a'), item(2, 'b')]);
    });

    it('moves a row with what refers to it, and over a row that a later state left behind', async () => {
      await using db = await createDatabase();
      await db.query(
        `${existing}; CREATE TABLE parts (id int PRIMARY KEY, item int REFERENCES items ON UPDATE CASCADE); INSERT INTO parts VALUES (7, 1)`,
      );
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events();
      expect(await lane.write([e.update({ id: 1 }, { id: 2, name: 'moved' }), e.partial({ id: 2 }, { id: 9 })])).toEqual(STORED);
      expect(await db.query(all)).toEqual([{ id: 9, name: 'moved', note: 'old', mine: 'own' }]);
      expect(await db.query('SELECT * FROM parts')).toEqual([{ id: 7, item: 9 }]);
    });

    it('changes the case of a key that has none', async () => {
      await using db = await createDatabase();
      await db.query(
        `CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE items (id text COLLATE folded PRIMARY KEY, name text)`,
      );
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const names: TableSchema = {
        ...ITEMS,
        columns: [{ name: 'id', type: 'string', nativeType: 'text', nullable: false }, ...ITEMS.columns.slice(1, 2)],
      };
      const e = new Events(names);
      expect(await lane.write([e.create({ id: 'Ann', name: 'a' }), e.partial({ id: 'Ann' }, { id: 'ANN' })])).toEqual(STORED);
      expect(await db.query('SELECT * FROM items')).toEqual([{ id: 'ANN', name: 'a' }]);
    });

    it('empties a table that others refer to row by row', async () => {
      await using db = await createDatabase();
      await db.query(
        `${existing}; CREATE TABLE parts (id int PRIMARY KEY, item int REFERENCES items ON DELETE CASCADE); INSERT INTO parts VALUES (7, 1)`,
      );
      await using lane = await Lane.join(postgresqlConfig(db.url));
      expect(await lane.write([new Events().truncate()])).toEqual(STORED);
      expect([await db.query(all), await db.query('SELECT * FROM parts')]).toEqual([[], []]);
    });

    it('writes identity columns, and leaves computed ones to the server', async () => {
      await using db = await createDatabase();
      await db.query(
        `CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, note text GENERATED ALWAYS AS (upper(name)) STORED)`,
      );
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events();
      expect(await lane.write([e.create(item(5, 'a', 'from the source')), e.create(item(6, 'b'))])).toEqual(STORED);
      expect(await lane.write([e.update(null, item(5, 'c')), e.partial(null, { id: 6, name: 'd' })])).toEqual(STORED);
      expect(await db.query(all)).toEqual([item(5, 'c', 'C'), item(6, 'd', 'D')]);
    });

    it('refuses what needs a key where there is none', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events({ ...ITEMS, key: [] });
      const events = [e.create(item(1, 'a')), e.update(item(1, 'a'), item(1, 'b')), e.remove(item(1, 'a')), e.partial(null, { id: 1 })];
      expect(failed(await lane.write(events)).map((f) => f.index)).toEqual([1, 2, 3]);
      expect(await lane.write(events, { skip: [1, 2, 3] })).toEqual(STORED);
      expect(await db.query(all)).toEqual([item(1, 'a')]);
    });
  });

  describe('events that are refused', () => {
    it('names each of them, and nothing else, among 3,000', async () => {
      await using db = await createDatabase();
      await db.query(`CREATE TABLE items (id int PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, note text CHECK (note <> 'bad'))`);
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events(),
        bad = new Map([
          [17, item(17, 'n16')],
          [800, item(800, 'n800', 'bad')],
          [801, { id: 801, name: null, note: null }],
          [2999, { ...item(2999, 'n'), id: 3_000_000_000 }],
        ]);
      const events = Array.from({ length: 3000 }, (_, n) => e.create(bad.get(n) ?? item(n, `n${n}`)));
      const refused = failed(await lane.write(events));
      expect(refused.map((f) => f.index)).toEqual([...bad.keys()]);
      expect(refused.map((f) => f.message)).toEqual([
        expect.stringContaining('items_name_key'),
        expect.stringContaining('items_note_check'),
        expect.stringContaining('"name"'),
        expect.stringContaining('22003'),
      ]);
      expect(await db.query('SELECT count(*)::int AS n FROM items')).toEqual([{ n: 0 }]);
      expect(await lane.write(events, { skip: bad.keys() })).toEqual(STORED);
      expect(await db.query('SELECT count(*)::int AS n FROM items')).toEqual([{ n: 2996 }]);
    });

    it('never repeats a value in its message', async () => {
      await using db = await createDatabase();
      await db.query(`CREATE TABLE items (id int PRIMARY KEY, name inet UNIQUE, note uuid)`);
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events();
      await lane.write([e.create({ id: 1, name: '10.9.8.7' })]);
      const refused = failed(
        await lane.write([
          e.create({ id: 2, name: 'secret-4111' }),
          e.create({ id: 3, note: 'secret-4111' }),
          e.create({ id: 4, name: '10.9.8.7' }),
        ]),
      );
      expect(refused).toHaveLength(3);
      expect(JSON.stringify(refused)).not.toMatch(/4111|10\.9/);
    });

    it('names the missing rows of incomplete events only', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events();
      await lane.write([e.create(item(1, 'a')), e.create(item(2, 'b'))]);
      const events = [
        e.partial(null, { id: 1, note: 'x' }),
        e.partial(null, { id: 8, note: 'x' }),
        e.partial(null, { id: 2, name: 'y' }),
        e.partial({ id: 9 }, { id: 10, name: 'z' }),
        e.remove(item(2, 'b')),
        e.partial(null, { id: 2, name: 'late' }),
      ];
      expect(failed(await lane.write(events)).map(({ index, code }) => [index, code])).toEqual(
        [1, 3, 5].map((i) => [i, 'DESTINATION_ROW_MISSING']),
      );
      expect(await lane.write(events, { skip: [1, 3, 5] })).toEqual(STORED);
      expect(await db.query('SELECT * FROM items')).toEqual([item(1, 'a', 'x')]);
    });

    it('stores rows that refer to later ones of their batch', async () => {
      await using db = await createDatabase();
      await db.query(
        'CREATE TABLE parents (id int PRIMARY KEY, name text, note text); CREATE TABLE items (id int PRIMARY KEY REFERENCES parents, name text, note text); INSERT INTO parents VALUES (1)',
      );
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const parents = new Events({ ...ITEMS, id: { ...ITEMS.id, table: 'parents' } }),
        e = new Events();
      expect(await lane.write([e.create(item(1, 'a')), parents.create(item(2, 'p')), e.create(item(2, 'b'))])).toEqual(STORED);
      expect(await db.query('SELECT id FROM items ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
    });

    it('names events that break a constraint which is checked at the commit', async () => {
      await using db = await createDatabase();
      await db.query(
        'CREATE TABLE parents (id int PRIMARY KEY); CREATE TABLE items (id int PRIMARY KEY REFERENCES parents DEFERRABLE INITIALLY DEFERRED, name text, note text); INSERT INTO parents VALUES (1), (3)',
      );
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events(),
        events = [e.create(item(1, 'a')), e.create(item(2, 'b')), e.create(item(3, 'c'))];
      expect(failed(await lane.write(events)).map((f) => f.index)).toEqual([1]);
      expect(await lane.write(events, { skip: [1] })).toEqual(STORED);
    });

    it('refuses columns that the target lacks where it may not add them', async () => {
      await using db = await createDatabase();
      await db.query('CREATE TABLE items (id int PRIMARY KEY, name text)');
      await using lane = await Lane.join(postgresqlConfig(db.url, { create_tables: false }));
      const e = new Events();
      expect(failed(await lane.write([e.create({ id: 1, name: 'a' }), e.create(item(2, 'b'))]))).toEqual([
        expect.objectContaining({ index: 1, message: expect.stringContaining('"note"') as unknown }),
      ]);
    });

    it('refuses a truncate where several tables share the target', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url, { table: 'everything' }));
      const e = new Events();
      expect(failed(await lane.write([e.create(item(1, 'a')), e.truncate()])).map((f) => f.index)).toEqual([1]);
    });
  });

  describe('types', () => {
    /** Column type, texts that the server prints for its values, what a source sends for them. */
    const kept: readonly (readonly [string, Column['type'], string, Row[string]])[] = [
      ['smallint', 'int16', '-32768', -32768],
      ['bigint', 'int64', '9223372036854775807', 9223372036854775807n],
      ['numeric', 'decimal', '1.2300', '1.2300'],
      ['numeric(20,0)', 'uint64', '18446744073709551615', 18446744073709551615n],
      ['numeric(8,3)', 'decimal', '12.500', '12.5000'],
      ['numeric', 'decimal', 'NaN', 'NaN'],
      ['numeric', 'decimal', 'Infinity', 'Infinity'],
      ['real', 'float32', '1.1', 1.1],
      ['double precision', 'float64', '0.1', 0.1],
      ['double precision', 'float64', '-0', -0],
      ['double precision', 'float64', '-Infinity', -Infinity],
      ['double precision', 'float64', 'NaN', NaN],
      ['real', 'float64', '0.5', 0.5],
      ['boolean', 'boolean', 'true', true],
      ['text', 'string', '{"a,b\\"} \t NULL', '{"a,b\\"} \t NULL'],
      ['varchar(3)', 'string', 'a😀c', 'a😀c'],
      ['char(4)', 'string', 'ab  ', 'ab'],
      ['"char"', 'string', 'x', 'x'],
      ['bytea', 'bytes', '\\x00ff5c', new Uint8Array([0, 255, 92])],
      ['date', 'date', '2024-02-29', '2024-02-29'],
      ['date', 'date', '0044-03-15 BC', '-0043-03-15'],
      ['date', 'date', 'infinity', 'infinity'],
      ['timestamp', 'timestamp', '12024-01-01 00:00:00', '+12024-01-01T00:00:00'],
      ['timestamp(3)', 'timestamp', '2024-01-01 12:00:00.123', '2024-01-01T12:00:00.123000'],
      ['timestamptz', 'timestamptz', '2024-01-01 10:00:00.000001+00', '2024-01-01T12:00:00.000001+02:00'],
      ['timestamptz', 'timestamptz', '-infinity', '-infinity'],
      ['time', 'time', '23:59:59.999999', '23:59:59.999999'],
      ['timetz', 'timetz', '12:00:00+02', '12:00:00+02:00'],
      ['interval', 'interval', '1 year 2 mons 3 days 04:05:06.789', 'P1Y2M3DT4H5M6.789S'],
      ['uuid', 'uuid', '0f8fad5b-d9cb-469f-a165-70867728950e', '0F8FAD5B-D9CB-469F-A165-70867728950E'],
      ['jsonb', 'json', '{"n": 12345678901234567890, "t": "x"}', { n: 12345678901234567890n, t: 'x' }],
      ['json', 'string', '{"b":1,  "a":2}', '{"b":1,  "a":2}'],
      ['jsonb', 'any', '{"$bytes": "AP8="}', new Uint8Array([0, 255])],
      ['jsonb', 'any', '"x"', 'x'],
      ['xml', 'xml', '<a>1</a>', '<a>1</a>'],
      ['bit(3)', 'bits', '101', '101'],
      ['bit varying(5)', 'bits', '0101', '0101'],
      ['mood', 'enum', 'so "so"', 'so "so"'],
      ['small', 'int32', '7', 7],
      ['inet', 'string', '10.0.0.1/8', '10.0.0.1/8'],
      ['int4range', 'string', '[1,5)', '[1,5)'],
      ['point', 'string', '(1,2)', '(1,2)'],
      [
        'integer[]',
        'array',
        '{{1,2},{3,NULL}}',
        [
          [1, 2],
          [3, null],
        ],
      ],
      ['text[]', 'array', '{a,"b,c","NULL",NULL,"q\\"\\\\",""}', ['a', 'b,c', 'NULL', null, 'q"\\', '']],
      ['mood[]', 'array', '{"so \\"so\\""}', ['so "so"']],
      ['jsonb[]', 'array', '{1,"\\"x\\""}', ['1', '"x"']],
      ['box[]', 'string', '{(2,2),(1,1);(4,4),(3,3)}', '{(2,2),(1,1);(4,4),(3,3)}'],
      ['pair', 'string', '(1,"a b")', '(1,"a b")'],
      ['citext', 'string', 'MiXed', 'MiXed'],
    ];
    const columns = kept.map(([nativeType, type], i): Column => ({ name: `c${i}`, type, nativeType, nullable: true }));
    const table: TableSchema = { ...ITEMS, columns: [...ITEMS.columns.slice(0, 1), ...columns] };
    const row = Object.fromEntries(kept.map(([, , , value], i) => [`c${i}`, value]));
    const setUp = `SET timezone = 'UTC'; CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('so "so"'); CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE TYPE pair AS (a int, b text);
      CREATE TABLE items (id int PRIMARY KEY, ${kept.map(([type], i) => `c${i} ${type}`).join(', ')})`;

    it.each([
      ['arrays', 3],
      ['COPY', 1500],
    ])('keeps every value in columns of %s types that are there', async (_, count) => {
      await using db = await createDatabase();
      await db.query(setUp);
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events(table);
      const empty = Object.fromEntries(columns.map((c) => [c.name, null]));
      expect(await lane.write(Array.from({ length: count }, (_u, id) => e.create({ id, ...(id === 1 ? empty : row) })))).toEqual(STORED);
      const read = await db.query(`SELECT ${columns.map((c) => `${c.name}::text`).join(', ')} FROM items ORDER BY id`);
      // A cast of char(n) to text drops its padding.
      const printed = Object.fromEntries(kept.map(([type, , text], i) => [`c${i}`, type === 'char(4)' ? 'ab' : text]));
      expect(read).toEqual(Array.from({ length: count }, (_u, id) => (id === 1 ? empty : printed)));
    });

    it('updates and moves rows by keys of every type that can be one', async () => {
      const keys = kept.map(([type], i) => ({ type, i })).filter(({ type }) => !/^(json|xml|point|box|"char")/.test(type));
      await using db = await createDatabase();
      await db.query(setUp);
      await using lane = await Lane.join(postgresqlConfig(db.url));
      for (const { type, i } of keys) {
        const name = `by_${i}`,
          value = row[`c${i}`] ?? null,
          nativeType = kept[i]?.[1] ?? 'string';
        await db.query(`CREATE TABLE ${name} (k ${type}, id int, v text, PRIMARY KEY (k, id))`);
        const e = new Events({
          id: { ...ITEMS.id, table: name },
          key: ['k', 'id'],
          version: 1,
          columns: [
            { name: 'k', type: nativeType, nativeType: type, nullable: false },
            ITEMS.columns[0] as Column,
            { ...(ITEMS.columns[1] as Column), name: 'v' },
          ],
        });
        await lane.write([e.create({ k: value, id: 1, v: 'a' }), e.create({ k: value, id: 2, v: 'b' })]);
        expect(
          await lane.write([
            e.partial(null, { k: value, id: 1, v: 'c' }),
            e.remove({ k: value, id: 2 }),
            e.update({ k: value, id: 1, v: 'c' }, { k: value, id: 3, v: 'd' }),
          ]),
          type,
        ).toEqual(STORED);
        expect(await db.query(`SELECT id, v FROM ${name}`), type).toEqual([{ id: 3, v: 'd' }]);
      }
    });

    /** Column, source type, value: the server would change each of these without a word. */
    const changed: readonly (readonly [string, Column['type'], Row[string]])[] = [
      ['numeric(8,2)', 'decimal', '1.239'],
      ['timestamp(3)', 'timestamp', '2024-01-01T00:00:00.1234'],
      ['timestamp', 'timestamp', '2024-01-01T00:00:00.1234567'],
      ['timestamp', 'timestamptz', '2024-01-01T00:00:00+02:00'],
      ['timestamptz', 'timestamp', '2024-01-01T00:00:00'],
      ['date', 'timestamp', '2024-01-01T12:00:00'],
      ['time', 'timetz', '12:00:00+02:00'],
      ['real', 'float64', 0.1234567891],
      ['real', 'decimal', '16777217'],
      ['double precision', 'int64', 9007199254740993n],
      ['double precision', 'decimal', '0.12345678901234567890'],
      ['varchar(3)', 'string', 'abc  '],
      ['bytea', 'string', 'abc'],
      ['text', 'string', 'a\0b'],
      ['text', 'string', '\ud800'],
      ['jsonb', 'json', { a: 'x\0' }],
      ['text', 'bytes', new Uint8Array([1])],
      ['interval(0)', 'interval', 'PT0.5S'],
    ];
    it('refuses values that the server would change silently', async () => {
      await using db = await createDatabase();
      await db.query(`CREATE TABLE items (id int PRIMARY KEY, ${changed.map(([type], i) => `c${i} ${type}`).join(', ')})`);
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events({
        ...ITEMS,
        columns: [
          ...ITEMS.columns.slice(0, 1),
          ...changed.map(([nativeType, type], i): Column => ({ name: `c${i}`, type, nativeType, nullable: true })),
        ],
      });
      const events = changed.map(([, , value], i) => e.create({ id: i, [`c${i}`]: value }));
      expect(failed(await lane.write(events)).map((f) => f.index)).toEqual(changed.map((_, i) => i));
      expect(await db.query('SELECT id FROM items')).toEqual([]);
    });

    it('makes columns that lose nothing', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const made: readonly (readonly [Partial<Column> & Pick<Column, 'type'>, string])[] = [
        [{ type: 'int16' }, 'smallint'],
        [{ type: 'int64' }, 'bigint'],
        [{ type: 'uint64' }, 'numeric(20,0)'],
        [{ type: 'decimal', precision: 12, scale: 2 }, 'numeric(12,2)'],
        [{ type: 'decimal' }, 'numeric'],
        [{ type: 'float32' }, 'real'],
        [{ type: 'timestamp', precision: 3 }, 'timestamp(3) without time zone'],
        [{ type: 'timestamptz' }, 'timestamp with time zone'],
        [{ type: 'timestamp', precision: 9 }, 'text'],
        [{ type: 'time', precision: 0 }, 'time(0) without time zone'],
        [{ type: 'any' }, 'jsonb'],
        [{ type: 'json' }, 'jsonb'],
        [{ type: 'enum', values: ['a'] }, 'text'],
        [{ type: 'bits', length: 4 }, 'bit varying(4)'],
        [{ type: 'array', element: 'int32' }, 'integer[]'],
        [{ type: 'array' }, 'text[]'],
        [{ type: 'array', element: 'decimal', precision: 5, scale: 1 }, 'numeric(5,1)[]'],
        [{ type: 'geometry' }, 'text'],
        [{ type: 'xml' }, 'xml'],
      ];
      const columns = made.map(([column], i): Column => ({ name: `Column "${i}"`, nativeType: '', nullable: true, ...column }));
      const e = new Events({ ...ITEMS, columns: [...ITEMS.columns.slice(0, 1), ...columns] });
      expect(await lane.write([e.create({ id: 1 })])).toEqual(STORED);
      const types = await db.query<{ type: string }>(
        `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 1 ORDER BY attnum`,
      );
      expect(types.map((t) => t.type)).toEqual(made.map(([, type]) => type));
    });

    it('keeps what has no declared type as JSON, apart by type', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events({ ...ITEMS, columns: [], key: ['id'] });
      const values: Row[string][] = [null, 1, 1n, '1', 1.5, true, [1, 'a'], { a: 1n }, new Uint8Array([1]), Infinity];
      expect(await lane.write(values.map((v, i) => e.create({ id: `k${i}`, v })))).toEqual(STORED);
      const rows = await db.query(`SELECT id #>> '{}' AS id, v::text FROM items ORDER BY 1`);
      expect(rows).toEqual(
        [null, '1', '1', '"1"', '1.5', 'true', '[1, "a"]', '{"a": 1}', '{"$bytes": "AQ=="}', '{"$number": "Infinity"}'].map((v, i) => ({
          id: `k${i}`,
          v,
        })),
      );
    });
  });

  describe('tables', () => {
    it('adds the columns of an altered table, and those that rows bring along', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url, { schema: 'a "new" schema' }));
      const wider: TableSchema = {
        ...ITEMS,
        version: 2,
        columns: [...ITEMS.columns, { name: 'price', type: 'decimal', nativeType: 'numeric(9,2)', precision: 9, scale: 2, nullable: true }],
      };
      const e = new Events(),
        w = new Events(wider);
      const events = [
        e.create(item(1, 'a')),
        w.make({ op: 's', schemaChange: { kind: 'alter', previous: ITEMS, ddl: null } }),
        e.update(null, item(1, 'old schema')),
        w.create({ ...item(2, 'b'), price: '1.50' }),
        w.create({ ...item(3, 'c'), tag: 'new' }),
        e.remove(item(3, 'c')),
      ];
      expect(await lane.write(events)).toEqual(STORED);
      expect(await db.query('SELECT * FROM "a ""new"" schema".items ORDER BY id')).toEqual([
        { ...item(1, 'old schema'), price: null, tag: null },
        { ...item(2, 'b'), price: '1.50', tag: null },
      ]);
    });

    it('makes tables while another pipeline makes the same ones', async () => {
      await using db = await createDatabase();
      const lanes = await Promise.all(
        [1, 2, 3, 4].map((n) =>
          Lane.join(postgresqlConfig(db.url, { points_schema: n < 3 ? 'shared' : `p${n}` }), 1).catch((error: unknown) => error),
        ),
      );
      const joined = lanes.filter((l): l is Lane => l instanceof Lane);
      expect(joined.length).toBeGreaterThanOrEqual(3);
      const results = await Promise.allSettled(joined.map((lane, n) => lane.write([new Events().create(item(n, `lane ${n}`))])));
      for (const lane of joined) await lane[Symbol.asyncDispose]();
      expect(
        results
          .filter((r) => r.status === 'rejected')
          .map((r) => (r.reason as CdcError).code)
          .filter((c) => c !== 'DESTINATION_FENCED'),
      ).toEqual([]);
    });

    it.each<[string, string, Changes, string]>([
      ['there is no table and none may be made', '', { create_tables: false }, 'create_tables'],
      ['its key is not unique', 'CREATE TABLE items (id int, name text, note text)', {}, 'ALTER TABLE "public"."items" ADD UNIQUE ("id");'],
      ['it is a view', 'CREATE VIEW items AS SELECT 1 AS id', {}, '`table`'],
      ['its name is too long to be kept', '', { table: `${'x'.repeat(60)}{table}` }, '`table`'],
      ['it is our own table', '', { table: 'cdc_run_points' }, 'points_schema'],
    ])('stops with a fix when %s', async (_, setUp, changes, fix) => {
      await using db = await createDatabase();
      if (setUp !== '') await db.query(setUp);
      await using lane = await Lane.join(postgresqlConfig(db.url, changes));
      const error = await failureOf(lane.write([new Events().create(item(1, 'a'))]));
      expect(error).toMatchObject({ code: 'DESTINATION_MISCONFIGURED', retriable: false });
      expect(error.fix).toContain(fix);
    });

    it('refuses two source tables that fall on one target', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const audit = new Events({ ...ITEMS, id: { database: null, schema: 'audit', table: 'items' } });
      const error = await failureOf(lane.write([new Events().create(item(1, 'a')), audit.create(item(1, 'b'))]));
      expect(error).toMatchObject({ code: 'DESTINATION_MISCONFIGURED', message: expect.stringContaining('audit.items') as unknown });
    });

    it('notices that a table was changed behind its back', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events();
      await lane.write([e.create(item(1, 'a'))]);
      await db.query('ALTER TABLE items DROP COLUMN note');
      const events = [e.create(item(2, 'b', 'kept'))];
      expect(await failureOf(lane.write(events))).toMatchObject({ retriable: true });
      expect(await lane.write(events)).toEqual(STORED);
      expect(await db.query('SELECT note FROM items WHERE id = 2')).toEqual([{ note: 'kept' }]);
    });
  });

  describe('points', () => {
    it('lets one of two writers through that begin at the same point', async () => {
      await using db = await createDatabase();
      await using first = await Lane.join(postgresqlConfig(db.url));
      await first.write([new Events().create(item(0, 'made'))]);
      await using second = await Lane.join(postgresqlConfig(db.url));
      const e = new Events();
      const results = await Promise.allSettled([
        first.write([e.create(item(1, 'one'))], { through: pointAt(8) }),
        second.write([e.create(item(2, 'two'))], { through: pointAt(9) }),
      ]);
      expect(results.map((r) => (r.status === 'rejected' ? (r.reason as CdcError).code : r.value.kind)).sort()).toEqual([
        'DESTINATION_FENCED',
        'stored',
      ]);
      expect(await db.query('SELECT count(*)::int AS n FROM items')).toEqual([{ n: 2 }]);
    });

    it('fences a writer that was claimed away while its transaction waited', async () => {
      await using db = await createDatabase();
      await using old = await Lane.join(postgresqlConfig(db.url));
      await old.write([new Events().create(item(1, 'a'))]);
      const blocker = await db.connect();
      await blocker.query('BEGIN; SELECT FROM cdc_run_points FOR UPDATE');
      const late = failureOf(old.write([new Events().create(item(2, 'late'))]));
      await waitFor(db, `wait_event_type = 'Lock'`);
      await blocker.query('UPDATE cdc_run_points SET epoch = 2; COMMIT');
      expect(await late).toMatchObject({ code: 'DESTINATION_FENCED', message: expect.stringContaining('epoch 2') as unknown });
      expect(await db.query('SELECT id FROM items')).toEqual([{ id: 1 }]);
    });

    it('says that the outcome is unknown when its backend is ended during COMMIT, and nothing was stored', async () => {
      await using db = await createDatabase();
      await db.query(`CREATE TABLE items (id int PRIMARY KEY, name text, note text);
        CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()`);
      await using lane = await Lane.join(postgresqlConfig(db.url));
      await db.query('SELECT pg_advisory_lock(42)');
      const events = [new Events().create(item(1, 'a'))],
        before = formatPoint(lane.point);
      const write = failureOf(lane.write(events));
      await waitFor(db, `query = 'COMMIT' AND wait_event = 'advisory'`);
      await db.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query = 'COMMIT' AND state = 'active'`,
      );
      expect(await write).toMatchObject({ code: 'DESTINATION_OUTCOME_UNKNOWN', retriable: true });
      const committed = await lane.destination.committed(LANE);
      expect(committed.kind === 'points' && formatPoint(committed.points[0] as ResumePoint)).toBe(before);
      await db.query('SELECT pg_advisory_unlock(42)');
      expect(await lane.write(events)).toEqual(STORED);
    });

    it.each([
      ['before', 0],
      ['after', 1],
    ] as const)('tells by its point what happened when the connection is cut %s the server reads COMMIT', async (cut, rows) => {
      await using db = await createDatabase();
      await using proxy = await PostgresProxy.start(db.url);
      await using lane = await Lane.join(postgresqlConfig(proxy.through(db.url)));
      await lane.write([new Events().create(item(0, 'made'))]);
      const batch = lane.batch([new Events().create(item(1, 'a'))], { through: pointAt(50) });
      proxy.cutNextCommit = cut;
      expect(await failureOf(lane.destination.write(batch, never))).toMatchObject({ code: 'DESTINATION_OUTCOME_UNKNOWN' });
      const committed = await lane.destination.committed(LANE);
      expect(committed.kind === 'points' && formatPoint(committed.points[0] as ResumePoint)).toBe(
        formatPoint(rows === 1 ? batch.through : batch.previous),
      );
      expect(await db.query('SELECT count(*)::int AS n FROM items WHERE id = 1')).toEqual([{ n: rows }]);
    });

    it('says that it is empty after its points were removed, and fences itself', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      await db.query('TRUNCATE cdc_run_points');
      expect(await failureOf(lane.write([new Events().create(item(1, 'a'))]))).toMatchObject({ code: 'DESTINATION_FENCED' });
      expect(await lane.destination.committed(LANE)).toEqual({ kind: 'empty', epoch: 0 });
    });

    it('keeps the points of workers apart', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      await lane.destination.setPoints(LANE, 1, [pointAt(1), pointAt(2)]);
      const e = new Events();
      await Promise.all(
        [0, 1].map((worker) =>
          lane.destination.write(
            { ...lane.batch([e.create(item(worker, 'a'))], { previous: pointAt(worker + 1), through: pointAt(worker + 10) }), worker },
            never,
          ),
        ),
      );
      expect(await lane.destination.committed(LANE)).toEqual({ kind: 'points', epoch: 1, points: [pointAt(10), pointAt(11)] });
    });

    it('waits for the disk although the database commits asynchronously', async () => {
      await using db = await createDatabase();
      await db.query(`ALTER DATABASE ${db.name} SET synchronous_commit = off; ALTER DATABASE ${db.name} SET default_transaction_isolation = 'serializable';
        ALTER DATABASE ${db.name} SET default_transaction_read_only = on`);
      await db.query(`CREATE TABLE items (id int PRIMARY KEY, name text, note text);
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := concat_ws(' ', current_setting('synchronous_commit'), current_setting('transaction_isolation')); RETURN NEW; END $$;
        CREATE TRIGGER tell BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION tell()`);
      await db.query(
        `CREATE TABLE cdc_run_points (pipeline text, lane text, worker int, epoch bigint, point text, updated_at timestamptz DEFAULT now(), PRIMARY KEY (pipeline, lane, worker))`,
      );
      await using lane = await Lane.join(postgresqlConfig(db.url));
      expect(await lane.write([new Events().create(item(1, 'a'))])).toEqual(STORED);
      expect(await db.query('SELECT note FROM items')).toEqual([{ note: 'local read committed' }]);
    });
  });

  describe('connections', () => {
    it('gives up a write that waits for a lock when it is stopped', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events();
      await lane.write([e.create(item(1, 'a'))]);
      const blocker = await db.connect();
      await blocker.query('BEGIN; LOCK TABLE items');
      const stop = new AbortController(),
        batch = lane.batch([e.create(item(2, 'b'))]);
      const write = failureOf(lane.destination.write(batch, stop.signal));
      await waitFor(db, `wait_event_type = 'Lock'`);
      stop.abort();
      expect(await write).toMatchObject({ retriable: true });
      await blocker.query('ROLLBACK');
      expect(await lane.destination.write(batch, never)).toEqual(STORED);
    });

    it('calls a statement that takes too long retriable', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url, { statement_timeout: 100 }));
      await lane.write([new Events().create(item(1, 'a'))]);
      const blocker = await db.connect();
      await blocker.query('BEGIN; LOCK TABLE items');
      expect(await failureOf(lane.write([new Events().create(item(2, 'b'))]))).toMatchObject({
        code: 'DESTINATION_FAILED',
        retriable: true,
        message: expect.stringContaining('57014') as unknown,
      });
      await blocker.query('ROLLBACK');
      expect(await lane.write([new Events().create(item(2, 'b'))])).toEqual(STORED);
    });

    it('survives the loss of its connection in the middle of a COPY', async () => {
      await using db = await createDatabase();
      await using lane = await Lane.join(postgresqlConfig(db.url));
      const e = new Events();
      await lane.write([e.create(item(0, 'made'))]);
      await db.query(
        `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END'; CREATE TRIGGER hold BEFORE INSERT ON items EXECUTE FUNCTION hold()`,
      );
      const events = Array.from({ length: 2000 }, (_, n) => e.create(item(n, 'x'.repeat(500))));
      const write = failureOf(lane.write(events));
      await waitFor(db, `wait_event = 'PgSleep'`);
      await db.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
      );
      expect(await write).toMatchObject({ code: 'DESTINATION_UNREACHABLE', retriable: true });
      await db.query('DROP TRIGGER hold ON items');
      expect(await lane.write(events)).toEqual(STORED);
    });

    it('verifies who answers as `ssl_mode` says', async () => {
      await using db = await createDatabase();
      const folder = await mkdtemp(join(tmpdir(), 'cdc-run-tls-'));
      try {
        const ours = selfSigned('localhost'),
          other = selfSigned('localhost'),
          elsewhere = selfSigned('db.example.com');
        await writeFile(join(folder, 'ours.pem'), ours.cert);
        await writeFile(join(folder, 'other.pem'), other.cert);
        await writeFile(join(folder, 'elsewhere.pem'), elsewhere.cert);
        await using right = await PostgresProxy.start(db.url, { tls: ours });
        await using named = await PostgresProxy.start(db.url, { tls: elsewhere });
        const at = (proxy: PostgresProxy, mode: string, ca: string | null): Promise<string> => {
          const url = new URL(proxy.through(db.url));
          url.hostname = 'localhost';
          return reach(
            postgresqlConfig(url.href, { ssl_mode: mode as 'require', ...(ca === null ? {} : { ssl: { ca: join(folder, ca) } as never }) }),
          );
        };
        expect(await at(right, 'verify-full', 'ours.pem')).toBe('reached');
        expect(await at(right, 'verify-full', 'other.pem')).toBe('DESTINATION_FORBIDDEN');
        expect(await at(right, 'verify-full', null)).toBe('DESTINATION_FORBIDDEN');
        expect(await at(named, 'verify-full', 'elsewhere.pem')).toBe('DESTINATION_FORBIDDEN');
        expect(await at(named, 'verify-ca', 'elsewhere.pem')).toBe('reached');
        expect(await at(named, 'verify-ca', 'ours.pem')).toBe('DESTINATION_FORBIDDEN');
        expect(await at(named, 'require', null)).toBe('reached');
        expect(await at(right, 'require', 'other.pem')).toBe('DESTINATION_FORBIDDEN');
        expect(await at(right, 'verify-full', 'missing.pem')).toBe('DESTINATION_MISCONFIGURED');
        expect(await reach(postgresqlConfig(db.url, { ssl_mode: 'require' }))).toBe('DESTINATION_MISCONFIGURED');
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it('never tells the password', async () => {
      await using db = await createDatabase();
      const url = new URL(db.url);
      url.password = 'hunter2-hunter2';
      const config = postgresqlConfig(url.href);
      const error = await failureOf(Lane.join(config));
      expect(error.code).toBe('DESTINATION_FORBIDDEN');
      const found = await checkOf(config);
      expect(`${JSON.stringify(error)} ${String(error.cause)} ${error.stack ?? ''} ${JSON.stringify(found)}`).not.toContain('hunter2');
    });
  });

  describe('check', () => {
    it('says what a role lacks', async () => {
      await using db = await createDatabase();
      await db.query(
        'CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE cdc_run_points (pipeline text); CREATE SCHEMA closed; REVOKE ALL ON SCHEMA public FROM public',
      );
      await using role = await limitedRole(
        db,
        'GRANT USAGE ON SCHEMA public TO $role; GRANT SELECT, INSERT ON items TO $role; GRANT SELECT ON cdc_run_points TO $role',
      );
      const errors = async (changes: Changes): Promise<string[]> =>
        (await checkOf(postgresqlConfig(role.url, changes))).filter((f) => f.level === 'error').map((f) => `${f.code}: ${f.message}`);
      expect(await errors({ table: 'items' })).toEqual([
        'DESTINATION_FORBIDDEN: the role may not create tables in the schema public',
        'DESTINATION_FORBIDDEN: the role lacks INSERT, UPDATE, DELETE on public.cdc_run_points',
        'DESTINATION_FORBIDDEN: the role lacks UPDATE, DELETE on public.items',
      ]);
      expect(await errors({ table: 'items', create_tables: false, schema: 'closed', points_schema: 'nowhere' })).toEqual([
        'DESTINATION_FORBIDDEN: the role may not use the schema closed',
        'DESTINATION_FORBIDDEN: the schema nowhere of the table cdc_run_points does not exist, and the role may not create it',
        'DESTINATION_MISCONFIGURED: the table closed.items does not exist',
      ]);
    });

    it('warns of a target without a key and of a server nobody verifies', async () => {
      await using db = await createDatabase();
      await db.query('CREATE TABLE items (id int)');
      await using proxy = await PostgresProxy.start(db.url, { tls: selfSigned('localhost') });
      const found = await checkOf(postgresqlConfig(proxy.through(db.url), { table: 'items', ssl_mode: 'require' }));
      expect(found.filter((f) => f.level === 'warning').map((f) => f.check)).toEqual(expect.arrayContaining(['key', 'encryption']));
      expect(found.filter((f) => f.level === 'error')).toEqual([]);
    });
  });
});

/** Changes of some keys in every combination that a batch may hold. */
function mixedEvents(e: Events): ChangeEvent[] {
  const events: ChangeEvent[] = [];
  for (let id = 0; id < 30; id++) events.push(e.create(item(id, `n${id}`, 'first')));
  for (let id = 0; id < 30; id++) {
    if (id % 2 === 0) events.push(e.partial(null, { id, name: 'patched' }));
    if (id % 3 === 0) events.push(e.remove(item(id, '')));
    if (id % 6 === 0) events.push(e.create({ id, name: 'again' }));
    if (id % 5 === 0)
      events.push(e.update({ id }, { id: id + 100, name: 'moved', note: null }), e.partial(null, { id: id + 100, note: 'after the move' }));
    if (id % 7 === 0) events.push(e.update(null, item(id, 'updated')));
  }
  return events;
}

/** Resolves once a session of the database is in this state. */
async function waitFor(db: TestDatabase, state: string): Promise<void> {
  for (;;) {
    const rows = await db.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND ${state}`,
    );
    if (rows.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function checkOf(config: PostgresqlConfig): Promise<Finding[]> {
  const destination = await openReplica(config);
  try {
    const found: Finding[] = [];
    for await (const finding of destination.check()) found.push(finding);
    return found;
  } finally {
    await destination.close();
  }
}

/** `reached`, or the code of what `check` found. */
async function reach(config: PostgresqlConfig): Promise<string> {
  return (await checkOf(config)).find((f) => f.level === 'error')?.code ?? 'reached';
}

/** A role of its own with these rights; `$role` stands for its name. */
async function limitedRole(db: TestDatabase, rights: string): Promise<AsyncDisposable & { readonly url: string }> {
  const name = `${db.name}_role`;
  await db.query(`CREATE ROLE ${name} LOGIN PASSWORD 'test'; ${rights.replaceAll('$role', name)}`);
  const url = new URL(db.url);
  url.username = name;
  url.password = 'test';
  return {
    url: url.href,
    [Symbol.asyncDispose]: async () => {
      await db.query(`DROP OWNED BY ${name} CASCADE; DROP ROLE ${name}`);
    },
  };
}
