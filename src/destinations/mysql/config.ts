// Configuration of the `mysql` destination: keys, defaults, and what the schema cannot say.

import { poolSchema, statementTimeoutKey, tableKey, templateProblems, writeKeys } from '../../relational/config.ts';
import { type ConfigOf, type ConfigProblem, Default, Keys, Type } from '../../sdk/index.ts';
import { connectionKeys, connectionProblems } from '../../systems/mysql/config.ts';
import { parseUrl } from '../../systems/mysql/connection-url.ts';

export const configSchema = Keys(
  {
    ...connectionKeys,
    schema: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Database of the target tables, where it is another one. Without: `database`.',
        examples: ['analytics'],
      }),
    ),
    table: tableKey,
    create_tables: Default(
      Type.Boolean({
        description:
          'Create `schema` and tables that are missing, and change tables as `schema_evolution` says. Nothing is ever dropped or narrowed.',
        examples: [true],
      }),
      true,
    ),
    ...writeKeys,
    points_schema: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "Database of the table `cdc_run_points`, which keeps the pipeline's place with the data; on the same server. Without: that of the tables.",
        examples: ['cdc'],
      }),
    ),
    statement_timeout: statementTimeoutKey,
    connection_pool: Default(poolSchema, {}),
  },
  { description: "Tables in MySQL or MariaDB, with the pipeline's place kept in the same transaction as the rows." },
);

export type MysqlConfig = ConfigOf<typeof configSchema>;

/** Where the tables are; `null`: nobody says. */
export function targetDatabase({ schema, database, url }: MysqlConfig): string | null {
  const parts = url === undefined ? {} : parseUrl(url);
  return schema ?? database ?? (typeof parts === 'string' ? null : (parts.database ?? null));
}

/** What the schema cannot say. */
export function validate(config: MysqlConfig): ConfigProblem[] {
  const problems = [...connectionProblems(config), ...templateProblems(config.table)];
  if (problems.length === 0 && targetDatabase(config) === null)
    problems.push({ path: ['database'], message: 'no database is named', fix: 'Write `database`, or end `url` in /database.' });
  return problems;
}
