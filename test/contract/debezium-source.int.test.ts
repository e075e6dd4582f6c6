// The contract suite of sources against Debezium's records in a real Kafka, with and without schemas.

import { describe } from 'vitest';
import { type Change, describeSource, type SourceHarness } from '../../src/sdk/testing/index.ts';
import { descriptor } from '../../src/sources/debezium/index.ts';
import { KafkaPlace, type KafkaServer, kafkaServers } from '../helpers/kafka.ts';
import { kafkaSourceConfig } from '../helpers/kafka-source.ts';

const ROW = {
  type: 'struct',
  optional: true,
  fields: [
    { type: 'int32', optional: false, field: 'id' },
    { type: 'string', optional: true, field: 'name' },
    { type: 'string', optional: true, field: 'note' },
  ],
};
const SCHEMA = {
  type: 'struct',
  fields: [
    { ...ROW, field: 'before' },
    { ...ROW, field: 'after' },
  ],
};
const KEY = { type: 'struct', fields: [{ type: 'int32', optional: false, field: 'id' }] };
const SOURCE = { connector: 'postgresql', name: 'golden', ts_ms: 1_709_210_096_789, db: 'golden', schema: 'public', table: 'items' };

function payloadOf(change: Change): object {
  const row = (c: { id: number; name?: string; note?: string | null }): object => ({
    id: c.id,
    name: c.name ?? null,
    note: c.note ?? null,
  });
  const base = { before: null, after: null, source: SOURCE, transaction: null, ts_ms: SOURCE.ts_ms };
  if (change.op === 'insert') return { ...base, after: row(change), op: 'c' };
  if (change.op === 'update') return { ...base, after: row(change), op: 'u' };
  if (change.op === 'delete') return { ...base, before: row({ id: change.id }), op: 'd' };
  throw new Error(`no ${change.op}`);
}

async function start(server: KafkaServer, hasSchemas: boolean): Promise<SourceHarness> {
  const place = await KafkaPlace.open(server),
    topic = await place.createTopic('.public.items');
  const json = (schema: object, payload: object): string => JSON.stringify(hasSchemas ? { schema, payload } : payload);
  const producer = place.kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const { envelope: _, topics: _topics, message_format: _format, ...shared } = kafkaSourceConfig(place.brokers, topic);
  const config = { ...shared, topic_prefix: place.name };
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
    commit: async (changes) => {
      await producer.send({
        topic,
        messages: changes.map((change) => ({
          key: json(KEY, { id: (change as { id: number }).id }),
          value: json(SCHEMA, payloadOf(change)),
        })),
      });
    },
    garbage: async () => {
      await producer.send({ topic, messages: [{ key: null, value: '{"id": 1, "na' }] });
    },
    loseHistory: async () => {
      const [end] = await place.admin.fetchTopicOffsets(topic);
      await place.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: end?.high ?? '-1' }] });
    },
    // Marks of transactions and heartbeats: only the place moves.
    advance: async () => {
      await producer.send({ topic, messages: [{ key: null, value: '{"ts_ms":1}' }] });
    },
    close: async () => {
      await producer.disconnect();
      await place[Symbol.asyncDispose]();
    },
  };
}

describe.each(await kafkaServers())('%s', (server) => {
  describeSource(descriptor, () => start(server, true), 'with schemas');
  describeSource(descriptor, () => start(server, false), 'without schemas');
});
