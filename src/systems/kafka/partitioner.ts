// Which partition a key goes to: as the Java clients, Debezium and Kafka Connect decide, so that our topics can be joined with
// theirs. https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/utils/Utils.java (murmur2)

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/**
 * MurmurHash2 of 32 bits, as a signed number.
 *
 * | key | hash |
 * |---|---|
 * | `21` | -973932308 |
 * | `foobar` | -790332482 |
 * | `a-little-bit-long-string` | -985981536 |
 */
export function murmur2(key: Uint8Array): number {
  const { length } = key;
  let hash = SEED ^ length,
    at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = (key[at] as number) | ((key[at + 1] as number) << 8) | ((key[at + 2] as number) << 16) | ((key[at + 3] as number) << 24);
    k = Math.imul(k, M);
    k ^= k >>> R;
    hash = Math.imul(hash, M) ^ Math.imul(k, M);
  }
  const rest = length - at;
  if (rest > 0) {
    if (rest === 3) hash ^= (key[at + 2] as number) << 16;
    if (rest >= 2) hash ^= (key[at + 1] as number) << 8;
    hash = Math.imul(hash ^ (key[at] as number), M);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}

/** Java makes it positive by its sign bit, not by its absolute value. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
