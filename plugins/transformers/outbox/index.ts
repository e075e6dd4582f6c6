// The transformer `outbox`: rows of an outbox table as messages.

import { defineTransformer } from 'cdc-run/sdk';
import { configSchema, validate } from './config.ts';
import { Outbox } from './outbox.ts';

export const descriptor = defineTransformer({
  type: 'outbox',
  title: 'Rows of an outbox table as messages of the topics they name',
  config: configSchema,
  validate,
  create: (config) => new Outbox(config),
});
