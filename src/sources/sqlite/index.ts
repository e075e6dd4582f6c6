// The `sqlite` source: changes of a SQLite database, by triggers or by polling. Importing this loads no driver.

import { defineSource, type SourceCapabilities } from '../../sdk/index.ts';
import { configSchema, type SqliteSourceConfig, validate } from './config.ts';
import { PollingSource } from './polling.ts';
import { TriggerSource } from './stream.ts';

export const descriptor = defineSource({
  type: 'sqlite',
  aliases: ['sqlite3'],
  title: 'SQLite: every change by triggers, or polling by a watermark column',
  config: configSchema,
  validate,
  capabilities: (config) => (config.cdc_mode === 'polling' ? pollingCapabilities(config) : triggerCapabilities(config)),
  create: async (config, ctx) =>
    config.cdc_mode === 'polling' && config.watermark !== undefined
      ? new PollingSource(config, config.watermark, ctx)
      : new TriggerSource(config, ctx),
});

function triggerCapabilities(config: SqliteSourceConfig): SourceCapabilities {
  return {
    ordering: 'log',
    deletes: true,
    beforeImage: true,
    snapshot: config.snapshot_mode !== 'never',
    schemaChanges: true,
    risks: [
      'Writes of a connection that has triggers switched off are not seen.',
      'After CREATE UNIQUE INDEX on a captured table, rows that REPLACE removes through it are noticed once the source has seen the index: at its next look, or at its next start.',
    ],
    creates: [
      ...(config.install_triggers
        ? [
            `five triggers on each captured table of ${config.path}, and the tables _cdc_run_changes, _cdc_run_displaced, _cdc_run_tables, _cdc_run_consumers, _cdc_run_meta`,
          ]
        : []),
      `a row for each change in _cdc_run_changes of ${config.path}, deleted once it is delivered`,
    ],
  };
}

function pollingCapabilities({ watermark }: SqliteSourceConfig): SourceCapabilities {
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
      `A change that is committed more than ${seconds} s (watermark.settle) after its ${column} was set, behind newer ones, is missed.`,
      `Rows whose ${column} is NULL, or does not grow with a change, are not seen.`,
    ],
  };
}
