// The configuration keys of `cdc_mode: polling`; the same as those of other polling sources.

import { watermarkSchema } from '../../polling/config.ts';
import { type ConfigProblem, Default, Duration, Keys, OneOf, type Static, Type } from '../../sdk/index.ts';

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
  cdc_mode: Type.Optional(OneOf(['binlog', 'polling'], { description: '' })),
  table: Type.Optional(Type.String()),
  tables: Type.Optional(Type.Array(Type.String())),
});
type PollingConfig = Static<typeof KEYS>;

/** What only polling knows says that polling is meant. */
export function modeOf({
  cdc_mode,
  watermark,
  query,
}: Partial<Pick<PollingConfig, 'cdc_mode' | 'watermark' | 'query'>>): 'binlog' | 'polling' {
  return cdc_mode ?? (watermark === undefined && query === undefined ? 'binlog' : 'polling');
}

export function pollingProblems(config: PollingConfig): ConfigProblem[] {
  if (modeOf(config) === 'binlog') {
    return (['watermark', 'query'] as const)
      .filter((key) => config[key] !== undefined)
      .map((key) => ({ path: [key], message: `"${key}" is for \`cdc_mode: polling\``, fix: 'Remove it, or set `cdc_mode: polling`.' }));
  }
  // A query that compares a column with the last watermark has named it.
  if (config.watermark === undefined && !/[\w"]\s*>=?\s*:last_sync\b/.test(config.query ?? '')) {
    const fix = 'Name the growing column: `watermark: {column: updated_at, type: timestamp}`.';
    return [{ path: ['watermark'], message: 'polling needs a watermark', fix }];
  }
  return config.query === undefined ? [] : queryProblems(config);
}

function queryProblems({ table, tables, watermark }: PollingConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [],
    names = tables ?? (table === undefined ? [] : [table]);
  if (names.length !== 1 || /[*?]/.test(names[0] ?? '')) {
    const fix = 'Name it: `table: orders`.';
    problems.push({ path: ['table'], message: 'with a query, `table` holds the one name under which its rows are sent', fix });
  }
  if (watermark !== undefined && watermark.key === undefined) {
    const fix = 'Name its columns: `key: [id]`.';
    problems.push({ path: ['watermark', 'key'], message: 'with a query, the key of its rows must be named', fix });
  }
  return problems;
}
