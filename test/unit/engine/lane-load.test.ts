// Where a load may be cut, and what its parts say about places.

import { describe, expect, it } from 'vitest';
import { cutLoad, type Load, settle } from '../../../src/engine/lane-load.ts';
import { positionOfNumber as position, sortablePositions } from '../../../src/sdk/index.ts';
import { collected } from '../../helpers/loads.ts';

const context = { codecs: { log: sortablePositions('change') }, queues: new Set<string>() };
const at = (load: Load | null) => load && [load.events.map((e) => Number(e.position)), load.lastSeq, load.place.sources['log']?.['main']];

describe('a load', () => {
  const plain = [
    { ids: [1, 2, 3], whole: false },
    { ids: [4, 5], whole: false },
  ];
  const grouped = [{ ids: [1, 1, 1, 2], whole: false }];
  const chunks = [
    { ids: [1, 2], whole: true },
    { ids: [3, 4, 5], whole: true },
    { ids: [6], whole: false },
  ];

  it.each([
    ['stays whole within the limit', plain, 5, [1, 2, 3, 4, 5], 7, null],
    ['is cut inside a log batch', plain, 2, [1, 2], 2, [3, 4, 5]],
    ['is cut at the end of a log batch, its end mark included', plain, 3, [1, 2, 3], 4, [4, 5]],
    ['is cut in a later log batch', plain, 4, [1, 2, 3, 4], 5, [5]],
    ['is never cut between events of one position', grouped, 2, [1, 1, 1], 3, [2]],
    ['is cut before a chunk', chunks, 4, [1, 2], 3, [3, 4, 5, 6]],
    ['takes a chunk whole if it must', chunks, 1, [1, 2], 3, [3, 4, 5, 6]],
  ] as const)('%s', (_, parts, limit, head, seq, tail) => {
    const cut = cutLoad(collected(parts), limit, context);
    expect(at(cut.head)).toEqual([head, seq, position(head.at(-1) as number)]);
    expect(cut.tail?.events.map((e) => Number(e.position)) ?? null).toEqual(tail);
    if (cut.tail !== null) expect([cut.tail.lastSeq, cut.tail.place]).toEqual([collected(parts).lastSeq, collected(parts).place]);
  });

  it('gives each part its own of what is to be skipped, and learns from the head what is done', () => {
    const load = collected(plain);
    for (const i of [0, 3]) load.skip.add(i);
    load.parked.add(3);
    const { head, tail } = cutLoad(load, 2, context);
    expect([[...head.skip], [...(tail?.skip ?? [])], [...(tail?.parked ?? [])]]).toEqual([[0], [1], [1]]);
    head.skip.add(1);
    settle(load, head);
    expect([...load.skip].sort()).toEqual([0, 1, 3]);
  });

  it('names what each part is made of, so that shared records are found', () => {
    const { head, tail } = cutLoad(collected(plain), 4, context);
    const pieces = (load: Load | null) => load?.pieces?.map(({ from, to }) => [from, to]);
    expect([pieces(head), pieces(tail)]).toEqual([
      [
        [0, 3],
        [0, 1],
      ],
      [[1, 2]],
    ]);
  });

  it('keeps the own place of a lane that is ahead of the log until a part has passed it', () => {
    const load = { ...collected(plain), own: { log: { main: position(4) } } };
    expect(at(cutLoad(load, 2, context).head)?.[2]).toBe(position(4));
    expect(at(cutLoad({ ...load, own: { log: { main: position(1) } } }, 2, context).head)?.[2]).toBe(position(2));
  });
});
