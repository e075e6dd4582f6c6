// Does a target column hold all that a source column may have, and which type would hold the values of both? Pure.
//
// | there | at the source | becomes | written anew |
// |---|---|---|---|
// | smallint, integer | a larger whole number | integer, bigint; numeric(20,0) for uint64 | yes |
// | smallint, integer, bigint | decimal(p,s) | numeric with the digits of both | yes |
// | smallint, integer | a float | real, double precision where it is exact | yes |
// | numeric(p,s) | more digits | numeric with the digits of both; numeric for floats | only with another scale |
// | real | float64, int32 | double precision | yes |
// | varchar(n) | a longer text | varchar(m), text | no |
// | bit varying(n) | more bits | bit varying(m) | no |
// | date | timestamp | timestamp | yes |
// | time, timestamp, interval (p) | finer | the same, finer | no |
// | T[] | U[] | as T to U | yes |

import type { Column, Fit } from '../../sdk/index.ts';
import type { TargetColumn } from './target-table.ts';
import { newColumnType } from './types.ts';

const FITS: Fit = { kind: 'fits' };
const UNFIT: Fit = { kind: 'unfit' };
const widen = (type: string): Fit => ({ kind: 'widen', type });

/** Digits that all numbers of a type have room in. */
const INT_DIGITS: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 };
const SOURCE_DIGITS: Readonly<Record<string, number>> = { int16: 5, int32: 10, int64: 19, uint64: 20 };
const MAX_NUMERIC_PRECISION = 1000;
/** PostgreSQL counts microseconds. */
const FINEST_DIGITS = 6;
/** Of a UUID as text. */
const UUID_LENGTH = 36;

/**
 * `fits` also where nobody can tell: domains, enums and other types of the user's own, sources without types. A value that does
 * not fit is refused by itself then.
 */
export function columnFit(target: TargetColumn, source: Column): Fit {
  if (target.domain || target.generated || source.type === 'any') return FITS;
  switch (target.kind) {
    case 'int':
      return intFit(target, source);
    case 'numeric':
      return numericFit(target, source);
    case 'float4':
    case 'float8':
      return floatFit(target.kind, source);
    case 'text':
      return textFit(target, source);
    case 'date':
      return source.type === 'date' ? FITS : source.type === 'timestamp' ? ifMicroseconds(source) : UNFIT;
    case 'timestamp':
      return source.type === 'date' ? FITS : fractionFit(target, source);
    case 'time':
    case 'timetz':
    case 'timestamptz':
    case 'interval':
      return fractionFit(target, source);
    case 'bits':
      return bitsFit(target, source);
    case 'array':
      return arrayFit(target, source);
    case 'boolean':
    case 'uuid':
      return source.type === target.kind ? FITS : UNFIT;
    case 'bytea':
      return source.type === 'bytes' || source.type === 'geometry' ? FITS : UNFIT;
    default:
      return FITS;
  }
}

/** Does the change make the server write the whole table anew? https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES */
export function isRewrite({ kind, fraction }: TargetColumn, to: string): boolean {
  if (kind === 'numeric') return to !== 'numeric' && !to.endsWith(`,${fraction ?? 0})`);
  // Within these a wider type only loosens a limit.
  return !['text', 'bits', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval'].includes(kind);
}

/** Of a decimal: digits before and after the point; `null` when it has no bound. */
function decimalDigits({ precision, scale = 0 }: Column): { whole: number; fraction: number } | null {
  if (precision === undefined) return null;
  return { whole: Math.max(0, precision - scale), fraction: Math.max(0, scale) };
}

function numeric(whole: number, fraction: number): Fit {
  return widen(whole + fraction <= MAX_NUMERIC_PRECISION ? `numeric(${whole + fraction},${fraction})` : 'numeric');
}

function intFit({ type }: TargetColumn, source: Column): Fit {
  const digits = INT_DIGITS[type] ?? 0,
    wanted = SOURCE_DIGITS[source.type];
  if (wanted !== undefined) return wanted <= digits ? FITS : source.type === 'uint64' ? numeric(wanted, 0) : widen(newColumnType(source));
  if (source.type === 'decimal') {
    const decimal = decimalDigits(source);
    if (decimal === null) return widen('numeric');
    // Not every number of so many digits is an integer of this type: one digit less is safe.
    return decimal.fraction === 0 && decimal.whole < digits ? FITS : numeric(Math.max(digits, decimal.whole), decimal.fraction);
  }
  // A double holds 15 digits exactly, a single 6.
  if (source.type === 'float32') return type === 'smallint' ? widen('real') : type === 'integer' ? widen('double precision') : UNFIT;
  return source.type === 'float64' && type !== 'bigint' ? widen('double precision') : UNFIT;
}

function numericFit({ precision, fraction }: TargetColumn, source: Column): Fit {
  const ints = SOURCE_DIGITS[source.type],
    isFloat = source.type === 'float32' || source.type === 'float64';
  if (ints === undefined && source.type !== 'decimal' && !isFloat) return UNFIT;
  if (precision === null) return FITS;
  const decimal = ints === undefined ? decimalDigits(source) : { whole: ints, fraction: 0 };
  if (isFloat || decimal === null) return widen('numeric');
  const scale = fraction ?? 0,
    whole = precision - scale;
  if (decimal.whole <= whole && decimal.fraction <= scale) return FITS;
  return numeric(Math.max(whole, decimal.whole), Math.max(0, scale, decimal.fraction));
}

function floatFit(kind: 'float4' | 'float8', { type }: Column): Fit {
  if (type === 'float32' || type === 'int16') return FITS;
  if (type !== 'float64' && type !== 'int32') return UNFIT;
  return kind === 'float8' ? FITS : widen('double precision');
}

function textFit({ length, padded }: TargetColumn, source: Column): Fit {
  if (source.type === 'bytes') return UNFIT;
  if (length === null) return FITS;
  const wanted = textLength(source);
  if (wanted === 'unknown' || (wanted !== null && wanted <= length)) return FITS;
  // Blanks at the end count elsewhere and not in char(n): to change that is not ours.
  if (padded) return UNFIT;
  return widen(wanted === null ? 'text' : `character varying(${wanted})`);
}

/** Characters that its values may have; `null` = any number. */
function textLength(source: Column): number | null | 'unknown' {
  const { type, length, values } = source;
  if (type === 'string') return length ?? null;
  if (type === 'enum') return values === undefined ? null : Math.max(0, ...values.map((v) => [...v].length));
  if (type === 'uuid') return UUID_LENGTH;
  const digits = SOURCE_DIGITS[type];
  return digits === undefined ? 'unknown' : digits + 1;
}

const ifMicroseconds = (source: Column): Fit => ((source.precision ?? 0) > FINEST_DIGITS ? UNFIT : widen(newColumnType(source)));

function fractionFit({ kind, fraction }: TargetColumn, source: Column): Fit {
  if (source.type !== kind) return UNFIT;
  const wanted = source.precision ?? FINEST_DIGITS;
  if (wanted <= (fraction ?? FINEST_DIGITS)) return FITS;
  if (wanted > FINEST_DIGITS) return UNFIT;
  return widen(newColumnType(source));
}

function bitsFit({ type, length }: TargetColumn, source: Column): Fit {
  if (source.type !== 'bits') return UNFIT;
  if (type !== 'bit varying') return source.length === length ? FITS : UNFIT;
  if (length === null || (source.length !== undefined && source.length <= length)) return FITS;
  return widen(newColumnType(source));
}

/** Elements are looked at by their type alone: lengths of array elements are not read. */
function arrayFit({ element }: TargetColumn, source: Column): Fit {
  if (source.type !== 'array' || source.element === undefined || source.element === 'array' || element === null) return FITS;
  const { precision: _, scale: _s, length: _l, ...bare } = source;
  const inner = columnFit(element, { ...bare, type: source.element });
  return inner.kind === 'widen' ? widen(`${inner.type}[]`) : inner;
}
