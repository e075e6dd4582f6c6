// The transformer `rename`: gives columns other names.

import { defineTransformer } from 'cdc-run/sdk';
import { TableStep } from '../../shared/table-step.ts';
import { configSchema, validate } from './config.ts';
import { renamePlan } from './rename.ts';

export const descriptor = defineTransformer({
  type: 'rename',
  title: 'Gives columns other names',
  config: configSchema,
  validate,
  create: (config) => {
    const names = new Map(Object.entries(config.columns));
    return new TableStep(config.tables, (table) => renamePlan(table, names));
  },
});
