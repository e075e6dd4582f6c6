// Configuration of `unwrap`.

import { type ConfigOf, type ConfigProblem, Default, Keys, OneOf, Type } from 'cdc-run/sdk';
import { tablesKey } from '../../shared/keys.ts';
import { MARKS } from './marks.ts';

const marks = (description: string, example: Readonly<Record<string, string>>) =>
  Default(Type.Record(Type.String(), OneOf(MARKS, { description: 'What is told.' }), { description, examples: [example] }), {});

export const configSchema = Keys(
  {
    deletes: Default(
      OneOf(['pass', 'drop', 'rewrite'], {
        description:
          'pass = a delete stays one (in the envelope `row`: a key without a value); drop = deletes are left out; rewrite = the row as it was, with `deleted_column` true: it stays at the destination.',
        examples: ['rewrite'],
      }),
      'pass',
    ),
    deleted_column: Default(
      Type.String({
        minLength: 1,
        description: 'With `deletes: rewrite`: a column of every row, true for deleted ones.',
        examples: ['deleted'],
      }),
      '__deleted',
    ),
    add_columns: marks(
      'Columns that are added to rows: name and what they tell. op, source_ts_ms, source, database, schema, table, position, transaction_id, snapshot.',
      { __op: 'op', __ts_ms: 'source_ts_ms' },
    ),
    add_headers: marks('Headers that are added, of the same.', { op: 'op' }),
    tables: tablesKey,
  },
  { description: 'The row alone, with what is told about its change in columns and headers.' },
);

export type UnwrapConfig = ConfigOf<typeof configSchema>;

export function validate({ deletes, deleted_column: deleted, add_columns: columns, add_headers: headers }: UnwrapConfig): ConfigProblem[] {
  if (deletes === 'rewrite' && Object.hasOwn(columns, deleted))
    return [{ path: ['deleted_column'], message: `"${deleted}" is among add_columns, too`, fix: 'Choose another name.' }];
  if (deletes === 'pass' && Object.keys(columns).length + Object.keys(headers).length === 0)
    return [
      {
        path: [],
        message: 'nothing is changed',
        fix: 'Set `deletes`, `add_columns` or `add_headers`; for the row alone set `envelope: row` at the destination.',
      },
    ];
  return [];
}
