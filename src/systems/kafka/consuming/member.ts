// A member of the group while one reading lasts: puts partitions at their places when they are given to us, hands what is fetched
// to the engine when it has room, commits what was delivered. All decisions about places are ours: the library would take what the
// group has, and "earliest" where it finds nothing.

import type { ChangeBatch, Logger, PartitionPositions, ReadContext } from '../../../sdk/index.ts';
import type { Consumer, FetchedBatch, KafkaClient, PartitionEnds, TopicPartition } from '../client.ts';
import { troubleOf } from '../driver-errors.ts';
import { withAdmin } from '../with-admin.ts';
import { HEARTBEAT_MS } from './alive.ts';
import { progress } from './changes.ts';
import type { ConsumingConfig } from './config.ts';
import { Ends } from './ends.ts';
import { Feed, type FeedOptions } from './feed.ts';
import { Handoff } from './handoff.ts';
import { type OwnPartition, OwnPartitions } from './partitions.ts';
import { placesOf } from './placing.ts';
import { partitionName } from './position.ts';

/** How long a broker may hold back an answer that would be empty: as long takes a stop. */
const MAX_WAIT_MS = 400;

export interface MemberOptions extends FeedOptions {
  readonly config: ConsumingConfig;
  readonly client: KafkaClient;
  readonly logger: Logger;
  readonly group: string;
  /** What our commits say. */
  readonly id: string;
  readonly topics: readonly string[];
  readonly ctx: ReadContext;
}

export class Member {
  readonly #o: MemberOptions;
  readonly #consumer: Consumer;
  readonly #handoff = new Handoff<ChangeBatch>();
  readonly #partitions = new OwnPartitions();
  /** `null`: reading goes on until it is aborted. */
  readonly #ends: Ends | null;
  readonly #feed: Feed;

  constructor(options: MemberOptions) {
    this.#o = options;
    const { config, group: groupId, topics } = options;
    this.#consumer = options.client.consumer({
      groupId,
      topics,
      sessionTimeoutMs: config.session_timeout,
      rebalanceTimeoutMs: config.rebalance_timeout,
      heartbeatMs: Math.min(HEARTBEAT_MS, config.session_timeout / 3),
      maxBytesPerPartition: config.fetch_max_bytes,
      maxWaitMs: MAX_WAIT_MS,
      metadataMaxAgeMs: config.metadata_max_age,
      readsUncommitted: config.isolation_level === 'read_uncommitted',
    });
    this.#ends = this.#endsOf(options);
    this.#feed = new Feed(options, this.#handoff, this.#partitions, this.#ends);
  }

  /** Batches until the signal aborts or the ends are reached. */
  async *batches(): AsyncGenerator<ChangeBatch> {
    const { signal } = this.#o;
    const onAbort = (): void => {
      this.#ends?.stop();
      this.#handoff.end();
    };
    if (signal.aborted) return;
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#consumer
        .run({
          assigned: (partitions) => this.#take(partitions),
          batch: (batch) => this.#batch(batch),
          skipped: (at, lastOffset) => this.#skip(at, lastOffset),
          crashed: (error) => this.#handoff.fail(error),
        })
        .catch((error: unknown) => this.#handoff.fail(error));
      for (let batch = await this.#handoff.take(); batch !== null; batch = await this.#handoff.take()) yield batch;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#park();
    }
  }

  /** Commits what is delivered of the partitions that are ours. */
  async acknowledge(upTo: PartitionPositions): Promise<void> {
    const due = this.#partitions.due(upTo);
    if (due.length === 0) return;
    try {
      await this.#consumer.commit(due.map(({ partition, offset }) => ({ ...partition.at, offset, metadata: this.#o.id })));
      for (const { partition, offset } of due) partition.committed = offset;
    } catch (error) {
      // While the group divides its partitions nobody commits: the next checkpoint comes soon.
      if (troubleOf(error) !== 'rebalance') throw error;
      this.#o.logger.debug('the group divides its partitions: what was delivered is committed later');
    }
  }

  /** Messages that are there and not read yet, of our partitions. */
  behind(ends: ReadonlyMap<string, PartitionEnds>): bigint {
    return this.#partitions.behind(ends);
  }

  /** Leaves the group. */
  async leave(): Promise<void> {
    this.#park();
    await this.#consumer.disconnect();
  }

  /** Nothing is read any more; we stay in the group, so that what is delivered yet can be committed. */
  #park(): void {
    this.#ends?.stop();
    this.#handoff.end();
    this.#pause(this.#partitions.byName.values());
  }

  #pause(partitions: Iterable<OwnPartition>): void {
    const places = [...partitions].map((p) => p.at);
    if (places.length === 0) return;
    try {
      this.#consumer.pause(places);
    } catch (error) {
      this.#o.logger.debug('the consumer had ended before', { error: String(error) });
    }
  }

  #endsOf({ ctx, client, clock, logger, group, topics }: MemberOptions): Ends | null {
    if (ctx.until === null) return null;
    return new Ends({
      until: ctx.until.partitions,
      own: () => this.#partitions.byName,
      committed: async () => {
        const committed = await withAdmin(client, (admin) => admin.committed(group, topics));
        return new Map(committed.map((c) => [partitionName(c), c.offset]));
      },
      reached: () => this.#handoff.finish(),
      failed: (error) => this.#handoff.fail(error),
      clock,
      logger,
    });
  }

  /** At once, where a place is known: the next fetch would begin with what the group has committed. */
  #take(given: readonly TopicPartition[]): void {
    const { kept, fresh, lost } = this.#partitions.divide(given);
    for (const { at, next } of kept) if (next !== null) this.#consumer.seek(at, next);
    const { size: all } = this.#partitions.byName;
    this.#o.logger.info('the group has divided its partitions', { given: fresh.map((p) => p.name), taken: lost, all });
    if (this.#handoff.isOver) {
      this.#pause(this.#partitions.byName.values());
      return;
    }
    const placing = this.#place(fresh);
    for (const partition of fresh) partition.placed = placing;
    placing.catch((error: unknown) => this.#handoff.fail(error));
  }

  async #place(fresh: readonly OwnPartition[]): Promise<void> {
    for await (const { partition, next, committed, isFresh } of placesOf(fresh, this.#o)) {
      if (!this.#partitions.has(partition)) continue; // taken away meanwhile
      partition.next = next;
      partition.committed = committed;
      this.#consumer.seek(partition.at, next);
      if (isFresh) this.#tell(partition, next - 1n);
    }
    this.#ends?.check();
  }

  /** Only progress: the place is stored with the next checkpoint. */
  #tell(partition: OwnPartition, offset: bigint): void {
    const isPending = partition.skipped !== null;
    partition.skipped = offset;
    if (isPending) return;
    this.#handoff.put(() => {
      const at = partition.skipped as bigint;
      partition.skipped = null;
      return progress(this.#o.source, partition.name, at);
    });
  }

  #skip(at: TopicPartition, lastOffset: bigint): void {
    const partition = this.#partitions.of(at);
    if (partition === undefined || partition.next === null || lastOffset < partition.next || this.#handoff.isOver) return;
    partition.next = lastOffset + 1n;
    this.#tell(partition, lastOffset);
    this.#ends?.check();
  }

  async #batch(batch: FetchedBatch): Promise<void> {
    const partition = this.#partitions.of(batch);
    if (partition === undefined || this.#handoff.isOver) return;
    try {
      await this.#feed.batch(partition, batch);
    } catch (error) {
      if (troubleOf(error) === 'rebalance') throw error;
      this.#pause([partition]);
      this.#handoff.fail(error);
    }
  }
}
