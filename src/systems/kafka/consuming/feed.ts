// Hands what was fetched to the engine when it has room, and lets the group wait no longer than it can.

import type { ChangeBatch, Clock, ReadContext } from '../../../sdk/index.ts';
import type { FetchedBatch } from '../client.ts';
import { troubleOf } from '../driver-errors.ts';
import { whileAlive } from './alive.ts';
import { type Changes, type ChangesOptions, changesOf } from './changes.ts';
import type { ConsumingConfig } from './config.ts';
import type { Ends } from './ends.ts';
import { positionGone } from './errors.ts';
import type { Handoff } from './handoff.ts';
import type { OwnPartition, OwnPartitions } from './partitions.ts';

export interface FeedOptions extends ChangesOptions {
  readonly config: Pick<ConsumingConfig, 'watermark' | 'rebalance_timeout'>;
  readonly clock: Clock;
  readonly where: string;
  readonly ctx: Pick<ReadContext, 'maxBatchEvents' | 'maxBatchBytes' | 'reject' | 'revoke'>;
}

export class Feed {
  readonly #o: FeedOptions;
  readonly #handoff: Handoff<ChangeBatch>;
  readonly #partitions: OwnPartitions;
  readonly #ends: Ends | null;

  constructor(options: FeedOptions, handoff: Handoff<ChangeBatch>, partitions: OwnPartitions, ends: Ends | null) {
    this.#o = options;
    this.#handoff = handoff;
    this.#partitions = partitions;
    this.#ends = ends;
  }

  /** Resolves when all of it is taken, or is not wanted any more. Throws when the group divides its partitions meanwhile. */
  async batch(partition: OwnPartition, batch: FetchedBatch): Promise<void> {
    const alive = <T>(work: Promise<T>): Promise<T> => this.#alive(batch, work);
    await alive(partition.placed);
    if (batch.isStale() || this.#handoff.isOver || partition.next === null) return;
    // The library goes to "earliest" by itself when a place is gone.
    if (batch.fetchedOffset !== partition.next) throw positionGone(partition.at, partition.next, batch.fetchedOffset, this.#o.where);
    for await (const changes of changesOf(batch, partition.name, alive, this.#o)) {
      if (!(await this.#give(partition, batch, changes)) || batch.isStale()) return;
      if (this.#ends?.isBehind(partition.name, changes.lastOffset + 1n) === true) break;
    }
    this.#ends?.check();
  }

  /** Waits until the engine has room. `false`: it was not taken. */
  async #give(partition: OwnPartition, batch: FetchedBatch, { change, lastOffset }: Changes): Promise<boolean> {
    const offered = this.#handoff.put(() => {
      partition.next = lastOffset + 1n;
      return change;
    });
    try {
      const isTaken = await this.#alive(batch, offered.taken);
      if (isTaken && !batch.isStale()) batch.resolve(lastOffset);
      return isTaken;
    } finally {
      offered.withdraw();
    }
  }

  /** Waits for something while the group is told that we live. */
  #alive<T>(batch: FetchedBatch, work: Promise<T>): Promise<T> {
    const heartbeat = async (): Promise<void> => {
      try {
        await batch.heartbeat();
      } catch (error) {
        if (troubleOf(error) === 'rebalance') await this.#handOver();
        throw error;
      }
    };
    return whileAlive(work, heartbeat, this.#o.clock);
  }

  /** Partitions may go to other members: what was read of them is delivered and committed first, as far as there is time. */
  async #handOver(): Promise<void> {
    const { ctx, clock, config, signal } = this.#o,
      timer = new AbortController();
    if (signal.aborted) return;
    const all = Promise.all([...this.#partitions.byName.keys()].map((name) => ctx.revoke(name)));
    try {
      // Half of what the group waits: to join it again takes time, too.
      await Promise.race([all, clock.sleep(config.rebalance_timeout / 2, timer.signal)]);
    } finally {
      timer.abort();
    }
  }
}
