// Configuration of the `sqlite` destination: keys, defaults, and what the schema cannot say.

import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Type } from '../../sdk/index.ts';

export const configSchema = Keys(
  {
    path: Type.String({
      minLength: 1,
      description: 'Database file, relative to the working directory. Created with its folder when it is not there.',
      examples: ['.cdc/replica.db'],
    }),
    table: Default(
      Type.String({
        minLength: 1,
        description: 'Name of the target table; `{table}`, `{schema}`, `{database}` and `{source}` stand for parts of the source table.',
        examples: ['{table}', '{schema}_{table}'],
      }),
      '{table}',
    ),
    create_tables: Default(
      Type.Boolean({
        description: 'Create tables and columns that are missing, as far as `schema_evolution` says. Nothing is ever dropped or changed.',
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
    synchronous: Default(
      OneOf(['full', 'normal'], {
        description:
          "`full` syncs the disk at each batch. `normal` leaves that to SQLite's checkpoints: faster, but a power cut may take the last batches back, point and rows together, and they are delivered again.",
        examples: ['full'],
      }),
      'full',
    ),
    journal_mode: Default(
      OneOf(['wal', 'delete'], {
        description: '`wal` lets others read while a batch is written. `delete` is for file systems without shared memory.',
        examples: ['wal'],
      }),
      'wal',
    ),
    busy_timeout: Default(
      Duration({ unit: 'ms', description: 'How long to wait for another writer before the batch is tried again later.', examples: ['5s'] }),
      '5s',
    ),
  },
  { description: "Tables in a SQLite file, with the pipeline's place kept in the same transaction as the rows." },
);

export type SqliteConfig = ConfigOf<typeof configSchema>;

export function validate(config: SqliteConfig): ConfigProblem[] {
  const unknown = [...config.table.matchAll(/\{([^{}]*)\}/g)].filter(
    ([, name]) => !['table', 'schema', 'database', 'source'].includes(name ?? ''),
  );
  return unknown.map(([text]) => ({
    path: ['table'],
    message: `${text} is not known here`,
    fix: 'Use {table}, {schema}, {database} or {source}.',
  }));
}
