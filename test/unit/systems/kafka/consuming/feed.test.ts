import { describe, expect, it } from 'vitest';
import type { MessageDecoder } from '../../../../../src/formats/messages.ts';
import type { ChangeBatch } from '../../../../../src/sdk/index.ts';
import type { FetchedBatch } from '../../../../../src/systems/kafka/client.ts';
import { Feed } from '../../../../../src/systems/kafka/consuming/feed.ts';
import { Handoff } from '../../../../../src/systems/kafka/consuming/handoff.ts';
import { type OwnPartition, OwnPartitions } from '../../../../../src/systems/kafka/consuming/partitions.ts';
import { positionOf } from '../../../../../src/systems/kafka/consuming/position.ts';
import { VirtualClock } from '../../../../helpers/virtual-clock.ts';

const REBALANCE_MS = 20_000;
const division = (): Error => Object.assign(new Error('the group is rebalancing'), { type: 'REBALANCE_IN_PROGRESS' });

/** A partition of ours at offset 5, in an engine that takes two records at once; messages are nothing to decode. */
class World {
  readonly clock = new VirtualClock();
  readonly handoff = new Handoff<ChangeBatch>();
  readonly partitions = new OwnPartitions();
  readonly partition: OwnPartition;
  readonly resolved: bigint[] = [];
  readonly revoked: string[] = [];
  beats = 0;
  isStale = false;
  isDividing = false;
  /** How long the engine takes to deliver what was read. */
  revokeMs = 0;
  readonly feed: Feed;

  constructor() {
    const [partition] = this.partitions.divide([{ topic: 'orders', partition: 0 }]).fresh;
    this.partition = partition as OwnPartition;
    this.partition.next = 5n;
    const options = {
      config: { rebalance_timeout: REBALANCE_MS },
      decoder: { decode: (messages: readonly unknown[]) => Promise.resolve(messages.map(() => null)) } as unknown as MessageDecoder,
      kind: { keepsReads: false },
      source: 'bus',
      where: 'source "bus"',
      clock: this.clock,
      signal: new AbortController().signal,
      ctx: {
        maxBatchEvents: 2,
        maxBatchBytes: 1 << 20,
        reject: () => Promise.resolve(),
        revoke: async (name: string) => {
          await this.clock.sleep(this.revokeMs);
          this.revoked.push(name);
        },
      },
    };
    this.feed = new Feed(options, this.handoff, this.partitions, null);
  }

  /** Three records from this offset on, and a marker. */
  give(fetchedOffset = 5n): Promise<void> {
    const records = [0n, 1n, 2n].map((n) => ({ key: null, value: null, timestamp: '0', offset: `${fetchedOffset + n}` }));
    const batch: FetchedBatch = {
      topic: 'orders',
      partition: 0,
      fetchedOffset,
      lastOffset: fetchedOffset + 3n,
      highWatermark: 100n,
      records,
      heartbeat: () => {
        this.beats++;
        return this.isDividing ? Promise.reject(division()) : Promise.resolve();
      },
      resolve: (offset) => void this.resolved.push(offset),
      isStale: () => this.isStale,
    };
    return this.feed.batch(this.partition, batch);
  }

  async take(count: number): Promise<(string | null | undefined)[]> {
    const all = [];
    for (let n = 0; n < count; n++) all.push((await this.clock.until(this.handoff.take()))?.resume);
    return all;
  }
}

describe('Feed', () => {
  it('moves with what the engine takes, and tells the group that we live as long as it has no room', async () => {
    const world = new World(),
      given = world.give();
    await world.clock.pass(2500);
    expect([world.beats, world.partition.next, world.resolved]).toEqual([2, 5n, []]);
    expect(await world.take(2)).toEqual([positionOf(6n), positionOf(8n)]);
    await world.clock.until(given);
    expect([world.partition.next, world.resolved]).toEqual([9n, [6n, 8n]]);
  });

  it('waits until the place of its partition is known', async () => {
    const world = new World();
    world.partition.next = null;
    world.partition.placed = world.clock.sleep(1500).then(() => {
      world.partition.next = 5n;
    });
    const given = world.give();
    expect(await world.take(2)).toEqual([positionOf(6n), positionOf(8n)]);
    await world.clock.until(given);
  });

  it('refuses what does not begin where reading goes on: messages are gone', async () => {
    const world = new World();
    await expect(world.clock.until(world.give(8n))).rejects.toMatchObject({ code: 'SOURCE_POSITION_GONE', retriable: false });
  });

  it.each<[string, (world: World) => void]>([
    ['that is stale', (world) => (world.isStale = true)],
    ['when nothing is read any more', (world) => world.handoff.end()],
    ['of a partition without a place', (world) => (world.partition.next = null)],
  ])('leaves a batch %s', async (_title, change) => {
    const world = new World();
    change(world);
    await world.clock.until(world.give());
    expect([world.resolved, world.beats]).toEqual([[], 0]);
  });

  it('does not offer the rest of a batch that has become stale', async () => {
    const world = new World(),
      given = world.give();
    await world.clock.pass(100);
    world.isStale = true;
    expect(await world.take(1)).toEqual([positionOf(6n)]);
    await world.clock.until(given);
    expect([world.partition.next, world.resolved], 'another place was asked for').toEqual([7n, []]);
    world.handoff.finish();
    expect(await world.handoff.take()).toBeNull();
  });

  it('has what was read delivered before partitions are divided, and takes its offer back', async () => {
    const world = new World();
    world.isDividing = true;
    world.revokeMs = 3000;
    const began = world.clock.now();
    await expect(world.clock.until(world.give())).rejects.toThrow('rebalancing');
    expect([world.revoked, world.clock.now() - began]).toEqual([['orders/0'], 4000]);
    world.handoff.finish();
    expect(await world.handoff.take(), 'the offer').toBeNull();
    expect(world.partition.next).toBe(5n);
  });

  it('lets the group wait for half of its time, and no longer', async () => {
    const world = new World();
    world.isDividing = true;
    world.revokeMs = 3_600_000;
    const began = world.clock.now();
    await expect(world.clock.until(world.give())).rejects.toThrow('rebalancing');
    expect(world.clock.now() - began).toBe(1000 + REBALANCE_MS / 2);
  });
});
