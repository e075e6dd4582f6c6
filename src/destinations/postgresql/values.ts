// Spelling values the way PostgreSQL reads them, and noticing what it could not keep: the server rounds, cuts and drops time
// zones silently, so what does not fit is refused here (invariant 6). Pure.

import { JsonText, type Value } from '../../sdk/index.ts';

/** A value that the column cannot hold as it is. The message never holds the value: it may be sensitive. */
export class UnfitValue extends Error {
  override readonly name = 'UnfitValue';
}

/** NUL, or a half of a surrogate pair: the only strings that text cannot hold. The first test is cheap and rarely true. */
export function checkText(text: string): string {
  if (!/[\0\ud800-\udfff]/.test(text)) return text;
  if (text.includes('\0')) throw new UnfitValue('the text holds the character NUL (\\u0000), which PostgreSQL cannot store in a text');
  if (/\p{Surrogate}/u.test(text)) throw new UnfitValue('the text holds half of a surrogate pair, which is no character');
  return text;
}

/** `-0` → `-0`, `NaN`, `Infinity`: float input of PostgreSQL reads them so. */
export function numberText(n: number): string {
  return Object.is(n, -0) ? '-0' : String(n);
}

/** A number as digits and exponent, so that equal numbers are equal texts: `1.20` and `12e-1` → `12e-1`. `null`: no number. */
export function canonicalDecimal(text: string): string | null {
  const match = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?\s*$/.exec(text);
  if (match === null) return null;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  if (whole + fraction === '') return null;
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0e0';
  return `${sign === '-' ? '-' : ''}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}

/** Would a numeric of this scale round the number? `1.239` at 2, `1550` at -2. Zeros at the end do not count. */
export function exceedsScale(text: string, scale: number): boolean {
  if (scale >= 0 && !/[.eE]/.test(text)) return false;
  const canonical = canonicalDecimal(text);
  return canonical !== null && canonical !== '0e0' && -Number(canonical.slice(canonical.indexOf('e') + 1)) > scale;
}

/** Does a number survive as a double? As many digits as a double prints are kept exactly. */
export function fitsDouble(text: string): boolean {
  const canonical = canonicalDecimal(text);
  return canonical === null || canonical === canonicalDecimal(String(Number(text)));
}

/** Does a number survive as a single? Then 6 to 9 digits of it give the number back. */
export function fitsSingle(n: number): boolean {
  if (!Number.isFinite(n) || n === 0) return true;
  const single = Math.fround(n);
  return [6, 7, 8, 9].some((digits) => Number(single.toPrecision(digits)) === n);
}

/**
 * Any value as JSON text. What JSON lacks is tagged: bytes `{"$bytes": "<base64>"}`, not-a-number and infinities
 * `{"$number": "NaN"}`.
 */
export function jsonText(value: Value): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
      return value.toString();
    case 'boolean':
      return String(value);
    case 'number':
      return Number.isFinite(value) ? numberText(value) : `{"$number":"${value}"}`;
    default:
  }
  if (value === null) return 'null';
  if (value instanceof JsonText) return value.text;
  if (value instanceof Uint8Array) return `{"$bytes":"${Buffer.from(value).toString('base64')}"}`;
  if (value instanceof JsonText) return value.text;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${jsonText(inner as Value)}`)
    .join(',')}}`;
}

/** jsonb keeps texts decoded, so the escape `\u0000` cannot be stored either. */
export function checkJsonb(text: string): string {
  if (text.includes('\\u0000') && /(?<!\\)(?:\\\\)*\\u0000/.test(text)) {
    throw new UnfitValue('a text in the JSON holds the character NUL (\\u0000), which PostgreSQL cannot store in jsonb');
  }
  return text;
}

/** `-0043-03-15` → `0044-03-15 BC` (ISO has a year 0, PostgreSQL has not), `+12024-01-01` → `12024-01-01`. */
export function dateText(text: string): string {
  const match = /^([+-])(\d{4,})(-\d\d-\d\d.*)$/s.exec(text);
  if (match === null) return text;
  const [, sign, year = '', rest = ''] = match;
  return sign === '+' ? `${year}${rest}` : `${String(Number(year) + 1).padStart(4, '0')}${rest} BC`;
}

const INFINITE = /^[+-]?infinity$/i;

/** Refuses times finer than the column: the server would round them. */
export function checkFraction(text: string, digits: number): string {
  const match = /[.,](\d+)/.exec(text);
  if (match !== null && (match[1] ?? '').replace(/0+$/, '').length > digits) {
    throw new UnfitValue(`the time is finer than the column's ${digits} fractional digits`);
  }
  return text;
}

function hasZone(text: string): boolean {
  const time = text.search(/[T ]/);
  return time >= 0 && /(Z|[+-]\d{2}(:?\d{2}){0,2})( BC)?$/i.test(text.slice(time));
}

/** For `date`: refuses a time of day, which the server would drop. */
export function checkDate(text: string): string {
  if (/\d[T ]\d/.test(text)) throw new UnfitValue('the value has a time of day, the column is a date');
  return dateText(text);
}

/** For `timestamp`: refuses a time zone, which the server would drop. */
export function checkTimestamp(text: string, digits: number): string {
  if (hasZone(text)) throw new UnfitValue('the value has a time zone, the column is a timestamp without one');
  return dateText(checkFraction(text, digits));
}

/** For `timestamptz`: refuses a missing time zone, which the server would take from its settings. */
export function checkTimestamptz(text: string, digits: number): string {
  if (!hasZone(text) && !INFINITE.test(text)) throw new UnfitValue('the value has no time zone, the column is a timestamp with one');
  return dateText(checkFraction(text, digits));
}

/** For `time` and `timetz`: refuses a date, and a zone that is lost or missing. */
export function checkTime(text: string, digits: number, zoned: boolean): string {
  if (!/^\d\d:\d\d/.test(text)) throw new UnfitValue('the value is not a time of day');
  if (hasZone(` ${text}`) !== zoned)
    throw new UnfitValue(zoned ? 'the value has no time zone, the column has one' : 'the value has a time zone, the column has none');
  return checkFraction(text, digits);
}

/** An array literal: every element quoted, nested arrays as further dimensions. */
export function arrayText(values: readonly Value[], element: (value: Exclude<Value, null>) => string): string {
  const text = (value: Value): string => {
    if (value === null) return 'NULL';
    if (Array.isArray(value)) return arrayText(value, element);
    return `"${element(value).replace(/["\\]/g, '\\$&')}"`;
  };
  return `{${values.map(text).join(',')}}`;
}
