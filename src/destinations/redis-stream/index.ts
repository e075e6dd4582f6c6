// The `redis_stream` destination: entries of Redis streams, effectively-once. The driver is loaded with the first connection.

import { defineDestination } from '../../sdk/index.ts';
import { configSchema, validate } from './config.ts';

export const descriptor = defineDestination({
  type: 'redis_stream',
  aliases: ['redis_streams'],
  title: "Redis streams, with the pipeline's place in the same step",
  config: configSchema,
  validate,
  capabilities: (config) => ({
    holdsPoint: true,
    idempotent: false,
    input: 'bytes',
    keyless: true,
    maxInFlight: 1,
    creates: [`the streams ${config.stream_name}, and keys that begin with cdc_run:point:, which keep the pipeline's place`],
  }),
  create: async (config, ctx) => {
    const { createDestination } = await import('./destination.ts'),
      { openRecordEncoder } = await import('../../formats/create.ts');
    return createDestination(config, ctx, await openRecordEncoder(config, ctx), process.env);
  },
});
