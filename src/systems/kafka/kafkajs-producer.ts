// Producers with kafkajs. Requests carry the partition of each record: what goes where is decided before (`partitioner.ts`).

import type * as Library from 'kafkajs';
import type { Compression, Placed, Producer, TopicRecords, Transaction, TransactionalProducer } from './client.ts';
import { Sending } from './kafkajs-sending.ts';
import { CODECS, type Part } from './kafkajs-types.ts';

/** All replicas that are in sync. */
const ACKS_ALL = -1;

const placed = (sent: readonly Library.RecordMetadata[]): Placed[] =>
  sent.map(({ topicName, partition, baseOffset }) => ({ topic: topicName, partition, firstOffset: BigInt(baseOffset ?? -1) }));

type SendBatch = (batch: Library.ProducerBatch) => Promise<Library.RecordMetadata[]>;

/** Opens a part once, and takes it away for good. */
class Opened {
  readonly #sending = new Sending();
  readonly #open: () => Promise<Part>;
  readonly #config: Library.ProducerConfig;
  #part: Part | null = null;
  #producer: Library.Producer | null = null;

  constructor(open: () => Promise<Part>, config: Library.ProducerConfig) {
    this.#open = open;
    this.#config = config;
  }

  get producer(): Library.Producer {
    if (this.#producer === null) throw new TypeError('the producer is not connected');
    return this.#producer;
  }

  async connect(): Promise<void> {
    this.#part = await this.#open();
    this.#producer = this.#part.kafka.producer({
      allowAutoTopicCreation: false,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: this.#sending.createPartitioner,
      ...this.#config,
    });
    await this.#producer.connect();
  }

  /** By the library's own call of the producer, or of a transaction. */
  async send(records: readonly TopicRecords[], compression: Compression, sendBatch: SendBatch): Promise<Placed[]> {
    const how = { acks: ACKS_ALL, compression: CODECS[compression] as Library.CompressionTypes };
    return placed(await this.#sending.send(records, (topicMessages) => sendBatch({ ...how, topicMessages })));
  }

  /** At once: what is under way fails, and nothing more is sent. */
  async disconnect(): Promise<void> {
    this.#part?.sockets.destroy();
    // Only ends timers: there is nobody left to talk to.
    await this.#producer?.disconnect().catch(() => undefined);
  }
}

export class KafkajsProducer implements Producer {
  readonly #opened: Opened;

  constructor(open: () => Promise<Part>, idempotent: boolean) {
    this.#opened = new Opened(open, { idempotent, retry: { retries: 4 } });
  }

  connect(): Promise<void> {
    return this.#opened.connect();
  }
  send(records: TopicRecords[], compression: Compression): Promise<Placed[]> {
    return this.#opened.send(records, compression, (batch) => this.#opened.producer.sendBatch(batch));
  }
  disconnect(): Promise<void> {
    return this.#opened.disconnect();
  }
}

export class KafkajsTransactionalProducer implements TransactionalProducer {
  readonly #opened: Opened;

  constructor(open: () => Promise<Part>, { id, timeoutMs }: { readonly id: string; readonly timeoutMs: number }) {
    this.#opened = new Opened(open, { transactionalId: id, transactionTimeout: timeoutMs, retry: { retries: 6 } });
  }

  connect(): Promise<void> {
    return this.#opened.connect();
  }
  async begin(): Promise<Transaction> {
    const transaction = await this.#opened.producer.transaction();
    return {
      send: (records, compression) => this.#opened.send(records, compression, (batch) => transaction.sendBatch(batch)),
      commit: () => transaction.commit(),
      abort: () => transaction.abort(),
    };
  }
  disconnect(): Promise<void> {
    return this.#opened.disconnect();
  }
}
