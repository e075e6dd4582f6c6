// The `generator` source: made-up changes for tests, demonstrations and benchmarks. No driver.

import { defineSource } from '../../sdk/index.ts';
import { configSchema, validate } from './config.ts';

export const descriptor = defineSource({
  type: 'generator',
  title: 'Made-up changes: by count or rate, the same for the same seed',
  config: configSchema,
  validate,
  capabilities: () => ({
    ordering: 'log',
    deletes: true,
    beforeImage: false,
    snapshot: false,
    schemaChanges: false,
    risks: [],
    creates: [],
  }),
  create: async (config, ctx) => {
    const { GeneratorSource } = await import('./stream.ts');
    return new GeneratorSource(config, ctx);
  },
});
