// The `file` destination: NDJSON and CSV files with the lane's point beside them. No driver.

import { defineDestination } from '../../sdk/index.ts';
import { configSchema, formatOf, validate } from './config.ts';
import { baseFolder } from './path-template.ts';

export const descriptor = defineDestination({
  type: 'file',
  title: 'NDJSON or CSV files, rotated by size or time, each batch whole or not at all',
  config: configSchema,
  validate,
  capabilities: (config) => ({
    holdsPoint: true,
    idempotent: false,
    input: formatOf(config) === 'csv' ? 'rows' : 'bytes',
    keyless: true,
    maxInFlight: 1,
    creates: [
      `the files ${config.path}, and beside them the folder ${baseFolder(config.path)}/.cdc-run, which holds how far they have come`,
    ],
  }),
  create: async (config, ctx) => {
    const [{ FileDestination }, { NodeFiles }, csv] = await Promise.all([
      import('./writer.ts'),
      import('./files.ts'),
      formatOf(config) === 'csv' ? import('../../formats/csv.ts') : null, // only CSV pays for the library
    ]);
    return new FileDestination(config, ctx, new NodeFiles(Number.parseInt(config.mode, 8), config.fsync), csv);
  },
});
