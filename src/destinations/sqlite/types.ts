// Our types ↔ SQLite's. A declared type only says what SQLite converts on the way in ("affinity"), so each is chosen such
// that nothing is converted: decimals and times are TEXT, a column of any type has none. https://www.sqlite.org/datatype3.html

import { CdcError, type Column, type ColumnType, type Value } from '../../sdk/index.ts';

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

/** `""` for a column of any type: a declared type would convert what looks like a number. */
export function declaredType(column: Column): string {
  return DECLARED[column.type];
}

/** What SQLite stores. */
export type Bound = null | number | bigint | string | Uint8Array;

const MAX_INT64 = 2n ** 63n - 1n;

/** A value ready to bind. Whole numbers are bound as integers: the driver would make REALs of JS numbers. */
export function bind(value: Value, type: ColumnType | null): Bound {
  switch (typeof value) {
    case 'string':
      return type === 'json' ? JSON.stringify(value) : value;
    case 'bigint':
      return type === 'uint64' || value > MAX_INT64 || value < -MAX_INT64 - 1n ? String(value) : value;
    case 'boolean':
      return value ? 1n : 0n;
    case 'number':
      return bindNumber(value, type);
    default:
  }
  if (value === null) return type === 'json' ? null : value;
  return value instanceof Uint8Array ? value : jsonText(value);
}

function bindNumber(value: number, type: ColumnType | null): Bound {
  if (type === 'int16' || type === 'int32' || type === 'int64') return BigInt(value);
  if (type === 'json' || type === 'array') return JSON.stringify(value);
  // SQLite stores NaN as NULL: that would change the value.
  if (Number.isNaN(value))
    throw new CdcError('DESTINATION_EVENT_REJECTED', 'SQLite cannot store NaN', {
      fix: 'Replace the value by a transformer, then replay the dead letter.',
    });
  return value;
}

/** Arrays and JSON as text; whole numbers beyond 2^53 keep their digits. */
function jsonText(value: Value): string {
  const big = new Map<string, string>();
  const text = JSON.stringify(value, (_key, v: unknown) => {
    if (v instanceof Uint8Array) return Buffer.from(v).toString('base64');
    if (typeof v !== 'bigint') return v;
    const mark = `\u0000${big.size}\u0000`;
    big.set(JSON.stringify(mark), String(v));
    return mark;
  });
  return big.size === 0 ? text : text.replace(/"\\u0000\d+\\u0000"/g, (mark) => big.get(mark) ?? mark);
}
