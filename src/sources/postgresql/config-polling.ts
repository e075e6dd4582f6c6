// The configuration keys of `cdc_mode: polling`; the same as those of other polling sources.

import { watermarkSchema } from '../../polling/config.ts';
import { type ConfigProblem, Default, Duration, Keys, OneOf, type Static, Type } from '../../sdk/index.ts';
import { comparedColumn, hasOwnLimit } from './last-sync.ts';

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
  cdc_mode: Type.Optional(OneOf(['wal', 'polling'], { description: '' })),
  table: Type.Optional(Type.String()),
  tables: Type.Optional(Type.Array(Type.String())),
});
type PollingConfig = Static<typeof KEYS>;

/** What only polling knows says that polling is meant. */
export function modeOf({
  cdc_mode,
  watermark,
  query,
}: Partial<Pick<PollingConfig, 'cdc_mode' | 'watermark' | 'query'>>): 'wal' | 'polling' {
  return cdc_mode ?? (watermark === undefined && query === undefined ? 'wal' : 'polling');
}

export function pollingProblems(config: PollingConfig): ConfigProblem[] {
  if (modeOf(config) === 'wal') {
    return (['watermark', 'query'] as const)
      .filter((key) => config[key] !== undefined)
      .map((key) => ({ path: [key], message: `"${key}" is for \`cdc_mode: polling\``, fix: 'Remove it, or set `cdc_mode: polling`.' }));
  }
  // A query that compares a column with the last watermark has named it.
  if (config.watermark === undefined && comparedColumn(config.query ?? '') === null) {
    const fix = 'Name the growing column: `watermark: {column: updated_at, type: timestamp}`.';
    return [{ path: ['watermark'], message: 'polling needs a watermark', fix }];
  }
  return config.query === undefined ? [] : queryProblems(config);
}

function queryProblems({ query, table, tables }: PollingConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [],
    names = tables ?? (table === undefined ? [] : [table]);
  if (names.length !== 1 || /[*?]/.test(names[0] ?? '')) {
    const fix = 'Name it: `table: orders`.';
    problems.push({ path: ['table'], message: 'with a query, `table` holds the one name under which its rows are sent', fix });
  }
  if (query !== undefined && hasOwnLimit(query)) {
    const fix = 'Remove LIMIT, OFFSET and FETCH: rows are read in pages of `batch_size` anyway.';
    problems.push({ path: ['query'], message: 'a query that is polled gives all its rows', fix });
  }
  return problems;
}
