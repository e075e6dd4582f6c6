// Pipelines with Redis as they are shipped, on real servers: a cache that is never stale for long, and a stream that redis-cli and a
// second pipeline read.

import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { createDatabase, skipReason as noPostgres } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { createRedisDatabase, skipReason as noRedis, type RedisDatabase } from '../helpers/redis.ts';
import { Workspace } from './process.ts';

const withoutRedis = (await noRedis()) !== null,
  withoutBoth = withoutRedis || (await noPostgres()) !== null;

/** What redis-cli prints. The password goes by the environment, as it tells its users. */
function redisCli({ url }: RedisDatabase, ...args: readonly string[]): string {
  const { hostname, port, password, pathname } = new URL(url);
  return execFileSync('redis-cli', ['-h', hostname, '-p', port, '-n', pathname.slice(1), ...args], {
    encoding: 'utf8',
    env: { ...process.env, REDISCLI_AUTH: password },
  });
}

describe.skipIf(withoutBoth)('pipelines/cache-invalidation.yaml', () => {
  it('removes what changed, and nothing else, also after a kill', async () => {
    await using db = await createDatabase();
    await using cache = await createRedisDatabase();
    using work = new Workspace();
    await db.query(
      `CREATE TABLE customers (id int PRIMARY KEY, name text); INSERT INTO customers SELECT n, 'name ' || n FROM generate_series(1, 100) n`,
    );
    /** As an application does: what is not there is read and kept. */
    const fill = async (): Promise<void> => {
      for (const { id, name } of await db.query<{ id: number; name: string }>('SELECT id, name FROM customers'))
        await cache.client.set(`customers:${id}`, name, 'NX');
    };
    const cached = async (): Promise<number> => (await cache.client.keys('customers:*')).length;
    const start = () =>
      work.start([resolve('pipelines/cache-invalidation.yaml')], { SOURCE_URL: db.url, REDIS_URL: cache.url, PIPELINE: db.name });
    try {
      await fill();
      const first = start();
      await eventually(
        async () =>
          (
            await db.query(
              "SELECT 1 FROM pg_replication_slots WHERE slot_name LIKE 'cdc_run_%' AND active AND database = current_database()",
            )
          ).length > 0,
      );
      await db.query(
        "UPDATE customers SET name = 'changed' WHERE id <= 10; DELETE FROM customers WHERE id = 11; UPDATE customers SET id = 500 WHERE id = 12",
      );
      await eventually(async () => (await cached()) === 88);
      first.child.kill('SIGKILL');
      await first.ended;
      await fill();
      expect(await cache.client.get('customers:1')).toBe('changed');
      await db.query("UPDATE customers SET name = 'again' WHERE id BETWEEN 1 AND 20");
      const second = start();
      await eventually(async () => (await cache.client.exists('customers:1', 'customers:10', 'customers:20')) === 0);
      await fill();
      // Nothing that was there before the kill is told twice: keys that are filled stay.
      await db.query("INSERT INTO customers VALUES (600, 'last')");
      await cache.client.set('customers:600', 'stale');
      await db.query("UPDATE customers SET name = 'new' WHERE id = 600");
      await eventually(async () => (await cache.client.exists('customers:600')) === 0);
      await fill();
      for (const { id, name } of await db.query<{ id: number; name: string }>('SELECT id, name FROM customers'))
        expect(await cache.client.get(`customers:${id}`)).toBe(name);
      second.child.kill('SIGTERM');
      expect(await second.ended).toMatchObject({ code: 0 });
    } finally {
      work[Symbol.dispose]();
      await dropSlots(db);
    }
  });
});

const TO_STREAM = (url: string): string => `name: to_stream
source: {type: generator, count: 500, seed: 7, tables: [orders], mix: {create: 100, update: 0, delete: 0}}
destination: {type: redis_stream, url: "${url}", stream_name: "cdc.{table}", max_length: 10000, envelope: debezium}
sync: {mode: one_time}
state: {path: to.db}
`;
const FROM_STREAM = (url: string): string => `name: from_stream
source: {type: redis_stream, url: "${url}", stream_name: cdc.orders, consumer_group: readers, envelope: debezium}
destination: {type: file, path: "out.ndjson", envelope: plain}
sync: {mode: one_time}
state: {path: from.db}
`;

describe.skipIf(withoutRedis)('a stream between two pipelines', () => {
  it('is read by redis-cli, and by a pipeline, each event once', async () => {
    await using db = await createRedisDatabase();
    using work = new Workspace();
    work.write('to.yaml', TO_STREAM(db.url));
    work.write('from.yaml', FROM_STREAM(db.url));
    const to = await work.start(['to.yaml']).ended;
    expect(to.code, to.err).toBe(0);
    expect(redisCli(db, 'XLEN', 'cdc.orders').trim()).toBe('500');
    const [[id, fields] = ['', []]] = JSON.parse(redisCli(db, '--json', 'XRANGE', 'cdc.orders', '-', '+', 'COUNT', '1')) as [
      string,
      string[],
    ][];
    expect(id).toMatch(/^\d+-\d+$/);
    expect(fields.filter((_, i) => i % 2 === 0)).toEqual(['id', 'key', 'value']);
    expect(JSON.parse(fields[5] as string)).toMatchObject({ op: 'c', source: { table: 'orders' }, after: expect.any(Object) });
    expect(redisCli(db, 'KEYS', 'cdc_run:point:*').trim()).toMatch(/^cdc_run:point:to_stream:\S+$/);

    const from = await work.start(['from.yaml']).ended;
    expect(from.code, from.err).toBe(0);
    expect(work.lines('out.ndjson')).toHaveLength(500);
    expect(redisCli(db, 'XPENDING', 'cdc.orders', 'readers').trim().split('\n')[0]).toBe('0');
    const again = await work.start(['from.yaml']).ended;
    expect(again.code, again.err).toBe(0);
    expect(work.lines('out.ndjson')).toHaveLength(500);
  });

  it('is planned, checked and watched like other systems', async () => {
    await using db = await createRedisDatabase();
    using work = new Workspace();
    work.write('to.yaml', TO_STREAM(db.url));
    work.write('from.yaml', FROM_STREAM(db.url));
    const plan = await work.start(['plan', 'to.yaml']).ended;
    expect(plan).toMatchObject({ code: 0, out: expect.stringContaining('effectively-once') });
    expect(plan.out).toContain('cdc_run:point:');
    expect((await work.start(['plan', 'from.yaml']).ended).out).toMatch(/consumer group readers of the stream cdc\.orders/);
    for (const file of ['to.yaml', 'from.yaml']) {
      const test = await work.start(['validate', file, '--connect']).ended;
      expect(test.code, test.out + test.err).toBe(0);
      expect(test.out).toContain('Redis 7');
    }
    await db.client.set('cdc.orders', 'taken');
    expect(await work.start(['validate', 'from.yaml', '--connect']).ended).toMatchObject({
      code: 4,
      out: expect.stringContaining('not a stream'),
    });
  });
});
