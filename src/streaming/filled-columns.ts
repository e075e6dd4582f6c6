// A column that is added with a default has values in all rows that are there, and no row is logged for that. A literal can be told from the
// schema; what an expression gave, only the rows say.

import { addedColumns, type Column, type TableSchema } from '../sdk/index.ts';

const LITERAL = /^(?:(?:[a-z]|_\w+)?'|[-+.\d]|(?:NULL|TRUE|FALSE)\b)/i;

/** Has a new column values that nobody can tell? `before`, `after`: a table on both sides of a DDL. */
export function hasFilledColumn(before: TableSchema, after: TableSchema): boolean {
  return addedColumns(after.columns, before.columns).some(isComputed);
}

function isComputed({ default: literal, defaultSql }: Column): boolean {
  return literal === undefined && defaultSql !== undefined && !LITERAL.test(defaultSql);
}
