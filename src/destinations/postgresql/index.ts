// The `postgresql` destination: tables in PostgreSQL, effectively-once. The driver is loaded with the first connection.

import { CdcError, defineDestination } from '../../sdk/index.ts';
import { configSchema, validate } from './config.ts';

export const descriptor = defineDestination({
  type: 'postgresql',
  aliases: ['postgres'],
  title: "PostgreSQL tables, with the pipeline's place in the same transaction",
  config: configSchema,
  validate,
  capabilities: (config) => ({
    holdsPoint: true,
    idempotent: true,
    input: 'rows',
    keyless: true,
    maxInFlight: 1,
    creates: [
      `the table ${config.points_schema ?? config.schema}.cdc_run_points, which keeps the pipeline's place`,
      ...(config.create_tables
        ? [`tables and columns that are missing in the schema ${config.schema}; with \`schema_evolution: evolve\` types are widened`]
        : []),
    ],
  }),
  create: async (config, ctx) => {
    if (config.transactions === 'atomic') {
      throw new CdcError(
        'CONFIG_FEATURE_NOT_AVAILABLE',
        '`transactions: atomic` is not available yet: a batch may end inside a transaction of the source.',
        {
          where: `destination "${ctx.name}"`,
          fix: 'Set `transactions: split`.',
        },
      );
    }
    const { createDestination } = await import('./destination.ts');
    return createDestination(config, ctx, process.env);
  },
});
