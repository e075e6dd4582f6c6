// The transformer `flatten`: nested values as columns of their own.

import { defineTransformer } from 'cdc-run/sdk';
import { TableStep } from '../../shared/table-step.ts';
import { configSchema, validate } from './config.ts';
import { flattenPlan } from './flatten.ts';

export const descriptor = defineTransformer({
  type: 'flatten',
  title: 'Nested values as columns of their own',
  config: configSchema,
  validate,
  create: (config) => new TableStep(config.tables, (table) => flattenPlan(table, config)),
});
