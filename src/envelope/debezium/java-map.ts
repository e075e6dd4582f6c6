// The order in which Java's HashMap yields its keys: Debezium puts hstore values through one, so the members come in this order.
// https://docs.oracle.com/javase/8/docs/api/java/util/HashMap.html

const FIRST_BUCKETS = 16;
const LOAD = 0.75;

/** String.hashCode */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}

/** Keys as inserted → as iterated. Keys of one bucket stay in the order in which they came. */
export function javaOrder(keys: readonly string[], hashOf: (key: string) => number = javaHash): string[] {
  let buckets = FIRST_BUCKETS;
  while (keys.length > buckets * LOAD) buckets *= 2;
  const bucketOf = (key: string): number => {
    const hash = hashOf(key);
    return (hash ^ (hash >>> 16)) & (buckets - 1);
  };
  return keys
    .map((key) => ({ key, bucket: bucketOf(key) }))
    .sort((a, b) => a.bucket - b.bucket)
    .map(({ key }) => key);
}
