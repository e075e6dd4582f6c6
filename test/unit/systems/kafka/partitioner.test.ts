import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { murmur2, partitionOfKey } from '../../../../src/systems/kafka/partitioner.ts';

describe('the partitioner', () => {
  // From UtilsTest.testMurmur2 of Apache Kafka.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %s as the Java clients do', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  it('takes the sign away as Java does, not by the absolute value', () => {
    expect(partitionOfKey(Buffer.from('21'), 7)).toBe((-973932308 & 0x7fffffff) % 7);
  });

  it('chooses what the Java-compatible partitioner of kafkajs chooses', () => {
    const choose = kafkajs.Partitioners.JavaCompatiblePartitioner();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 50 }), (key, partitions) => {
        const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({ partitionId, leader: 1 })) as never;
        const message = { key: Buffer.from(key), value: null };
        expect(partitionOfKey(key, partitions)).toBe(choose({ topic: 't', partitionMetadata, message }));
      }),
    );
  });
});
