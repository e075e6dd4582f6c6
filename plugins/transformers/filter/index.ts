// The transformer `filter`: keeps or drops events by table, operation and a CEL expression.

import { type ConfigProblem, defineTransformer } from 'cdc-run/sdk';
import { configSchema, type FilterConfig } from './config.ts';
import { compileCondition } from './expression.ts';
import { Filter } from './filter.ts';

export const descriptor = defineTransformer({
  type: 'filter',
  title: 'Keeps or drops events by table, operation and a CEL expression',
  config: configSchema,
  validate,
  create: (config, ctx) => new Filter(config, ctx.name, ctx.logger),
});

function validate(config: FilterConfig): ConfigProblem[] {
  if (config.expression === undefined) {
    if (config.tables.length > 0 || config.ops.length > 0) return [];
    return [{ path: [], message: 'the filter has no condition', fix: 'Give it `expression`, `tables` or `ops`.' }];
  }
  try {
    compileCondition(config.expression);
    return [];
  } catch (error) {
    return [
      {
        path: ['expression'],
        message: error instanceof Error ? error.message : String(error),
        fix: 'Correct the expression; its language is CEL.',
      },
    ];
  }
}
