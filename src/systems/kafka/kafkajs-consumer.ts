// A member of a consumer group, with kafkajs. What it does of its own accord and we do not want is undone here: it commits nothing
// by itself, gives up instead of starting again behind our back, and every place it would choose itself is chosen before.

import type * as Library from 'kafkajs';
import type { Consumer, ConsumerHandlers, ConsumerOptions, FetchedBatch, FetchedRecord, TopicPartition } from './client.ts';
import type { Part } from './kafkajs-types.ts';

export class KafkajsConsumer implements Consumer {
  readonly #open: () => Promise<Part>;
  readonly #options: ConsumerOptions;
  #part: Part | null = null;
  #consumer: Library.Consumer | null = null;

  constructor(open: () => Promise<Part>, options: ConsumerOptions) {
    this.#open = open;
    this.#options = options;
  }

  get #running(): Library.Consumer {
    if (this.#consumer === null) throw new TypeError('the consumer does not run');
    return this.#consumer;
  }

  async run(handlers: ConsumerHandlers): Promise<void> {
    const o = this.#options;
    this.#part = await this.#open();
    const consumer = this.#part.kafka.consumer({
      groupId: o.groupId,
      allowAutoTopicCreation: false,
      sessionTimeout: o.sessionTimeoutMs,
      rebalanceTimeout: o.rebalanceTimeoutMs,
      heartbeatInterval: o.heartbeatMs,
      maxBytesPerPartition: o.maxBytesPerPartition,
      maxWaitTimeInMs: o.maxWaitMs,
      metadataMaxAge: o.metadataMaxAgeMs,
      readUncommitted: o.readsUncommitted,
      retry: { retries: 6, restartOnFailure: () => Promise.resolve(false) },
    });
    this.#consumer = consumer;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload: { memberAssignment } }) => {
      const all = Object.entries(memberAssignment).flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })));
      handlers.assigned(all);
    });
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, batchSize, lastOffset, highWatermark } }) => {
      if (batchSize === 0) handlers.skipped({ topic, partition }, BigInt(lastOffset), BigInt(highWatermark));
    });
    consumer.on(consumer.events.CRASH, ({ payload: { error } }) => handlers.crashed(error));
    await consumer.connect();
    // "Earliest" stands for nothing: every partition is told where to begin.
    await consumer.subscribe({ topics: [...o.topics], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: (payload) => handlers.batch(batchOf(payload)) });
  }

  seek({ topic, partition }: TopicPartition, offset: bigint): void {
    this.#running.seek({ topic, partition, offset: offset.toString() });
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#running.pause(partitions.map(({ topic, partition }) => ({ topic, partitions: [partition] })));
  }

  async commit(offsets: readonly (TopicPartition & { readonly offset: bigint; readonly metadata: string })[]): Promise<void> {
    await this.#running.commitOffsets(offsets.map(({ offset, ...rest }) => ({ ...rest, offset: offset.toString() })));
  }

  async disconnect(): Promise<void> {
    await this.#consumer?.disconnect().catch(() => undefined);
    this.#part?.sockets.destroy();
  }
}

/** What the library has and does not tell its types. */
type UntypedBatch = Library.Batch & { readonly fetchedOffset: string };

function batchOf({ batch: typed, heartbeat, resolveOffset, isRunning, isStale }: Library.EachBatchPayload): FetchedBatch {
  const batch = typed as UntypedBatch;
  return {
    topic: batch.topic,
    partition: batch.partition,
    fetchedOffset: BigInt(batch.fetchedOffset),
    lastOffset: BigInt(batch.lastOffset()),
    highWatermark: BigInt(batch.highWatermark),
    records: batch.messages as readonly FetchedRecord[],
    heartbeat,
    resolve: (offset: bigint) => resolveOffset(offset.toString()),
    isStale: () => !isRunning() || isStale(),
  };
}
