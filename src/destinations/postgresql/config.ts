// Configuration of the `postgresql` destination: keys, defaults, and what the schema cannot say.

import { placeholderProblems } from '../../relational/target-name.ts';
import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Type } from '../../sdk/index.ts';
import { applicationNameKey, connectionKeys, connectionProblems } from '../../systems/postgresql/config.ts';

const poolSchema = Keys(
  {
    min_connections: Default(Type.Integer({ minimum: 0, description: 'Connections kept open while idle.', examples: [1] }), 0),
    max_connections: Default(
      Type.Integer({ minimum: 1, description: 'Connections at most; each worker writes on one.', examples: [20] }),
      10,
    ),
    connection_timeout: Default(
      Duration({ unit: 's', description: 'How long opening a connection, or waiting for a free one, may take.', examples: ['30s', 30] }),
      '30s',
    ),
    idle_timeout: Default(
      Duration({ unit: 's', description: 'Close a connection that was not used for this long.', examples: ['5m', 300] }),
      '5m',
    ),
    batch_insert_size: Default(
      Type.Integer({ minimum: 1, description: 'Rows per statement at most; a batch may need several.', examples: [1000] }),
      5000,
    ),
  },
  { description: 'Connections and statement size.' },
);

export const configSchema = Keys(
  {
    ...connectionKeys,
    schema: Default(Type.String({ minLength: 1, description: 'Schema of the target tables.', examples: ['analytics'] }), 'public'),
    table: Default(
      Type.String({
        minLength: 1,
        description: 'Name of the target table; `{table}`, `{schema}`, `{database}` and `{source}` stand for parts of the source table.',
        examples: ['{table}', 'replica_{schema}_{table}', 'unified_events'],
      }),
      '{table}',
    ),
    create_tables: Default(
      Type.Boolean({
        description:
          'Create the schema and tables that are missing, and change tables as `schema_evolution` says. Nothing is ever dropped or narrowed.',
        examples: [true],
      }),
      true,
    ),
    conflict_resolution: Default(
      OneOf(['upsert', 'replace', 'ignore'], {
        description:
          'What happens when a row with the key is there already. `upsert` sets the columns that the event has; `replace` also resets the others to their defaults; `ignore` keeps the row (for inserts and snapshot rows; updates and deletes are applied).',
        examples: ['upsert'],
      }),
      'upsert',
    ),
    deletes: Default(
      OneOf(['apply', 'ignore'], { description: '`ignore` keeps rows that the source deletes or truncates.', examples: ['apply'] }),
      'apply',
    ),
    transactions: Default(
      OneOf(['split', 'atomic'], {
        description:
          '`split`: each batch is a transaction, so a large one of the source may become visible in parts. `atomic` is not available yet.',
        examples: ['split'],
      }),
      'split',
    ),
    points_schema: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Schema of the table `cdc_run_points`, which keeps the pipeline's place with the data. Without: `schema`.",
        examples: ['cdc'],
      }),
    ),
    statement_timeout: Default(
      Duration({
        unit: 's',
        description: "Longest time for one statement; 0 = the server's setting. A statement that was cut off is tried again.",
        examples: ['5m', 0],
      }),
      0,
    ),
    ...applicationNameKey,
    connection_pool: Default(poolSchema, {}),
  },
  { description: "Tables in PostgreSQL, with the pipeline's place kept in the same transaction as the rows." },
);

export type PostgresqlConfig = ConfigOf<typeof configSchema>;

/** What the schema cannot say. */
export function validate(config: PostgresqlConfig): ConfigProblem[] {
  const problems = connectionProblems(config);
  for (const message of placeholderProblems(config.table)) {
    problems.push({ path: ['table'], message, fix: 'Use {table}, {schema}, {database} or {source}.' });
  }
  return problems;
}
