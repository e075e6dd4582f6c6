// Kafka: the destination with each client, and the source, against bare loops of the same client library with the same batches,
// settings and decoding, in turns, on one broker; kafka-producer-perf-test beside them. 400-byte values, batches of 1,000, one in
// flight, all replicas. Both readers fetch 1 MiB of a partition at most, parse
// keys and values, and commit what is done, as often as each other, before they go on. CPU of this process per event, and rates by the clock, which the broker shares.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Producer } from '@platformatic/kafka';
import kafkajs from 'kafkajs';
import { reachableFolder } from '../../scripts/services/home.ts';
import { kafkaInstall } from '../../scripts/services/kafka-install.ts';
import { serviceUrl } from '../../scripts/services/service-url.ts';
import { descriptor as kafkaDestination } from '../../src/destinations/kafka/index.ts';
import { type Position, systemClock } from '../../src/sdk/index.ts';
import { laneBatch } from '../../src/sdk/testing/index.ts';
import { Reader, testContext } from '../../src/sdk/testing/reading.ts';
import { descriptor as kafkaSource } from '../../src/sources/kafka/index.ts';
import { partitionOfKey } from '../../src/systems/kafka/partitioner.ts';
import { kafkaConfig } from '../../test/helpers/kafka-destination.ts';
import { kafkaSourceConfig } from '../../test/helpers/kafka-source.ts';
import { round } from '../lib/cpu.ts';
import { BATCH, BUDGET, compare, context, measure, prepare, type Sample, writeBatches } from './lib.ts';

process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';

const BATCHES = Number(process.argv[2] ?? 100),
  PARTITIONS = 3,
  /** Enough that starting Java does not count. */
  VENDOR_RECORDS = 1_000_000,
  /** Of the faster client, over the rate of the vendor's tool. */
  VENDOR_BUDGET = 0.45;

const url = await serviceUrl('kafka');
if (url === null) throw new Error('no Kafka: run `npm run services -- up kafka`');
const brokers = new URL(url).host;
const kafka = new kafkajs.Kafka({ clientId: 'bench', brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();

type Work = (topic: string) => Promise<Sample>;

const { records, valueBytes, at } = prepare();

/** A topic for one run, and away with it. */
async function inTopic<T>(work: (topic: string) => Promise<T>): Promise<T> {
  const topic = `bench_${randomBytes(6).toString('hex')}`;
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: PARTITIONS }] });
  // A topic is confirmed before the broker that leads it knows of it.
  while ((await admin.fetchTopicOffsets(topic).catch(() => [])).length < PARTITIONS) await systemClock.sleep(50);
  try {
    return await work(topic);
  } finally {
    await admin.deleteTopics({ topics: [topic] });
  }
}

async function countIn(topic: string): Promise<number> {
  return (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
}

/** The work in a topic of its own, in which all must have arrived. */
const inOwnTopic =
  (work: Work, before: (topic: string) => Promise<void> = async () => {}): (() => Promise<Sample>) =>
  () =>
    inTopic(async (topic) => {
      await before(topic);
      const measured = await work(topic),
        count = await countIn(topic);
      if (count !== BATCH * BATCHES) throw new Error(`${count} records arrived`);
      return measured;
    });

const byDestination =
  (client: 'kafkajs' | 'platformatic'): Work =>
  async (topic) => {
    const destination = await kafkaDestination.create(kafkaConfig(brokers, { topic, client, create_topics: false }), context);
    // The first write connects and asks for the topic.
    await destination.write(laneBatch([]), new AbortController().signal);
    return writeBatches(
      destination,
      Array.from({ length: BATCHES }, (_, n) => at(n)),
    );
  };

const bareKafkajs: Work = async (topic) => {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false });
  await producer.connect();
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let n = 0; n < BATCHES; n++) {
      const messages = records.value.map((value, i) => ({ key: records.key[i] as Buffer, value: value as Buffer }));
      await producer.sendBatch({ acks: -1, topicMessages: [{ topic, messages }] });
    }
  });
  await producer.disconnect();
  return sample;
};

/** With Java's partitions, which 1.22 has no partitioner for. */
const barePlatformatic: Work = async (topic) => {
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [brokers], idempotent: true, autocreateTopics: false });
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let n = 0; n < BATCHES; n++) {
      const messages = records.value.map((value, i) => {
        const key = records.key[i] as Buffer;
        return { topic, key, value: value as Buffer, partition: partitionOfKey(key, PARTITIONS) };
      });
      await producer.send({ acks: -1, messages });
    }
  });
  await producer.close();
  return sample;
};

async function fill(topic: string): Promise<void> {
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [brokers], autocreateTopics: false });
  for (let n = 0; n < BATCHES; n++) {
    const messages = records.value.map((value, i) => ({
      topic,
      key: records.key[i] as Buffer,
      value: value as Buffer,
      partition: partitionOfKey(records.key[i] as Buffer, PARTITIONS),
    }));
    await producer.send({ acks: -1, messages });
  }
  await producer.close();
}

/** Of the bare loop, which commits what was fetched of a partition: events for one commit. */
let perCommit = BATCH;

const readAlone: Work = async (topic) => {
  const consumer = kafka.consumer({ groupId: topic, maxBytesPerPartition: 1 << 20 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let count = 0,
    commits = 0,
    sample: Promise<Sample> | null = null;
  let finish = (): void => undefined;
  const all = new Promise<void>((done) => {
    finish = done;
  });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: 1,
    eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
      sample ??= measure(BATCH * BATCHES, () => all);
      for (const { key, value } of batch.messages) {
        JSON.parse(String(key));
        if ((JSON.parse(String(value)) as { op: string }).op === 'c') count++;
      }
      resolveOffset(batch.lastOffset());
      await heartbeat();
      await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(BigInt(batch.lastOffset()) + 1n) }]);
      perCommit = count / ++commits;
      if (count === BATCH * BATCHES) finish();
    },
  });
  await all;
  const measured = await (sample as unknown as Promise<Sample>);
  await consumer.disconnect();
  return measured;
};

const readBySource: Work = async (topic) => {
  const source = await kafkaSource.create(kafkaSourceConfig(brokers, topic, { envelope: 'row' }), testContext('bench'));
  const reader = new Reader(source, { maxBatchEvents: BATCH });
  let count = 0,
    committed = 0;
  const upTo: { [partition: string]: Position } = {};
  const take = async (): Promise<void> => {
    const batch = await reader.next();
    if (batch === null) throw new Error('reading ended');
    for (const e of batch.events) if (e.get('after', 'op') === 'c') count++;
    if (batch.resume !== null) upTo[batch.partition] = batch.resume;
    if (count - committed >= perCommit || count === BATCH * BATCHES) {
      await source.acknowledge(upTo);
      committed = count;
    }
    reader.reading.events.length = reader.reading.batches.length = 0;
  };
  // As with the bare loop, joining the group and the first fetch are not counted; and what came with it is not either.
  await take();
  const sample = await measure(BATCH * BATCHES - count, async () => {
    while (count < BATCH * BATCHES) await take();
  });
  await reader.stop();
  await source.close();
  return sample;
};

/** Records per second of the tool that comes with Kafka, with settings for throughput. */
async function vendor(): Promise<number> {
  const jars = await kafkaInstall('3.9.1').find(reachableFolder(false), () => undefined);
  if (jars === null) throw new Error('no jars of Kafka');
  return inTopic((topic) => {
    const args = ['--topic', topic, '--num-records', String(VENDOR_RECORDS), '--record-size', '400', '--throughput', '-1'];
    const props = [`bootstrap.servers=${brokers}`, 'acks=all', 'batch.size=131072', 'linger.ms=5'];
    const out = execFileSync(
      'java',
      ['-Xmx512m', '-cp', join(jars.bin, '*'), 'org.apache.kafka.tools.ProducerPerformance', ...args, '--producer-props', ...props],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    return Promise.resolve(Number([...out.matchAll(/([\d.]+) records\/sec/g)].at(-1)?.[1]));
  });
}

const nothing = (): Promise<void> => Promise.resolve();
const withKafkajs = await compare('destination_kafkajs', nothing, inOwnTopic(bareKafkajs), inOwnTopic(byDestination('kafkajs')));
const withPlatformatic = await compare(
  'destination_platformatic',
  nothing,
  inOwnTopic(barePlatformatic),
  inOwnTopic(byDestination('platformatic')),
);
const source = await compare('source', nothing, inOwnTopic(readAlone, fill), inOwnTopic(readBySource, fill));
const perfTest = Math.round(await vendor());
const overVendor = round(withPlatformatic.ours_per_s / perfTest, 2);
console.log(
  JSON.stringify({
    scenario: 'brokers/kafka',
    events: BATCH * BATCHES,
    value_bytes: valueBytes,
    destination_kafkajs: withKafkajs,
    destination_platformatic: withPlatformatic,
    source,
    producer_perf_test_per_s: perfTest,
    platformatic_over_perf_test: overVendor,
    budget: BUDGET,
    vendor_budget: VENDOR_BUDGET,
  }),
);
await admin.disconnect();
if ([withKafkajs, withPlatformatic, source].some((part) => part.ratio_rate < BUDGET) || overVendor < VENDOR_BUDGET) process.exitCode = 1;
