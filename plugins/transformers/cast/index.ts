// The transformer `cast`: gives columns other types.

import { defineTransformer } from 'cdc-run/sdk';
import { parseType } from '../../shared/column-type.ts';
import { TableStep } from '../../shared/table-step.ts';
import { castPlan } from './cast.ts';
import { configSchema, validate } from './config.ts';

export const descriptor = defineTransformer({
  type: 'cast',
  title: 'Gives columns other types, without loss or not at all',
  config: configSchema,
  validate,
  create: (config) => {
    const types = new Map(Object.entries(config.columns).map(([name, type]) => [name, parseType(type)]));
    return new TableStep(config.tables, (table) => castPlan(table, types));
  },
});
