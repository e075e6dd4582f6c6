// Configuration of the `sqlite` source.

import { type ConfigOf, type ConfigProblem, Default, Duration, Keys, OneOf, Type } from '../../sdk/index.ts';

const patterns = (description: string, examples: readonly unknown[]) =>
  Type.Array(Type.String({ minLength: 1 }), { description, examples: [...examples] });

const watermarkSchema = Keys(
  {
    column: Type.String({ minLength: 1, description: 'The column that grows with each change of a row.', examples: ['updated_at'] }),
    type: Default(
      OneOf(['timestamp', 'integer', 'text'], {
        description:
          'timestamp: ISO-8601 text, UTC unless it has an offset. integer: a counter or an epoch time. text: anything that sorts.',
        examples: ['timestamp'],
      }),
      'timestamp',
    ),
    key: Type.Optional(
      patterns('Columns that tell rows with the same watermark apart. Default: the primary key, else the rowid.', [['id']]),
    ),
    settle: Default(
      Duration({
        unit: 's',
        description: 'How long a row is held back, so that a change with an older watermark that is committed later is not missed.',
        examples: ['5s'],
      }),
      '5s',
    ),
  },
  { description: 'What polling compares. Needed with `cdc_mode: polling`.', examples: [{ column: 'updated_at', type: 'timestamp' }] },
);

const columnsSchema = Keys(
  {
    include: Default(patterns('Columns that are read, as `table.column`. Key columns always are.', [['orders.*']]), ['*']),
    exclude: Default(patterns('Columns that are left out, as `table.column`.', [['customers.password', '*.secret_*']]), []),
  },
  { description: 'Which columns are read. `*` stands for any text.', examples: [{ exclude: ['customers.password'] }] },
);

export const configSchema = Keys(
  {
    path: Type.String({
      minLength: 1,
      description: 'The database file; relative paths start at the working directory.',
      examples: ['.cdc/shop.db'],
    }),
    cdc_mode: Default(
      OneOf(['trigger', 'polling'], {
        description:
          'trigger: a change table kept by triggers sees every change. polling: rows are asked for by a watermark column, without any write to the database.',
      }),
      'trigger',
    ),
    tables: Default(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'Tables to capture; `*` and `?` are wildcards.',
        examples: [['orders', 'order_*']],
      }),
      ['*'],
    ),
    columns: Default(columnsSchema, { include: ['*'], exclude: [] }),
    types: Default(
      OneOf(['declared', 'stored'], {
        description:
          'declared: a column has the type it was declared with, and a row with another kind of value goes to the dead letter queue. stored: columns that SQLite does not check have the type `any`.',
      }),
      'declared',
    ),
    install_triggers: Default(
      Type.Boolean({
        description: 'Create the change table and the triggers, and renew them after a change of schema. false: check only.',
        examples: [false],
      }),
      true,
    ),
    snapshot_mode: Default(
      OneOf(['initial', 'initial_only', 'never', 'when_needed'], {
        description:
          'initial: existing rows first, then changes. initial_only: existing rows, then stop. never: changes only. when_needed: like initial, and tables whose history is lost are emptied and read again.',
      }),
      'initial',
    ),
    poll_interval: Default(
      Duration({ unit: 'ms', minimum: 1, description: 'Pause between looks at an idle database.', examples: ['200ms'] }),
      '200ms',
    ),
    busy_timeout: Default(
      Duration({
        unit: 'ms',
        description: 'How long to wait for a lock of another program before it counts as a failure.',
        examples: ['10s'],
      }),
      '10s',
    ),
    watermark: Type.Optional(watermarkSchema),
    query: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'A SELECT to poll instead of tables; `:last_sync` stands for the last watermark. `tables` then holds the one name for its rows.',
        examples: ['SELECT id, total, updated_at FROM orders WHERE updated_at > :last_sync'],
      }),
    ),
  },
  { description: 'Captures changes of a SQLite database.' },
);

export type SqliteSourceConfig = ConfigOf<typeof configSchema>;
export type WatermarkConfig = NonNullable<SqliteSourceConfig['watermark']>;

/** What the schema cannot say: which keys belong to which mode. */
export function validate(config: SqliteSourceConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (/^(?::memory:|file:)/.test(config.path))
    problems.push({ path: ['path'], message: `"${config.path}" is not the path of a file`, fix: 'Name a database file.' });
  if (config.cdc_mode === 'trigger') {
    if (config.watermark !== undefined)
      problems.push({
        path: ['watermark'],
        message: 'a watermark is for `cdc_mode: polling`',
        fix: 'Remove it, or set `cdc_mode: polling`.',
      });
    if (config.query !== undefined)
      problems.push({ path: ['query'], message: 'a query is for `cdc_mode: polling`', fix: 'Remove it, or set `cdc_mode: polling`.' });
    return problems;
  }
  if (config.watermark === undefined)
    problems.push({
      path: ['watermark'],
      message: 'polling needs a watermark',
      fix: 'Name the growing column: `watermark: {column: updated_at, type: timestamp}`.',
    });
  if (config.query === undefined) return problems;
  if (config.tables.length !== 1 || /[*?]/.test(config.tables[0] ?? '')) {
    problems.push({
      path: ['tables'],
      message: 'with a query, `tables` holds the one name under which its rows are sent',
      fix: 'Name it: `tables: [orders]`.',
    });
  }
  if (config.watermark !== undefined && config.watermark.key === undefined) {
    problems.push({
      path: ['watermark', 'key'],
      message: 'with a query, the key of its rows must be named',
      fix: 'Name its columns: `key: [id]`.',
    });
  }
  return problems;
}
