// A producer whose connections and metadata are the library's, and whose batches and sequence numbers are ours. Sends one request
// at a time to each broker, which keeps the order.

import type * as Library from '@platformatic/kafka';
import type { Clock } from '../../sdk/index.ts';
import type { Compression, OutgoingRecord, Placed, Producer, TopicRecords } from './client.ts';
import { encodeRecords, frameBatch, type ProducerPlace } from './record-batch.ts';

export interface PlatformaticOptions {
  open(): Promise<{ library: typeof Library; producer: Library.Producer }>;
  compress(name: Compression, records: Buffer): Promise<Buffer>;
  readonly idempotent: boolean;
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
}

const PRODUCE = 0;
/** Known to brokers from 2.4 to 4.x. */
const PRODUCE_VERSION = 9;
/** All replicas that are in sync. */
const ACKS_ALL = -1;
const MAX_SEQUENCE = 2 ** 31;
const CLOSE_MS = 500;

/** As the library reads it. Throws where a partition has an error. */
interface ProduceAnswer {
  readonly responses: readonly {
    readonly name: string;
    readonly partitionResponses: readonly { readonly index: number; readonly baseOffset: bigint }[];
  }[];
}

/** The batch of one partition, ready to be sent. */
interface Ready {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

export class PlatformaticProducer implements Producer {
  readonly #options: PlatformaticOptions;
  readonly #connections = new Set<Library.Connection>();
  /** Number of the next record of each partition. */
  readonly #sequences = new Map<string, number>();
  #library: typeof Library | null = null;
  #producer: Library.Producer | null = null;
  #place: { readonly id: bigint; readonly epoch: number } = { id: -1n, epoch: -1 };
  #isOver = false;

  constructor(options: PlatformaticOptions) {
    this.#options = options;
  }

  async connect(): Promise<void> {
    const { library, producer } = await this.#options.open();
    this.#library = library;
    this.#producer = producer;
    producer.on('client:broker:connect', ({ connection }: { connection: Library.Connection }) => this.#track(connection));
    await this.#inTime(producer.listApis());
    if (!this.#options.idempotent) return;
    const { producerId, producerEpoch } = await this.#inTime(producer.initIdempotentProducer({}));
    this.#place = { id: producerId, epoch: producerEpoch };
  }

  async send(records: TopicRecords[], compression: Compression): Promise<Placed[]> {
    const producer = this.#producer;
    if (producer === null) throw new TypeError('the producer is not connected');
    const metadata = await this.#inTime(producer.metadata({ topics: records.map((r) => r.topic), autocreateTopics: false }));
    const byLeader = new Map<number, Ready[]>();
    for (const { topic, messages } of records) {
      for (const [partition, list] of byPartition(messages)) {
        const leader = metadata.topics.get(topic)?.partitions[partition]?.leader;
        if (leader === undefined || leader < 0) throw noLeader(topic, partition);
        const ready = { topic, partition, batch: await this.#batchOf(topic, partition, list, compression) };
        const others = byLeader.get(leader);
        if (others === undefined) byLeader.set(leader, [ready]);
        else others.push(ready);
      }
    }
    const requests = [...byLeader].map(([leader, batches]) => {
      const broker = metadata.brokers.get(leader);
      if (broker === undefined) throw noLeader(batches[0]?.topic ?? '', batches[0]?.partition ?? 0);
      return this.#request(broker, batches);
    });
    return (await this.#inTime(Promise.all(requests))).flat();
  }

  /** At once: what is under way fails, and nothing more is sent. */
  async disconnect(): Promise<void> {
    this.#isOver = true;
    const closed = this.#producer?.close().catch(() => undefined);
    for (const connection of this.#connections) connection.socket?.destroy();
    // One that was never connected would be waited for until it is.
    await Promise.race([closed, this.#options.clock.sleep(CLOSE_MS)]);
  }

  #track(connection: Library.Connection): void {
    connection.once('close', () => this.#connections.delete(connection));
    this.#connections.add(connection);
    if (this.#isOver) connection.socket?.destroy();
  }

  /** Sequence numbers go on although the answer is not there yet: after a failure the producer is thrown away. */
  async #batchOf(topic: string, partition: number, messages: readonly OutgoingRecord[], compression: Compression): Promise<Buffer> {
    const name = `${topic}/${partition}`,
      sequence = this.#sequences.get(name) ?? 0,
      { idempotent } = this.#options;
    if (idempotent) this.#sequences.set(name, (sequence + messages.length) % MAX_SEQUENCE);
    const place: ProducerPlace = { ...this.#place, sequence: idempotent ? sequence : -1 },
      encoded = encodeRecords(messages);
    return frameBatch(encoded, await this.#options.compress(compression, encoded.bytes), compression, place, this.#crc32c);
  }

  /** The library copies what is not in a buffer of its own kind. */
  readonly #crc32c = (bytes: Buffer): number => {
    const { crc32c, DynamicBuffer } = this.#library as typeof Library;
    return crc32c(new DynamicBuffer(bytes));
  };

  async #request(broker: Library.Broker, batches: readonly Ready[]): Promise<Placed[]> {
    const library = this.#library as typeof Library,
      producer = this.#producer as Library.Producer;
    const connection = await new Promise<Library.Connection>((resolve, reject) => {
      producer[library.kGetConnection](broker, (error, found) => (error === null ? resolve(found) : reject(error)));
    });
    const { responses } = await new Promise<ProduceAnswer>((resolve, reject) => {
      connection.send(
        PRODUCE,
        PRODUCE_VERSION,
        () => requestOf(library, batches, this.#options.requestTimeoutMs),
        library.produceV9.parseResponse,
        true,
        true,
        (error, response) => (error === null ? resolve(response) : reject(error)),
      );
    });
    return responses.flatMap(({ name: topic, partitionResponses }) =>
      partitionResponses.map(({ index: partition, baseOffset: firstOffset }) => ({ topic, partition, firstOffset })),
    );
  }

  /** The library waits for answers for ever. */
  async #inTime<T>(work: Promise<T>): Promise<T> {
    const done = new AbortController();
    const late = this.#options.clock.sleep(this.#options.requestTimeoutMs, done.signal).then((): T => {
      throw Object.assign(new Error('the broker does not answer'), { code: 'ETIMEDOUT' });
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([work, late]);
    } finally {
      done.abort();
    }
  }
}

function byPartition(messages: readonly OutgoingRecord[]): Map<number, OutgoingRecord[]> {
  const partitions = new Map<number, OutgoingRecord[]>();
  for (const message of messages) {
    const list = partitions.get(message.partition);
    if (list === undefined) partitions.set(message.partition, [message]);
    else list.push(message);
  }
  return partitions;
}

/** https://kafka.apache.org/protocol#The_Messages_Produce (version 9) */
function requestOf(library: typeof Library, batches: readonly Ready[], timeoutMs: number): Library.Writer {
  const topics = new Map<string, Ready[]>();
  for (const ready of batches) {
    const list = topics.get(ready.topic);
    if (list === undefined) topics.set(ready.topic, [ready]);
    else list.push(ready);
  }
  return library.Writer.create()
    .appendString(null)
    .appendInt16(ACKS_ALL)
    .appendInt32(timeoutMs)
    .appendArray([...topics], (w, [topic, list]) => {
      w.appendString(topic).appendArray(list, (v, { partition, batch }) => {
        v.appendInt32(partition)
          .appendUnsignedVarInt(batch.length + 1)
          .appendFrom(new library.DynamicBuffer(batch));
      });
    })
    .appendTaggedFields();
}

const noLeader = (topic: string, partition: number): Error =>
  Object.assign(new Error(`nobody leads partition ${partition} of topic ${topic}`), { retriable: true });
