// What the adapters need of a Kafka client, whichever library does it. Every call rejects with the library's own error, which
// `driver-errors.ts` reads.

/** `none` and what brokers know. https://kafka.apache.org/documentation/#recordbatch */
export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export interface OutgoingRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch, as text. */
  readonly timestamp: string;
  readonly partition: number;
}

/** What goes to one topic in one request. */
export interface TopicRecords {
  readonly topic: string;
  readonly messages: OutgoingRecord[];
}

/** Where the broker put the first record of a partition. */
export interface Placed {
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: bigint;
}

/**
 * Sends requests one at a time. After a failure nobody knows which sequence numbers the broker has: throw the producer away and
 * make another, or a batch of the same size could be taken for a repeat and be lost.
 */
export interface Producer {
  connect(): Promise<void>;
  /** Resolves when all replicas that must have them have them. */
  send(records: TopicRecords[], compression: Compression): Promise<Placed[]>;
  disconnect(): Promise<void>;
}

/** A producer of transactions: the newest of an id fences the ones before. */
export interface TransactionalProducer {
  connect(): Promise<void>;
  begin(): Promise<Transaction>;
  disconnect(): Promise<void>;
}

export interface Transaction {
  send(records: TopicRecords[], compression: Compression): Promise<Placed[]>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface FetchedRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly offset: string;
  /** Milliseconds since the epoch, as text. */
  readonly timestamp: string;
  readonly headers?: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>>;
}

/** Records of one partition that came together, without those of aborted transactions and without markers. */
export interface FetchedBatch {
  readonly topic: string;
  readonly partition: number;
  /** What was asked for. */
  readonly fetchedOffset: bigint;
  /** The last one that the batch stands for, markers included. */
  readonly lastOffset: bigint;
  /** The next that will be written: beyond what is committed while a transaction is open. */
  readonly highWatermark: bigint;
  readonly records: readonly FetchedRecord[];
  /** Tells the brokers that we live. Throws when the group is dividing its partitions anew. */
  heartbeat(): Promise<void>;
  /** Reading goes on behind this offset. */
  resolve(offset: bigint): void;
  /** The batch is not wanted any more: somebody asked for another place, or the consumer ends. */
  isStale(): boolean;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface ConsumerHandlers {
  /** The group has divided its partitions; these are ours. Called before anything of it is fetched: what seeks at once loses nothing. */
  assigned(partitions: readonly TopicPartition[]): void;
  /** Reading goes on when it resolves, behind what was resolved. */
  batch(batch: FetchedBatch): Promise<void>;
  /** Only markers, or records of aborted transactions, up to here. */
  skipped(at: TopicPartition, lastOffset: bigint, highWatermark: bigint): void;
  /** The consumer has given up. */
  crashed(error: unknown): void;
}

export interface ConsumerOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly maxBytesPerPartition: number;
  readonly maxWaitMs: number;
  /** How often topics are looked at for more partitions. */
  readonly metadataMaxAgeMs: number;
  readonly readsUncommitted: boolean;
}

export interface Consumer {
  /** Resolves when the group was joined, or when that has failed: `crashed` says so. */
  run(handlers: ConsumerHandlers): Promise<void>;
  seek(at: TopicPartition, offset: bigint): void;
  pause(partitions: readonly TopicPartition[]): void;
  commit(offsets: readonly (TopicPartition & { readonly offset: bigint; readonly metadata: string })[]): Promise<void>;
  /** Leaves the group. */
  disconnect(): Promise<void>;
}

export interface TopicInfo {
  readonly name: string;
  readonly partitions: number;
}

export interface PartitionEnds {
  readonly partition: number;
  /** The first that is still there. */
  readonly low: bigint;
  /** The next that will be committed: an open transaction and what comes behind it is not counted. */
  readonly high: bigint;
}

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly metadata: string;
}

export interface NewTopic {
  readonly topic: string;
  /** -1: as the broker has it set. */
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
}

export interface Admin {
  connect(): Promise<void>;
  /** Of these topics, or of all. One that does not exist is left out. */
  topics(names: readonly string[] | null): Promise<TopicInfo[]>;
  /**
   * Those that are there already are left as they are. A topic is confirmed before the brokers that lead it know of it: resolves when
   * they do.
   */
  createTopics(topics: readonly NewTopic[]): Promise<void>;
  ends(topic: string): Promise<PartitionEnds[]>;
  /** What a group has committed; partitions without an offset are left out. */
  committed(groupId: string, topics: readonly string[]): Promise<CommittedOffset[]>;
  /** Settings of a topic. */
  settings(topic: string, names: readonly string[]): Promise<Readonly<Record<string, string>>>;
  deleteGroup(groupId: string): Promise<void>;
  brokers(): Promise<number>;
  disconnect(): Promise<void>;
}

export interface KafkaClient {
  admin(): Admin;
  producer(options: { readonly idempotent: boolean }): Producer;
  transactionalProducer(options: { readonly id: string; readonly timeoutMs: number }): TransactionalProducer;
  consumer(options: ConsumerOptions): Consumer;
}
