// Defaults that mean the same in every database: what rows that are there get in a column that the source has just added.

import type { Column, ColumnType } from '../sdk/index.ts';

const NUMBERS: readonly ColumnType[] = ['int16', 'int32', 'int64', 'uint64', 'decimal', 'float32', 'float64'];
const TEXTS: readonly ColumnType[] = ['string', 'enum'];
const NUMBER = /^-?\d+(?:\.\d+)?$/;

/** Its text, `true` and `false` for booleans; `null`: there is none, or not every database reads it alike (times, documents). */
export function plainDefault({ type, default: value }: Column): string | null {
  if (type === 'boolean') return typeof value === 'boolean' ? String(value) : null;
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return null;
  const text = String(value);
  if (NUMBERS.includes(type)) return NUMBER.test(text) ? text : null;
  return TEXTS.includes(type) && !text.includes('\0') ? text : null;
}
