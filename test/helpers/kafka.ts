// A real Kafka for integration tests: whether there is one, topics that go away with their scope, and what they hold.

import { randomBytes } from 'node:crypto';
import { Consumer } from '@platformatic/kafka';
import kafkajs from 'kafkajs';
import { KAFKA_PORTS } from '../../scripts/services/kafka.ts';
import { serviceUrl } from '../../scripts/services/service-url.ts';
import { eventually } from './eventually.ts';
import { PostgresProxy } from './postgres-proxy.ts';

const { Kafka, logLevel } = kafkajs;
process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';

/** A transaction that is under way for longer is one that nobody will end. */
const UNENDED_MS = 5_000;

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

type TopicOffsets = Awaited<ReturnType<kafkajs.Admin['fetchTopicOffsets']>>;

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
  #watcher: Consumer | null = null;

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
      waitForLeaders: false, // The library's wait fails when it asks a broker that has not heard of the topic yet: ready() waits.
      topics: [
        {
          topic,
          numPartitions: options.partitions ?? 1,
          configEntries: Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value })),
        },
      ],
    });
    await this.ready(topic, options.partitions ?? 1);
    return topic;
  }

  /** A topic or a partition is confirmed before the broker that leads it knows of it. */
  ready(topic: string, partitions: number): Promise<void> {
    return eventually(
      async () => (await this.admin.fetchTopicOffsets(topic)).length === partitions,
      `topic ${topic} gets its ${partitions} partition(s)`,
    );
  }

  async produce(topic: string, messages: kafkajs.Message[], options: kafkajs.ProducerConfig = {}): Promise<void> {
    const producer = this.kafka.producer({ allowAutoTopicCreation: false, ...options });
    await producer.connect();
    await producer.send({ topic, messages });
    await producer.disconnect();
  }

  /** What a consumer of committed records finds, to the end as it is now; by partition. */
  async read(topic: string): Promise<StoredRecord[]> {
    if (!(await this.#isThere(topic))) return [];
    const offsets = await this.#settled(topic),
      missing = new Map(offsets.filter((o) => o.high !== o.low).map((o) => [o.partition, BigInt(o.high) - 1n]));
    if (missing.size === 0) return [];
    const consumer = this.kafka.consumer({ groupId: `${this.name}.${randomBytes(4).toString('hex')}`, maxWaitTimeInMs: 50 }),
      records = new Map<string, StoredRecord>();
    this.#consumers.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const passed = (partition: number, offset: string): void => {
        if (BigInt(offset) >= (missing.get(partition) ?? -1n)) missing.delete(partition);
        if (missing.size === 0) resolve();
      };
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => passed(payload.partition, payload.lastOffset));
      // One that begins anew by itself has met a broker that was not ready; it may read some again.
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
      void consumer.run({
        eachBatch: ({ batch }) => {
          for (const m of batch.messages) records.set(`${batch.partition}/${m.offset}`, stored(batch.partition, m));
          return Promise.resolve();
        },
      });
    });
    await consumer.disconnect();
    return [...records.values()].sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset));
  }

  /** Asked of the controller, by a topic that would be made: it knows of each at once, and the brokers later. */
  async #isThere(topic: string): Promise<boolean> {
    let isNew = false;
    await eventually(async () => {
      isNew = await this.admin.createTopics({ topics: [{ topic }], validateOnly: true, waitForLeaders: false });
      return true;
    }, `the controller knows whether there is ${topic}`);
    return !isNew;
  }

  /**
   * A commit is confirmed before its markers are written: until then its records do not count. So waits until no transaction is under
   * way; one that nobody will end is left out.
   */
  async #settled(topic: string): Promise<TopicOffsets> {
    this.#watcher ??= new Consumer({ groupId: `${this.name}.watcher`, clientId: 'test', bootstrapBrokers: [this.brokers] });
    const watcher = this.#watcher;
    const began = performance.now();
    let offsets: TopicOffsets = [];
    await eventually(async () => {
      const committed = await this.admin.fetchTopicOffsets(topic),
        all = (await watcher.listOffsets({ topics: [topic], isolationLevel: 'READ_UNCOMMITTED' })).get(topic) ?? [];
      offsets = committed;
      const isOver = committed.every((o) => String(all[o.partition]) === o.high);
      return committed.length > 0 && (isOver || performance.now() - began > UNENDED_MS);
    }, `the ends of ${topic}`);
    return offsets;
  }

  /** What cannot be removed is left behind: names are never used again. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watcher?.close();
    for (const consumer of this.#consumers) await consumer.disconnect().catch(() => undefined);
    await this.#remove().catch(() => undefined);
    await this.admin.disconnect();
  }

  async #remove(): Promise<void> {
    const topics = (await this.admin.listTopics()).filter((t) => t.includes(this.name));
    if (topics.length > 0) await this.admin.deleteTopics({ topics });
    const { groups } = await this.admin.listGroups(),
      own = groups.map((g) => g.groupId).filter((id) => id.includes(this.name));
    if (own.length > 0) await this.admin.deleteGroups(own);
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
