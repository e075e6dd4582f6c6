// The `postgresql` source: changes from the write-ahead log by logical replication. Importing this loads no driver.

import { defineSource, type SourceCapabilities } from '../../sdk/index.ts';
import { configSchema, type PostgresqlSourceConfig, validate } from './config.ts';
import { publicationOf } from './config-wal.ts';
import { modeOf } from './mode.ts';

export const descriptor = defineSource({
  type: 'postgresql',
  aliases: ['postgres'],
  title: 'PostgreSQL: every change from the write-ahead log (logical replication)',
  config: configSchema,
  validate,
  capabilities: (config) => (modeOf(config) === 'polling' ? pollingCapabilities(config) : walCapabilities(config)),
  create: async (config, ctx) => {
    if (modeOf(config) === 'polling') {
      const { PollingSource } = await import('./polling.ts');
      return new PollingSource(config, ctx, process.env);
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
      'A DDL that gives rows other values (ALTER TYPE … USING, a new column with a computed default) sends no rows: the table is read again.',
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

function pollingCapabilities({ watermark }: PostgresqlSourceConfig): SourceCapabilities {
  const column = watermark?.column ?? 'the watermark column',
    seconds = (watermark?.settle ?? 0) / 1000;
  return {
    ordering: 'log',
    deletes: false,
    beforeImage: false,
    snapshot: false,
    schemaChanges: false,
    creates: [],
    risks: [
      'Rows deleted at the source stay at the destinations; of several changes of a row between two looks only the last is seen.',
      `A change that is committed more than ${seconds} s (watermark.settle) after its ${column} was set, behind newer ones, is missed; a time is not read beyond the beginning of the oldest transaction that writes, as far as the role may see it (pg_read_all_stats).`,
      `Rows whose ${column} is NULL, or does not grow with a change, are not seen.`,
    ],
  };
}
