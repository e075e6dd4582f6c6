// Configuration of `rename`.

import { type ConfigOf, type ConfigProblem, Keys, Type } from 'cdc-run/sdk';
import { tablesKey } from '../../shared/keys.ts';

export const configSchema = Keys(
  {
    columns: Type.Record(Type.String(), Type.String({ minLength: 1 }), {
      description: 'Name at the source: new name. All are renamed at once, so two may change places.',
      examples: [{ cust_nm: 'customer_name' }],
    }),
    tables: tablesKey,
  },
  { description: 'Gives columns other names.' },
);

export type RenameConfig = ConfigOf<typeof configSchema>;

export function validate({ columns }: RenameConfig): ConfigProblem[] {
  const names = Object.values(columns);
  if (names.length === 0) return [{ path: ['columns'], message: 'no column is named', fix: 'Name the columns to rename.' }];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined
    ? []
    : [{ path: ['columns'], message: `two columns become "${twice}"`, fix: 'Give each column a name of its own.' }];
}
