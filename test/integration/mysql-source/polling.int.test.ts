// Polling a real server: what is held back while others write, in which order rows come, and what cannot be polled.

import { expect, it } from 'vitest';
import { systemClock } from '../../../src/sdk/index.ts';
import type { MysqlSourceConfig } from '../../../src/sources/mysql/config.ts';
import { describeOn, mysqlServers } from '../../helpers/mysql.ts';
import { SourceWorld } from './source-world.ts';

const polling = (column: string, type: 'timestamp' | 'integer' | 'text', settle = 0): Partial<MysqlSourceConfig> => ({
  tables: ['items'],
  cdc_mode: 'polling',
  watermark: { column, type, settle },
});
const ids = (world: SourceWorld): unknown[] => world.events.map((e) => e.after?.['id']);

async function toEnd(world: SourceWorld): Promise<void> {
  await world.open();
  const until = await world.source.end();
  await world.take(await world.open({ until }), () => false, 'the end');
}

describeOn(await mysqlServers(), 'polling on %s', (server) => {
  it.each(['timestamp(6) NULL', 'datetime', 'datetime(3)'])('does not read beyond a transaction that writes: %s', async (type) => {
    await using world = await SourceWorld.create(server, `CREATE TABLE items (id int PRIMARY KEY, at ${type})`, polling('at', 'timestamp'));
    const now = `NOW${/\(\d\)/.exec(type)?.[0] ?? '()'}`;
    const slow = await world.db.connect();
    await slow.query('START TRANSACTION');
    await slow.query(`INSERT INTO items VALUES (1, ${now})`);
    // Behind the slow one by its watermark, and committed before it.
    const other = await world.db.connect();
    await systemClock.sleep(1100);
    await other.query(`INSERT INTO items VALUES (2, ${now})`);
    const reader = await world.open();
    const first = reader.next('a row').then((batch) => (batch === null ? [] : world.batches.push(batch)));
    await systemClock.sleep(1500);
    expect(world.batches).toEqual([]);
    await slow.query('COMMIT');
    await first;
    await world.take(reader, (events) => events.length >= 2, 'both rows');
    expect(ids(world)).toEqual([1, 2]);
  });

  it('takes a DATETIME for a time of the server, whatever its zone is', async () => {
    await using world = await SourceWorld.create(
      server,
      'CREATE TABLE items (id int PRIMARY KEY, at datetime)',
      polling('at', 'timestamp'),
    );
    const [before] = await world.db.query('SELECT @@GLOBAL.time_zone AS zone');
    await world.db.query("SET GLOBAL time_zone = '-05:00'");
    try {
      const writer = await world.db.connect();
      await writer.query('INSERT INTO items VALUES (1, NOW()), (2, NOW() + INTERVAL 1 HOUR)');
      await world.take(await world.open(), (events) => events.length >= 1, 'the row');
      await toEnd(world);
      expect(ids(world)).toEqual([1]);
    } finally {
      await world.db.query(`SET GLOBAL time_zone = '${before?.['zone']}'`);
    }
  });

  it('holds rows back until they have settled', async () => {
    await using world = await SourceWorld.create(server, 'CREATE TABLE items (id int PRIMARY KEY, n int)', polling('n', 'integer', 700));
    await world.db.query('INSERT INTO items VALUES (1, 1)');
    const began = systemClock.now();
    await world.take(await world.open(), (events) => events.length >= 1, 'the row');
    expect(systemClock.now() - began).toBeGreaterThan(600);
  });

  it('reads to the end of a run, ties by key included, and goes on behind it', async () => {
    await using world = await SourceWorld.create(
      server,
      'CREATE TABLE items (id int PRIMARY KEY, at datetime)',
      polling('at', 'timestamp'),
    );
    const all = Array.from({ length: 2500 }, (_, i) => i + 1);
    await world.db.query(`INSERT INTO items VALUES ${all.map((i) => `(${i}, '2024-01-01')`).join(', ')}`);
    await toEnd(world);
    expect(ids(world)).toEqual(all);
    await world.db.query("INSERT INTO items VALUES (9999, '2024-01-01'), (0, '2024-01-02'), (-1, NULL)");
    await toEnd(world);
    expect(ids(world).slice(2500)).toEqual([9999, 0]);
    await toEnd(world);
    expect(ids(world)).toHaveLength(2502);
  });

  it('reads texts in the order of the server, keys of any kind beside them, over restarts', async () => {
    await using world = await SourceWorld.create(
      server,
      `CREATE TABLE items (v varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, k enum('z','a') NOT NULL, d decimal(9,2) NOT NULL, b varbinary(8) NOT NULL,
        s varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL, n double NOT NULL, hidden int, PRIMARY KEY (k, d, b, s, n))`,
      { ...polling('v', 'text'), columns: { include: ['*'], exclude: ['hidden', 'v'] } },
    );
    const texts = ["''", "' '", "'a'", "'a\t'", "'a '", "'B'", "'ß'", "'😀'", "'\\\\0'", "'it''s'", "x'00'", 'NULL'];
    const rows = texts.flatMap((v) => ["'z'", "'a'"].map((k) => `(${v}, ${k}, -1.5, x'00ff', 'Ä''\\\\', 1e300, 1)`));
    for (const [i, row] of rows.entries()) await world.db.query(`INSERT INTO items VALUES ${row.replace('-1.5', `${i - 9}.5`)}`);
    for (;;) {
      const known = world.events.length,
        reader = await world.open({ maxBatchEvents: 3 });
      if (known >= rows.length - 2) break;
      await world.take(reader, (events) => events.length > known, 'a page');
    }
    const order = await world.db.query('SELECT v, k, d FROM items WHERE v IS NOT NULL ORDER BY v, k, d, b, s, n');
    expect(world.events.map(({ after }) => [after?.['v'], after?.['k'], after?.['d']])).toEqual(order.map(({ v, k, d }) => [v, k, d]));
    expect(Object.keys(world.events[0]?.after ?? {})).not.toContain('hidden');
    const places = world.events.map((e) => e.position),
      { positions } = world.source;
    for (const [i, place] of places.slice(1).entries()) expect(positions.compare(places[i] as typeof place, place)).not.toBe(1);
  });

  it.each([
    ['no column', 'id int PRIMARY KEY', polling('at', 'timestamp'), 'no column "at"'],
    ['no key', 'id int, at datetime', polling('at', 'timestamp'), 'no primary key'],
    ['another type', 'id int PRIMARY KEY, at varchar(9)', polling('at', 'timestamp'), 'no timestamp'],
    ['a list of names', "id int PRIMARY KEY, at enum('a')", polling('at', 'integer'), 'no integer'],
    ['a text in an order of the server', 'id int PRIMARY KEY, at varchar(9)', polling('at', 'text'), 'binary collation'],
    ['a key without an order', 'id bit(3) PRIMARY KEY, at datetime', polling('at', 'timestamp'), 'has no order'],
  ])('refuses a table with %s', async (_, columns, more, message) => {
    await using world = await SourceWorld.create(server, `CREATE TABLE items (${columns})`, more);
    const reader = await world.open();
    const refusal = { code: 'SOURCE_MISCONFIGURED', message: expect.stringContaining(message) as string };
    await expect(reader.next('a refusal')).rejects.toMatchObject(refusal);
    const findings = [];
    for await (const finding of world.source.check()) if (finding.level === 'error') findings.push(finding);
    expect(findings).toMatchObject([{ check: 'watermark', ...refusal }]);
  });

  it('says what a user may not see, and polls all the same', async () => {
    await using world = await SourceWorld.create(
      server,
      'CREATE TABLE items (id int PRIMARY KEY, at datetime)',
      polling('at', 'timestamp'),
    );
    const user = `u${world.db.name.slice(-8)}`;
    await world.db.query("INSERT INTO items VALUES (1, '2024-01-01')");
    await world.db.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'Pass-word1'`);
    try {
      await world.db.query(`GRANT SELECT ON ${world.db.name}.* TO '${user}'@'%'`);
      const url = new URL(world.db.url);
      url.username = user;
      url.password = 'Pass-word1';
      const reader = await world.open({}, { url: url.href });
      await world.take(reader, (events) => events.length >= 1, 'the row');
      const levels: string[] = [];
      for await (const { check, level } of world.source.check()) if (level !== 'ok') levels.push(`${check} ${level}`);
      expect(levels).toEqual(['privileges warning']);
    } finally {
      await world.db.query(`DROP USER '${user}'@'%'`);
    }
  });
});
