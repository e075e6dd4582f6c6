// Debezium's records from one of our pipelines to another: PostgreSQL → Kafka in Debezium's shape → PostgreSQL, in JSON with schemas
// and in Avro with a registry. The tables of the replica are made from the schemas of the records.

import { describe, expect, it } from 'vitest';
import { KafkaPlace, kafkaServers } from '../helpers/kafka.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { registryUrl } from '../helpers/schema-registry.ts';
import { Workspace } from './process.ts';

const noPostgres = (await skipReason()) !== null;
const servers = await kafkaServers();
const registry = await registryUrl();

const TABLES = `
  CREATE TABLE items (id bigint PRIMARY KEY, price numeric(12,2) NOT NULL, weight numeric, at timestamptz, local timestamp(3), day date, clock time,
    raw bytea, uid uuid, doc jsonb, tags text[], flag boolean, small smallint, ratio double precision, note text);
  ALTER TABLE items ALTER note SET STORAGE EXTERNAL;
  INSERT INTO items SELECT n, n * 1.25, 12345678901234567890.5, '2024-02-29 12:00:00.123456+02', '2024-02-29 12:34:56.789', '2024-02-29', '12:34:56.789123',
    decode('00ff', 'hex'), 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, "x"], "n": 12345678901234567890}', ARRAY['a', NULL, 'b "c"'], n % 2 = 0, -7, 0.1,
    repeat('x', 5000) FROM generate_series(1, 200) n;
  INSERT INTO items (id, price) VALUES (1000, -0.01);`;
const TRADE = [
  'UPDATE items SET price = price + 1 WHERE id < 50',
  'DELETE FROM items WHERE id BETWEEN 60 AND 70',
  'UPDATE items SET id = id + 5000 WHERE id BETWEEN 80 AND 90',
  `INSERT INTO items VALUES (9223372036854775807, 1, 'NaN', 'infinity', NULL, NULL, NULL, NULL, NULL, 'null', '{}', NULL, NULL, NULL, '')`,
];
/** What Debezium cannot carry is left out: NaN in a number, infinity of a zone. */
const CONTENT = `SELECT id, price, CASE WHEN weight = 'NaN' THEN NULL ELSE weight END AS weight, CASE WHEN isfinite(at) THEN at END AS at, local, day, clock::text,
  raw, uid::text, doc::jsonb::text AS doc, array_to_json(tags::text[])::text AS tags, flag, small, ratio, md5(note) AS note FROM items ORDER BY id`;

function publishing(source: TestDatabase, place: KafkaPlace, format: string): string {
  return `name: ${place.name}
source: {type: postgresql, url: "${source.url}", slot_name: ${source.name}, publication: ${source.name}}
destination:
  type: kafka
  bootstrap_servers: ${place.brokers}
  envelope: {type: debezium, compatible: true, topic_prefix: ${place.name}${format === 'json' ? ', schemas: true' : ''}}
${format === 'json' ? '' : `  message_format: avro\n  schema_registry_url: ${registry ?? ''}\n`}`;
}
function applying(replica: TestDatabase, place: KafkaPlace, format: string): string {
  return `name: ${place.name}_apply
source:
  type: debezium
  bootstrap_servers: ${place.brokers}
  topic_prefix: ${place.name}
  session_timeout: 6s
${format === 'json' ? '' : `  schema_registry_url: ${registry ?? ''}\n`}destination: {type: postgresql, url: "${replica.url}"}
`;
}

describe.skipIf(noPostgres).each(servers)('Debezium records through %s', (server) => {
  it.each(registry === null ? ['json'] : ['json', 'avro'])('%s: the replica equals its source', async (format) => {
    await using place = await KafkaPlace.open(server);
    await using source = await createDatabase();
    await using replica = await createDatabase();
    using work = new Workspace();
    try {
      await source.query(TABLES);
      work.write('publish.yaml', publishing(source, place, format));
      work.write('apply.yaml', applying(replica, place, format));
      const run = async (file: string): Promise<void> => {
        const ended = await work.start(['run', file, '--until-caught-up']).ended;
        expect(ended.code, ended.err).toBe(0);
      };
      await run('publish.yaml');
      for (const statement of TRADE) await source.query(statement);
      await run('publish.yaml');
      await run('apply.yaml');
      expect(await replica.query(CONTENT)).toEqual(await source.query(CONTENT));
      await source.query('DELETE FROM items WHERE id < 10');
      await run('publish.yaml');
      await run('apply.yaml');
      expect(await replica.query(CONTENT)).toEqual(await source.query(CONTENT));
    } finally {
      await dropSlots(source);
    }
  });
});
