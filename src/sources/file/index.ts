// The `file` source: NDJSON, CSV and JSON arrays, one file or many, read once or followed. No driver.

import { defineSource } from '../../sdk/index.ts';
import { configSchema, validate } from './config.ts';

export const descriptor = defineSource({
  type: 'file',
  title: 'Files of NDJSON, CSV or JSON: read once, or followed as they grow and rotate',
  config: configSchema,
  validate,
  capabilities: () => ({
    ordering: 'log',
    deletes: false,
    beforeImage: false,
    snapshot: false,
    schemaChanges: false,
    risks: [
      'A line that is written to a rotated file more than 2 seconds after its last growth, and a line that is cut off by copytruncate between copy and truncation, cannot be seen.',
    ],
    creates: [],
  }),
  create: async (config, ctx) => {
    const { FileSource } = await import('./stream.ts');
    return new FileSource(config, ctx);
  },
});
