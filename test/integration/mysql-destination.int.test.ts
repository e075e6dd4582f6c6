// The `mysql` destination against real servers: what is special to MySQL and MariaDB, beside the contract suite.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MysqlConfig } from '../../src/destinations/mysql/config.ts';
import { descriptor } from '../../src/destinations/mysql/index.ts';
import { type ChangeEvent, type Column, type Finding, formatPoint, type ResumePoint, type Row } from '../../src/sdk/index.ts';
import { Events, ITEMS, item, pointAt } from '../../src/sdk/testing/index.ts';
import { findMysql, OwnMysql } from '../chaos/own-mysql.ts';
import { failureOf } from '../helpers/failure.ts';
import { createMysqlDatabase, describeOn, isMariadb, type MysqlDatabase, mysqlServers } from '../helpers/mysql.ts';
import { joinMysql, mysqlConfig, mysqlProxy } from '../helpers/mysql-destination.ts';
import { failed, LANE, openReplica, STORED } from '../helpers/postgresql-lane.ts';
import { selfSigned } from '../helpers/self-signed.ts';

const never = new AbortController().signal;
const ALL = 'SELECT * FROM items ORDER BY id';
const text = (row: Row): Row => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v === null ? null : String(v)]));
const rowOf = (id: number, name: string, note: string | null = null): Row => text(item(id, name, note));

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

const servers = (await mysqlServers()).filter((s) => s !== 'mysql56');
describeOn(servers, 'mysql destination on %s', (server) => {
  describe('order and reduction', () => {
    it.each([
      ['its key alone is unique', ''],
      ['something else is unique, too', ', UNIQUE (other)'],
    ])('leaves the same rows whether a batch is written whole or event by event, where %s', async (_, unique) => {
      await using db = await createMysqlDatabase(server);
      for (const name of ['whole', 'single'])
        await db.query(`CREATE TABLE ${name} (id int PRIMARY KEY, name text, note text, other int${unique}) ENGINE=InnoDB`);
      const events = mixedEvents(new Events());
      await using whole = await joinMysql(db.url, { table: 'whole', points_schema: db.name });
      for (const event of [events]) expect(await whole.write(event)).toEqual(STORED);
      await db.query('DELETE FROM cdc_run_points');
      await using single = await joinMysql(db.url, { table: 'single' });
      for (const event of events) expect(await single.write([event])).toEqual(STORED);
      const rows = await db.query('SELECT * FROM whole ORDER BY id');
      expect(rows.length).toBeGreaterThan(5);
      expect(await db.query('SELECT * FROM single ORDER BY id')).toEqual(rows);
    });

    it('stores 5,000 rows, new ones and existing ones, with every character that a literal escapes', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
      const e = new Events(),
        name = (n: number, round: string): string => `${round}\t${n}\n\\N \\' \\. "''\r\0\u001a% ✓ 😀 ?${n}`;
      for (const round of ['first', 'second']) {
        const events = Array.from({ length: 5000 }, (_, n) =>
          e.make({ op: 'r', after: item(n, name(n, round), n % 3 === 0 ? null : '\\N') }),
        );
        expect(await lane.write(events)).toEqual(STORED);
        expect(await db.query(ALL)).toEqual(Array.from({ length: 5000 }, (_, n) => rowOf(n, name(n, round), n % 3 === 0 ? null : '\\N')));
      }
    });

    it('cuts a batch into statements of batch_insert_size, and into what max_allowed_packet takes', async () => {
      await using db = await createMysqlDatabase(server);
      const pool = { min_connections: 0, max_connections: 2, connection_timeout: 5000, idle_timeout: 1000, batch_insert_size: 7 };
      await using lane = await joinMysql(db.url, { connection_pool: pool as never });
      const e = new Events(),
        rows = Array.from({ length: 50 }, (_, n) => item(n, `n${n}`));
      await lane.write(rows.map((r) => e.create(r)));
      await lane.write(rows.slice(0, 40).map((r) => e.partial(null, { id: r['id'] as number, name: 'new' })));
      await lane.write(rows.slice(0, 30).map((r) => e.remove(r)));
      expect(await db.query("SELECT count(*) AS n, sum(name = 'new') AS changed FROM items")).toEqual([{ n: '20', changed: '10' }]);
      const [limit] = await db.query('SELECT @@max_allowed_packet AS n');
      const large = 'x'.repeat(Math.ceil(Number(limit?.['n']) / 3));
      await using wide = await joinMysql(db.url, { table: 'wide' });
      const huge = [1, 2, 3, 4].map((id) => e.create(item(id, large)));
      expect(await wide.write([...huge, e.create(item(5, large.repeat(4))), e.create(item(6, 'small'))])).toMatchObject({
        kind: 'refused',
      });
    }, 60_000);

    it('names the row that is longer than max_allowed_packet, and stores the others', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
      const [limit] = await db.query('SELECT @@max_allowed_packet AS n');
      const e = new Events(),
        events = [e.create(item(1, 'a')), e.create(item(2, 'x'.repeat(Number(limit?.['n'])))), e.create(item(3, 'c'))];
      const [refused, ...others] = failed(await lane.write(events));
      expect(others).toEqual([]);
      expect(refused).toMatchObject({
        index: 1,
        code: 'DESTINATION_EVENT_REJECTED',
        message: expect.stringContaining('max_allowed_packet'),
      });
      expect(await lane.write(events, { skip: [1] })).toEqual(STORED);
    }, 60_000);
  });

  describe('conflicts, deletes and keys', () => {
    const existing = `CREATE TABLE items (id int PRIMARY KEY, name text, note text, mine varchar(20) DEFAULT 'default') ENGINE=InnoDB;
      INSERT INTO items VALUES (1, 'old', 'old', 'own'), (2, 'old', 'old', 'own')`;

    it.each([
      ['upsert', ['c', null, 'own'], ['u', 'old', 'own']],
      ['replace', ['c', null, 'default'], ['u', null, 'default']],
      ['ignore', ['old', 'old', 'own'], ['u', 'old', 'own']],
    ] as const)('%s says what happens to rows that are there', async (resolution, first, second) => {
      for (const more of ['', '; ALTER TABLE items ADD COLUMN code int UNIQUE']) {
        await using db = await createMysqlDatabase(server);
        await db.query(existing + more);
        await using lane = await joinMysql(db.url, { conflict_resolution: resolution });
        const e = new Events();
        expect(await lane.write([e.create(item(1, 'c')), e.update(null, { id: 2, name: 'u' }), e.create(item(3, 'n'))])).toEqual(STORED);
        const rows = await db.query('SELECT id, name, note, mine FROM items ORDER BY id');
        expect(rows.map((r) => [r['name'], r['note'], r['mine']])).toEqual([first, second, ['n', null, 'default']]);
      }
    });

    it('never writes over another row that has only a unique value in common', async () => {
      await using db = await createMysqlDatabase(server);
      await db.query(`CREATE TABLE items (id int PRIMARY KEY, name varchar(20) UNIQUE, note text) ENGINE=InnoDB;
        INSERT INTO items VALUES (1, 'taken', 'mine')`);
      for (const resolution of ['upsert', 'replace', 'ignore'] as const) {
        await using lane = await joinMysql(db.url, { conflict_resolution: resolution });
        const e = new Events();
        expect(failed(await lane.write([e.create(item(2, 'taken')), e.create(item(3, 'free'))])).map((f) => f.index)).toEqual([0]);
        expect(await db.query(ALL)).toEqual([rowOf(1, 'taken', 'mine')]);
        await db.query('DELETE FROM cdc_run_points');
      }
    });

    it('tells keys apart that differ in case, in accents or in blanks at the end', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
      const e = new Events({
        ...ITEMS,
        columns: [{ name: 'id', type: 'string', nativeType: 'text', nullable: false }, ...ITEMS.columns.slice(1)],
      });
      const ids = ['a', 'A', 'ä', ...(server === 'mysql57' ? [] : ['a '])];
      expect(await lane.write(ids.map((id) => e.create({ id, name: id, note: null })))).toEqual(STORED);
      expect(await lane.write([e.remove({ id: 'A' }), e.partial(null, { id: 'ä', name: 'changed' })])).toEqual(STORED);
      const rows = await db.query('SELECT id, name FROM items');
      expect(rows.map((r) => `${r['id']}=${r['name']}`).sort()).toEqual(
        ids
          .filter((i) => i !== 'A')
          .map((i) => (i === 'ä' ? 'ä=changed' : `${i}=${i}`))
          .sort(),
      );
    });

    it('keeps deleted and truncated rows with `deletes: ignore`', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url, { deletes: 'ignore' });
      const e = new Events();
      expect(await lane.write([e.create(item(1, 'a')), e.remove(item(1, 'a')), e.truncate(), e.create(item(2, 'b'))])).toEqual(STORED);
      expect(await db.query(ALL)).toEqual([rowOf(1, 'a'), rowOf(2, 'b')]);
    });

    it('moves a row with what refers to it, and over a row that a later state left behind', async () => {
      await using db = await createMysqlDatabase(server);
      await db.query(`${existing}; CREATE TABLE parts (id int PRIMARY KEY, item int, FOREIGN KEY (item) REFERENCES items (id) ON UPDATE CASCADE) ENGINE=InnoDB;
        INSERT INTO parts VALUES (7, 1)`);
      await using lane = await joinMysql(db.url);
      const e = new Events();
      expect(await lane.write([e.update({ id: 1 }, { id: 2, name: 'moved' }), e.partial({ id: 2 }, { id: 9 })])).toEqual(STORED);
      expect(await db.query(ALL)).toEqual([{ id: '9', name: 'moved', note: 'old', mine: 'own' }]);
      expect(await db.query('SELECT * FROM parts')).toEqual([{ id: '7', item: '9' }]);
    });

    it('keeps zero in an AUTO_INCREMENT key, and leaves computed columns to the server', async () => {
      await using db = await createMysqlDatabase(server);
      await db.query(
        'CREATE TABLE items (id int AUTO_INCREMENT PRIMARY KEY, name varchar(20), note varchar(20) AS (upper(name)) STORED) ENGINE=InnoDB',
      );
      await using lane = await joinMysql(db.url, { conflict_resolution: 'replace' });
      const e = new Events();
      expect(await lane.write([e.create(item(0, 'a', 'from the source')), e.create(item(6, 'b'))])).toEqual(STORED);
      expect(await lane.write([e.update(null, item(0, 'c')), e.partial(null, { id: 6, name: 'd' })])).toEqual(STORED);
      expect(await db.query(ALL)).toEqual([rowOf(0, 'c', 'C'), rowOf(6, 'd', 'D')]);
    });

    it('finds rows by keys of several columns and of each type', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
      const keys: readonly (readonly [string, Column['type'], Row[string]])[] = [
        ['smallint', 'int16', -5],
        ['bigint unsigned', 'uint64', 18446744073709551615n],
        ['decimal(20,4)', 'decimal', '12345.6700'],
        ['float', 'float32', 1.1],
        ['double', 'float64', 0.1],
        ['varchar(20)', 'string', "it's \\ 'x'"],
        ['varbinary(20)', 'bytes', new Uint8Array([0, 39, 92, 255])],
        ['date', 'date', '2024-02-29'],
        ['datetime(6)', 'timestamp', '2024-02-29T12:34:56.789'],
        ['timestamp(3)', 'timestamptz', '2024-02-29T14:34:56.789+02:00'],
        ['time(3)', 'time', '12:00:00.5'],
        ['bit(4)', 'bits', '0101'],
        ["enum('a','b')", 'enum', 'b'],
        ['tinyint(1)', 'boolean', true],
      ];
      for (const [i, [nativeType, type, k]] of keys.entries()) {
        const name = `by_${i}`;
        await db.query(`CREATE TABLE ${name} (k ${nativeType}, id int, v text, PRIMARY KEY (k, id)) ENGINE=InnoDB`);
        const columns: Column[] = [
          { name: 'k', type, nativeType, nullable: false, ...(type === 'decimal' ? { precision: 20, scale: 4 } : {}) },
          ITEMS.columns[0] as Column,
          { ...(ITEMS.columns[1] as Column), name: 'v' },
        ];
        const e = new Events({ id: { ...ITEMS.id, table: name }, key: ['k', 'id'], version: 1, columns });
        expect(await lane.write([e.create({ k, id: 1, v: 'a' }), e.create({ k, id: 2, v: 'b' })]), nativeType).toEqual(STORED);
        const changes = [
          e.partial(null, { k, id: 1, v: 'c' }),
          e.remove({ k, id: 2 }),
          e.update({ k, id: 1, v: 'c' }, { k, id: 3, v: 'd' }),
        ];
        expect(await lane.write(changes), nativeType).toEqual(STORED);
        expect(await db.query(`SELECT id, v FROM ${name}`), nativeType).toEqual([{ id: '3', v: 'd' }]);
      }
    });
  });

  describe('events that are refused', () => {
    it('names each of them, and nothing else, among 3,000', async () => {
      await using db = await createMysqlDatabase(server);
      await db.query(`CREATE TABLE items (id int PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, note enum('good')) ENGINE=InnoDB`);
      await using lane = await joinMysql(db.url);
      const e = new Events(),
        bad = new Map([
          [17, item(17, 'n16')],
          [801, { id: 801, name: null, note: null }],
          [2999, { ...item(2999, 'n'), id: 3_000_000_000 }],
        ]);
      const events = Array.from({ length: 3000 }, (_, n) => e.create(bad.get(n) ?? item(n, `n${n}`)));
      const refused = failed(await lane.write(events));
      expect(refused.map((f) => f.index)).toEqual([...bad.keys()]);
      expect(refused.map((f) => f.message)).toEqual([
        expect.stringMatching(/Duplicate entry … for key '.*name'/),
        expect.stringContaining("'name'"),
        expect.stringContaining('1264'),
      ]);
      expect(JSON.stringify(refused)).not.toContain('n16');
      expect(await db.query('SELECT count(*) AS n FROM items')).toEqual([{ n: '0' }]);
      expect(await lane.write(events, { skip: bad.keys() })).toEqual(STORED);
      expect(await db.query('SELECT count(*) AS n FROM items')).toEqual([{ n: '2997' }]);
    }, 60_000);

    it('stores rows that refer to later ones of their batch', async () => {
      await using db = await createMysqlDatabase(server);
      await db.query(`CREATE TABLE parents (id int PRIMARY KEY, name text, note text) ENGINE=InnoDB;
        CREATE TABLE items (id int PRIMARY KEY, name text, note text, FOREIGN KEY (id) REFERENCES parents (id)) ENGINE=InnoDB; INSERT INTO parents (id) VALUES (1)`);
      await using lane = await joinMysql(db.url);
      const parents = new Events({ ...ITEMS, id: { ...ITEMS.id, table: 'parents' } }),
        e = new Events();
      expect(await lane.write([e.create(item(1, 'a')), parents.create(item(2, 'p')), e.create(item(2, 'b'))])).toEqual(STORED);
      expect(await db.query('SELECT id FROM items ORDER BY id')).toEqual([{ id: '1' }, { id: '2' }]);
    });

    it('names the missing rows of incomplete events only', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
      const e = new Events();
      await lane.write([e.create(item(1, 'a')), e.create(item(2, 'b'))]);
      const events = [
        // The same values again: the row is met, although nothing of it changes.
        e.partial(null, { id: 1, name: 'a' }),
        e.partial(null, { id: 8, note: 'x' }),
        e.partial(null, { id: 2, name: 'y' }),
        e.partial({ id: 9 }, { id: 10, name: 'z' }),
      ];
      expect(failed(await lane.write(events)).map(({ index, code }) => [index, code])).toEqual(
        [1, 3].map((i) => [i, 'DESTINATION_ROW_MISSING']),
      );
      expect(await lane.write(events, { skip: [1, 3] })).toEqual(STORED);
    });

    /** Column, source type, value: the server would change each of these without an error. */
    const changed: readonly (readonly [string, Column['type'], Row[string]])[] = [
      ['decimal(8,2)', 'decimal', '1.239'],
      ['datetime(3)', 'timestamp', '2024-01-01T00:00:00.1234'],
      ['timestamp(3) NULL', 'timestamp', '2024-01-01T00:00:00'],
      ['date', 'timestamp', '2024-01-01T12:00:00'],
      ['time', 'timetz', '12:00:00+02:00'],
      ['float', 'float64', 0.1234567891],
      ['double', 'int64', 9007199254740993n],
      ['double', 'float64', Number.NaN],
      ['varchar(3)', 'string', 'abc  '],
      ['tinytext', 'string', `${'x'.repeat(255)} `],
      ['blob', 'string', 'abc'],
      ['text', 'string', '\ud800'],
      ['text', 'bytes', new Uint8Array([1])],
      ['binary(3)', 'bytes', new Uint8Array([1])],
      ['bit(4)', 'bits', '101'],
      ["enum('a','b')", 'string', '1'],
      ["set('a','b')", 'string', '2'],
      ['year', 'int16', 70],
      ...(isMariadb(server) ? [] : ([['json', 'json', { n: 12345678901234567890123n }]] as const)),
    ];
    it('refuses values that the server would change silently', async () => {
      await using db = await createMysqlDatabase(server);
      await db.query(`CREATE TABLE items (id int PRIMARY KEY, ${changed.map(([type], i) => `c${i} ${type}`).join(', ')}) ENGINE=InnoDB`);
      await using lane = await joinMysql(db.url);
      const columns = changed.map(([nativeType, type], i): Column => ({ name: `c${i}`, type, nativeType, nullable: true }));
      const e = new Events({ ...ITEMS, columns: [...ITEMS.columns.slice(0, 1), ...columns] });
      const events = changed.map(([, , value], i) => e.create({ id: i, [`c${i}`]: value }));
      expect(failed(await lane.write(events)).map((f) => f.index)).toEqual(changed.map((_, i) => i));
      expect(await db.query('SELECT id FROM items')).toEqual([]);
    });
  });

  describe('tables', () => {
    it('makes columns that lose nothing', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
      const made: readonly (readonly [Partial<Column> & Pick<Column, 'type'>, Row[string], string | null])[] = [
        [{ type: 'boolean' }, true, '1'],
        [{ type: 'int64' }, -9223372036854775808n, '-9223372036854775808'],
        [{ type: 'uint64' }, 18446744073709551615n, '18446744073709551615'],
        [{ type: 'decimal', precision: 30, scale: 10 }, '-12345678901234567890.0123456789', '-12345678901234567890.0123456789'],
        [{ type: 'decimal' }, '0.1234567890123456789012345678901234567890', '0.1234567890123456789012345678901234567890'],
        [{ type: 'timestamp', precision: 3 }, '9999-12-31T23:59:59.999', '9999-12-31 23:59:59.999'],
        [{ type: 'timestamptz' }, '1900-01-01T00:30:00.000001+01:00', '1899-12-31 23:30:00.000001'],
        [{ type: 'timestamp', precision: 9 }, '2024-01-01T00:00:00.123456789', '2024-01-01T00:00:00.123456789'],
        [{ type: 'timetz' }, '12:00:00+02:00', '12:00:00+02:00'],
        [{ type: 'interval' }, 'P1Y2M3DT4H5M6.789S', 'P1Y2M3DT4H5M6.789S'],
        [{ type: 'uuid' }, '0F8FAD5B-D9CB-469F-A165-70867728950E', '0f8fad5b-d9cb-469f-a165-70867728950e'],
        [{ type: 'enum', values: ['a'] }, 'a', 'a'],
        [{ type: 'bits', length: 12 }, '000000000101', '000000000101'],
        [{ type: 'string', length: 10 }, 'ab  ', 'ab  '],
        [{ type: 'xml' }, '<a>1</a>', '<a>1</a>'],
        [{ type: 'json' }, { a: [1.5, null, 'x"'] }, null],
        [{ type: 'array', element: 'decimal' }, ['1.50', null], null],
        [{ type: 'any' }, 'x', null],
      ];
      const columns = made.map(([column], i): Column => ({ name: `Column \`${i}\` ?`, nativeType: '', nullable: true, ...column }));
      const e = new Events({ ...ITEMS, columns: [...ITEMS.columns.slice(0, 1), ...columns] });
      const after = Object.fromEntries(columns.map((c, i) => [c.name, made[i]?.[1] ?? null]));
      expect(await lane.write([e.create({ id: 1, ...after })])).toEqual(STORED);
      const [row] = await db.query('SELECT * FROM items');
      for (const [i, [{ type }, value, expected]] of made.entries()) {
        const found = row?.[`Column \`${i}\` ?`] ?? null;
        if (expected === null) expect(JSON.parse(found ?? ''), type).toEqual(value);
        else expect(found, type).toBe(expected);
      }
    });

    it('makes tables with more texts than a row has room for', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
      const columns = Array.from(
        { length: 100 },
        (_, i): Column => ({ name: `c${i}`, type: 'string', length: 200, nativeType: '', nullable: true }),
      );
      const e = new Events({ ...ITEMS, columns: [...ITEMS.columns.slice(0, 1), ...columns] });
      expect(await lane.write([e.create({ id: 1, ...Object.fromEntries(columns.map((c) => [c.name, '✓'.repeat(200)])) })])).toEqual(STORED);
    });

    it.each<[string, string, Partial<MysqlConfig>, string]>([
      ['there is no table and none may be made', '', { create_tables: false }, 'create_tables'],
      ['its key is not unique', 'CREATE TABLE items (id int, name text, note text) ENGINE=InnoDB', {}, 'ADD UNIQUE (`id`);'],
      [
        'its key is unique in its beginning only',
        'CREATE TABLE items (id varchar(20), UNIQUE (id(5))) ENGINE=InnoDB',
        {},
        'ADD UNIQUE (`id`);',
      ],
      ['it is a view', 'CREATE VIEW items AS SELECT 1 AS id', {}, '`table`'],
      ['it has no transactions', 'CREATE TABLE items (id int PRIMARY KEY, name text, note text) ENGINE=MyISAM', {}, 'ENGINE=InnoDB'],
      ['its name is too long', '', { table: `${'x'.repeat(60)}{table}` }, '`table`'],
      ['it is our own table', '', { table: 'cdc_run_points' }, 'points_schema'],
    ])('stops with a fix when %s', async (_, setUp, changes, fix) => {
      await using db = await createMysqlDatabase(server);
      if (setUp !== '') await db.query(setUp);
      await using lane = await joinMysql(db.url, changes);
      const error = await failureOf(lane.write([new Events().create(item(1, 'a'))]));
      expect(error).toMatchObject({ code: 'DESTINATION_MISCONFIGURED', retriable: false });
      expect(error.fix).toContain(fix);
    });

    it('notices that a table was changed behind its back', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
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
    it.each([
      ['before', 0],
      ['after', 1],
    ] as const)('tells by its point what happened when the connection is cut %s the server reads COMMIT', async (cut, rows) => {
      await using db = await createMysqlDatabase(server);
      await using proxy = await mysqlProxy(db.url);
      await using lane = await joinMysql(proxy.through(db.url));
      await lane.write([new Events().create(item(0, 'made'))]);
      const batch = lane.batch([new Events().create(item(1, 'a'))], { through: pointAt(50) });
      proxy.cutNextCommit = cut;
      expect(await failureOf(lane.destination.write(batch, never))).toMatchObject({ code: 'DESTINATION_OUTCOME_UNKNOWN' });
      const committed = await lane.destination.committed(LANE);
      expect(committed.kind === 'points' && formatPoint(committed.points[0] as ResumePoint)).toBe(
        formatPoint(rows === 1 ? batch.through : batch.previous),
      );
      expect(await db.query('SELECT count(*) AS n FROM items WHERE id = 1')).toEqual([{ n: String(rows) }]);
    });

    it('stores a batch exactly once when the server is killed behind its COMMIT, before it is heard of', { timeout: 180_000 }, async () => {
      const programs = await findMysql(server);
      if (programs === null) throw new Error(`${server} answers, and has no programs`);
      await using own = await OwnMysql.start(programs);
      await using proxy = await mysqlProxy(own.url);
      await using lane = await joinMysql(proxy.through(own.url));
      await lane.write([new Events().create(item(0, 'made'))]);
      const batch = lane.batch([new Events().create(item(1, 'a'))], { through: pointAt(50) });
      proxy.cutNextCommit = 'after';
      expect(await failureOf(lane.destination.write(batch, never))).toMatchObject({ code: 'DESTINATION_OUTCOME_UNKNOWN' });
      own.killAll();
      expect(await failureOf(lane.destination.committed(LANE))).toMatchObject({ retriable: true });
      await own.start();
      const committed = await lane.destination.committed(LANE);
      const isStored = committed.kind === 'points' && formatPoint(committed.points[0] as ResumePoint) === formatPoint(batch.through);
      if (!isStored) await lane.destination.write(batch, never);
      expect(await own.query('SELECT id, name FROM items ORDER BY id')).toEqual([
        { id: '0', name: 'made' },
        { id: '1', name: 'a' },
      ]);
      // The server had said that it is stored, so it is.
      expect(isStored).toBe(true);
    });

    it('fences a writer that was claimed away while its transaction waited', async () => {
      await using db = await createMysqlDatabase(server);
      await using old = await joinMysql(db.url);
      await old.write([new Events().create(item(1, 'a'))]);
      const blocker = await db.connect();
      await blocker.query('BEGIN; SELECT * FROM cdc_run_points FOR UPDATE');
      const late = failureOf(old.write([new Events().create(item(2, 'late'))]));
      await waitForLock(db);
      await blocker.query('UPDATE cdc_run_points SET epoch = 2; COMMIT');
      expect(await late).toMatchObject({ code: 'DESTINATION_FENCED', message: expect.stringContaining('epoch 2') as unknown });
      expect(await db.query('SELECT id FROM items')).toEqual([{ id: '1' }]);
    });

    it('keeps a truncate and its point together: what is refused behind it brings the rows back', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
      const e = new Events();
      await lane.write([e.create(item(1, 'a'))]);
      expect(failed(await lane.write([e.truncate(), e.partial(null, { id: 7, name: 'x' })]))).toHaveLength(1);
      expect(await db.query(ALL)).toEqual([rowOf(1, 'a')]);
    });
  });

  describe('connections', () => {
    it('calls a deadlock and a lock that takes too long retriable', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url, { statement_timeout: 300 });
      const e = new Events();
      await lane.write([e.create(item(1, 'a'))]);
      const blocker = await db.connect();
      await blocker.query('BEGIN; SELECT * FROM items FOR UPDATE');
      expect(await failureOf(lane.write([e.update(null, item(1, 'b'))]))).toMatchObject({ code: 'DESTINATION_FAILED', retriable: true });
      await blocker.query('ROLLBACK');
      expect(await lane.write([e.update(null, item(1, 'b'))])).toEqual(STORED);
    });

    it('gives up a write that waits for a lock when it is stopped, and leaves no lock behind', async () => {
      await using db = await createMysqlDatabase(server);
      await using lane = await joinMysql(db.url);
      const e = new Events();
      await lane.write([e.create(item(1, 'a'))]);
      const blocker = await db.connect();
      await blocker.query('BEGIN; SELECT * FROM items FOR UPDATE');
      const stop = new AbortController(),
        batch = lane.batch([e.update(null, item(1, 'b'))]);
      const write = failureOf(lane.destination.write(batch, stop.signal));
      await waitForLock(db);
      stop.abort();
      expect(await write).toMatchObject({ retriable: true });
      // The lock of the point, which the stopped writer held, is free although the row is still locked.
      for (;;) {
        const [held] = await db.query(
          `SELECT count(*) AS n FROM information_schema.PROCESSLIST WHERE DB = '${db.name}' AND INFO LIKE 'INSERT INTO%'`,
        );
        if (held?.['n'] === '0') break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await blocker.query('ROLLBACK');
      expect(await lane.destination.write(batch, never)).toEqual(STORED);
    });

    it('says that a certificate of others or another name is not accepted, and that an unencrypted server is none', async () => {
      await using db = await createMysqlDatabase(server);
      const folder = await mkdtemp(join(tmpdir(), 'cdc-run-tls-'));
      try {
        await writeFile(join(folder, 'other.pem'), selfSigned('localhost').cert);
        const url = new URL(db.url);
        url.hostname = 'localhost';
        const code = async (changes: Partial<MysqlConfig>): Promise<string> =>
          (await checkOf(mysqlConfig(url.href, changes))).find((f) => f.level === 'error')?.code ?? 'reached';
        const [ssl] = await db.query("SHOW VARIABLES LIKE 'have_ssl'");
        const isEncrypted = ssl?.['Value'] === 'YES';
        expect(await code({ ssl_mode: 'require' })).toBe(isEncrypted ? 'reached' : 'DESTINATION_MISCONFIGURED');
        const expected = isEncrypted ? 'DESTINATION_FORBIDDEN' : 'DESTINATION_MISCONFIGURED';
        expect(await code({ ssl_mode: 'verify-full' })).toBe(expected);
        expect(await code({ ssl_mode: 'verify-ca', ssl: { ca: join(folder, 'other.pem') } as never })).toBe(expected);
        expect(await code({ ssl_mode: 'verify-ca', ssl: { ca: join(folder, 'missing.pem') } as never })).toBe('DESTINATION_MISCONFIGURED');
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it('never tells the password', async () => {
      await using db = await createMysqlDatabase(server);
      const url = new URL(db.url);
      url.password = 'hunter2-hunter2';
      const error = await failureOf(joinMysql(url.href));
      expect(error.code).toBe('DESTINATION_FORBIDDEN');
      const found = await checkOf(mysqlConfig(url.href));
      expect(`${JSON.stringify(error)} ${String(error.cause)} ${error.stack ?? ''} ${JSON.stringify(found)}`).not.toContain('hunter2');
    });
  });

  describe('check', () => {
    it('says what a user lacks', async () => {
      await using db = await createMysqlDatabase(server);
      const user = db.name.slice(0, 20);
      await db.query(
        `CREATE TABLE items (id int PRIMARY KEY) ENGINE=InnoDB; CREATE USER ${user} IDENTIFIED BY 'test'; GRANT SELECT, INSERT ON ${db.name}.items TO ${user}`,
      );
      try {
        const url = Object.assign(new URL(db.url), { username: user, password: 'test' }).href;
        const errors = (await checkOf(mysqlConfig(url, { table: 'items' }))).filter((f) => f.level === 'error').map((f) => f.message);
        expect(errors).toEqual([
          `the user lacks CREATE, ALTER, SELECT, INSERT, UPDATE, DELETE on the database ${db.name} of the target tables`,
          `the user lacks CREATE, ALTER, SELECT, INSERT, UPDATE, DELETE on the database ${db.name} of the table cdc_run_points`,
          `the user lacks UPDATE, DELETE on the table ${db.name}.items`,
        ]);
      } finally {
        await db.query(`DROP USER ${user}`);
      }
    });
  });
});

/** Resolves once a session of the database waits for a row. */
async function waitForLock(db: MysqlDatabase): Promise<void> {
  for (;;) {
    const rows = await db.query("SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'");
    if (rows.length > 0) return;
    // The server answers from what it found before when it is asked again within 100 ms.
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

async function checkOf(config: MysqlConfig): Promise<Finding[]> {
  const destination = await openReplica(config, { descriptor });
  try {
    const found: Finding[] = [];
    for await (const finding of destination.check()) found.push(finding);
    return found;
  } finally {
    await destination.close();
  }
}
