import { describe, expect, it } from 'vitest';
import type { Position } from '../../../../../src/sdk/index.ts';
import type { Admin, KafkaClient } from '../../../../../src/systems/kafka/client.ts';
import { OwnPartitions } from '../../../../../src/systems/kafka/consuming/partitions.ts';
import { type PlacingOptions, placesOf } from '../../../../../src/systems/kafka/consuming/placing.ts';
import { positionOf } from '../../../../../src/systems/kafka/consuming/position.ts';

interface Facts {
  /** Of the pipeline. */
  readonly stored?: Readonly<Record<string, Position>>;
  /** Of the group: the next offset of partition 0, and who has committed it. */
  readonly committed?: { readonly offset: bigint; readonly metadata: string };
  readonly config?: Partial<PlacingOptions['config']>;
}

/** Partitions 0 and 1 of `orders`, each from offset 10 to 99. */
async function places(numbers: readonly number[], { stored = {}, committed, config }: Facts = {}) {
  const asked: string[] = [];
  const admin = {
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    ends: (topic: string) => {
      asked.push(topic);
      return Promise.resolve([0, 1].map((partition) => ({ partition, low: 10n, high: 100n })));
    },
    committed: () => Promise.resolve(committed === undefined ? [] : [{ topic: 'orders', partition: 0, ...committed }]),
  };
  const options: PlacingOptions = {
    client: { admin: () => admin as unknown as Admin } as KafkaClient,
    config: { auto_offset_reset: 'earliest', isolation_level: 'read_committed', ...config },
    ctx: { assign: (name) => Promise.resolve(stored[name] ?? null) },
    group: 'readers',
    id: 'me',
    where: 'source "bus"',
  };
  const { fresh } = new OwnPartitions().divide(numbers.map((partition) => ({ topic: 'orders', partition })));
  const all = [];
  for await (const { partition, next, committed: own, isFresh } of placesOf(fresh, options)) all.push([partition.name, next, own, isFresh]);
  return { all, asked };
}

describe('placesOf', () => {
  it('asks for the ends of a topic once, and for nothing where there are no partitions', async () => {
    const { all, asked } = await places([0, 1]);
    expect(all).toEqual([
      ['orders/0', 10n, 0n, false],
      ['orders/1', 10n, 0n, false],
    ]);
    expect(asked).toEqual(['orders']);
    expect(await places([])).toEqual({ all: [], asked: [] });
  });

  it.each<[string, Facts, (bigint | boolean)[]]>([
    ["at the pipeline's own place", { stored: { 'orders/0': positionOf(41n) } }, [42n, 0n, false]],
    [
      "at the pipeline's own place, where it was moved back: what it has committed before stays",
      { stored: { 'orders/0': positionOf(41n) }, committed: { offset: 50n, metadata: 'me' } },
      [42n, 50n, false],
    ],
    [
      'behind what another member has committed, which stays',
      { stored: { 'orders/0': positionOf(41n) }, committed: { offset: 50n, metadata: 'other' } },
      [50n, 50n, false],
    ],
    ['at the latest, which is to be stored', { config: { auto_offset_reset: 'latest' } }, [100n, 0n, true]],
    [
      'behind the end of what is committed, for one that reads more than that',
      { stored: { 'orders/0': positionOf(120n) }, config: { isolation_level: 'read_uncommitted' } },
      [121n, 0n, false],
    ],
  ])('begins %s', async (_title, facts, place) => {
    expect((await places([0], facts)).all).toEqual([['orders/0', ...place]]);
  });

  it.each<[string, Facts, string]>([
    ['nobody knows a place', { config: { auto_offset_reset: 'none' } }, 'SOURCE_MISCONFIGURED'],
    ['messages are gone', { stored: { 'orders/0': positionOf(3n) } }, 'SOURCE_POSITION_GONE'],
    ['the topic ends before', { stored: { 'orders/0': positionOf(120n) } }, 'SOURCE_HISTORY_DIVERGED'],
  ])('stops with a fix where %s', async (_title, facts, code) => {
    await expect(places([0], facts)).rejects.toMatchObject({ code, retriable: false, where: 'source "bus"', fix: expect.any(String) });
  });
});
