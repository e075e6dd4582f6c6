// The `mysql` source: changes of MySQL and MariaDB from the binary log, or rows by a watermark. Importing this loads no driver.

import { defineSource, type SourceCapabilities } from '../../sdk/index.ts';
import { configSchema, type MysqlSourceConfig, validate } from './config.ts';
import { Flavor } from './flavor.ts';
import { modeOf } from './mode.ts';

export const descriptor = defineSource({
  type: 'mysql',
  aliases: ['mariadb', 'mysql_binlog'],
  title: 'MySQL and MariaDB: every change from the binary log',
  config: configSchema,
  validate,
  capabilities: (config) => (modeOf(config) === 'polling' ? pollingCapabilities(config) : binlogCapabilities(config)),
  create: async (config, ctx) => {
    const flavor = await Flavor.load(ctx.store, config.url);
    if (modeOf(config) === 'polling') {
      const { PollingSource } = await import('./polling.ts');
      return new PollingSource(config, ctx, process.env, flavor);
    }
    const { BinlogSource } = await import('./source.ts');
    return new BinlogSource(config, ctx, process.env, flavor);
  },
});

function binlogCapabilities(config: MysqlSourceConfig): SourceCapabilities {
  return {
    ordering: 'log',
    deletes: true,
    // MINIMAL and NOBLOB leave columns out.
    beforeImage: config.binlog_row_image === 'FULL',
    snapshot: config.snapshot_mode !== 'never',
    schemaChanges: true,
    risks: [
      'Changes that foreign keys make in other tables (ON DELETE CASCADE, SET NULL) are not in the binary log.',
      'A session that sets binlog_format to STATEMENT, or sql_log_bin to 0, writes changes that nobody can follow; the first stops the tables that its statements name.',
      'The server removes its log by age, whether it was read or not.',
    ],
    creates: [],
    keepsLog: 'the binary log of the server, by age',
  };
}

function pollingCapabilities({ watermark }: MysqlSourceConfig): SourceCapabilities {
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
      `A change that is committed more than ${seconds} s (watermark.settle) after its ${column} was set, behind newer ones, is missed; a time is not read beyond the beginning of the oldest transaction that writes, as far as the user may see it (PROCESS).`,
      `Rows whose ${column} is NULL, or does not grow with a change, are not seen.`,
    ],
  };
}
