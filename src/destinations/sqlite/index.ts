// The `sqlite` destination: tables in a SQLite file, the lane's point with them.

import { defineDestination } from '../../sdk/index.ts';
import { configSchema, validate } from './config.ts';

export const descriptor = defineDestination({
  type: 'sqlite',
  title: 'Tables in a SQLite file',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    holdsPoint: true,
    idempotent: true,
    input: 'rows',
    keyless: true,
    maxInFlight: 1,
    creates: [
      `the file "${config.path}" and in it the table _cdc_run_points`,
      ...(config.create_tables ? ['target tables and columns that are missing'] : []),
    ],
  }),
  create: async (config, ctx) => {
    const { SqliteDestination } = await import('./destination.ts');
    return new SqliteDestination(config, ctx);
  },
});
