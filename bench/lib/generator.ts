// What the generator makes in the measurements: 1,000 keys of one table, mostly updates, as fast as it is read.

import type { GeneratorConfig } from '../../src/sources/generator/config.ts';

/** `count`: events in all; `null`: without end. */
export function generatorConfig(count: number | null, changes: Partial<GeneratorConfig> = {}): GeneratorConfig {
  return {
    seed: 1,
    count,
    rate: null,
    row_bytes: 200,
    keys: 1000,
    mix: { create: 10, update: 80, delete: 10 },
    tables: ['events'],
    partitions: 1,
    event_time: 'clock',
    ...changes,
  };
}
