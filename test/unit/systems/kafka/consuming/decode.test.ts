import { describe, expect, it } from 'vitest';
import { headersOf } from '../../../../../src/systems/kafka/consuming/decode.ts';
import { kafkaPositions, partitionName, positionOf } from '../../../../../src/systems/kafka/consuming/position.ts';

describe('headersOf', () => {
  it.each([
    [undefined, null],
    [{}, null],
    [
      { a: Buffer.from('ä'), b: 'text' },
      { a: 'ä', b: 'text' },
    ],
    [{ a: [Buffer.from('1'), Buffer.from('2')], b: undefined }, { a: '2' }],
    [{ a: Buffer.from([0xff, 0xfe]) }, { a: '//4=' }],
  ])('reads %j', (headers, texts) => {
    expect(headersOf(headers)).toEqual(texts);
  });
});

describe('places', () => {
  it('are read as people write them, and described', () => {
    const place = kafkaPositions.parse?.('42');
    expect(place).toBe(positionOf('42'));
    expect([kafkaPositions.describe(place as never), kafkaPositions.parse?.('x')]).toEqual(['offset 42', null]);
  });

  it('belong to partitions with a name of their own', () => {
    expect(partitionName({ topic: 'a', partition: 13 })).not.toBe(partitionName({ topic: 'a/1', partition: 3 }));
  });
});
