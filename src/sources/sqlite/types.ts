// Declared column types → ours, and the check that a stored value is what its column says. SQLite stores any value in any
// column (https://www.sqlite.org/datatype3.html), so each value is looked at; what does not fit is never coerced
// (invariant 6).

import type { Column, ColumnType, Value } from '../../sdk/index.ts';
import type { SqliteColumn, SqliteTable } from './introspect.ts';

/** A value as the driver reads it: INTEGER is always `bigint`, REAL `number`. */
export type Stored = null | bigint | number | string | Uint8Array;

/** SQLite keeps decimals of up to 15 digits exactly, as INTEGER or as REAL. */
const EXACT_DECIMAL_DIGITS = 15;

interface Typed {
  readonly type: ColumnType;
  readonly precision?: number;
  readonly scale?: number;
  readonly length?: number;
}

/**
 * | declared | type |
 * |---|---|
 * | contains INT | int64 |
 * | BOOL, BOOLEAN | boolean (stored as 0 and 1) |
 * | contains CHAR, CLOB or TEXT | string |
 * | contains BLOB | bytes |
 * | contains REAL, FLOA or DOUB | float64 |
 * | DECIMAL(p,s), NUMERIC(p,s) with p ≤ 15 | decimal |
 * | all others, none | any |
 */
export function typeOf(declared: string): Typed {
  const name = declared.toUpperCase(),
    [, first, second] = /\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)/.exec(name) ?? [];
  if (/^\s*BOOL(?:EAN)?\s*$/.test(name)) return { type: 'boolean' };
  if (name.includes('INT')) return { type: 'int64' };
  if (/CHAR|CLOB|TEXT/.test(name)) return first === undefined ? { type: 'string' } : { type: 'string', length: Number(first) };
  if (name.includes('BLOB')) return { type: 'bytes' };
  if (/REAL|FLOA|DOUB/.test(name)) return { type: 'float64' };
  if (/^\s*(?:DECIMAL|NUMERIC)\b/.test(name) && first !== undefined && Number(first) <= EXACT_DECIMAL_DIGITS) {
    return { type: 'decimal', precision: Number(first), scale: Number(second ?? 0) };
  }
  return { type: 'any' };
}

/** `stored`: every column whose content SQLite does not enforce is `any`, and its values come as they are stored. */
export function columnOf(table: SqliteTable, column: SqliteColumn, types: 'declared' | 'stored'): Column {
  const enforced = table.strict || (table.integerKey && table.key[0] === column.name);
  const typed: Typed = types === 'stored' && !enforced ? { type: 'any' } : typeOf(column.declared);
  const value = literalDefault(column.defaultSql, typed.type);
  return {
    name: column.name,
    nativeType: column.declared,
    nullable: !column.notNull && !table.key.includes(column.name),
    ...typed,
    ...(value === undefined ? {} : { default: value }),
  };
}

/** Literals only; a default that is computed is none that we could tell. */
function literalDefault(sql: string | null, type: ColumnType): Value | undefined {
  if (sql === null) return undefined;
  let value: Stored | undefined;
  if (/^'(?:[^']|'')*'$/.test(sql)) value = sql.slice(1, -1).replaceAll("''", "'");
  else if (/^[+-]?\d{1,18}$/.test(sql)) value = BigInt(sql.replace('+', ''));
  else if (/^[+-]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?$/.test(sql)) value = Number(sql);
  if (value === undefined) return undefined;
  if (type === 'float64' && typeof value === 'bigint') value = Number(value);
  return fits(type, value) ? toValue(type, value) : undefined;
}

/** Does the stored value belong into a column of this type? NULL always does. Texts may still be no valid Unicode. */
export function fits(type: ColumnType, value: Stored): boolean {
  if (value === null) return true;
  switch (type) {
    case 'int64':
      return typeof value === 'bigint';
    case 'string':
      return typeof value === 'string';
    case 'float64':
      return typeof value === 'number';
    case 'bytes':
      return value instanceof Uint8Array;
    case 'boolean':
      return value === 0n || value === 1n;
    case 'decimal':
      return typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value));
    default:
      return true;
  }
}

/** A value that fits, as events carry it. */
export function toValue(type: ColumnType, value: Stored): Value {
  if (value === null) return null;
  if (type === 'boolean') return value === 1n;
  if (type === 'decimal') return typeof value === 'bigint' ? String(value) : plainDecimal(value as number);
  return value;
}

/** The shortest digits that give this number, without an exponent: `1e-7` → `0.0000001`. */
export function plainDecimal(n: number): string {
  const text = String(n),
    match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign = '', head = '', tail = '', exponent = '0'] = match,
    digits = head + tail,
    point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, '0').slice(0, point) + (digits.length > point ? `.${digits.slice(point)}` : '');
}

export function storageClass(value: Stored): string {
  if (value === null) return 'NULL';
  if (typeof value === 'bigint') return 'INTEGER';
  if (typeof value === 'number') return 'REAL';
  return typeof value === 'string' ? 'TEXT' : 'BLOB';
}
