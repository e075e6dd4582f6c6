// One value as a field of CSV. Apart from csv.ts, which loads the library.

import type { ColumnType, Value } from '../sdk/index.ts';
import { stringifyJson } from './json-lossless.ts';

/** A value as text. Bytes as `\\x` and hexadecimal digits, as PostgreSQL writes them; arrays and objects as JSON. */
export function cellText(value: Value, type: ColumnType | undefined): string | null {
  if (value === null || (typeof value === 'string' && type !== 'json')) return value;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'object' || type === 'json') return stringifyJson(value);
  return Object.is(value, -0) ? '-0' : String(value);
}
