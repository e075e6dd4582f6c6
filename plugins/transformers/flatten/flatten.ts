// What flattening makes of a table and its rows. Pure.

import type { Row, TableSchema } from 'cdc-run/sdk';
import { leavesOf, NestedValues, nestedColumns } from '../../shared/nested.ts';
import { assertDistinct, type TablePlan, tableError } from '../../shared/table-step.ts';
import type { FlattenConfig } from './config.ts';

const FIX = 'Choose another separator, or rename the column that has the name.';

export function flattenPlan(table: TableSchema, config: FlattenConfig): TablePlan | null {
  return table.columns.length === 0 ? openPlan(table, config) : declaredPlan(table, config);
}

/** No schema says what there is: every object becomes what is in it. */
function openPlan(table: TableSchema, { fields, separator, keep_original: keeps }: FlattenConfig): TablePlan {
  const row = (given: Row): Row => {
    const entries = Object.entries(given).flatMap(([name, value]) => {
      if (fields.length > 0 && !fields.includes(name)) return [[name, value] as const];
      const leaves = leavesOf(name, value, separator);
      const isOpened = leaves.length !== 1 || leaves[0]?.[0] !== name;
      return isOpened && keeps ? [[name, value] as const, ...leaves] : leaves;
    });
    const names = Object.keys(given);
    if (entries.length === names.length && entries.every(([name], i) => name === names[i])) return given;
    assertDistinct(
      table,
      entries.map(([name]) => name),
      FIX,
    );
    return Object.fromEntries(entries);
  };
  return { table, row, key: (key) => key };
}

/** The schema stays true to the rows: only declared values become columns, of their declared types. */
function declaredPlan(table: TableSchema, config: FlattenConfig): TablePlan | null {
  const { separator, keep_original: keeps, others } = config;
  const opened = new Map<string, NestedValues>();
  for (const { name } of table.columns) {
    const declared = nestedColumns(config.columns, name, separator);
    if (declared.length === 0) continue;
    if (table.key.includes(name) && !keeps)
      throw tableError(table, `the column "${name}" is part of the key, which must not change`, 'Set `keep_original: true`.');
    opened.set(name, new NestedValues(table, name, declared, keeps ? 'keep' : others));
  }
  if (opened.size === 0) return refuseUndeclared(table, config);
  const columns = table.columns.flatMap((column) => {
    const added = opened.get(column.name)?.columns;
    return added === undefined ? [column] : keeps ? [column, ...added] : added;
  });
  assertDistinct(
    table,
    columns.map((c) => c.name),
    FIX,
  );
  const row = (given: Row): Row =>
    Object.keys(given).some((name) => opened.has(name))
      ? Object.fromEntries(
          Object.entries(given).flatMap(([name, value]) => {
            const values = opened.get(name);
            if (values === undefined) return [[name, value] as const];
            const added = Object.entries(values.open(value));
            return keeps ? [[name, value] as const, ...added] : added;
          }),
        )
      : given;
  return { table: { ...table, columns }, row, key: (key) => key };
}

/** A table that was asked for, but whose new columns would have no types. */
function refuseUndeclared(table: TableSchema, { fields, columns }: FlattenConfig): null {
  const wanted = table.columns.find((c) => fields.includes(c.name) || (fields.length === 0 && c.type === 'json'));
  if (wanted === undefined || Object.keys(columns).length > 0) return null;
  throw tableError(
    table,
    `the types of what is in column "${wanted.name}" are not known`,
    `Name it in \`columns\`, for example "${wanted.name}.city: string".`,
  );
}
