import { describe, expect, it } from 'vitest';
import { OwnPartitions } from '../../../../../src/systems/kafka/consuming/partitions.ts';
import { positionOf } from '../../../../../src/systems/kafka/consuming/position.ts';

const at = (partition: number) => ({ topic: 'orders', partition });
const names = (all: readonly { readonly name: string }[]): string[] => all.map((p) => p.name);
const ends = (high: bigint) => ({ partition: 0, low: 0n, high });

describe('OwnPartitions', () => {
  it('keep their places over a division, and begin anew when they were away', () => {
    const own = new OwnPartitions(),
      first = own.divide([at(0), at(1)]);
    expect([names(first.kept), names(first.fresh), first.lost]).toEqual([[], ['orders/0', 'orders/1'], []]);
    for (const partition of first.fresh) partition.next = 7n;

    const second = own.divide([at(1), at(2)]);
    expect([names(second.kept), names(second.fresh), second.lost]).toEqual([['orders/1'], ['orders/2'], ['orders/0']]);
    expect([own.of(at(1))?.next, own.of(at(0))]).toEqual([7n, undefined]);

    own.divide([at(0)]);
    const [gone] = first.fresh as [(typeof first.fresh)[0]];
    expect([own.of(at(0))?.next, own.has(gone)]).toEqual([null, false]);
  });

  it.each([
    ['behind what was committed', { 'orders/0': positionOf(9n) }, [['orders/0', 10n]]],
    ['not what is committed', { 'orders/0': positionOf(4n) }, []],
    ['not what is behind that', { 'orders/0': positionOf(3n) }, []],
    ['not where no place is known yet', { 'orders/1': positionOf(9n) }, []],
    ["not another member's", { 'orders/2': positionOf(9n) }, []],
  ])('commit %s', (_title, upTo, due) => {
    const own = new OwnPartitions(),
      [placed] = own.divide([at(0), at(1)]).fresh;
    Object.assign(placed as object, { next: 20n, committed: 5n });
    expect(own.due(upTo).map(({ partition, offset }) => [partition.name, offset])).toEqual(due);
  });

  it('count what is there and not read, where that is known', () => {
    const own = new OwnPartitions(),
      [some, all] = own.divide([at(0), at(1), at(2), at(3)]).fresh;
    Object.assign(some as object, { next: 4n });
    Object.assign(all as object, { next: 10n });
    const known = ['orders/0', 'orders/1', 'orders/2'].map((name) => [name, ends(10n)] as const);
    expect(own.behind(new Map(known))).toBe(6n);
  });
});
