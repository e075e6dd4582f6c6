import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lz4Codec, snappyCodec, xerialBlocks, xerialFrame, zstdCodec } from '../../../../src/systems/kafka/codecs.ts';

describe.each([
  ['snappy', snappyCodec],
  ['lz4', lz4Codec],
  ['zstd', zstdCodec],
])('the codec %s', (_name, codec) => {
  it('gives back what it was given', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 5000 }), fc.integer({ min: 1, max: 50 }), async (bytes, times) => {
        const buffer = Buffer.concat(Array.from({ length: times }, () => bytes));
        expect((await codec.decompress(await codec.compress({ buffer }))).equals(buffer)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe('the frame of snappy', () => {
  it('holds several blocks, as Java writes them', () => {
    const one = xerialFrame(Buffer.from('first')),
      two = xerialFrame(Buffer.from('second')).subarray(16);
    expect(xerialBlocks(Buffer.concat([one, two]))?.map(String)).toEqual(['first', 'second']);
  });

  it('is not needed', () => {
    expect(xerialBlocks(Buffer.from('no frame around this block'))).toBeNull();
  });

  it('is refused when a block ends behind it', () => {
    expect(() => xerialBlocks(xerialFrame(Buffer.from('cut off')).subarray(0, -1))).toThrow(RangeError);
  });
});
