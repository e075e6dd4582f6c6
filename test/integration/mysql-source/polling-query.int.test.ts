// A query that is polled at a real server: what it is asked, in which order its rows come, and what cannot be polled.

import { expect, it } from 'vitest';
import type { Finding } from '../../../src/sdk/index.ts';
import type { MysqlSourceConfig } from '../../../src/sources/mysql/config.ts';
import { describeOn, mysqlServers } from '../../helpers/mysql.ts';
import { SourceWorld } from './source-world.ts';

type Keys = Partial<MysqlSourceConfig>;

const toTheEnd = async (world: SourceWorld): Promise<void> => {
  await world.open();
  const until = await world.source.end();
  await world.take(await world.open({ until }), () => false, 'the end');
};
const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const ids = (world: SourceWorld): unknown[] => world.events.map((e) => e.after?.['id']);

describeOn(await mysqlServers(), 'a polled query on %s', (server) => {
  it('needs no more than a query, where the table of the name has a key: from the beginning, and on behind it', async () => {
    await using world = await SourceWorld.create(
      server,
      `CREATE TABLE event_store (event_id int PRIMARY KEY, big bigint unsigned, price decimal(10,2), ratio float, name varchar(40), doc longblob,
        day date, created_at timestamp(6) NOT NULL)`,
      {
        cdc_mode: 'polling',
        table: 'event_store',
        query:
          'SELECT event_id, big, price, ratio, name, doc, day, created_at FROM event_store WHERE created_at > :last_sync ORDER BY created_at;\n',
      },
    );
    const row = (i: number): string =>
      `(${i}, 18446744073709551615, 1234.50, 0.1, 'ä', x'00ff', '2024-02-29', '2024-01-01 00:00:00.5' + INTERVAL ${i} MINUTE)`;
    await world.db.query(`INSERT INTO event_store VALUES ${from(1, 30).map(row).join(', ')}`);
    await toTheEnd(world);
    expect(world.events.map((e) => e.after?.['event_id'])).toEqual(from(1, 30));
    const [event] = world.events;
    expect(event?.table.id).toEqual({ database: world.db.name, schema: world.db.name, table: 'event_store' });
    expect(event?.table.key).toEqual(['event_id']);
    expect(event?.table.columns.map((c) => [c.name, c.type, c.nativeType])).toEqual([
      ['event_id', 'int32', 'int'],
      ['big', 'uint64', 'bigint unsigned'],
      ['price', 'decimal', 'decimal(10,2)'],
      ['ratio', 'float32', 'float'],
      ['name', 'string', 'varchar(40)'],
      ['doc', 'bytes', 'longblob'],
      ['day', 'date', 'date'],
      ['created_at', 'timestamptz', 'timestamp(6)'],
    ]);
    expect(event?.after).toEqual({
      event_id: 1,
      big: 18_446_744_073_709_551_615n,
      price: '1234.50',
      ratio: 0.1,
      name: 'ä',
      doc: new Uint8Array([0, 255]),
      day: '2024-02-29',
      created_at: '2024-01-01T00:01:00.500000Z',
    });
    // With the watermark of the last row, and behind it.
    await world.db.query("INSERT INTO event_store (event_id, created_at) VALUES (99, '2024-01-01 00:30:00.5'), (40, '2024-01-02')");
    await toTheEnd(world);
    expect(world.events.slice(30).map((e) => e.after?.['event_id'])).toEqual([99, 40]);
  });

  it('gives rows that share a watermark once each, however pages are cut', async () => {
    await using world = await SourceWorld.create(server, 'CREATE TABLE items (id int PRIMARY KEY, at int NOT NULL, name text)', {
      cdc_mode: 'polling',
      table: 'joined',
      query: "SELECT i.id, i.at AS `At`, CONCAT(i.name, ' :last_sync') AS name FROM items i WHERE i.at > :last_sync",
      watermark: { column: 'At', type: 'integer', key: 'id', settle: 0 },
    });
    await world.db.query(
      `INSERT INTO items VALUES ${from(1, 6000)
        .map((i) => `(${i}, ${Math.floor(i / 2500)}, 'x')`)
        .join(', ')}`,
    );
    await toTheEnd(world);
    expect(ids(world)).toEqual(from(1, 6000));
    expect(world.events[0]?.after?.['name']).toBe('x :last_sync');
  });

  it.each(['SELECT id, at FROM items WHERE at > :last_sync', 'SELECT id, at FROM items'])(
    'holds back what has not settled, and goes on behind a restart: %s',
    async (query) => {
      await using world = await SourceWorld.create(server, 'CREATE TABLE items (id int PRIMARY KEY, at timestamp NULL)', {
        cdc_mode: 'polling',
        table: 'items',
        query,
        watermark: { column: 'at', type: 'timestamp', settle: 3_600_000 },
      });
      await world.db.query('INSERT INTO items VALUES (1, NOW() - INTERVAL 3 HOUR), (2, NOW() - INTERVAL 2 HOUR), (3, NOW())');
      await world.take(await world.open(), (events) => events.length >= 2, 'two rows');
      expect(ids(world)).toEqual([1, 2]);
      await world.db.query('INSERT INTO items VALUES (4, NOW() - INTERVAL 90 MINUTE)');
      await world.take(await world.open(), (events) => events.length >= 3, 'the row behind');
      expect(ids(world)).toEqual([1, 2, 4]);
    },
  );

  it('does not pass over a row whose key is NULL', async () => {
    await using world = await SourceWorld.create(server, 'CREATE TABLE items (id int, at int NOT NULL)', {
      cdc_mode: 'polling',
      table: 'items',
      query: 'SELECT * FROM items WHERE at > :last_sync',
      watermark: { column: 'at', type: 'integer', key: ['id'], settle: 0 },
    });
    await world.db.query('INSERT INTO items VALUES (1, 1)');
    await world.take(await world.open(), (events) => events.length >= 1, 'a row');
    await world.db.query('INSERT INTO items VALUES (NULL, 1)');
    await expect((await world.open()).next('a refusal')).rejects.toMatchObject({
      code: 'SOURCE_DATA_INVALID',
      message: expect.stringContaining('no id') as string,
    });
  });

  it('never becomes a part of the SQL: a text of letters that mean something there', async () => {
    await using world = await SourceWorld.create(
      server,
      'CREATE TABLE items (id int PRIMARY KEY, tag varchar(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL)',
      {
        cdc_mode: 'polling',
        table: 'items',
        query: 'SELECT id, tag FROM items WHERE tag > :last_sync -- all of them',
        watermark: { column: 'tag', type: 'text', settle: 0 },
      },
    );
    const tags = ["a'; DROP TABLE items; --", 'b\\', 'c$1?', 'd:last_sync'],
      writer = await world.db.connect();
    for (const [i, tag] of tags.entries()) {
      await writer.query('INSERT INTO items VALUES (?, ?)', [i, tag]);
      await toTheEnd(world);
    }
    expect(world.events.map((e) => e.after?.['tag'])).toEqual(tags);
  });

  it.each<[string, string, Keys['watermark'], string]>([
    ['without a key', 'SELECT 1 AS x, 2 AS at', { column: 'at', type: 'integer', settle: 0 }, 'what its key is'],
    // It has the name of the key, and is another column.
    ['with a key that is made', 'SELECT id + 0 AS id, 2 AS at FROM items', { column: 'at', type: 'integer', settle: 0 }, 'what its key is'],
    ['without its watermark', 'SELECT 1 AS id', { column: 'at', type: 'integer', key: 'id', settle: 0 }, 'no column "at"'],
    [
      'with a column twice',
      'SELECT 1 AS id, 2 AS at, 3 AS x, 4 AS x',
      { column: 'at', type: 'integer', key: 'id', settle: 0 },
      'Duplicate column',
    ],
    ['of another type', "SELECT 1 AS id, 'a' AS at", { column: 'at', type: 'timestamp', key: 'id', settle: 0 }, 'no timestamp'],
    ['that is no query', 'DELETE FROM items', { column: 'at', type: 'integer', key: 'id', settle: 0 }, 'error in your SQL syntax'],
  ])('is refused %s, by check and at the start', async (_, query, watermark, message) => {
    await using world = await SourceWorld.create(server, 'CREATE TABLE items (id int PRIMARY KEY)', {
      cdc_mode: 'polling',
      table: 'items',
      query,
      ...(watermark === undefined ? {} : { watermark }),
    });
    const reader = await world.open();
    const findings: Finding[] = [];
    for await (const finding of world.source.check()) findings.push(finding);
    expect(findings.filter((f) => f.level === 'error')).toEqual([
      expect.objectContaining({ check: 'watermark', message: expect.stringContaining(message) as string }),
    ]);
    await expect(reader.next('a refusal')).rejects.toMatchObject({
      code: 'SOURCE_MISCONFIGURED',
      message: expect.stringContaining(message) as string,
    });
  });
});
