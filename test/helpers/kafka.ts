// A real Kafka for integration tests: whether there is one, topics that go away with their scope, and what they hold.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { KAFKA_PORTS } from '../../scripts/services/kafka.ts';
import { serviceUrl } from '../../scripts/services/service-url.ts';
import { PostgresProxy } from './postgres-proxy.ts';

const { Kafka, logLevel } = kafkajs;
process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';

export type KafkaServer = 'kafka' | 'kafka@4';

/** The brokers that answer. A missing 3.9 is said once; where `CI` is set it is an error. */
export async function kafkaServers(): Promise<KafkaServer[]> {
  const found: KafkaServer[] = [];
  for (const name of ['kafka', 'kafka@4'] as const) {
    if ((await serviceUrl(name)) !== null) found.push(name);
    else if (name === 'kafka') complain();
  }
  return found;
}

function complain(): void {
  const reason = 'no kafka for tests: run `npm run services up kafka`, or set CDC_TEST_KAFKA_URL';
  if (process.env['CI']) throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
}

export interface StoredRecord {
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: string;
}

/** A broker, and topics of one test under a name of its own. */
export class KafkaPlace implements AsyncDisposable {
  readonly name = `cdc_test_${randomBytes(6).toString('hex')}`;
  readonly url: URL;
  readonly kafka: kafkajs.Kafka;
  readonly admin: kafkajs.Admin;
  readonly #consumers: kafkajs.Consumer[] = [];

  constructor(url: string) {
    this.url = new URL(url);
    this.kafka = new Kafka({ clientId: 'test', brokers: [this.url.host], logLevel: logLevel.NOTHING });
    this.admin = this.kafka.admin();
  }

  static async open(server: KafkaServer): Promise<KafkaPlace> {
    const place = new KafkaPlace((await serviceUrl(server)) ?? '');
    await place.admin.connect();
    return place;
  }

  get password(): string {
    return this.url.password;
  }
  get brokers(): string {
    return this.url.host;
  }
  /** Of one of the listeners that our own broker has beside the plain one. */
  listener(name: keyof typeof KAFKA_PORTS): string {
    return `${this.url.hostname}:${Number(this.url.port) + KAFKA_PORTS[name]}`;
  }

  /** Clients that begin at `listener('proxy')` stay behind it. One at a time. */
  async proxy(): Promise<PostgresProxy> {
    const proxy = new PostgresProxy(new URL(`kafka://${this.listener('proxied')}`), {
      port: Number(this.url.port) + KAFKA_PORTS.proxy,
      isCommit: (chunk) => requestsIn(chunk).includes(END_TXN),
    });
    await proxy.open();
    return proxy;
  }

  async createTopic(suffix = '', options: { partitions?: number; config?: Record<string, string> } = {}): Promise<string> {
    const topic = `${this.name}${suffix}`;
    await this.admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic,
          numPartitions: options.partitions ?? 1,
          configEntries: Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value })),
        },
      ],
    });
    return topic;
  }

  async produce(topic: string, messages: kafkajs.Message[], options: kafkajs.ProducerConfig = {}): Promise<void> {
    const producer = this.kafka.producer({ allowAutoTopicCreation: false, ...options });
    await producer.connect();
    await producer.send({ topic, messages });
    await producer.disconnect();
  }

  /** What a consumer of committed records finds, to the end as it is now; by partition. */
  async read(topic: string): Promise<StoredRecord[]> {
    const there = await this.admin.listTopics();
    if (!there.includes(topic)) return [];
    const offsets = await this.#settled(topic),
      missing = new Map(offsets.filter((o) => o.high !== o.low).map((o) => [o.partition, BigInt(o.high) - 1n]));
    if (missing.size === 0) return [];
    const consumer = this.kafka.consumer({ groupId: `${this.name}.${randomBytes(4).toString('hex')}`, maxWaitTimeInMs: 50 }),
      records: StoredRecord[] = [];
    this.#consumers.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const passed = (partition: number, offset: string): void => {
        if (BigInt(offset) >= (missing.get(partition) ?? -1n)) missing.delete(partition);
        if (missing.size === 0) resolve();
      };
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => passed(payload.partition, payload.lastOffset));
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      void consumer.run({
        eachBatch: ({ batch }) => {
          for (const m of batch.messages) records.push(stored(batch.partition, m));
          return Promise.resolve();
        },
      });
    });
    await consumer.disconnect();
    return records.sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset));
  }

  /** A commit is confirmed before its markers are written: until then its records do not count. */
  async #settled(topic: string): Promise<Awaited<ReturnType<kafkajs.Admin['fetchTopicOffsets']>>> {
    for (let before = '', same = 0; ; ) {
      const offsets = await this.admin.fetchTopicOffsets(topic),
        now = JSON.stringify(offsets);
      same = now === before ? same + 1 : 0;
      if (same === 3) return offsets;
      before = now;
      await sleep(50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const consumer of this.#consumers) await consumer.disconnect().catch(() => undefined);
    const topics = (await this.admin.listTopics()).filter((t) => t.includes(this.name));
    if (topics.length > 0) await this.admin.deleteTopics({ topics }).catch(() => undefined);
    const { groups } = await this.admin.listGroups(),
      own = groups.map((g) => g.groupId).filter((id) => id.includes(this.name));
    if (own.length > 0) await this.admin.deleteGroups(own).catch(() => undefined);
    await this.admin.disconnect();
  }
}

function stored(partition: number, { key, value, offset, headers, timestamp }: kafkajs.KafkaMessage): StoredRecord {
  const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)] as const);
  return { partition, offset, key: key?.toString() ?? null, value, headers: Object.fromEntries(texts), timestamp };
}

const END_TXN = 26;

/** The keys of the requests in a chunk. https://kafka.apache.org/protocol#protocol_messages */
function requestsIn(chunk: Buffer): number[] {
  const keys: number[] = [];
  for (let at = 0; at + 6 <= chunk.length; at += 4 + chunk.readInt32BE(at)) keys.push(chunk.readInt16BE(at + 4));
  return keys;
}
