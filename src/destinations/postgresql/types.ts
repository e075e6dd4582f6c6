// Logical types ↔ column types: what a new column becomes, and how a value is spelled for a column that is there. Pure.
//
// | logical | new column | | logical | new column |
// |---|---|---|---|---|
// | boolean | boolean | | date, time, timetz, timestamp, timestamptz | the same, with precision up to 6 |
// | int16, int32, int64 | smallint, integer, bigint | | interval | interval |
// | uint64 | numeric(20,0) | | uuid, xml | the same |
// | float32, float64 | real, double precision | | json, any | jsonb |
// | decimal(p,s) | numeric(p,s) | | array of T | T[] |
// | string, enum, geometry | text | | bits(n) | bit varying(n) |
// | bytes | bytea | | times finer than microseconds | text |

import type { Encoder, SourceType, Spelling } from '../../relational/encode.ts';
import {
  canonicalDecimal,
  checkFraction,
  describeValue,
  exceedsScale,
  fitsDouble,
  fitsSingle,
  jsonFor,
  jsonText,
  numberText,
  numericInput,
  UnfitValue,
} from '../../relational/values.ts';
import type { Column, ColumnType, Value } from '../../sdk/index.ts';
import type { TargetColumn } from './target-table.ts';
import { arrayText, checkDate, checkJsonb, checkText, checkTime, checkTimestamp, checkTimestamptz } from './values.ts';

export type ColumnKind =
  | 'text'
  | 'int'
  | 'numeric'
  | 'float4'
  | 'float8'
  | 'boolean'
  | 'bytea'
  | 'json'
  | 'jsonb'
  | 'date'
  | 'time'
  | 'timetz'
  | 'timestamp'
  | 'timestamptz'
  | 'interval'
  | 'uuid'
  | 'bits'
  | 'array'
  | 'other';

/** `pg_type.typname` → kind. What is not here (enums, inet, ranges …) takes text as it comes. */
export const KINDS: Readonly<Record<string, ColumnKind>> = {
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  name: 'text',
  citext: 'text',
  int2: 'int',
  int4: 'int',
  int8: 'int',
  numeric: 'numeric',
  float4: 'float4',
  float8: 'float8',
  bool: 'boolean',
  bytea: 'bytea',
  json: 'json',
  jsonb: 'jsonb',
  date: 'date',
  time: 'time',
  timetz: 'timetz',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  interval: 'interval',
  uuid: 'uuid',
  bit: 'bits',
  varbit: 'bits',
};

/** PostgreSQL counts microseconds. */
const FINEST_DIGITS = 6;
const MAX_NUMERIC_PRECISION = 1000;

const SIMPLE: Readonly<Partial<Record<ColumnType, string>>> = {
  boolean: 'boolean',
  int16: 'smallint',
  int32: 'integer',
  int64: 'bigint',
  uint64: 'numeric(20,0)',
  float32: 'real',
  float64: 'double precision',
  string: 'text',
  enum: 'text',
  geometry: 'text',
  bytes: 'bytea',
  date: 'date',
  interval: 'interval',
  uuid: 'uuid',
  json: 'jsonb',
  any: 'jsonb',
  xml: 'xml',
};

/** The type of a new column that keeps every value of `column`. */
export function newColumnType(column: Column): string {
  switch (column.type) {
    case 'decimal':
      return numericType(column);
    case 'time':
    case 'timetz':
    case 'timestamp':
    case 'timestamptz':
      return temporalType(column.type, column.precision);
    case 'bits':
      return column.length === undefined ? 'bit varying' : `bit varying(${column.length})`;
    case 'array':
      return `${newColumnType({ ...column, type: column.element === undefined || column.element === 'array' ? 'string' : column.element })}[]`;
    default:
      return SIMPLE[column.type] ?? 'text';
  }
}

function numericType({ precision, scale = 0 }: Column): string {
  const fits = precision !== undefined && precision <= MAX_NUMERIC_PRECISION && scale >= 0 && scale <= precision;
  return fits ? `numeric(${precision},${scale})` : 'numeric';
}

function temporalType(type: 'time' | 'timetz' | 'timestamp' | 'timestamptz', precision: number | undefined): string {
  if (precision !== undefined && precision > FINEST_DIGITS) return 'text';
  const digits = precision === undefined ? '' : `(${precision})`;
  return type.endsWith('tz') ? `${type.slice(0, -2)}${digits} with time zone` : `${type}${digits}`;
}

/** Chosen once per column, not per value. */
export function encoderFor(target: TargetColumn, { type: source, element }: SourceType): Encoder {
  const digits = target.fraction ?? FINEST_DIGITS;
  switch (target.kind) {
    case 'int':
      return intText;
    case 'numeric':
      return numericEncoder(target.fraction);
    case 'float8':
      return float8Text;
    case 'float4':
      return source === 'float32' ? float8Text : float4Text;
    case 'boolean':
      return booleanText;
    case 'bytea':
      return bytesText;
    case 'json':
      return (v) => checkText(jsonFor(v, source));
    case 'jsonb':
      return (v) => checkJsonb(checkText(jsonFor(v, source)));
    case 'date':
      return (v) => checkDate(asString(v, 'date'));
    case 'time':
      return (v) => checkTime(asString(v, 'time'), digits, false);
    case 'timetz':
      return (v) => checkTime(asString(v, 'time'), digits, true);
    case 'timestamp':
      return (v) => checkTimestamp(asString(v, 'timestamp'), digits);
    case 'timestamptz':
      return (v) => checkTimestamptz(asString(v, 'timestamp'), digits);
    case 'interval':
      return (v) => checkFraction(asString(v, 'interval'), digits);
    case 'bits':
      return (v) => asString(v, 'bit string');
    case 'array':
      return arrayEncoder(target, { type: element ?? 'string' });
    default:
      return textEncoder(target.length, source);
  }
}

function asString(value: Value, what: string): string {
  if (typeof value !== 'string') throw new UnfitValue(`the value is ${describeValue(value)}, not the text of a ${what}`);
  return checkText(value);
}

function textEncoder(length: number | null, source: ColumnType): Encoder {
  return (value) => {
    const text = typeof value === 'string' ? checkText(value) : textOf(value, source);
    // Counted only when it may be too long: UTF-16 units are never fewer than characters.
    if (length !== null && text.length > length && [...text].length > length)
      throw new UnfitValue(`the text is longer than the column's ${length} characters`);
    return text;
  };
}

function textOf(value: Exclude<Value, null>, source: ColumnType): string {
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (!(value instanceof Uint8Array)) return checkText(jsonText(value));
  // The text input of PostGIS takes well-known binary in hex.
  if (source === 'geometry') return Buffer.from(value).toString('hex');
  throw new UnfitValue('the value is bytes, the column is a text');
}

function intText(value: Exclude<Value, null>): string {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
  const text = numericInput(value);
  if (!/^[+-]?\d+$/.test(text)) throw new UnfitValue('the value is not a whole number');
  return text;
}

function numericEncoder(scale: number | null): Encoder {
  return (value) => {
    const text = numericInput(value);
    if (scale !== null && exceedsScale(text, scale)) throw new UnfitValue(`the number is finer than the column's scale of ${scale}`);
    return text;
  };
}

function float8Text(value: Exclude<Value, null>): string {
  const text = numericInput(value);
  if (typeof value !== 'number' && !fitsDouble(text)) throw new UnfitValue('the number has more digits than a double precision holds');
  return text;
}

function float4Text(value: Exclude<Value, null>): string {
  const text = float8Text(value);
  if (!fitsSingle(Number(text))) throw new UnfitValue('the number has more digits than a real holds');
  return text;
}

function booleanText(value: Exclude<Value, null>): string {
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (value === 0 || value === 0n) return 'f';
  if (value === 1 || value === 1n) return 't';
  if (typeof value === 'string' && /^(t|f|true|false)$/i.test(value)) return value;
  throw new UnfitValue(`the value is ${describeValue(value)}, neither true nor false`);
}

function bytesText(value: Exclude<Value, null>): string {
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  throw new UnfitValue(`the value is ${describeValue(value)}, the column holds bytes`);
}

function arrayEncoder(target: TargetColumn, source: SourceType): Encoder {
  const element = encoderFor(target.element as TargetColumn, source);
  return (value) => {
    if (typeof value === 'string') return checkText(value);
    if (!Array.isArray(value)) throw new UnfitValue(`the value is ${describeValue(value)}, the column is an array`);
    return arrayText(value as readonly Value[], element);
  };
}

/** The text of a key column by which two rows are the same one: other spellings of an equal value give the same. */
export function identityText(target: TargetColumn, text: string): string {
  switch (target.kind) {
    case 'int':
      return /^[1-9]/.test(text) ? text : text.replace(/^([+-]?)0*(?=\d)/, (_, sign) => (sign === '-' ? '-' : ''));
    case 'numeric':
    case 'float4':
    case 'float8':
      return canonicalDecimal(text) ?? text.toLowerCase();
    case 'uuid':
      return text.toLowerCase();
    case 'text':
      return target.caseless ? text.toLowerCase() : target.padded ? text.replace(/ +$/, '') : text;
    default:
      return text;
  }
}

export const spelling: Spelling<TargetColumn> = { encoderFor, identityText };
