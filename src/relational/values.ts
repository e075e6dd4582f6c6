// Spelling values, and noticing what a column could not keep: databases round, cut and drop time zones silently, so what does
// not fit is refused before it is sent (invariant 6). What is common to all of them. Pure.

import { type ColumnType, JsonText, type Value } from '../sdk/index.ts';

/** A value that the column cannot hold as it is. The message never holds the value: it may be sensitive. */
export class UnfitValue extends Error {
  override readonly name = 'UnfitValue';
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
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${jsonText(inner as Value)}`)
    .join(',')}}`;
}

/** A text column of the source that goes into JSON holds JSON; other values become what they are in JSON. */
export function jsonFor(value: Exclude<Value, null>, source: ColumnType): string {
  if (typeof value !== 'string') return jsonText(value);
  if (source === 'string') return value;
  return source === 'decimal' && /^-?\d+(\.\d+)?$/.test(value) ? value : jsonText(value);
}

/** Digits as they are; no other kind of value turns into a number. */
export function numericInput(value: Exclude<Value, null>): string {
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string' && (canonicalDecimal(value) !== null || /^([+-]?inf(inity)?|nan)$/i.test(value))) return value;
  throw new UnfitValue(`the value is ${describeValue(value)}, not a number`);
}

export const describeValue = (value: Value): string =>
  value instanceof Uint8Array ? 'bytes' : value instanceof JsonText ? 'JSON' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;

/** Refuses times finer than the column: the server would round them. */
export function checkFraction(text: string, digits: number): string {
  const match = /[.,](\d+)/.exec(text);
  if (match !== null && (match[1] ?? '').replace(/0+$/, '').length > digits) {
    throw new UnfitValue(`the time is finer than the column's ${digits} fractional digits`);
  }
  return text;
}

export function hasZone(text: string): boolean {
  const time = text.search(/[T ]/);
  return time >= 0 && /(Z|[+-]\d{2}(:?\d{2}){0,2})( BC)?$/i.test(text.slice(time));
}
