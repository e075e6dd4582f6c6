// The partitions that the group has given us, and where we stand in each. No I/O.

import type { PartitionPositions } from '../../../sdk/index.ts';
import type { PartitionEnds, TopicPartition } from '../client.ts';
import { offsetOf, partitionName } from './position.ts';

export interface OwnPartition {
  readonly at: TopicPartition;
  readonly name: string;
  /** The next offset to read; `null`: not placed yet. */
  next: bigint | null;
  placed: Promise<void>;
  /** What was committed last, by us or before by others, as the next offset. */
  committed: bigint;
  /** Passed without a record, and not told yet. */
  skipped: bigint | null;
}

/** What a division has changed. */
export interface Division {
  readonly kept: readonly OwnPartition[];
  readonly fresh: readonly OwnPartition[];
  readonly lost: readonly string[];
}

export class OwnPartitions {
  #all = new Map<string, OwnPartition>();

  get byName(): ReadonlyMap<string, OwnPartition> {
    return this.#all;
  }
  of(at: TopicPartition): OwnPartition | undefined {
    return this.#all.get(partitionName(at));
  }
  /** Still ours, and since it was given: one that went and came back is another. */
  has(partition: OwnPartition): boolean {
    return this.#all.get(partition.name) === partition;
  }

  /** These are ours from now on. What stays keeps its place. */
  divide(given: readonly TopicPartition[]): Division {
    const before = this.#all,
      kept: OwnPartition[] = [],
      fresh: OwnPartition[] = [];
    this.#all = new Map();
    for (const at of given) {
      const name = partitionName(at),
        known = before.get(name),
        partition = known ?? { at, name, next: null, placed: Promise.resolve(), committed: 0n, skipped: null };
      (known === undefined ? fresh : kept).push(partition);
      this.#all.set(name, partition);
    }
    return { kept, fresh, lost: [...before.keys()].filter((name) => !this.#all.has(name)) };
  }

  /** What is to be committed once this is delivered. Another member's is not ours to commit, and none goes back. */
  due(upTo: PartitionPositions): { readonly partition: OwnPartition; readonly offset: bigint }[] {
    return Object.entries(upTo).flatMap(([name, position]) => {
      const partition = this.#all.get(name),
        offset = offsetOf(position) + 1n;
      if (partition === undefined || partition.next === null || offset <= partition.committed) return [];
      return [{ partition, offset }];
    });
  }

  /** Messages that are there and not read yet. */
  behind(ends: ReadonlyMap<string, PartitionEnds>): bigint {
    let sum = 0n;
    for (const { name, next } of this.#all.values()) {
      const high = ends.get(name)?.high ?? 0n;
      if (next !== null && high > next) sum += high - next;
    }
    return sum;
  }
}
