// The topic that keeps the lane's points: one partition, compacted, of one lane alone. (Group offsets would hold a point as well,
// but only 4 KiB of it, and brokers forget them after 7 days without a reader.) The library reads a partition as a member of a
// group only; ours is made for the moment.

import { CdcError, type Clock, type LaneId, type Random } from '../../sdk/index.ts';
import type { Admin, FetchedBatch, KafkaClient, TopicPartition } from '../../systems/kafka/client.ts';
import { withAdmin } from '../../systems/kafka/with-admin.ts';
import { NO_POINTS, PointScan, parsePoints, pointKey, type StoredPoints } from './point-record.ts';
import { topicName } from './topic-template.ts';

/** The record that counts is among the last: an aborted transaction leaves two behind it. Else further back, in larger steps. */
const FIRST_LOOK = 64n;
const STEP = 64n;
/** A transaction whose commit was confirmed counts after a moment; one that is just open may stay so for a minute. */
const DECISION_MS = 2_000;
const DECISION_POLL_MS = 100;
/** Long enough for a group to be made on a slow cluster (group.initial.rebalance.delay.ms is 3 s). */
const READ_TIMEOUT_MS = 30_000;

/** Read often, kept small. */
const SETTINGS = { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.1', 'segment.bytes': '16777216', 'segment.ms': '3600000' };

export const pointsTopicOf = ({ pipeline, lane }: LaneId): string => topicName(`cdc_run_points.${pipeline}.${lane}`);

export interface PointsPlace {
  readonly stored: StoredPoints;
  /** The next offset of the topic as it was read: nothing was committed since when it is not further. */
  readonly end: bigint;
}

export class PointsTopic {
  readonly topic: string;
  readonly #client: KafkaClient;
  readonly #key: Buffer;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #replicationFactor: number;

  constructor(client: KafkaClient, topic: string, lane: LaneId, options: { clock: Clock; random: Random; replicationFactor: number }) {
    this.#client = client;
    this.topic = topic;
    this.#key = pointKey(lane);
    this.#clock = options.clock;
    this.#random = options.random;
    this.#replicationFactor = options.replicationFactor;
  }

  get key(): Buffer {
    return this.#key;
  }

  async create(): Promise<void> {
    await withAdmin(this.#client, async (admin) => {
      if ((await admin.topics([this.topic])).length > 0) return;
      await admin.createTopics([{ topic: this.topic, partitions: 1, replicationFactor: this.#replicationFactor, config: SETTINGS }]);
    });
  }

  /**
   * What was committed last; `known` when nothing was since. The end of what is committed may lag behind a commit that was confirmed:
   * who must know for sure makes a new producer first, which waits for it.
   */
  read(known: PointsPlace | null = null): Promise<PointsPlace> {
    return withAdmin(this.#client, async (admin) => {
      for (let waitedMs = 0; ; waitedMs += DECISION_POLL_MS) {
        const ends = await this.#ends(admin);
        if (known !== null && (ends?.high ?? 0n) <= known.end) return known;
        if (ends === null || ends.high === 0n) return { stored: NO_POINTS, end: 0n };
        const { scan, highWatermark } = await this.#scan(admin, ends.low, ends.high),
          stored = scan.found ? parsePoints(scan.value, this.topic) : NO_POINTS;
        if (highWatermark <= ends.high || waitedMs >= DECISION_MS) return { stored, end: ends.high };
        await this.#clock.sleep(DECISION_POLL_MS);
      }
    });
  }

  async #ends(admin: Admin): Promise<{ low: bigint; high: bigint } | null> {
    if ((await admin.topics([this.topic])).length === 0) return null;
    return (await admin.ends(this.topic)).find(({ partition }) => partition === 0) ?? null;
  }

  async #scan(admin: Admin, low: bigint, high: bigint): Promise<{ scan: PointScan; highWatermark: bigint }> {
    const groupId = `${this.topic}.${Math.trunc(this.#random() * 2 ** 48).toString(16)}`,
      over = new AbortController();
    const consumer = this.#client.consumer({
      groupId,
      topics: [this.topic],
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      heartbeatMs: 3_000,
      maxBytesPerPartition: 1 << 20,
      maxWaitMs: 100,
      metadataMaxAgeMs: 300_000,
      readsUncommitted: false,
    });
    const place: TopicPartition = { topic: this.topic, partition: 0 };
    const scan = new PointScan(this.#key);
    let look = FIRST_LOOK,
      from = first(low, high, look),
      top = 0n;
    try {
      await new Promise<void>((resolve, reject) => {
        // Everything up to `lastOffset` was seen, or was no record that counts.
        const passed = (lastOffset: bigint, highWatermark: bigint): void => {
          top = highWatermark;
          if (lastOffset < high - 1n) return;
          if (scan.found || from <= low) {
            resolve();
            return;
          }
          look *= STEP;
          from = first(low, high, look);
          consumer.seek(place, from);
        };
        const batch = (fetched: FetchedBatch): Promise<void> => {
          if (fetched.isStale()) return Promise.resolve();
          scan.add(fetched.records);
          fetched.resolve(fetched.lastOffset);
          passed(fetched.lastOffset, fetched.highWatermark);
          return Promise.resolve();
        };
        const assigned = (partitions: readonly TopicPartition[]): void => {
          if (partitions.length > 0) consumer.seek(place, from);
        };
        consumer
          .run({ assigned, batch, skipped: (_at, lastOffset, highWatermark) => passed(lastOffset, highWatermark), crashed: reject })
          .catch(reject);
        void this.#clock.sleep(READ_TIMEOUT_MS, over.signal).then(() => {
          if (!over.signal.aborted) reject(slow(this.topic));
        });
      });
      return { scan, highWatermark: top };
    } finally {
      over.abort();
      await consumer.disconnect();
      // Without members and offsets the brokers forget it by themselves, too.
      await admin.deleteGroup(groupId).catch(() => undefined);
    }
  }
}

const slow = (topic: string): CdcError =>
  new CdcError('DESTINATION_UNREACHABLE', `Topic "${topic}" could not be read to its end in time.`, { retriable: true });

const first = (low: bigint, high: bigint, look: bigint): bigint => (high - look > low ? high - look : low);
