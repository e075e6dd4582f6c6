// Configuration of `drop`.

import { type ConfigOf, type ConfigProblem, Default, Keys, Type } from 'cdc-run/sdk';
import { tablesKey } from '../../shared/keys.ts';

const names = (description: string, example: readonly string[]) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, uniqueItems: true, description, examples: [example] }));

export const configSchema = Keys(
  {
    columns: names('Columns to leave out.', ['internal_note']),
    keep: names('Columns to keep, with those of the key; all others are left out. In place of `columns`.', ['id', 'name']),
    tables: tablesKey,
    sensitive: Default(
      Type.Boolean({
        description:
          'The columns must not be kept in clear: dead letters of this step and those before it hold them encrypted, or not at all when `error_handling.dead_letter_queue.key` is not set.',
        examples: [true],
      }),
      false,
    ),
  },
  { description: 'Leaves columns out.' },
);

export type DropConfig = ConfigOf<typeof configSchema>;

export function validate({ columns, keep }: DropConfig): ConfigProblem[] {
  if ((columns === undefined) !== (keep === undefined)) return [];
  return [{ path: [], message: 'it takes either `columns` or `keep`', fix: 'Set one of the two.' }];
}
