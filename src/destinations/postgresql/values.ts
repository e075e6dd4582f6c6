// Spelling values the way PostgreSQL reads them, and noticing what it could not keep: the server rounds, cuts and drops time
// zones silently, so what does not fit is refused here (invariant 6). Pure.

import { checkFraction, hasZone, UnfitValue } from '../../relational/values.ts';
import type { Value } from '../../sdk/index.ts';

/** NUL, or a half of a surrogate pair: the only strings that text cannot hold. The first test is cheap and rarely true. */
export function checkText(text: string): string {
  if (!/[\0\ud800-\udfff]/.test(text)) return text;
  if (text.includes('\0')) throw new UnfitValue('the text holds the character NUL (\\u0000), which PostgreSQL cannot store in a text');
  if (/\p{Surrogate}/u.test(text)) throw new UnfitValue('the text holds half of a surrogate pair, which is no character');
  return text;
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
