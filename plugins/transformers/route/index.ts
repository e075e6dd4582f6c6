// The transformer `route`: gives tables, and so the topics and tables they go to, other names.

import { defineTransformer } from 'cdc-run/sdk';
import { configSchema, validate } from './config.ts';
import { Route } from './route.ts';

export const descriptor = defineTransformer({
  type: 'route',
  title: 'Gives tables, and so the topics they go to, other names',
  config: configSchema,
  validate,
  create: (config, ctx) => new Route(config, ctx.logger),
});
