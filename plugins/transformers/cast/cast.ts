// What casting makes of a table and its rows. Pure.

import type { Row, TableSchema } from 'cdc-run/sdk';
import { castRow, columnCast } from '../../shared/cast-plan.ts';
import { columnOf, type WantedType } from '../../shared/column-type.ts';
import type { TablePlan } from '../../shared/table-step.ts';

export function castPlan(table: TableSchema, types: ReadonlyMap<string, WantedType>): TablePlan | null {
  const casts = new Map([...types].map(([name, wanted]) => [name, columnCast(table, name, wanted)]));
  const row = (given: Row): Row => castRow(given, casts);
  if (table.columns.length === 0) return { table, row, key: row };
  if (!table.columns.some((c) => types.has(c.name))) return null;
  const columns = table.columns.map((column) => {
    const wanted = types.get(column.name);
    return wanted === undefined ? column : columnOf(column.name, wanted, column.nullable);
  });
  return { table: { ...table, columns }, row, key: row };
}
