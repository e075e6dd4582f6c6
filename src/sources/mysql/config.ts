// Configuration of the `mysql` source: keys, defaults, and what the schema cannot say.

import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Size, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems } from '../../systems/mysql/config.ts';
import { binlogKeys, binlogProblems } from './config-binlog.ts';
import { pollingKeys, pollingProblems } from './config-polling.ts';

const patterns = (description: string, examples: readonly unknown[]) =>
  Type.Array(Type.String({ minLength: 1 }), { description, examples: [...examples] });

const columnsSchema = Keys(
  {
    include: Default(
      patterns('Columns that are read, as `database.table.column`, `table.column` or `column`. Key columns always are.', [
        ['shop.orders.*'],
      ]),
      ['*'],
    ),
    exclude: Default(patterns('Columns that are left out, written in the same way.', [['customers.password', 'secret_*']]), []),
  },
  { description: 'Which columns are read. `*` stands for any letters but the dot.', examples: [{ exclude: ['customers.password'] }] },
);

const snapshotSchema = Keys(
  {
    tables: Default(patterns('Which of the captured tables are read first, written as in `tables`.', [['shop.orders']]), ['*.*']),
    where: Default(
      Type.Record(Type.String(), Type.String({ minLength: 1 }), {
        description: 'Table → condition in SQL: only rows that meet it are read first. Changes are captured of all rows.',
        examples: [{ 'shop.orders': 'created_at > now() - interval 90 day' }],
      }),
      {},
    ),
    chunk_rows: Default(
      Type.Integer({
        minimum: 1,
        description: 'Rows that one SELECT reads at most. They go out, and progress is stored, in batches of the usual size.',
        examples: [10_000],
      }),
      20_000,
    ),
    chunk_bytes: Default(
      Size({
        description: 'Bytes that one SELECT reads, about: wide rows make it read fewer. Up to `workers` + 1 such reads are in memory.',
        examples: ['4MiB'],
      }),
      '8MiB',
    ),
    workers: Default(Type.Integer({ minimum: 1, maximum: 64, description: 'SELECTs that read at the same time.', examples: [4] }), 2),
    margin: Default(
      Duration({
        unit: 's',
        description:
          'For MySQL without GTIDs: how long at most a transaction may be in the log before other sessions see it. Its server does not tell.',
        examples: ['60s'],
      }),
      '60s',
    ),
    on_error: Default(
      OneOf(['pause', 'skip', 'stop'], {
        description:
          'A table that cannot be read: `pause` leaves its snapshot waiting for you, `skip` gives it up, and the other tables go on in both cases; `stop` stops the pipeline.',
        examples: ['skip'],
      }),
      'pause',
    ),
  },
  { description: 'How existing rows are read.', examples: [{ workers: 4, where: { 'shop.orders': "status <> 'archived'" } }] },
);

const poolSchema = Keys(
  {
    max_connections: Default(
      Type.Integer({ minimum: 2, description: 'Connections at most, beside the one that streams.', examples: [10] }),
      8,
    ),
    connection_timeout: Default(
      Duration({ unit: 's', description: 'How long opening a connection may take.', examples: ['30s', 30] }),
      '30s',
    ),
    idle_timeout: Default(
      Duration({ unit: 's', description: 'Close a connection that was not used for this long.', examples: ['5m', 300] }),
      '1m',
    ),
  },
  { description: 'Connections for snapshots, checks and the catalog.' },
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
    columns: Default(columnsSchema, { include: ['*'], exclude: [] }),
    snapshot_mode: Default(
      OneOf(['initial', 'initial_only', 'never', 'when_needed'], {
        description:
          'initial: existing rows first, then changes. initial_only: existing rows, then stop. never: changes only. when_needed: like initial, and everything is read again when the server no longer has the log.',
        examples: ['initial'],
      }),
      'initial',
    ),
    snapshot: Default(snapshotSchema, {}),
    ...binlogKeys,
    ...pollingKeys,
    statement_timeout: Default(
      Duration({ unit: 's', description: 'Longest time for one query of ours, chunks included; 0 = no limit.', examples: ['10m', 0] }),
      0,
    ),
    lock_timeout: Default(
      Duration({
        unit: 's',
        description: 'How long a query of ours waits for a table that is being altered; 0 = as long as the server lets it.',
        examples: ['5s'],
      }),
      '10s',
    ),
    connection_pool: Default(poolSchema, {}),
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
  problems.push(...binlogProblems(config), ...pollingProblems(config));
  return problems;
}
