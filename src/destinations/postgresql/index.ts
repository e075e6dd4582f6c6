// The `postgresql` destination: tables in PostgreSQL, effectively-once. The driver is loaded with the first connection.

import { refuseAtomic } from '../../relational/config.ts';
import { defineDestination } from '../../sdk/index.ts';
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
    refuseAtomic(config, ctx.name);
    const { createDestination } = await import('./destination.ts');
    return createDestination(config, ctx, process.env);
  },
});
