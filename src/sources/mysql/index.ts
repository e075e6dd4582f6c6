// The `mysql` source: changes of MySQL and MariaDB from the binary log. Importing this loads no driver.

import { CdcError, defineSource, type SourceCapabilities } from '../../sdk/index.ts';
import { configSchema, type MysqlSourceConfig, validate } from './config.ts';
import { modeOf } from './config-polling.ts';

export const descriptor = defineSource({
  type: 'mysql',
  aliases: ['mariadb', 'mysql_binlog'],
  title: 'MySQL and MariaDB: every change from the binary log',
  config: configSchema,
  validate,
  capabilities: binlogCapabilities,
  create: async (config, ctx) => {
    if (modeOf(config) === 'polling')
      throw new CdcError('CONFIG_FEATURE_NOT_AVAILABLE', '`cdc_mode: polling` is not available yet for this source.', {
        where: `source "${ctx.name}"`,
        fix: 'Use `cdc_mode: binlog`.',
      });
    const { BinlogSource } = await import('./source.ts');
    return new BinlogSource(config, ctx, process.env);
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
      'A session that sets binlog_format to STATEMENT, or sql_log_bin to 0, writes changes that nobody can follow; of the first, those that name a captured table go to the dead letter queue.',
      'The server removes its log by age, whether it was read or not.',
    ],
    creates: [],
    keepsLog: 'the binary log of the server, by age',
  };
}
