// The keys of sources of SQL tables that are polled, and what is checked of them.

import { type ConfigProblem, Default, Duration, Keys, OneOf, type Static, Type } from '../sdk/index.ts';
import { comparedColumn, type Dialect, hasOwnLimit } from './last-sync.ts';

export const watermarkSchema = Keys(
  {
    column: Type.String({ minLength: 1, description: 'The column that grows with each change of a row.', examples: ['updated_at'] }),
    type: Default(
      OneOf(['timestamp', 'integer', 'text'], {
        description: 'timestamp: a date or time. integer: a counter. text: anything that sorts.',
        examples: ['timestamp'],
      }),
      'timestamp',
    ),
    key: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
        description: 'Columns that tell rows with the same watermark apart. Default: the primary key.',
        examples: ['id', ['id']],
      }),
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

export const pollingKeys = {
  query: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'A SELECT to poll instead of tables; `:last_sync` stands for the last watermark. `table` is then the name of its rows.',
      examples: ['SELECT id, total, updated_at FROM orders WHERE updated_at > :last_sync'],
    }),
  ),
  watermark: Type.Optional(watermarkSchema),
  poll_interval: Default(Duration({ unit: 's', minimum: 0.001, description: 'Time between two looks.', examples: ['5s'] }), '5s'),
};

const KEYS = Keys({
  ...pollingKeys,
  table: Type.Optional(Type.String()),
  tables: Type.Optional(Type.Array(Type.String())),
});
export type PollingConfig = Static<typeof KEYS>;

/** `mode`: polling, or how the source reads its log. */
export function pollingProblems(config: PollingConfig, mode: string, dialect: Dialect): ConfigProblem[] {
  if (mode !== 'polling') {
    return (['watermark', 'query'] as const)
      .filter((key) => config[key] !== undefined)
      .map((key) => ({ path: [key], message: `"${key}" is for \`cdc_mode: polling\``, fix: 'Remove it, or set `cdc_mode: polling`.' }));
  }
  // A query that compares a column with the last watermark has named it.
  if (config.watermark === undefined && comparedColumn(config.query ?? '', dialect) === null) {
    const fix = 'Name the growing column: `watermark: {column: updated_at, type: timestamp}`.';
    return [{ path: ['watermark'], message: 'polling needs a watermark', fix }];
  }
  return config.query === undefined ? [] : queryProblems(config, dialect);
}

function queryProblems({ query, table, tables }: PollingConfig, dialect: Dialect): ConfigProblem[] {
  const problems: ConfigProblem[] = [],
    names = tables ?? (table === undefined ? [] : [table]);
  if (names.length !== 1 || /[*?]/.test(names[0] ?? '')) {
    const fix = 'Name it: `table: orders`.';
    problems.push({ path: ['table'], message: 'with a query, `table` holds the one name under which its rows are sent', fix });
  }
  if (query !== undefined && hasOwnLimit(query, dialect)) {
    const fix = 'Remove LIMIT, OFFSET and FETCH: rows are read in pages of `batch_size` anyway.';
    problems.push({ path: ['query'], message: 'a query that is polled gives all its rows', fix });
  }
  return problems;
}
