// Configuration of `flatten`.

import { type ConfigOf, type ConfigProblem, Default, Keys, OneOf, Type } from 'cdc-run/sdk';
import { typeSchema } from '../../shared/column-type.ts';
import { tablesKey } from '../../shared/keys.ts';

export const configSchema = Keys(
  {
    columns: Default(
      Type.Record(Type.String(), typeSchema('Type of the new column.'), {
        description:
          'Path of a nested value, beginning with its column: type of the column that it becomes, as in `cast`. Needed for tables whose columns are known; messages and files without a schema need none.',
        examples: [{ 'address.city': 'string', 'address.geo.lat': 'float64' }],
      }),
      {},
    ),
    fields: Default(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'Columns to open where no schema is known. Empty: all that hold objects.',
        examples: [['address']],
      }),
      [],
    ),
    separator: Default(
      Type.String({ minLength: 1, description: 'Stands between the parts of a name: `address_city`.', examples: ['.'] }),
      '_',
    ),
    keep_original: Default(Type.Boolean({ description: 'The column that was opened stays beside the new ones.', examples: [true] }), false),
    others: Default(
      OneOf(['fail', 'drop'], {
        description:
          'What happens to nested values that `columns` does not name when the column does not stay: fail = the event goes to the dead letter queue; drop = they are left out.',
        examples: ['drop'],
      }),
      'fail',
    ),
    tables: tablesKey,
  },
  { description: 'Nested values as columns of their own.' },
);

export type FlattenConfig = ConfigOf<typeof configSchema>;

export function validate({ columns, separator }: FlattenConfig): ConfigProblem[] {
  const paths = Object.keys(columns),
    names = paths.map((path) => path.split('.').join(separator));
  const flat = paths.find((path) => path.split('.').length < 2 || path.split('.').includes(''));
  if (flat !== undefined)
    return [
      { path: ['columns', flat], message: `"${flat}" leads into no column`, fix: 'Write the column and the path in it: address.city.' },
    ];
  const within = paths.find((path) => paths.some((other) => other.startsWith(`${path}.`)));
  if (within !== undefined)
    return [{ path: ['columns', within], message: `another path leads into "${within}"`, fix: 'Name either the object or what is in it.' }];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined ? [] : [{ path: ['columns'], message: `two paths become "${twice}"`, fix: 'Choose another separator.' }];
}
