// How the columns of one table become other types. For every step that changes types.

import { CdcError, formatTableId, type Row, type TableSchema, type Value } from 'cdc-run/sdk';
import type { WantedType } from './column-type.ts';
import { type Convert, converter } from './convert.ts';
import { Unconvertible } from './unconvertible.ts';

/** Converts the value of a column, or throws an error that names the column and the reason. */
export type ColumnCast = (value: Value) => Value;

export function columnCast(table: TableSchema, name: string, wanted: WantedType, from = name): ColumnCast {
  const column = table.columns.find((c) => c.name === from) ?? null,
    convert: Convert = converter(wanted, name === from ? column : null, table.key.includes(name));
  return (value) => {
    try {
      return convert(value);
    } catch (error) {
      if (!(error instanceof Unconvertible)) throw error;
      throw new CdcError(
        'PLUGIN_FAILED',
        `A value of column "${name}" of ${formatTableId(table.id)} cannot become ${wanted.text} without loss: ${error.message}.`,
        { fix: 'Choose a type that holds all values of the column, or correct the value at the source.' },
      );
    }
  };
}

/** The row with these columns converted, in their places. Columns that it does not have stay absent. */
export function castRow(row: Row, casts: ReadonlyMap<string, ColumnCast>): Row {
  if (!Object.keys(row).some((name) => casts.has(name))) return row;
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const cast = casts.get(name);
      return [name, cast === undefined ? value : cast(value)];
    }),
  );
}
