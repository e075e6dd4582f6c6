// "Did you mean": the nearest of a few names by edit distance.

/** The number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** The candidate nearest to `name`, if it is near enough to be a slip: a third of the letters, at least one. */
export function suggest(name: string, candidates: readonly string[]): string | undefined {
  // Beyond this no key is meant, and a hostile key must not cost time.
  if (name.length > 64) return undefined;
  const plain = normalized(name);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = normalized(candidate) === plain ? 0 : editDistance(name.toLowerCase(), candidate);
    if (distance < bestDistance && candidate !== name) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `batchSize`, `batch-size` and `BATCH_SIZE` are all `batch_size`. */
function normalized(name: string): string {
  return name.toLowerCase().replaceAll(/[_\s-]/g, '');
}
