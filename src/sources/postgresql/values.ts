// The texts of single values as the server prints them (datestyle ISO, UTC, bytea_output hex, extra_float_digits 3) → values.
// The same for the stream and for queries, so that a row is the same from both. Never fails: what is not as expected stays text.

import type { Value } from '../../sdk/index.ts';

const ZERO = 0x30,
  NINE = 0x39,
  MINUS = 0x2d,
  LETTER_T = 0x74;
/** As many digits are exact in a number. */
const EXACT_DIGITS = 15;

/** Whole numbers of up to 15 digits, straight from the bytes: NaN for what is longer or none. */
function shortInteger(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === MINUS;
  let at = negative ? start + 1 : start,
    n = 0;
  if (end - at > EXACT_DIGITS || at === end) return Number.NaN;
  for (; at < end; at++) {
    const c = bytes[at] as number;
    if (c < ZERO || c > NINE) return Number.NaN;
    n = n * 10 + c - ZERO;
  }
  return negative ? 0 - n : n;
}

export function integerOfBytes(bytes: Buffer, start: number, end: number): Value {
  const n = shortInteger(bytes, start, end);
  return Number.isNaN(n) ? integerOfText(bytes.toString('latin1', start, end)) : n;
}

export function bigintOfBytes(bytes: Buffer, start: number, end: number): Value {
  const n = shortInteger(bytes, start, end);
  return Number.isNaN(n) ? bigintOfText(bytes.toString('latin1', start, end)) : BigInt(n);
}

export function booleanOfBytes(bytes: Buffer, start: number): Value {
  return bytes[start] === LETTER_T;
}

export const integerOfText = (text: string): Value => (/^-?\d+$/.test(text) ? Number(text) : text);
export const bigintOfText = (text: string): Value => (/^-?\d+$/.test(text) ? BigInt(text) : text);
export const booleanOfText = (text: string): Value => text.startsWith('t');
/** `NaN` and `-Infinity` are spelled as JavaScript does. A `real` keeps its few digits: `3.1415927`, not what a single holds. */
export const floatOfText = (text: string): Value => {
  const n = Number(text);
  return text === '' || (Number.isNaN(n) && text !== 'NaN') ? text : n;
};
export const textOfText = (text: string): Value => text;

/** `\xdeadbeef`; servers set to `bytea_output = escape` send `\336abc\\`. */
export function bytesOfText(text: string): Value {
  if (text.startsWith('\\x')) return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
  const plain = text.replace(/\\(\\|[0-3][0-7]{2})/g, (_, code: string) =>
    code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8)),
  );
  return new Uint8Array(Buffer.from(plain, 'latin1'));
}

/** PostGIS prints its extended well-known binary in hex. */
export function wkbOfText(text: string): Value {
  return /^(?:[0-9A-F]{2})+$/i.test(text) ? new Uint8Array(Buffer.from(text, 'hex')) : text;
}

const DATE = /^(\d{4,})(-\d\d-\d\d)(.*?)( BC)?$/;

/**
 * Years as ISO 8601 has them, with a year 0 and a sign beyond four digits:
 *
 * | server | value |
 * |---|---|
 * | `2024-02-29` | `2024-02-29` |
 * | `12024-01-01` | `+12024-01-01` |
 * | `0001-12-31 BC`, `0044-03-15 BC` | `0000-12-31`, `-0043-03-15` |
 * | `infinity` | `infinity` |
 */
export function dateOfText(text: string): Value {
  return text.length === 10 && text.charCodeAt(4) === MINUS ? text : isoYear(text);
}

function isoYear(text: string): string {
  const match = DATE.exec(text);
  if (match === null) return text;
  const [, digits = '', day, rest, bc] = match;
  const year = bc === undefined ? Number(digits) : 1 - Number(digits);
  const sign = year < 0 ? '-' : year > 9999 ? '+' : '';
  return `${sign}${String(Math.abs(year)).padStart(4, '0')}${day}${rest}`;
}

/** `2024-02-29 12:34:56.5` → `2024-02-29T12:34:56.5` */
export function timestampOfText(text: string): Value {
  if (text.charCodeAt(10) === 0x20 && !text.endsWith('C')) return `${text.slice(0, 10)}T${text.slice(11)}`;
  return isoYear(text).replace(' ', 'T');
}

const ZONE = /([+-]\d\d)(?::?(\d\d))?(?::?\d\d)?( BC)?$/;

/** `2024-02-29 12:34:56.5+00` → `2024-02-29T12:34:56.5Z`; offsets that are none are kept: `+05:30`. */
export function timestamptzOfText(text: string): Value {
  if (text.charCodeAt(10) === 0x20 && text.endsWith('+00')) return `${text.slice(0, 10)}T${text.slice(11, -3)}Z`;
  const time = text.indexOf(' ');
  if (time < 0) return text;
  const zoned = text
    .slice(time)
    .replace(ZONE, (all, hours: string, minutes = '00', bc = '') =>
      all.startsWith('+00') && minutes === '00' ? `Z${bc}` : `${hours}:${minutes}${bc}`,
    );
  return isoYear(text.slice(0, time) + zoned).replace(' ', 'T');
}

const INTERVAL = /^(?:([+-]?\d+) years?)? ?(?:([+-]?\d+) mons?)? ?(?:([+-]?\d+) days?)? ?(?:([+-]?)(\d+):(\d\d):(\d\d(?:\.\d+)?))?$/;

/**
 * As `intervalstyle = iso_8601` prints it, from that or from the style `postgres`:
 *
 * | server | value |
 * |---|---|
 * | `1 year 2 mons 3 days 04:05:06.789` | `P1Y2M3DT4H5M6.789S` |
 * | `-1 days -00:00:01.5` | `P-1DT-1.5S` |
 * | `00:00:00` | `PT0S` |
 */
export function intervalOfText(text: string): Value {
  if (text.startsWith('P')) return text;
  const match = text === '' ? null : INTERVAL.exec(text);
  if (match === null) return text;
  const part = (digits: string | undefined, unit: string): string => {
    const n = Number(digits ?? 0);
    return n === 0 ? '' : `${n}${unit}`;
  };
  const [, years, months, days, sign = '', hours, minutes, seconds = '0'] = match;
  const date = part(years, 'Y') + part(months, 'M') + part(days, 'D');
  const clock = part(sign + (hours ?? '0'), 'H') + part(sign + (minutes ?? '0'), 'M') + secondsPart(sign, seconds);
  return date + clock === '' ? 'PT0S' : `P${date}${clock === '' ? '' : `T${clock}`}`;
}

/** As text, because no digit may change: `06.789` → `6.789S`. */
function secondsPart(sign: string, seconds: string): string {
  const trimmed = seconds.replace(/^0(?=\d)/, '').replace(/\.?0+$/, (zeros) => (seconds.includes('.') ? '' : zeros));
  return Number(seconds) === 0 ? '' : `${sign === '-' ? '-' : ''}${trimmed}S`;
}

/** The amount without the signs of the server's `lc_monetary`: `$1,234.50`, `1.234,50 €`, `(¥1,234)` → `1234.50`, `1234.50`, `-1234`. */
export function moneyOfText(text: string): Value {
  const fraction = /[.,](\d{1,2})\D*$/.exec(text);
  const whole = (fraction === null ? text : text.slice(0, fraction.index)).replace(/\D/g, '');
  if (whole === '' && fraction === null) return text;
  return `${/[-(\u2212]/.test(text) ? '-' : ''}${whole || '0'}${fraction === null ? '' : `.${fraction[1]}`}`;
}

/** int2vector and oidvector: `1 2 3`. */
export function vectorOfText(element: (text: string) => Value): (text: string) => Value {
  return (text) => (text === '' ? [] : text.split(' ').map(element));
}

/** pgvector: `[1,2.5,-3]`. */
export function embeddingOfText(text: string): Value {
  if (!/^\[[^[\]]*\]$/.test(text)) return text;
  return text === '[]' ? [] : text.slice(1, -1).split(',').map(Number);
}
