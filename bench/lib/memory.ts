// Memory of this process right after a collection: what is garbage already says nothing about growth.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { median, round } from './cpu.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** In MB. */
export interface MemorySample {
  readonly rss: number;
  readonly heap: number;
}

export function sampleMemory(): MemorySample {
  collect();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss: rss / 1048576, heap: heapUsed / 1048576 };
}

/** Medians of the quarters of a run: the first is warm-up, then nothing may grow. */
export function quarters(values: readonly number[]): number[] {
  return [0, 1, 2, 3].map((n) => round(median(values.slice((values.length * n) / 4, (values.length * (n + 1)) / 4)), 1));
}
