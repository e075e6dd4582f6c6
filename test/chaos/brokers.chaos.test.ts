// sqlite → broker → sqlite under load, while the broker and both pipelines are killed at random moments: each change is published once,
// and the replica equals its source.

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { serviceByName } from '../../scripts/services/catalog.ts';
import { loadState } from '../../scripts/services/home.ts';
import { up } from '../../scripts/services/up.ts';
import type { Started, Workspace } from '../e2e/process.ts';
import { KafkaPlace, kafkaServers } from '../helpers/kafka.ts';
import { OwnRedis } from '../helpers/own-redis.ts';
import { skipReason as noRedis } from '../helpers/redis.ts';
import { openDatabase, type Row } from './evidence.ts';
import { sqliteReplica } from './replicas.ts';
import { createShop, SHOP, TABLES } from './shop.ts';
import { chaosFolder, killsOf, SEED, TIMEOUT_MS, Victim, Writer } from './victim.ts';

const ROWS = 1000;
const COLUMNS = { id: 'number', name: 'text', credit: 'number', rev: 'number' } as const;

/** A record of the `debezium` envelope. */
interface Record {
  readonly op: string;
  readonly source: { readonly table: string; readonly pos: string };
  readonly before: Row | null;
  readonly after: Row | null;
}

interface Broker extends AsyncDisposable {
  /** Of the pipelines: a broker that others have used may know a place of one with the same name. */
  readonly name: string;
  /** Its entries of the two pipelines. */
  readonly destination: string;
  readonly source: string;
  /** What the first run has made can be found. */
  ready(): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
  published(): Promise<Record[]>;
}

/** The broker of the services: nothing else uses it meanwhile, since files of tests take turns. */
async function kafka(): Promise<Broker> {
  const place = await KafkaPlace.open('kafka'),
    { name, brokers } = place;
  return {
    name,
    destination: `{name: bus, type: kafka, bootstrap_servers: "${brokers}", topic: "${name}.{table}", envelope: debezium, transactional: true, topic_defaults: {partitions: 2}}`,
    source: `{type: kafka, bootstrap_servers: "${brokers}", topics: ["${name}.*"], group_id: ${name}, session_timeout: 6s, message_format: debezium}`,
    ready: async () => {
      for (const table of TABLES) await place.ready(`${name}.${table}`, 2);
    },
    kill: async () => {
      process.kill(loadState('kafka')?.process?.pid as number, 'SIGKILL');
    },
    start: async () => {
      await up(serviceByName('kafka'), null, () => undefined);
    },
    published: async () => {
      await using after = await KafkaPlace.open('kafka');
      const records = await Promise.all(TABLES.map((table) => after.read(`${name}.${table}`)));
      return records.flat().flatMap(({ value }) => (value === null ? [] : [JSON.parse(value.toString()) as Record]));
    },
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}

async function redis(): Promise<Broker> {
  const server = await OwnRedis.start();
  return {
    name: 'own',
    destination: `{name: bus, type: redis_stream, url: "${server.url}", stream_name: shop, max_length: 1000000, envelope: debezium}`,
    source: `{type: redis_stream, url: "${server.url}", stream_name: shop, consumer_group: readers, envelope: debezium}`,
    ready: () => Promise.resolve(),
    kill: () => server.kill(),
    start: () => server.start(),
    published: async () => {
      const entries = await server.client.xrange('shop', '-', '+');
      return entries.flatMap(([, fields]) => {
        const value = fields[fields.indexOf('value') + 1];
        return fields.includes('value') && value !== undefined && value !== '' ? [JSON.parse(value) as Record] : [];
      });
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const RETRY = 'retry: {initial_delay: 20ms, max_delay: 200ms}';

function writePipelines(work: Workspace, broker: Broker, replica: string): void {
  work.write(
    'publish.yaml',
    `
name: publish_${broker.name}
source: {type: sqlite, path: shop.db, tables: [customers, orders], poll_interval: 5ms}
destinations:
  - {name: files, type: file, path: out/changes.ndjson, envelope: plain}
  - ${broker.destination}
sync: {mode: continuous, batch_size: 50, checkpoint_interval: 100ms}
error_handling: {${RETRY}, dead_letter_queue: {type: file, path: dead.ndjson}}
state: {path: publish.db}
`,
  );
  work.write(
    'apply.yaml',
    `
name: apply_${broker.name}
source: ${broker.source}
destinations:
  - {name: files, type: file, path: in/changes.ndjson, envelope: plain}
${replica}sync: {mode: continuous, batch_size: 50, checkpoint_interval: 100ms}
error_handling: {${RETRY}, dead_letter_queue: {type: file, path: dead-in.ndjson}}
state: {path: apply.db}
`,
  );
}

const hasRedis = (await noRedis()) === null,
  hasKafka = (await kafkaServers()).includes('kafka') && process.env['CDC_TEST_KAFKA_URL'] === undefined && loadState('kafka') !== null;

describe.each([
  { name: 'kafka', isThere: hasKafka, open: kafka, salt: 21 },
  { name: 'redis_stream', isThere: hasRedis, open: redis, salt: 22 },
])('sqlite → $name → sqlite', ({ isThere, open, salt }) => {
  it.skipIf(!isThere)('publishes each change once and loses none, whoever is killed', { timeout: TIMEOUT_MS }, async () => {
    const work = chaosFolder();
    await using broker = await open();
    using shop = openDatabase(work.path('shop.db'));
    createShop(shop.db, ROWS);
    await using replica = await sqliteReplica(work, SHOP);
    writePipelines(work, broker, replica.yaml());
    const publish = new Victim(work, ['publish.yaml'], 'out/changes.ndjson', salt),
      apply = new Victim(work, ['apply.yaml'], 'in/changes.ndjson', salt + 100);
    const killed = { broker: 0, pipelines: 0 };
    using writer = await Writer.start('writer', work.path('shop.db'));

    /** Both run; the broker dies under them and comes back; then they die. */
    const round = async ({ dice }: Victim): Promise<void> => {
      const runs: readonly Started[] = [publish.start(), apply.start()];
      await publish.moment(runs[0] as Started, 'flow', 1000);
      await broker.kill();
      killed.broker++;
      await sleep(dice.next() * 300);
      const dying = dice.int(3);
      runs[dying]?.child.kill('SIGKILL');
      await broker.start();
      await sleep(dice.next() * 1500);
      for (const { child } of runs) child.kill('SIGKILL');
      for (const { ended } of runs) {
        const { signal, err } = await ended;
        expect(signal, `seed ${SEED}: it outlives its broker: ${err.slice(-3000)}`).toBe('SIGKILL');
        killed.pipelines++;
      }
    };
    // A pattern stands for the topics that are there at the start.
    await publish.finish('--until-caught-up');
    await broker.ready();
    for (let n = killsOf(4); n > 0; n--) await round(publish);
    const written = await writer.stop();
    await publish.finish('--until-caught-up');
    await apply.finish('--until-caught-up');
    console.log(`seed ${SEED}: killed ${JSON.stringify(killed)}; ${written}`);

    const published = await broker.published(),
      ids = published.map(
        ({ op, source, before, after }) => `${source.table} ${op} ${(after ?? before)?.['id']} ${op === 'r' ? '' : source.pos}`,
      );
    expect(ids.length).toBeGreaterThan(ROWS * TABLES.length);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
    for (const table of TABLES) {
      const rows = shop.db.prepare(`SELECT * FROM ${table} ORDER BY id`).all();
      expect(await replica.rows(table, COLUMNS), `${replica.name}, ${table}`).toEqual(rows);
    }
    expect(['dead.ndjson', 'dead-in.ndjson'].filter((name) => existsSync(work.path(name)))).toEqual([]);
  });
});
