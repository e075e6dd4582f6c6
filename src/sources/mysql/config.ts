// Configuration of the `mysql` source: keys, defaults, and what the schema cannot say.

import { pollingKeys, pollingProblems } from '../../polling/config.ts';
import { MYSQL } from '../../polling/last-sync.ts';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Type } from '../../sdk/index.ts';
import {
  columnsKey,
  onErrorKey,
  poolKeys,
  poolOptions,
  snapshotKeys,
  snapshotModeKey,
  snapshotOptions,
  statementTimeoutKey,
  type Words,
} from '../../streaming/capture-config.ts';
import { connectionKeys, connectionProblems } from '../../systems/mysql/config.ts';
import { binlogKeys, binlogProblems } from './config-binlog.ts';
import { modeOf } from './mode.ts';

const WORDS: Words = { space: 'database', example: 'shop', recently: 'created_at > now() - interval 90 day' };

const snapshotSchema = Keys(
  {
    ...snapshotKeys(WORDS),
    margin: Default(
      Duration({
        unit: 's',
        description:
          'For MySQL without GTIDs: how long at most a transaction may be in the log before other sessions see it. Its server does not tell.',
        examples: ['60s'],
      }),
      '60s',
    ),
    on_error: onErrorKey,
  },
  snapshotOptions(WORDS),
);

export const configSchema = Keys(
  {
    ...connectionKeys,
    database: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Database that names of tables without one belong to; `*`: any. Without: that of `url`.',
        examples: ['shop'],
      }),
    ),
    cdc_mode: Type.Optional(
      OneOf(['binlog', 'polling'], {
        description:
          'binlog: every change, as it was committed. polling: rows are asked for by a watermark column; deletes are not seen. Default: polling where `watermark` or `query` is set, else binlog.',
        examples: ['binlog'],
      }),
    ),
    table: Type.Optional(
      Type.String({ minLength: 1, description: 'The one table to capture, in place of `tables`.', examples: ['shop.orders'] }),
    ),
    tables: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description:
          'Tables to capture; `*` and `?` are wildcards, and a name without a database is one of `database`. Default, and when empty: all of `database`.',
        examples: [['shop.orders', 'shop.order_*', 'sales.*']],
      }),
    ),
    columns: columnsKey(WORDS),
    snapshot_mode: snapshotModeKey('the server no longer has the log'),
    snapshot: Default(snapshotSchema, {}),
    ...binlogKeys,
    ...pollingKeys,
    statement_timeout: statementTimeoutKey,
    lock_timeout: Default(
      Duration({
        unit: 's',
        description: 'How long a query of ours waits for a table that is being altered; 0 = as long as the server lets it.',
        examples: ['5s'],
      }),
      '10s',
    ),
    connection_pool: Default(Keys(poolKeys('opening a connection'), poolOptions), {}),
  },
  { description: 'Captures changes of MySQL and MariaDB.' },
);

export type MysqlSourceConfig = ConfigOf<typeof configSchema>;

const ALL: readonly string[] = ['*'];

/** `tables`, or `table` as a list. */
export function tablePatterns({ table, tables }: Pick<MysqlSourceConfig, 'table' | 'tables'>): readonly string[] {
  if (tables !== undefined && tables.length > 0) return tables;
  return table === undefined ? ALL : [table];
}

export function validate(config: MysqlSourceConfig): ConfigProblem[] {
  const problems = connectionProblems(config);
  if (config.table !== undefined && config.tables !== undefined)
    problems.push({ path: ['table'], message: '"table" stands beside "tables"', fix: 'Keep one of the two.' });
  problems.push(...binlogProblems(config), ...pollingProblems(config, modeOf(config), MYSQL));
  return problems;
}
