// Where the partitions begin that were given to us, by what the brokers and the pipeline say at this moment. The decision is in `start.ts`.

import type { ReadContext } from '../../../sdk/index.ts';
import type { CommittedOffset, KafkaClient, PartitionEnds } from '../client.ts';
import { withAdmin } from '../with-admin.ts';
import type { ConsumingConfig } from './config.ts';
import { diverged, noOffset, positionGone } from './errors.ts';
import type { OwnPartition } from './partitions.ts';
import { partitionName } from './position.ts';
import { startOf } from './start.ts';

export interface PlacingOptions {
  readonly client: KafkaClient;
  readonly config: Pick<ConsumingConfig, 'auto_offset_reset' | 'isolation_level'>;
  readonly ctx: Pick<ReadContext, 'assign'>;
  readonly group: string;
  /** What our commits say. */
  readonly id: string;
  readonly where: string;
}

export interface Place {
  readonly partition: OwnPartition;
  /** The next offset to read. */
  readonly next: bigint;
  /** What the group has committed, whoever did, as the next offset; 0: nothing. */
  readonly committed: bigint;
  /** Nobody knows the place yet: it is to be stored before anything is read. */
  readonly isFresh: boolean;
}

/** One after the other. Throws where one cannot be read on. */
export async function* placesOf(partitions: readonly OwnPartition[], o: PlacingOptions): AsyncGenerator<Place> {
  if (partitions.length === 0) return;
  const { ends, committed: all } = await facts([...new Set(partitions.map((p) => p.at.topic))], o),
    { auto_offset_reset: reset, isolation_level: isolation } = o.config;
  for (const partition of partitions) {
    const { at, name } = partition,
      committed = all.get(name) ?? null,
      { low = 0n, high = 0n } = ends.get(name) ?? {};
    const start = startOf({ stored: await o.ctx.assign(name), committed, member: o.id, low, high, reset });
    if (start.kind === 'unknown') throw noOffset(at, o.group, o.where);
    if (start.kind === 'gone') throw positionGone(at, start.next, low, o.where);
    // What is not committed may have been read before.
    if (start.kind === 'diverged' && isolation === 'read_committed') throw diverged(at, start.next, high, o.where);
    yield {
      partition,
      next: start.next,
      committed: committed?.offset ?? 0n,
      isFresh: start.kind === 'at' && start.isFresh,
    };
  }
}

interface Facts {
  readonly ends: ReadonlyMap<string, PartitionEnds>;
  readonly committed: ReadonlyMap<string, CommittedOffset>;
}

function facts(topics: readonly string[], { client, group }: PlacingOptions): Promise<Facts> {
  return withAdmin(client, async (admin) => {
    const ends = new Map<string, PartitionEnds>();
    for (const topic of topics) for (const e of await admin.ends(topic)) ends.set(partitionName({ topic, partition: e.partition }), e);
    const committed = await admin.committed(group, topics);
    return { ends, committed: new Map(committed.map((c) => [partitionName(c), c])) };
  });
}
