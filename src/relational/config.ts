// Configuration keys that all destinations of SQL tables have.

import { CdcError, type ConfigProblem, Default, Duration, Keys, OneOf, Type } from '../sdk/index.ts';
import { placeholderProblems } from './target-name.ts';

export const poolSchema = Keys(
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

export const tableKey = Default(
  Type.String({
    minLength: 1,
    description: 'Name of the target table; `{table}`, `{schema}`, `{database}` and `{source}` stand for parts of the source table.',
    examples: ['{table}', 'replica_{schema}_{table}', 'unified_events'],
  }),
  '{table}',
);

/** What is done with rows. */
export const writeKeys = {
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
};

export const statementTimeoutKey = Default(
  Duration({
    unit: 's',
    description: "Longest time for one statement; 0 = the server's setting. A statement that was cut off is tried again.",
    examples: ['5m', 0],
  }),
  0,
);

export function templateProblems(template: string): ConfigProblem[] {
  return placeholderProblems(template).map((message) => ({
    path: ['table'],
    message,
    fix: 'Use {table}, {schema}, {database} or {source}.',
  }));
}

/** Throws `CONFIG_FEATURE_NOT_AVAILABLE`. */
export function refuseAtomic({ transactions }: { readonly transactions: string }, name: string): void {
  if (transactions !== 'atomic') return;
  throw new CdcError(
    'CONFIG_FEATURE_NOT_AVAILABLE',
    '`transactions: atomic` is not available yet: a batch may end inside a transaction of the source.',
    { where: `destination "${name}"`, fix: 'Set `transactions: split`.' },
  );
}
