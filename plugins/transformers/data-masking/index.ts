// The transformer `data_masking`: hides the content of columns before anything is stored.

import { defineTransformer } from 'cdc-run/sdk';
import { configSchema, validate } from './config.ts';
import { DataMasking } from './masking.ts';

export const descriptor = defineTransformer({
  type: 'data_masking',
  title: 'Hides the content of columns before anything is stored',
  config: configSchema,
  validate,
  create: (config, ctx) => new DataMasking(config, ctx.logger, ctx.store),
});
