// The transformer `drop`: leaves columns out.

import { defineTransformer } from 'cdc-run/sdk';
import { configSchema, validate } from './config.ts';
import { Drop, SensitiveDrop } from './drop.ts';

export const descriptor = defineTransformer({
  type: 'drop',
  title: 'Leaves columns out',
  config: configSchema,
  validate,
  create: (config) => (config.sensitive ? new SensitiveDrop(config) : new Drop(config)),
});
