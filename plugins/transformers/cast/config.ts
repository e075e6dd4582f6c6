// Configuration of `cast`.

import { type ConfigOf, type ConfigProblem, Keys, Type } from 'cdc-run/sdk';
import { typeSchema } from '../../shared/column-type.ts';
import { tablesKey } from '../../shared/keys.ts';

export const configSchema = Keys(
  {
    columns: Type.Record(Type.String(), typeSchema('The new type.'), {
      description:
        'Column: its new type. boolean, int16, int32, int64, float64, decimal, decimal(precision,scale), string, date, timestamp, timestamptz, uuid, json; of numbers that count since 1970: timestamptz(s), timestamptz(ms), timestamptz(us), and timestamp alike.',
      examples: [{ total: 'decimal(12,2)', placed_at: 'timestamptz(ms)' }],
    }),
    tables: tablesKey,
  },
  { description: 'Gives columns other types.' },
);

export type CastConfig = ConfigOf<typeof configSchema>;

export function validate({ columns }: CastConfig): ConfigProblem[] {
  const tooFine = Object.entries(columns).find(([, type]) => {
    const [, precision = '1', scale = '0'] = /\((\d+), ?(\d+)\)/.exec(type) ?? [];
    return Number(scale) > Number(precision);
  });
  if (tooFine !== undefined)
    return [
      { path: ['columns', tooFine[0]], message: `${tooFine[1]} has more digits after the point than in all`, fix: 'Correct the type.' },
    ];
  return Object.keys(columns).length > 0 ? [] : [{ path: ['columns'], message: 'no column is named', fix: 'Name the columns to cast.' }];
}
