// A column that is added with a default has values in all rows that are there, and no row is logged for that. A literal can be told from the
// schema; what an expression gave, only the rows say.

import type { Column, TableSchema } from '../sdk/index.ts';

const LITERAL = /^(?:(?:[a-z]|_\w+)?'|[-+.\d]|(?:NULL|TRUE|FALSE)\b)/i;

/** Has a new column values that nobody can tell? `before`, `after`: a table on both sides of a DDL. */
export function hasFilledColumn(before: TableSchema, after: TableSchema): boolean {
  const isIn = ({ columns }: TableSchema, name: string): boolean => columns.some((c) => c.name === name);
  return after.columns.some((column, i) => {
    const there = before.columns[i],
      isRenamed = there !== undefined && there.nativeType === column.nativeType && !isIn(after, there.name);
    return !isIn(before, column.name) && !isRenamed && isComputed(column);
  });
}

function isComputed({ default: literal, defaultSql }: Column): boolean {
  return literal === undefined && defaultSql !== undefined && !LITERAL.test(defaultSql);
}
