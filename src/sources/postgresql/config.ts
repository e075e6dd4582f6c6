// Configuration of the `postgresql` source: keys, defaults, and what the schema cannot say.

import { pollingKeys, pollingProblems } from '../../polling/config.ts';
import { POSTGRESQL } from '../../polling/last-sync.ts';
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
import { applicationNameKey, connectionKeys, connectionProblems } from '../../systems/postgresql/config.ts';
import { walKeys, walProblems } from './config-wal.ts';
import { modeOf } from './mode.ts';

const WORDS: Words = { space: 'schema', example: 'public', recently: "created_at > now() - interval '90 days'" };

const poolSchema = Keys(
  {
    min_connections: Default(Type.Integer({ minimum: 0, description: 'Connections kept open while idle.', examples: [1] }), 0),
    ...poolKeys('opening a connection, or waiting for a free one,'),
  },
  poolOptions,
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
    columns: columnsKey(WORDS),
    snapshot_mode: snapshotModeKey('the slot or its history is lost'),
    snapshot: Default(Keys({ ...snapshotKeys(WORDS), on_error: onErrorKey }, snapshotOptions(WORDS)), {}),
    ...walKeys,
    ...pollingKeys,
    statement_timeout: statementTimeoutKey,
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
  problems.push(...walProblems(config), ...pollingProblems(config, modeOf(config), POSTGRESQL));
  return problems;
}
