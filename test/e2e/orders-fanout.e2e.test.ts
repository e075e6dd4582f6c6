// pipelines/orders-fanout.yaml as it is shipped, on real servers: five destinations get every change over kills at any moment, once where the
// destination can do that.

import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { KafkaPlace, kafkaServers } from '../helpers/kafka.ts';
import { createDatabase, skipReason as noPostgres, type TestDatabase } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { skipReason as noRabbit, RabbitPlace } from '../helpers/rabbitmq.ts';
import { createRedisDatabase, skipReason as noRedis, type RedisDatabase } from '../helpers/redis.ts';
import { Workspace } from './process.ts';

const servers = await kafkaServers();
const isMissing = (await noPostgres()) !== null || (await noRedis()) !== null || (await noRabbit()) !== null;

const SHOP = `
  CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, total numeric(12,2), info jsonb, placed_at timestamptz);
  CREATE TABLE items (order_id bigint, line int, name text, PRIMARY KEY (order_id, line));
  INSERT INTO orders SELECT n, 'näme ' || n, n * 1.25, '{"a": [1, "x"]}', '2024-02-29 12:00:00.5+02' FROM generate_series(1, 1000) n;
  INSERT INTO items SELECT n / 3, n % 3, 'item ' || n FROM generate_series(3, 3002) n`;

/** A piece of business; no two pieces change the same rows twice in the same way. */
const trade = (n: number): string => `BEGIN;
  INSERT INTO orders VALUES (${10_000 + n}, 'new', 1.5, 'null', now());
  UPDATE orders SET total = total + 1 WHERE id BETWEEN ${(n % 20) * 10 + 1} AND ${(n % 20) * 10 + 20};
  UPDATE items SET line = line + 10 WHERE order_id = ${(n % 900) + 1};
  DELETE FROM orders WHERE id = ${500 + n}; COMMIT`;

const CONTENT = `SELECT (SELECT json_agg(o ORDER BY o.id) FROM orders o)::text AS orders, (SELECT json_agg(i ORDER BY i.order_id, i.line) FROM items i)::text AS items`;
const KILLS = 5;

interface Debezium {
  readonly op: string;
  readonly source: { readonly pos: string };
}

/** Every record of both topics says another change, or another row of the snapshot. */
async function expectOnceInKafka(place: KafkaPlace): Promise<number> {
  let count = 0;
  for (const table of ['orders', 'items']) {
    const records = (await place.read(`${place.name}.${table}`)).filter((r) => r.value !== null);
    const said = records.map(({ key, value }) => {
      const { op, source } = JSON.parse(String(value)) as Debezium;
      return op === 'r' ? `${key} r` : `${key} ${op} ${source.pos}`;
    });
    expect(new Set(said).size, `records of ${table}`).toBe(said.length);
    count += said.length;
  }
  return count;
}

/** Returns the ids of all events. */
async function expectOnceInStream({ client }: RedisDatabase): Promise<Set<string>> {
  const all = new Set<string>();
  for (const table of ['orders', 'items']) {
    const ids = (await client.xrange(`shop.${table}`, '-', '+')).map(([, fields]) => fields[fields.indexOf('id') + 1]);
    expect(ids.length).toBeGreaterThan(1000);
    expect(new Set(ids).size, `entries of ${table}`).toBe(ids.length);
    for (const id of ids) all.add(String(id));
  }
  return all;
}

/** Each row of the source is there, as it is now, and no other. */
async function expectSameInCache({ client }: RedisDatabase, db: TestDatabase): Promise<void> {
  const rows = await db.query<{ key: string; row: unknown }>(
    `SELECT 'orders:' || id AS key, json_build_object('customer', customer, 'total', total::text) AS row FROM orders
     UNION ALL SELECT 'items:' || order_id || ':' || line, json_build_object('name', name) FROM items`,
  );
  const keys = [...(await client.keys('orders:*')), ...(await client.keys('items:*'))];
  expect(keys.sort()).toEqual(rows.map((r) => r.key).sort());
  const cached = await client.mget(rows.map((r) => r.key));
  for (const [i, { row }] of rows.entries()) expect(JSON.parse(cached[i] ?? 'null')).toMatchObject(row as object);
}

/** Until a process reads the slot. */
function reading(db: TestDatabase): Promise<void> {
  const active = 'SELECT 1 FROM pg_replication_slots WHERE database = current_database() AND active';
  return eventually(async () => (await db.query(active)).length > 0, 'somebody reads the slot');
}

describe.skipIf(isMissing).each(servers)('pipelines/orders-fanout.yaml, with %s', (server) => {
  it('gives every change once to each destination, also when it is killed in the middle', { timeout: 300_000 }, async () => {
    await using place = await KafkaPlace.open(server);
    await using redis = await createRedisDatabase();
    await using rabbit = await RabbitPlace.open();
    await using source = await createDatabase();
    await using analytics = await createDatabase();
    using work = new Workspace();
    await source.query(SHOP);
    const env = {
      KAFKA: place.brokers,
      TOPICS: place.name,
      REDIS_URL: redis.url,
      RABBITMQ_URL: rabbit.url,
      EXCHANGE: rabbit.exchange,
      QUEUE: rabbit.queue,
      SOURCE_URL: source.url,
      ANALYTICS_URL: analytics.url,
    };
    const start = (...args: string[]) => work.start([resolve('pipelines/orders-fanout.yaml'), ...args], { ...env, PIPELINE: place.name });
    let traded = 0;
    const business = async (forMs: number): Promise<void> => {
      for (const began = performance.now(); performance.now() - began < forMs; await sleep(5)) await source.query(trade(traded++));
    };

    try {
      for (let kill = 0; kill < KILLS; kill++) {
        const running = start();
        await reading(source);
        // The first is killed in its snapshot, later ones at other moments of the stream.
        await business(100 + 350 * kill);
        running.child.kill('SIGKILL');
        await running.ended;
      }
      const last = await start('--until-caught-up').ended;
      expect(last.code, last.err).toBe(0);

      expect(await analytics.query(CONTENT)).toEqual(await source.query(CONTENT));
      expect(await expectOnceInKafka(place)).toBeGreaterThan(4000 + traded);
      const ids = await expectOnceInStream(redis),
        messages = await rabbit.drain();
      expect(new Set(messages.map((m) => String(m.properties.messageId)))).toEqual(ids);
      await expectSameInCache(redis, source);
      expect((await start('--until-caught-up').ended).out).toContain('nothing new');
    } finally {
      work[Symbol.dispose]();
      await dropSlots(source);
    }
  });
});
