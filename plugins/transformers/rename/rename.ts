// What renaming makes of a table and its rows. Pure.

import type { Row, TableSchema } from 'cdc-run/sdk';
import { assertDistinct, type TablePlan } from '../../shared/table-step.ts';

const FIX = 'Choose another name, or drop the column that has it.';

export function renamePlan(table: TableSchema, names: ReadonlyMap<string, string>): TablePlan | null {
  const nameOf = (name: string): string => names.get(name) ?? name;
  const row = (given: Row): Row => {
    const old = Object.keys(given);
    if (!old.some((name) => names.has(name))) return given;
    // Where no schema announced the columns, only a row shows that a name is taken.
    assertDistinct(table, old.map(nameOf), FIX);
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [nameOf(name), value]));
  };
  const isTouched = [...table.columns.map((c) => c.name), ...table.key].some((name) => names.has(name));
  if (!isTouched) return table.columns.length > 0 ? null : { table, row, key: row };
  const columns = table.columns.map((column) => (names.has(column.name) ? { ...column, name: nameOf(column.name) } : column));
  assertDistinct(
    table,
    columns.map((c) => c.name),
    FIX,
  );
  return { table: { ...table, columns, key: table.key.map(nameOf) }, row, key: row };
}
