import { describe, expect, it } from 'vitest';
import { bytesBehind } from '../../../src/engine/lag.ts';
import { type Lag, type Position, type PositionCodec, sortablePositions } from '../../../src/sdk/index.ts';

const codec: PositionCodec = { ...sortablePositions('byte'), bytesBetween: (from, to) => Math.max(0, Number(to) - Number(from)) };
const at = (n: number): Position => String(n) as Position;
const lag = (end?: Lag['end']): Lag => ({ events: null, bytes: null, ...(end === undefined ? {} : { end }) });

describe('how far a place is behind', () => {
  it.each([
    ['adds up the partitions', codec, lag({ a: at(100), b: at(50) }), { a: at(90), b: at(50) }, 10],
    ['is nothing beyond the end that was told', codec, lag({ a: at(100) }), { a: at(120) }, 0],
    ['is unknown where a partition has no place yet', codec, lag({ a: at(100), b: at(5) }), { a: at(90) }, null],
    ['is unknown where the source has no end', codec, lag(), { a: at(90) }, null],
    ['is unknown before the source was asked', codec, null, { a: at(90) }, null],
    ['is unknown where positions are no bytes', sortablePositions('row'), lag({ a: at(100) }), { a: at(90) }, null],
  ])('%s', (_, positions, told, places, bytes) => {
    expect(bytesBehind(positions, told, places)).toBe(bytes);
  });
});
