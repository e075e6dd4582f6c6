// Configuration of the `postgresql` destination: keys, defaults, and what the schema cannot say.

import { poolSchema, statementTimeoutKey, tableKey, templateProblems, writeKeys } from '../../relational/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Keys, Type } from '../../sdk/index.ts';
import { applicationNameKey, connectionKeys, connectionProblems } from '../../systems/postgresql/config.ts';

export const configSchema = Keys(
  {
    ...connectionKeys,
    schema: Default(Type.String({ minLength: 1, description: 'Schema of the target tables.', examples: ['analytics'] }), 'public'),
    table: tableKey,
    create_tables: Default(
      Type.Boolean({
        description:
          'Create the schema and tables that are missing, and change tables as `schema_evolution` says. Nothing is ever dropped or narrowed.',
        examples: [true],
      }),
      true,
    ),
    ...writeKeys,
    points_schema: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Schema of the table `cdc_run_points`, which keeps the pipeline's place with the data. Without: `schema`.",
        examples: ['cdc'],
      }),
    ),
    statement_timeout: statementTimeoutKey,
    ...applicationNameKey,
    connection_pool: Default(poolSchema, {}),
  },
  { description: "Tables in PostgreSQL, with the pipeline's place kept in the same transaction as the rows." },
);

export type PostgresqlConfig = ConfigOf<typeof configSchema>;

/** What the schema cannot say. */
export function validate(config: PostgresqlConfig): ConfigProblem[] {
  return [...connectionProblems(config), ...templateProblems(config.table)];
}
