// The transformer `unwrap`: the row alone, with what is told about its change in columns and headers.

import { defineTransformer } from 'cdc-run/sdk';
import { configSchema, validate } from './config.ts';
import { Unwrap } from './unwrap.ts';

export const descriptor = defineTransformer({
  type: 'unwrap',
  title: 'The row alone, with marks of its change as columns and headers',
  config: configSchema,
  validate,
  create: (config) => new Unwrap(config),
});
