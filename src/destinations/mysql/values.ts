// Spelling values the way MySQL and MariaDB read them, and noticing what they could not keep (invariant 6). Pure.

import { canonicalDecimal, fitsDouble, UnfitValue } from '../../relational/values.ts';

/** Half of a surrogate pair is the only thing that utf8mb4 cannot hold. The first test is cheap and rarely true. */
export function checkText(text: string): string {
  if (!/[\ud800-\udfff]/.test(text) || !/\p{Surrogate}/u.test(text)) return text;
  throw new UnfitValue('the text holds half of a surrogate pair, which is no character');
}

/** Digits without an exponent: `12e3` → `12000`. A literal with an exponent would be a double. */
export function plainDecimal(text: string, precision: number | null, scale: number): string {
  const canonical = canonicalDecimal(text);
  if (canonical === null) throw new UnfitValue('the value is not a finite number');
  if (canonical === '0e0') return '0';
  // `-12e-1`: the digits, and where their point is: canonical texts count it from the first digit's right end.
  const [, sign = '', digits = '', exponent = '0'] = /^(-?)(\d+)e(-?\d+)$/.exec(canonical) as RegExpExecArray;
  const zeros = Number(exponent),
    fraction = Math.max(0, -zeros),
    whole = Math.max(0, digits.length + zeros);
  if (fraction > scale) throw new UnfitValue(`the number is finer than the column's scale of ${scale}`);
  if (precision !== null && whole > precision - scale) throw new UnfitValue(`the number has more digits than the column's ${precision}`);
  if (zeros >= 0) return `${sign}${digits}${'0'.repeat(zeros)}`;
  const padded = digits.padStart(fraction + 1, '0');
  return `${sign}${padded.slice(0, -fraction)}.${padded.slice(-fraction)}`;
}

const MAX_UINT64 = 18_446_744_073_709_551_615n;
const MIN_INT64 = -9_223_372_036_854_775_808n;
/** Numbers with fewer characters are exact in any case. */
const MAY_BE_INEXACT = /\d[\d.eE+-]{15}/;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;

/** MySQL keeps numbers in JSON as 64-bit integers and doubles: what is neither would be changed without a word. */
export function checkJsonNumbers(json: string): string {
  if (!MAY_BE_INEXACT.test(json)) return json;
  for (const [token] of json.matchAll(TOKEN)) {
    if (token.startsWith('"') || isExactInJson(token)) continue;
    throw new UnfitValue('a number in the JSON has more digits than MySQL keeps in JSON');
  }
  return json;
}

function isExactInJson(number: string): boolean {
  if (/[.eE]/.test(number)) return fitsDouble(number);
  const integer = BigInt(number);
  return integer <= MAX_UINT64 && integer >= MIN_INT64;
}

const DATE = /^\d{4}-\d\d-\d\d$/;
const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s*(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?$/i;
const TIME = /^-?\d{2,3}:\d\d(:\d\d([.,]\d+)?)?$/;

export function dateText(text: string): string {
  if (DATE.test(text)) return text;
  throw new UnfitValue(
    /\d[T ]\d/.test(text) ? 'the value has a time of day, the column is a date' : 'the value is not a date between the years 0 and 9999',
  );
}

export function timeText(text: string): string {
  if (TIME.test(text)) return text.replace(',', '.');
  throw new UnfitValue('the value is not a time without a zone');
}

/**
 * For `datetime` (`zoned` false) and `timestamp` (true). A moment with a zone becomes the same moment in UTC, the zone of our
 * sessions. Without a zone nobody can say which moment a `timestamp` would be.
 */
export function momentText(text: string, zoned: boolean): string {
  const match = MOMENT.exec(text);
  if (match === null) throw new UnfitValue('the value is not a time between the years 0 and 9999');
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00', fraction, zone] = match;
  if (zone === undefined && zoned) throw new UnfitValue('the value has no time zone, the column is a timestamp');
  const tail = fraction === undefined ? '' : `.${fraction}`;
  const offset = zone === undefined ? 0 : offsetSeconds(zone);
  if (offset === 0) return `${year}-${month}-${day} ${hour}:${minute}:${second}${tail}`;
  const moment = new Date(0);
  moment.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  moment.setUTCHours(Number(hour), Number(minute), Number(second) - offset);
  const shifted = moment.toISOString();
  if (!/^\d{4}-/.test(shifted)) throw new UnfitValue('the value is not a time between the years 0 and 9999');
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)}${tail}`;
}

function offsetSeconds(zone: string): number {
  if (/^z$/i.test(zone)) return 0;
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = /^([+-])(\d\d):?(\d\d)?:?(\d\d)?$/.exec(zone) as RegExpExecArray;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
}
