// The `postgresql` source: changes from the write-ahead log by logical replication. Importing this loads no driver.

import { CdcError, defineSource, type SourceCapabilities } from '../../sdk/index.ts';
import { configSchema, type PostgresqlSourceConfig, validate } from './config.ts';
import { publicationOf } from './config-wal.ts';

export const descriptor = defineSource({
  type: 'postgresql',
  aliases: ['postgres'],
  title: 'PostgreSQL: every change from the write-ahead log (logical replication)',
  config: configSchema,
  validate,
  capabilities: walCapabilities,
  create: async (config, ctx) => {
    if (config.cdc_mode === 'polling') {
      throw new CdcError('CONFIG_FEATURE_NOT_AVAILABLE', '`cdc_mode: polling` is not available yet.', {
        where: `source "${ctx.name}"`,
        fix: 'Set `cdc_mode: wal`.',
      });
    }
    const { WalSource } = await import('./source.ts');
    return new WalSource(config, ctx, process.env);
  },
});

function walCapabilities(config: PostgresqlSourceConfig): SourceCapabilities {
  const { name, create } = publicationOf(config, 'cdc_run_<pipeline>');
  return {
    ordering: 'log',
    deletes: true,
    // Depends on REPLICA IDENTITY of each table; only FULL has the whole row.
    beforeImage: false,
    snapshot: config.snapshot_mode !== 'never',
    schemaChanges: true,
    risks: [
      'A change of a table that rewrites its rows (ALTER TYPE … USING) sends no rows: the table must be read again.',
      'Columns whose large values did not change are missing in updates, unless REPLICA IDENTITY is FULL.',
    ],
    keepsLog: `the replication slot ${config.slot_name ?? 'cdc_run_<pipeline>'}`,
    creates: [
      `the replication slot ${config.slot_name ?? 'cdc_run_<pipeline>'}, which keeps the log until it is read`,
      ...(create ? [`the publication ${name}, if it is missing`] : []),
      ...(config.heartbeat === undefined ? [] : [`a message into the log every ${config.heartbeat.interval / 1000} s`]),
    ],
  };
}
