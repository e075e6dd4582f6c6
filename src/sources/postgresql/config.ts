// Configuration of the `postgresql` source: keys, defaults, and what the schema cannot say.

import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Size, Type } from '../../sdk/index.ts';
import { applicationNameKey, connectionKeys, connectionProblems } from '../../systems/postgresql/config.ts';
import { pollingKeys, pollingProblems } from './config-polling.ts';
import { walKeys, walProblems } from './config-wal.ts';

const patterns = (description: string, examples: readonly unknown[]) =>
  Type.Array(Type.String({ minLength: 1 }), { description, examples: [...examples] });

const columnsSchema = Keys(
  {
    include: Default(
      patterns('Columns that are read, as `schema.table.column`, `table.column` or `column`. Key columns always are.', [
        ['public.orders.*'],
      ]),
      ['*'],
    ),
    exclude: Default(patterns('Columns that are left out, written in the same way.', [['customers.password', 'secret_*']]), []),
  },
  { description: 'Which columns are read. `*` stands for any letters but the dot.', examples: [{ exclude: ['customers.password'] }] },
);

const snapshotSchema = Keys(
  {
    tables: Default(patterns('Which of the captured tables are read first, written as in `tables`.', [['public.orders']]), ['*.*']),
    where: Default(
      Type.Record(Type.String(), Type.String({ minLength: 1 }), {
        description: 'Table → condition in SQL: only rows that meet it are read first. Changes are captured of all rows.',
        examples: [{ 'public.orders': "created_at > now() - interval '90 days'" }],
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
    on_error: Default(
      OneOf(['pause', 'skip', 'stop'], {
        description:
          'A table that cannot be read: `pause` leaves its snapshot waiting for you, `skip` gives it up, and the other tables go on in both cases; `stop` stops the pipeline.',
        examples: ['skip'],
      }),
      'pause',
    ),
  },
  { description: 'How existing rows are read.', examples: [{ workers: 4, where: { 'public.orders': "status <> 'archived'" } }] },
);

const poolSchema = Keys(
  {
    min_connections: Default(Type.Integer({ minimum: 0, description: 'Connections kept open while idle.', examples: [1] }), 0),
    max_connections: Default(
      Type.Integer({ minimum: 2, description: 'Connections at most, beside the one that streams.', examples: [10] }),
      8,
    ),
    connection_timeout: Default(
      Duration({ unit: 's', description: 'How long opening a connection, or waiting for a free one, may take.', examples: ['30s', 30] }),
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
    cdc_mode: Type.Optional(
      OneOf(['wal', 'polling'], {
        description:
          'wal: every change, as it was committed. polling: rows are asked for by a watermark column; deletes are not seen. Default: polling where `watermark` or `query` is set, else wal.',
        examples: ['wal'],
      }),
    ),
    table: Type.Optional(
      Type.String({ minLength: 1, description: 'The one table to capture, in place of `tables`.', examples: ['public.orders'] }),
    ),
    tables: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description:
          'Tables to capture; `*` and `?` are wildcards, and a name without a schema is one of `public`. Default: all of `public`.',
        examples: [['public.orders', 'public.order_*', 'sales.*']],
      }),
    ),
    columns: Default(columnsSchema, { include: ['*'], exclude: [] }),
    snapshot_mode: Default(
      OneOf(['initial', 'initial_only', 'never', 'when_needed'], {
        description:
          'initial: existing rows first, then changes. initial_only: existing rows, then stop. never: changes only. when_needed: like initial, and everything is read again when the slot or its history is lost.',
        examples: ['initial'],
      }),
      'initial',
    ),
    snapshot: Default(snapshotSchema, {}),
    ...walKeys,
    ...pollingKeys,
    statement_timeout: Default(
      Duration({ unit: 's', description: 'Longest time for one query of ours, chunks included; 0 = no limit.', examples: ['10m', 0] }),
      0,
    ),
    lock_timeout: Default(
      Duration({
        unit: 's',
        description: 'How long a query of ours waits for a lock, for example of a table that is being altered; 0 = no limit.',
        examples: ['5s'],
      }),
      '10s',
    ),
    connection_pool: Default(poolSchema, {}),
    ...applicationNameKey,
  },
  { description: 'Captures changes of a PostgreSQL database.' },
);

export type PostgresqlSourceConfig = ConfigOf<typeof configSchema>;

const DEFAULT_TABLES: readonly string[] = ['public.*'];

/** `tables`, or `table` as a list. */
export function tablePatterns({ table, tables }: Pick<PostgresqlSourceConfig, 'table' | 'tables'>): readonly string[] {
  return tables ?? (table === undefined ? DEFAULT_TABLES : [table]);
}

/** What the schema cannot say: names that the server refuses, and which keys belong to which mode. */
export function validate(config: PostgresqlSourceConfig): ConfigProblem[] {
  const problems = connectionProblems(config);
  if (config.table !== undefined && config.tables !== undefined)
    problems.push({ path: ['table'], message: '"table" stands beside "tables"', fix: 'Keep one of the two.' });
  problems.push(...walProblems(config), ...pollingProblems(config));
  return problems;
}
