// Does a target column hold all that a source column may have, and which type would hold the values of both? Pure.
//
// | there | at the source | becomes |
// |---|---|---|
// | an integer | a larger whole number | smallint, int, bigint, bigint unsigned, decimal(20,0) |
// | an integer | decimal(p,s) | decimal with the digits of both |
// | tinyint to int | a float | double |
// | decimal(p,s) | more digits | decimal with the digits of both, up to 65 |
// | float | float64, int32 | double |
// | a text with a limit | a longer text | varchar(m), longtext where no index is in the way |
// | bytes with a limit | longer bytes | longblob where no index is in the way |
// | enum | more members | enum with the members of both |
// | date | timestamp | datetime(p) |
// | time, datetime, timestamp (p) | finer | the same, finer |

import type { Column, Fit } from '../../sdk/index.ts';
import { textLiteral } from '../../systems/mysql/names.ts';
import { FINEST_DIGITS, MAX_DECIMAL_DIGITS, MAX_DECIMAL_SCALE, MAX_INDEXED_TEXT, MAX_SHORT_TEXT, newColumnType } from './new-column.ts';
import type { TargetColumn } from './target-table.ts';

const FITS: Fit = { kind: 'fits' };
const UNFIT: Fit = { kind: 'unfit' };
const widen = (type: string): Fit => ({ kind: 'widen', type });

/** Bits that all numbers of a type have room in, signed. */
const INT_BITS: Readonly<Record<string, number>> = { tinyint: 8, smallint: 16, mediumint: 24, int: 32, bigint: 64 };
const SOURCE_BITS: Readonly<Record<string, number>> = { boolean: 2, int16: 16, int32: 32, int64: 64 };
const BITS_DIGITS: Readonly<Record<number, number>> = { 2: 1, 8: 3, 16: 5, 24: 8, 32: 10, 64: 19 };
const UINT64_DIGITS = 20;
/** Of a UUID as text. */
const UUID_LENGTH = 36;

/** `fits` also where nobody can tell. A value that does not fit is refused by itself then. */
export function columnFit(target: TargetColumn, source: Column): Fit {
  if (target.generated || source.type === 'any') return FITS;
  switch (target.kind) {
    case 'int':
      return intFit(target, source);
    case 'decimal':
      return decimalFit(target, source);
    case 'float':
    case 'double':
      return floatFit(target.kind, source);
    case 'text':
      return textFit(target, source);
    case 'bytes':
      return bytesFit(target, source);
    case 'enum':
      return enumFit(target, source);
    case 'date':
      return source.type === 'date' ? FITS : source.type === 'timestamp' ? ifMicroseconds(source) : UNFIT;
    case 'datetime':
      return source.type === 'date' ? FITS : fractionFit(target, source, ['timestamp', 'timestamptz']);
    case 'timestamp':
      return fractionFit(target, source, ['timestamptz']);
    case 'time':
      return fractionFit(target, source, ['time']);
    case 'bits':
      return source.type === 'boolean' || (source.type === 'bits' && source.length === target.length) ? FITS : UNFIT;
    default:
      return FITS;
  }
}

const decimal = (whole: number, fraction: number): Fit =>
  whole + fraction <= MAX_DECIMAL_DIGITS && fraction <= MAX_DECIMAL_SCALE ? widen(`decimal(${whole + fraction},${fraction})`) : UNFIT;

/** Of a decimal: digits before and after the point; `null` when it has no bound. */
function decimalDigits({ precision, scale = 0 }: Column): { whole: number; fraction: number } | null {
  if (precision === undefined) return null;
  return { whole: Math.max(0, precision - scale), fraction: Math.max(0, scale) };
}

function intFit({ base, unsigned }: TargetColumn, source: Column): Fit {
  const bits = INT_BITS[base] ?? 64,
    digits = BITS_DIGITS[bits] ?? UINT64_DIGITS;
  if (source.type === 'uint64') return unsigned ? (bits === 64 ? FITS : widen('bigint unsigned')) : decimal(UINT64_DIGITS, 0);
  const wanted = SOURCE_BITS[source.type];
  if (wanted !== undefined) {
    if (source.type === 'boolean' || (!unsigned && wanted <= bits)) return FITS;
    // What is there needs one bit more once there is a sign.
    const needed = Math.max(wanted, unsigned ? bits + 1 : 0);
    return needed <= 16 ? widen('smallint') : needed <= 32 ? widen('int') : needed <= 64 ? widen('bigint') : decimal(UINT64_DIGITS, 0);
  }
  if (source.type === 'decimal') {
    const found = decimalDigits(source);
    if (found === null) return UNFIT;
    // Not every number of so many digits is an integer of this type: one digit less is safe.
    if (found.fraction === 0 && found.whole < digits && !unsigned) return FITS;
    return decimal(Math.max(unsigned && bits === 64 ? UINT64_DIGITS : digits, found.whole), found.fraction);
  }
  return (source.type === 'float32' || source.type === 'float64') && bits <= 32 ? widen('double') : UNFIT;
}

function decimalFit({ precision, fraction, unsigned }: TargetColumn, source: Column): Fit {
  const bits = SOURCE_BITS[source.type];
  const found =
    source.type === 'uint64'
      ? { whole: UINT64_DIGITS, fraction: 0 }
      : bits !== undefined
        ? { whole: BITS_DIGITS[bits] ?? 1, fraction: 0 }
        : source.type === 'decimal'
          ? decimalDigits(source)
          : null;
  if (found === null) return UNFIT;
  const whole = (precision ?? MAX_DECIMAL_DIGITS) - fraction;
  if (found.whole <= whole && found.fraction <= fraction && (!unsigned || source.type === 'uint64')) return FITS;
  return decimal(Math.max(whole, found.whole), Math.max(fraction, found.fraction));
}

function floatFit(kind: 'float' | 'double', { type }: Column): Fit {
  if (type === 'float32' || type === 'int16') return FITS;
  if (type !== 'float64' && type !== 'int32') return UNFIT;
  return kind === 'double' ? FITS : widen('double');
}

function textFit({ length, octets, indexed }: TargetColumn, source: Column): Fit {
  if (source.type === 'bytes') return UNFIT;
  const wanted = textLength(source);
  if (wanted === 'unknown') return FITS;
  const room = length ?? Math.floor((octets ?? Number.POSITIVE_INFINITY) / 4);
  if ((wanted ?? Number.POSITIVE_INFINITY) <= room || isUnlimited(octets)) return FITS;
  const limit = indexed ? MAX_INDEXED_TEXT : MAX_SHORT_TEXT;
  if (wanted !== null && wanted <= limit && length !== null) return widen(`varchar(${wanted})`);
  return indexed ? UNFIT : widen('longtext');
}

/** `longtext` and `longblob`. */
const isUnlimited = (octets: number | null): boolean => octets !== null && octets >= 2 ** 32 - 1;

/** Characters that its values may have; `null` = any number. */
function textLength(source: Column): number | null | 'unknown' {
  const { type, length, values } = source;
  if (type === 'string' || type === 'bits') return length ?? null;
  if (type === 'enum') return values === undefined ? 'unknown' : Math.max(0, ...values.map((v) => [...v].length));
  if (type === 'uuid') return UUID_LENGTH;
  const bits = SOURCE_BITS[type];
  return bits === undefined ? 'unknown' : (BITS_DIGITS[bits] ?? UINT64_DIGITS) + 1;
}

function bytesFit({ octets, length, indexed }: TargetColumn, source: Column): Fit {
  if (source.type !== 'bytes' && source.type !== 'geometry') return UNFIT;
  const room = octets ?? length ?? 0;
  if (isUnlimited(room) || (source.length !== undefined && source.length <= room)) return FITS;
  return indexed ? UNFIT : widen('longblob');
}

function enumFit({ values }: TargetColumn, source: Column): Fit {
  const missing = (source.type === 'enum' ? (source.values ?? []) : []).filter((v) => !values.includes(v));
  if (missing.length === 0) return FITS;
  return widen(`enum(${[...values, ...missing].map(textLiteral).join(',')})`);
}

const ifMicroseconds = (source: Column): Fit => ((source.precision ?? 0) > FINEST_DIGITS ? UNFIT : widen(newColumnType(source)));

function fractionFit({ base, fraction }: TargetColumn, source: Column, types: readonly string[]): Fit {
  if (!types.includes(source.type)) return UNFIT;
  const wanted = source.precision ?? FINEST_DIGITS;
  if (wanted <= fraction) return FITS;
  return wanted > FINEST_DIGITS ? UNFIT : widen(`${base}(${wanted})`);
}

/** Members of `enum('a','b,c','d''e')` or `set(…)`, as the catalog spells a type. */
export function membersOf(type: string): string[] {
  return [...type.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = '']) => text.replaceAll("''", "'"));
}
