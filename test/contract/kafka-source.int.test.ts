// The contract suite of sources against a real Kafka: rows in JSON with their keys, plainly and in transactions.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from 'vitest';
import { type Change, describeSource, type SourceHarness } from '../../src/sdk/testing/index.ts';
import { descriptor } from '../../src/sources/kafka/index.ts';
import { KafkaPlace, type KafkaServer, kafkaServers } from '../helpers/kafka.ts';
import { kafkaSourceConfig } from '../helpers/kafka-source.ts';

function messageOf(change: Change): { key: string; value: string | null } {
  if (change.op === 'insert')
    return {
      key: JSON.stringify({ id: change.id }),
      value: JSON.stringify({ id: change.id, name: change.name, note: change.note ?? null }),
    };
  if (change.op === 'delete') return { key: JSON.stringify({ id: change.id }), value: null };
  throw new Error(`a topic of rows has no ${change.op}`);
}

async function start(server: KafkaServer, isTransactional: boolean): Promise<SourceHarness> {
  const place = await KafkaPlace.open(server),
    topic = await place.createTopic();
  const producer = place.kafka.producer(
    isTransactional ? { transactionalId: place.name, idempotent: true, maxInFlightRequests: 1 } : { allowAutoTopicCreation: false },
  );
  await producer.connect();
  const endOf = async (): Promise<number> => Number((await place.admin.fetchTopicOffsets(topic))[0]?.high);
  const send = async (messages: { key: string | null; value: string | null }[], end: 'commit' | 'abort' = 'commit'): Promise<void> => {
    if (!isTransactional) {
      await producer.send({ topic, messages });
      return;
    }
    const transaction = await producer.transaction(),
      before = await endOf();
    await transaction.send({ topic, messages });
    await transaction[end]();
    // The broker confirms the end of a transaction before it is in the topic; until then nothing of it counts.
    while ((await endOf()) <= before) await sleep(10);
  };
  const config = kafkaSourceConfig(place.brokers, topic);
  return {
    config,
    unreachable: { ...config, bootstrap_servers: '127.0.0.1:1' },
    forbidden: {
      ...config,
      bootstrap_servers: place.listener('sasl'),
      security_protocol: 'SASL_PLAINTEXT',
      sasl_username: 'alice',
      sasl_password: 'wrong',
    },
    misconfigured: { ...config, topics: [`${topic}.there_is_none`] },
    ops: ['insert', 'delete'],
    commit: (changes) => send(changes.map(messageOf)),
    garbage: () => send([{ key: null, value: '{"id": 1, "na' }]),
    loseHistory: async () => {
      const [end] = await place.admin.fetchTopicOffsets(topic);
      await place.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: end?.high ?? '-1' }] });
    },
    ...(isTransactional ? { advance: () => send([{ key: 'x', value: '{}' }], 'abort') } : {}),
    close: async () => {
      await producer.disconnect();
      await place[Symbol.asyncDispose]();
    },
  };
}

describe.each(await kafkaServers())('%s', (server) => {
  describeSource(descriptor, () => start(server, false));
  describeSource(descriptor, () => start(server, true), 'transactions');
});
