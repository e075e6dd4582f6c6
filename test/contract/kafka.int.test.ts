// The contract suite against a real Kafka, behind a proxy that can go away and lose replies: with transactions, and without.

import { randomBytes } from 'node:crypto';
import { describe } from 'vitest';
import type { KafkaDestinationConfig } from '../../src/destinations/kafka/config.ts';
import { descriptor } from '../../src/destinations/kafka/index.ts';
import { type DestinationHarness, describeDestination, item } from '../../src/sdk/testing/index.ts';
import { KafkaPlace, kafkaServers } from '../helpers/kafka.ts';
import { kafkaConfig } from '../helpers/kafka-destination.ts';

const ALL_OPS: DestinationHarness['ops'] = ['insert', 'update', 'delete', 'truncate', 'partial', 'move'];
/** Beyond what the broker takes in one batch, compressed or not. */
const TOO_LARGE = randomBytes(1_300_000).toString('hex');

async function start(server: Parameters<typeof KafkaPlace.open>[0], changes: Partial<KafkaDestinationConfig>): Promise<DestinationHarness> {
  const place = await KafkaPlace.open(server),
    proxy = await place.proxy(),
    config = (brokers: string, more: Partial<KafkaDestinationConfig> = {}) =>
      kafkaConfig(brokers, { topic: place.name, ...changes, ...more });
  const poison = { poison: (e: Parameters<NonNullable<DestinationHarness['poison']>>[0]) => e.create(item(3, TOO_LARGE)) };
  return {
    config: config(place.listener('proxy'), {
      ...(changes.transactional === true ? { points_topic: `${place.name}.points`, transactional_id: place.name } : {}),
    }),
    unreachable: config('127.0.0.1:1'),
    forbidden: config(place.listener('sasl'), { security_protocol: 'SASL_PLAINTEXT', sasl_username: 'alice', sasl_password: 'wrong' }),
    misconfigured: config(place.brokers, { topic: `${place.name}.there_is_none`, create_topics: false }),
    ops: ALL_OPS,
    records: async () => (await place.read(place.name)).map((r) => r.value),
    ...(changes.transactional === true ? poison : {}),
    oversize: (e) => e.create(item(2, TOO_LARGE)),
    outage: async () => {
      await proxy.close();
      return () => proxy.open();
    },
    loseReply: () => {
      proxy.cutNextCommit = 'after';
      return Promise.resolve();
    },
    close: async () => {
      await proxy.close();
      await place[Symbol.asyncDispose]();
    },
  };
}

describe.each(await kafkaServers())('%s', (server) => {
  describeDestination(descriptor, () => start(server, {}), 'at least once');
  describeDestination(descriptor, () => start(server, { client: 'platformatic' }), 'platformatic');
  describeDestination(descriptor, () => start(server, { compression_type: 'zstd' }), 'zstd');
  describeDestination(descriptor, () => start(server, { transactional: true }), 'transactional');
});
