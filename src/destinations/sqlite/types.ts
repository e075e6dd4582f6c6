// Our column types → declared types of columns that we make, and the affinity that a declared type gives a column: what
// SQLite converts on the way in. Each type is chosen such that no value changes. https://www.sqlite.org/datatype3.html

import type { Column, ColumnType } from '../../sdk/index.ts';

const DECLARED: Readonly<Record<ColumnType, string>> = {
  boolean: 'INTEGER',
  int16: 'INTEGER',
  int32: 'INTEGER',
  int64: 'INTEGER',
  uint64: 'TEXT',
  float32: 'REAL',
  float64: 'REAL',
  decimal: 'TEXT',
  string: 'TEXT',
  bytes: 'BLOB',
  date: 'TEXT',
  time: 'TEXT',
  timetz: 'TEXT',
  timestamp: 'TEXT',
  timestamptz: 'TEXT',
  interval: 'TEXT',
  uuid: 'TEXT',
  json: 'TEXT',
  xml: 'TEXT',
  enum: 'TEXT',
  bits: 'TEXT',
  array: 'TEXT',
  geometry: 'BLOB',
  any: '',
};

/** SQLite's numbers keep decimals of up to 15 digits exactly, and then compare and add up as numbers. */
const EXACT_DIGITS = 15;

/** `""` for a column of any type: a declared type would convert what looks like a number. */
export function declaredType({ type, precision, scale }: Pick<Column, 'type' | 'precision' | 'scale'>): string {
  if (type === 'decimal' && precision !== undefined && precision <= EXACT_DIGITS) return `DECIMAL(${precision},${scale ?? 0})`;
  return DECLARED[type];
}

export type Affinity = 'INTEGER' | 'REAL' | 'NUMERIC' | 'TEXT' | 'BLOB';

/** https://www.sqlite.org/datatype3.html#determination_of_column_affinity; STRICT tables check for themselves. */
export function affinityOf(declared: string): Affinity {
  const name = declared.toUpperCase();
  if (name.includes('INT')) return 'INTEGER';
  if (/CHAR|CLOB|TEXT/.test(name)) return 'TEXT';
  if (name === '' || name === 'ANY' || name.includes('BLOB')) return 'BLOB';
  return /REAL|FLOA|DOUB/.test(name) ? 'REAL' : 'NUMERIC';
}
