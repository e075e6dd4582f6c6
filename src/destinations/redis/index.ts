// The `redis` destination: a cache of rows, or the removal of cached ones. The driver is loaded with the first connection.

import { defineDestination } from '../../sdk/index.ts';
import { configSchema, holdsPoint, modeOf, validate } from './config.ts';

export const descriptor = defineDestination({
  type: 'redis',
  title: 'Redis as a cache: rows as keys, or keys removed when their rows change',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    holdsPoint: holdsPoint(config),
    idempotent: modeOf(config) !== 'publish',
    input: ['set', 'publish'].includes(modeOf(config)) ? 'bytes' : 'rows',
    keyless: modeOf(config) === 'publish',
    maxInFlight: 1,
    creates: [
      ...(['delete', 'publish'].includes(config.mode) ? [] : [`the keys ${config.key_pattern}`]),
      ...(holdsPoint(config) ? ["keys that begin with cdc_run:point:, which keep the pipeline's place"] : []),
    ],
  }),
  create: async (config, ctx) => {
    const { createDestination } = await import('./destination.ts');
    return createDestination(config, ctx, process.env);
  },
});
