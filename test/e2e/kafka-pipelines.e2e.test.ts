// The pipelines with Kafka as they are shipped, on real servers: from PostgreSQL to topics and from there to another database, over
// kills.

import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { KafkaPlace, kafkaServers } from '../helpers/kafka.ts';
import { createDatabase, skipReason } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { Workspace } from './process.ts';

const noPostgres = (await skipReason()) !== null;
const servers = await kafkaServers();

const TABLES = `
  CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, info jsonb);
  CREATE TABLE items (order_no int, line int, price numeric(12,2), at timestamptz, PRIMARY KEY (order_no, line));`;
const ROWS = `
  INSERT INTO customers SELECT n, 'näme ' || n, '{"a": [1, "x"], "n": 12345678901234567890}' FROM generate_series(1, 500) n;
  INSERT INTO items SELECT n / 3, n % 3, n * 1.25, '2024-02-29 12:00:00.5+02' FROM generate_series(1, 3000) n`;

const TRADE = (from: number): readonly string[] => [
  `BEGIN; INSERT INTO customers VALUES (${from}, 'new', 'null'); UPDATE customers SET name = 'newer' WHERE id = ${from}; COMMIT`,
  `UPDATE customers SET id = id + ${from * 100} WHERE id BETWEEN 10 AND 19`,
  'DELETE FROM customers WHERE id BETWEEN 50 AND 60',
  'UPDATE items SET line = line + 10 WHERE order_no = 7',
  `UPDATE items SET price = price + 1 WHERE order_no < 300`,
];

const CONTENT = `SELECT (SELECT json_agg(c ORDER BY c.id) FROM customers c)::text AS customers, (SELECT json_agg(i ORDER BY i.order_no, i.line) FROM items i)::text AS items`;

interface Change {
  readonly op: string;
  readonly source: { readonly pos: string; readonly table: string };
}

describe.skipIf(noPostgres).each(servers)('pipelines/postgres-to-kafka.yaml and kafka-to-postgres.yaml, with %s', (server) => {
  it('bring every change over once, also when they are killed, and the replica equals its source', { timeout: 300_000 }, async () => {
    await using place = await KafkaPlace.open(server);
    await using source = await createDatabase();
    await using replica = await createDatabase();
    using work = new Workspace();
    await source.query(TABLES + ROWS);
    await replica.query(TABLES);
    const env = { KAFKA: place.brokers, TOPICS: place.name, SOURCE_URL: source.url, REPLICA_URL: replica.url, SESSION_TIMEOUT: '6s' };
    const publish = (...args: string[]) =>
      work.start([resolve('pipelines/postgres-to-kafka.yaml'), ...args], { ...env, PIPELINE: place.name });
    const apply = (...args: string[]) =>
      work.start([resolve('pipelines/kafka-to-postgres.yaml'), ...args], { ...env, PIPELINE: `${place.name}_apply` });
    const expectSame = async (): Promise<void> => expect(await replica.query(CONTENT)).toEqual(await source.query(CONTENT));

    try {
      expect(await publish('--until-caught-up').ended).toMatchObject({ code: 0 });
      expect(await apply('--until-caught-up').ended).toMatchObject({ code: 0 });
      await expectSame();

      for (const round of [1, 2]) {
        const running = publish();
        const both = apply();
        await running.until(/streaming|continued/i).catch(() => undefined);
        for (const statement of TRADE(round * 1000)) await source.query(statement);
        await sleep(round === 1 ? 700 : 1500);
        running.child.kill('SIGKILL');
        both.child.kill('SIGKILL');
        await Promise.all([running.ended, both.ended]);
      }
      expect(await publish('--until-caught-up').ended).toMatchObject({ code: 0 });
      expect(await apply('--until-caught-up').ended).toMatchObject({ code: 0 });
      await expectSame();

      const changes = [...(await place.read(`${place.name}.public.customers`)), ...(await place.read(`${place.name}.public.items`))]
        .filter((r) => r.value !== null)
        .map(({ key, value }) => ({ key, ...(JSON.parse(String(value)) as Change) }));
      const ids = changes.filter((c) => c.op !== 'r').map((c) => `${c.source.table} ${c.key} ${c.op} ${c.source.pos}`);
      expect(ids.length).toBeGreaterThan(1800);
      expect(new Set(ids).size).toBe(ids.length);
      expect(changes.filter((c) => c.op === 'r')).toHaveLength(3500);
    } finally {
      await dropSlots(source);
    }
  });
});
