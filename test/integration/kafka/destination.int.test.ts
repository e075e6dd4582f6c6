// What happens to the Kafka destination when topics, permissions or the broker itself go away. On a real Kafka.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { serviceByName } from '../../../scripts/services/catalog.ts';
import { loadState } from '../../../scripts/services/home.ts';
import { up } from '../../../scripts/services/up.ts';
import type { KafkaDestinationConfig } from '../../../src/destinations/kafka/config.ts';
import { descriptor } from '../../../src/destinations/kafka/index.ts';
import {
  additiveOnly,
  CdcError,
  type ChangeEvent,
  type Destination,
  type PointHoldingDestination,
  type WriteResult,
} from '../../../src/sdk/index.ts';
import { LANE, laneBatch, pointAt } from '../../../src/sdk/testing/batches.ts';
import { Events, item } from '../../../src/sdk/testing/index.ts';
import { testContext } from '../../../src/sdk/testing/reading.ts';
import { LINES } from '../../../src/sdk/testing/sample-tables.ts';
import { COMPRESSIONS } from '../../../src/systems/kafka/client.ts';
import { KafkaPlace, kafkaServers } from '../../helpers/kafka.ts';
import { kafkaConfig } from '../../helpers/kafka-destination.ts';

const open = (config: KafkaDestinationConfig): Promise<Destination> =>
  descriptor.create(config, { ...testContext('kafka'), schemaEvolution: additiveOnly });
const write = (destination: Destination, events: readonly ChangeEvent[]): Promise<WriteResult> =>
  destination.write(laneBatch(events), new AbortController().signal);
const many = (e: Events, from: number, count: number): ChangeEvent[] =>
  Array.from({ length: count }, (_, n) => e.create(item(from + n, `row ${from + n}`)));
const idsIn = (records: readonly { value: Buffer | null }[]): number[] =>
  records.map((r) => (JSON.parse(String(r.value)) as { after: { id: number } }).after.id).sort((a, b) => a - b);

/** As the engine would: again and again while it can help. */
async function insist(work: () => Promise<WriteResult>): Promise<WriteResult> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CdcError) || !error.retriable || tries === 20) throw error;
    }
  }
}

const clients = (await kafkaServers()).flatMap((server) => (['kafkajs', 'platformatic'] as const).map((client) => ({ server, client })));

describe.each(clients)('the Kafka destination on $server with $client', ({ server, client }) => {
  it('makes a topic again that was removed', async () => {
    await using place = await KafkaPlace.open(server);
    const destination = await open(kafkaConfig(place.brokers, { client, topic: place.name })),
      e = new Events();
    expect(await write(destination, many(e, 0, 10))).toEqual({ kind: 'stored' });
    await place.admin.deleteTopics({ topics: [place.name] });
    // It is confirmed before the broker that leads it knows: what is written until then is stored, and removed with it.
    while ((await place.admin.listTopics()).includes(place.name)) await sleep(20);
    const rest = many(e, 10, 10);
    expect(await insist(() => write(destination, rest))).toEqual({ kind: 'stored' });
    expect(idsIn(await place.read(place.name))).toEqual(rest.map((_, n) => 10 + n));
    await destination.close();
  });

  it('says that there is no topic where it must not make one', async () => {
    await using place = await KafkaPlace.open(server);
    const destination = await open(kafkaConfig(place.brokers, { client, topic: place.name, create_topics: false }));
    await expect(write(destination, many(new Events(), 0, 1))).rejects.toMatchObject({
      code: 'DESTINATION_MISCONFIGURED',
      retriable: false,
    });
    await destination.close();
  });

  it('stops with a fix when it may not write any more', async () => {
    await using place = await KafkaPlace.open(server);
    const config = kafkaConfig(place.listener('sasl'), {
        client,
        topic: place.name,
        sasl_username: 'alice',
        sasl_password: place.password,
      }),
      destination = await open(config),
      e = new Events();
    expect(await write(destination, many(e, 0, 5))).toEqual({ kind: 'stored' });
    const rule: kafkajs.AclEntry = {
      resourceType: kafkajs.AclResourceTypes.TOPIC,
      resourceName: place.name,
      resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
      principal: 'User:alice',
      host: '*',
      operation: kafkajs.AclOperationTypes.WRITE,
      permissionType: kafkajs.AclPermissionTypes.DENY,
    };
    await place.admin.createAcls({ acl: [rule] });
    const failure: unknown = await insist(() => write(destination, many(e, 5, 5))).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'DESTINATION_FORBIDDEN', retriable: false });
    expect((failure as CdcError).fix).toContain('WRITE');
    await destination.close();
  });

  it('stores the others of a large batch when one record is too large, in the order of their keys', async () => {
    await using place = await KafkaPlace.open(server);
    const destination = await open(
      kafkaConfig(place.brokers, { client, topic: place.name, topic_defaults: { partitions: 3, replication_factor: 1, config: {} } }),
    );
    const e = new Events(),
      events = [...many(e, 0, 700), e.create(item(700, 'x'.repeat(1_500_000))), ...many(e, 701, 700)],
      batch = laneBatch(events),
      skip = new Set<number>();
    for (;;) {
      const result = await destination.write({ ...batch, encoded: () => batch.encoded(), skip }, new AbortController().signal);
      if (result.kind === 'stored') break;
      expect(result.failed).toMatchObject([{ index: 700, error: { code: 'DESTINATION_EVENT_REJECTED' } }]);
      for (const { index } of result.failed) skip.add(index);
      if (result.kind === 'partial') for (const index of result.written) skip.add(index);
    }
    const records = await place.read(place.name);
    expect([...new Set(idsIn(records))]).toEqual(events.map((_, n) => n).filter((n) => n !== 700));
    await destination.close();
  });

  it('asks the function of the user for the partition', async () => {
    await using place = await KafkaPlace.open(server);
    const folder = mkdtempSync(join(tmpdir(), 'cdc-kafka-')),
      module = join(folder, 'partition.mjs');
    try {
      writeFileSync(module, 'export const partition = ({ key }, count) => Number(Buffer.from(key).toString()) % 2 === 0 ? 0 : count - 1;');
      const options = { topic: place.name, key_field: 'id', partition_strategy: 'custom', partition_function: module } as const;
      const destination = await open(
        kafkaConfig(place.brokers, { client, ...options, topic_defaults: { partitions: 4, replication_factor: 1, config: {} } }),
      );
      expect(await write(destination, many(new Events(), 0, 20))).toEqual({ kind: 'stored' });
      for (const { key, partition } of await place.read(place.name)) expect(partition).toBe(Number(key) % 2 === 0 ? 0 : 3);
      await destination.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(COMPRESSIONS)('writes keys, values, headers and tombstones that others read, with compression %s', async (compression) => {
    await using place = await KafkaPlace.open(server);
    const destination = await open(
        kafkaConfig(place.brokers, { client, topic: place.name, compression_type: compression, headers: { origin: 'shop' } }),
      ),
      e = new Events();
    const keyless = e.make({ op: 'c', table: LINES, after: item(5, 'a line') }),
      began = Date.now();
    const first = [...many(e, 0, 3), e.remove(item(1, 'row 1')), keyless];
    expect(await insist(() => write(destination, first))).toEqual({ kind: 'stored' });
    expect(await write(destination, many(e, 6, 2000))).toEqual({ kind: 'stored' });
    const records = await place.read(place.name);
    expect(records).toHaveLength(2006);
    expect(records.slice(0, 6).map(({ key, value }) => [key, value === null])).toEqual([
      ['{"id":0}', false],
      ['{"id":1}', false],
      ['{"id":2}', false],
      ['{"id":1}', false],
      ['{"id":1}', true],
      [null, false],
    ]);
    for (const { headers, timestamp } of records) {
      expect(headers['origin']).toBe('shop');
      expect(Number(timestamp), 'the time of sending: older records are deleted, read or not').toBeGreaterThanOrEqual(began);
    }
    await destination.close();
  });
});

const own = loadState('kafka');

/** Kills the broker as a crash of its machine would. */
function kill(): void {
  process.kill(loadState('kafka')?.process?.pid as number, 'SIGKILL');
}

describe.skipIf(own === null || process.env['CDC_TEST_KAFKA_URL'] !== undefined)('a broker that is killed', () => {
  it.each(['kafkajs', 'platformatic'] as const)(
    'loses nothing that was confirmed with %s, and the rest is sent again',
    { timeout: 120_000 },
    async (client) => {
      await using place = await KafkaPlace.open('kafka');
      const destination = await open(kafkaConfig(place.brokers, { client, topic: place.name, compression_type: 'lz4' })),
        e = new Events();
      const back = { promise: null as Promise<unknown> | null };
      for (let n = 0; n < 8; n++) {
        const events = many(e, n * 500, 500);
        if (n === 3) setTimeout(kill, 3);
        for (let isStored = false; !isStored; ) {
          try {
            isStored = (await write(destination, events)).kind === 'stored';
            // It dies between two batches, if not within one.
            if (n === 3) await sleep(50);
          } catch (error) {
            expect(error).toMatchObject({ name: 'CdcError', retriable: true });
            back.promise ??= up(serviceByName('kafka'), null, () => undefined);
            await back.promise;
          }
        }
      }
      expect(back.promise, 'the broker was killed').not.toBeNull();
      await destination.close();
      await using after = await KafkaPlace.open('kafka');
      expect([...new Set(idsIn(await after.read(place.name)))]).toEqual(Array.from({ length: 4000 }, (_, n) => n));
    },
  );

  it('costs a transactional destination nothing, and nothing is there twice', async () => {
    await using place = await KafkaPlace.open('kafka');
    const config = kafkaConfig(place.brokers, {
      topic: place.name,
      transactional_id: place.name,
      points_topic: `${place.name}.points`,
      compression_type: 'lz4',
    });
    const destination = (await open(config)) as PointHoldingDestination,
      e = new Events();
    await destination.committed(LANE);
    await destination.claim(LANE, 1);
    await destination.setPoints(LANE, 1, [pointAt(0)]);
    let stored = 0;
    const back = { promise: null as Promise<unknown> | null };
    for (let n = 0; n < 8; n++) {
      const events = many(e, n * 500, 500),
        batch = laneBatch(events);
      // In the middle of a batch.
      if (n === 3) setTimeout(kill, 15);
      for (let isStored = false; !isStored; ) {
        try {
          isStored = (await destination.write(batch, new AbortController().signal)).kind === 'stored';
        } catch (error) {
          expect(error).toMatchObject({ name: 'CdcError', retriable: true });
          back.promise ??= up(serviceByName('kafka'), null, () => undefined);
          await back.promise;
          // What the engine does when the outcome is unknown, and no harm otherwise.
          const committed = await destination.committed(LANE);
          isStored = committed.kind === 'points' && JSON.stringify(committed.points) === JSON.stringify([batch.through]);
        }
      }
      stored += events.length;
    }
    expect(back.promise, 'the broker was killed').not.toBeNull();
    await destination.close();
    await using after = await KafkaPlace.open('kafka');
    expect(idsIn(await after.read(place.name))).toEqual(Array.from({ length: stored }, (_, n) => n));
  });
});
