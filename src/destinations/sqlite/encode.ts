// Values of events → what SQLite binds. SQLite converts what it is given to the affinity of its column; wherever that could
// change the value, it is bound in a form that cannot change, or refused (invariant 6). Pure.

import { type ColumnType, JsonText, type Value } from '../../sdk/index.ts';
import type { Affinity } from './types.ts';

/** What SQLite stores. */
export type Bound = null | number | bigint | string | Uint8Array;

/** SQLite cannot keep the value; the message says why and begins where a column's name ends. */
export class Unstorable extends Error {}

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
/** What SQLite turns into a number in a column with a numeric affinity. */
const NUMERIC_TEXT = /^[\t\n\v\f\r ]*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[\t\n\v\f\r ]*$/;

/** `type` is `null` for a column that the schema does not tell of. */
export function bind(value: Value, type: ColumnType | null, affinity: Affinity): Bound {
  if (value === null) return null;
  switch (typeof value) {
    case 'string':
      return bindText(value, type, affinity);
    case 'bigint':
      return bindInteger(value, affinity);
    case 'number':
      return bindNumber(value, type, affinity);
    case 'boolean':
      return value ? 1n : 0n;
    default:
      return value instanceof Uint8Array && type !== 'json' && type !== 'array' ? value : jsonText(value);
  }
}

function bindText(text: string, type: ColumnType | null, affinity: Affinity): Bound {
  if (type === 'json') return jsonText(text);
  // Half a surrogate pair is no text: it would be replaced on the way.
  if (!(text as string & { isWellFormed(): boolean }).isWellFormed()) throw new Unstorable('holds a text that is not valid Unicode');
  if (affinity === 'TEXT' || affinity === 'BLOB' || !NUMERIC_TEXT.test(text)) return text;
  if (type === 'decimal') return bindDecimal(text);
  throw new Unstorable(`is declared as a number, which would change the text of a ${type ?? 'string'} value`);
}

/** A decimal for a numeric column: the integer or the double that has exactly these digits. */
function bindDecimal(text: string): Bound {
  if (/^[+-]?\d+$/.test(text)) {
    const integer = BigInt(text);
    if (integer <= MAX_INT64 && integer >= MIN_INT64) return integer;
  }
  const number = Number(text);
  if (Number.isFinite(number) && sameDecimal(String(number), text)) return number;
  throw new Unstorable('is declared as a number, which cannot hold all digits of the decimal');
}

/** Equal in value: digits without the zeros around them, and the power of ten of the last one. */
function sameDecimal(a: string, b: string): boolean {
  const [x, y] = [digitsOf(a), digitsOf(b)];
  return x.digits === y.digits && (x.digits === '0' || (x.exponent === y.exponent && x.negative === y.negative));
}

function digitsOf(text: string): { negative: boolean; digits: string; exponent: number } {
  const [, sign = '', whole = '', fraction = '', power = '0'] = /^\s*([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?\s*$/.exec(text) ?? [];
  const all = `${whole}${fraction}`.replace(/^0+/, ''),
    digits = all.replace(/0+$/, '');
  return {
    negative: sign === '-',
    digits: digits === '' ? '0' : digits,
    exponent: Number(power) - fraction.length + all.length - digits.length,
  };
}

function bindInteger(value: bigint, affinity: Affinity): Bound {
  if (affinity === 'TEXT') return String(value);
  if (value > MAX_INT64 || value < MIN_INT64)
    throw new Unstorable('holds a number beyond 64 bits with sign, for which only a TEXT column has room');
  if (affinity === 'REAL' && BigInt(Number(value)) !== value)
    throw new Unstorable('is declared REAL, which cannot hold all digits of the number');
  return value;
}

/** Whole numbers are bound as integers: the driver would make REALs of them. */
function bindNumber(value: number, type: ColumnType | null, affinity: Affinity): Bound {
  if (type === 'json' || type === 'array') return jsonText(value);
  if (Number.isNaN(value)) throw new Unstorable('holds NaN, which SQLite would store as NULL');
  if (affinity === 'TEXT') return String(value);
  return (type === 'int16' || type === 'int32' || type === 'int64') && Number.isInteger(value) ? BigInt(value) : value;
}

/** JSON text of a plain value; integers of any size keep their digits, bytes are base64. */
function jsonText(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Unstorable('holds a number that JSON does not have');
  if (value === null || typeof value !== 'object') return String(value);
  if (value instanceof JsonText) return value.text;
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (value instanceof JsonText) return value.text;
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(jsonText).join(',')}]`;
  return `{${Object.entries(value as { readonly [key: string]: Value })
    .map(([name, v]) => `${JSON.stringify(name)}:${jsonText(v)}`)
    .join(',')}}`;
}
