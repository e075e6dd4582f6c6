// The pipelines with MySQL as they are shipped, on real servers: snapshot, changes while they run, and a second run.

import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { createMysqlDatabase, mysqlServers } from '../helpers/mysql.ts';
import { createDatabase, skipReason } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { Workspace } from './process.ts';

const noPostgres = (await skipReason()) !== null;
const servers = await mysqlServers();

const SHOP = `
  CREATE TABLE customers (id bigint unsigned PRIMARY KEY, name varchar(100) NOT NULL, kind enum('new', 'old,er') NOT NULL, note longtext,
    info longtext, big bigint unsigned, born date, seen timestamp(6) NULL, photo blob, ok tinyint(1)) CHARACTER SET utf8mb4;
  CREATE TABLE items (order_no int, line int, price decimal(12,2), at datetime(3), PRIMARY KEY (order_no, line));
  ${Array.from(
    { length: 300 },
    (_, n) =>
      `INSERT INTO customers VALUES (${n + 1}, 'näme 🎈 ${n}', 'old,er', REPEAT('x', 5000), '{"a": 1}', 18446744073709551615, '2024-02-29', '2024-02-29 12:00:00.123456', x'00ff27', 1);`,
  ).join('\n')}
  INSERT INTO items VALUES ${Array.from({ length: 3000 }, (_, n) => `(${Math.floor(n / 3)}, ${n % 3}, ${n * 1.25}, '2024-02-29 12:00:00.5')`).join(', ')}`;

/** Everything that a change can be, twice run without a conflict. */
const TRADE = (from: number): readonly string[] => [
  `START TRANSACTION; INSERT INTO customers (id, name, kind) VALUES (${from}, 'new', 'new'); UPDATE customers SET name = 'newer' WHERE id = ${from}; COMMIT`,
  `UPDATE customers SET id = id + ${from * 100} WHERE id BETWEEN 10 AND 19`,
  `UPDATE customers SET note = REPEAT('y', 70000), photo = NULL WHERE id BETWEEN 20 AND 40`,
  'DELETE FROM customers WHERE id BETWEEN 50 AND 60',
  'UPDATE items SET line = line + 10 WHERE order_no = 7',
  `START TRANSACTION; DELETE FROM items; INSERT INTO items VALUES (1, 1, -0.01, NULL), (2, 1, 9999999999.99, '1000-01-01'); COMMIT`,
  'TRUNCATE items',
  `INSERT INTO items VALUES (5, 5, 5, '2020-01-01 00:00:00.125'), (6, 6, 6, NULL)`,
];

type Query = (sql: string) => Promise<readonly Record<string, unknown>[]>;

/** The same rows as texts: what both servers write in the same way. */
async function rows(query: Query, isPostgres: boolean): Promise<unknown> {
  const utc = isPostgres ? `to_char(seen AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')` : 'CAST(seen AS char)',
    hex = isPostgres ? `upper(encode(photo, 'hex'))` : 'HEX(photo)',
    at = isPostgres ? `to_char(at, 'YYYY-MM-DD HH24:MI:SS.MS')` : 'CAST(at AS char)',
    text = isPostgres ? 'text' : 'char';
  const customers = await query(
    `SELECT CAST(id AS ${text}) AS id, name, kind, MD5(note) AS note, info, CAST(big AS ${text}) AS big, CAST(born AS ${text}) AS born, ${utc} AS seen, ${hex} AS photo,
       CASE WHEN ok = 1 THEN 't' END AS ok FROM customers ORDER BY customers.id`,
  );
  const items = await query(
    `SELECT CAST(order_no AS ${text}) AS order_no, CAST(line AS ${text}) AS line, CAST(price AS ${text}) AS price, ${at} AS at FROM items ORDER BY items.order_no, items.line`,
  );
  return { customers, items };
}

describe.skipIf(noPostgres).each(servers.filter((s) => s !== 'mysql56'))('pipelines/mysql-to-postgres.yaml from %s', (server) => {
  it('keeps a replica that equals its source, also over a column that is added, and goes on after a stop', async () => {
    await using source = await createMysqlDatabase(server);
    await using replica = await createDatabase();
    using work = new Workspace();
    await source.query(SHOP);
    const start = (...args: string[]) =>
      work.start([resolve('pipelines/mysql-to-postgres.yaml'), ...args], {
        SOURCE_URL: source.url,
        REPLICA_URL: replica.url,
        PIPELINE: source.name,
      });
    const expectSame = async () =>
      expect(await rows((sql) => replica.query(sql), true)).toEqual(await rows((sql) => source.query(sql), false));
    const trade = async (from: number) => {
      for (const statement of TRADE(from)) await source.query(statement);
    };

    const running = start();
    await eventually(async () => {
      const [row] = await replica.query<{ there: boolean }>(`SELECT to_regclass('customers') IS NOT NULL AS there`);
      return row?.there === true || running.child.exitCode !== null;
    });
    await trade(1001);
    await source.query('ALTER TABLE customers ADD COLUMN credit int');
    await source.query('UPDATE customers SET credit = 5 WHERE id < 9');
    await source.query("INSERT INTO customers (id, name, kind, credit) VALUES (999, 'last', 'new', 7)");
    await eventually(async () => {
      const [row] = await replica.query<{ n: string }>('SELECT count(*) AS n FROM customers WHERE id = 999');
      return row?.n === '1' || running.child.exitCode !== null;
    });
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });
    await expectSame();
    expect(await replica.query('SELECT count(credit)::int AS n, sum(credit)::int AS sum FROM customers')).toEqual([{ n: 9, sum: 47 }]);

    await trade(2001);
    const second = await start('--until-caught-up').ended;
    expect(second).toMatchObject({ code: 0, out: expect.stringContaining('continued from') as string });
    await expectSame();
    expect((await start('--until-caught-up').ended).out).toContain('nothing new');
  });
});

describe.skipIf(noPostgres || !servers.includes('mariadb'))('pipelines/multi-source.yaml', () => {
  it('brings both databases into one log, which two destinations take at their own pace', async () => {
    await using users = await createDatabase();
    await using orders = await createMysqlDatabase('mariadb');
    await using analytics = await createDatabase();
    using work = new Workspace();
    await users.query(
      `CREATE TABLE user_profiles (id int PRIMARY KEY, email text); INSERT INTO user_profiles SELECT n, 'u' || n FROM generate_series(1, 50) n`,
    );
    await orders.query(
      'CREATE TABLE order_events (id int PRIMARY KEY, user_id int, what varchar(20)); INSERT INTO order_events SELECT seq, seq, "made" FROM seq_1_to_70',
    );
    const env = { USER_DB_URL: users.url, ORDER_DB_URL: orders.url, ANALYTICS_URL: analytics.url, PIPELINE: users.name };
    const run = () => work.start([resolve('pipelines/multi-source.yaml'), '--until-caught-up'], env).ended;
    const lines = () =>
      work
        .lines('.cdc/out/unified_events.ndjson')
        .map((line) => JSON.parse(line) as { op: string; source: { name: string; table: string } });
    try {
      expect(await run()).toMatchObject({ code: 0 });
      const count = (name: string, op: string) => lines().filter((l) => l.source.name === name && l.op === op).length;
      expect([count('user_db', 'r'), count('order_db', 'r'), lines().length]).toEqual([50, 70, 120]);

      await users.query(`UPDATE user_profiles SET email = 'changed' WHERE id < 4`);
      await orders.query(`INSERT INTO order_events VALUES (100, 1, 'late'); DELETE FROM order_events WHERE id = 5`);
      expect(await run()).toMatchObject({ code: 0 });
      expect([count('user_db', 'u'), count('order_db', 'c'), count('order_db', 'd'), lines().length]).toEqual([3, 1, 1, 125]);
      expect(await analytics.query("SELECT count(*)::int AS n FROM user_profiles WHERE email = 'changed'")).toEqual([{ n: 3 }]);
      expect(await analytics.query('SELECT count(*)::int AS n, max(id) AS max FROM order_events')).toEqual([{ n: 70, max: 100 }]);
      const consumed = await work.run(['consume', users.name, '-c', resolve('pipelines/multi-source.yaml'), '--from-beginning'], env);
      expect(consumed.out.trimEnd().split('\n')).toHaveLength(125);
      expect((await run()).out).toContain('nothing new');
    } finally {
      await dropSlots(users);
    }
  });
});
