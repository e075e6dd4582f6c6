// Dates and times of rows → ISO text, written as bytes: what they print is all ASCII. A function puts its text at `at` and gives the
// place behind it. No Date objects: they know neither microseconds nor `0000-00-00`.
// https://dev.mysql.com/doc/dev/mysql-server/latest/group__MY__TIME.html

import { dateOfDays } from '../../../envelope/temporal.ts';

const ZERO = 0x30,
  MINUS = 0x2d,
  POINT = 0x2e,
  COLON = 0x3a,
  UPPER_T = 0x54,
  UPPER_Z = 0x5a;
/** `-838:59:59.000000`, `2024-02-29T12:34:56.000000Z`, `-0001-…` never. */
export const TEMPORAL_CHARACTERS = 28;
const MONTHS = 13,
  SECONDS_PER_DAY = 86_400;

function put2(out: Uint8Array, at: number, n: number): void {
  const tens = (n / 10) | 0;
  out[at] = ZERO + tens;
  out[at + 1] = ZERO + n - tens * 10;
}

function putDay(out: Uint8Array, at: number, year: number, month: number, day: number): number {
  const century = (year / 100) | 0;
  put2(out, at, century);
  put2(out, at + 2, year - century * 100);
  out[at + 4] = MINUS;
  put2(out, at + 5, month);
  out[at + 7] = MINUS;
  put2(out, at + 8, day);
  return at + 10;
}

function putClock(out: Uint8Array, at: number, hours: number, minutes: number, seconds: number): number {
  put2(out, at, hours);
  out[at + 2] = COLON;
  put2(out, at + 3, minutes);
  out[at + 5] = COLON;
  put2(out, at + 6, seconds);
  return at + 8;
}

/** `micros` with its first `digits`. */
function putFraction(out: Uint8Array, at: number, micros: number, digits: number): number {
  if (digits === 0) return at;
  out[at] = POINT;
  let rest = micros;
  for (let i = 6; i > 0; i--) {
    const quotient = (rest / 10) | 0;
    if (i <= digits) out[at + i] = ZERO + rest - quotient * 10;
    rest = quotient;
  }
  return at + 1 + digits;
}

/** One byte holds two digits, two hold four, three hold six. */
function microsAt(bytes: Uint8Array, at: number, digits: number): number {
  if (digits === 0) return 0;
  const first = bytes[at] as number;
  if (digits <= 2) return first * 10_000;
  const second = (first << 8) | (bytes[at + 1] as number);
  return digits <= 4 ? second * 100 : (second << 8) | (bytes[at + 2] as number);
}

/** DATE: three bytes, lowest first: day (5 bits), month (4), year. `0000-00-00` and `2024-02-00` are dates here. */
export function putDate(out: Uint8Array, at: number, bytes: Uint8Array, start: number): number {
  const n = (bytes[start] as number) | ((bytes[start + 1] as number) << 8) | ((bytes[start + 2] as number) << 16);
  return putDay(out, at, n >> 9, (n >> 5) & 15, n & 31);
}

/** DATETIME: sign (1), year × 13 + month (17), day (5), hour (5), minute (6), second (6), highest first; the fraction. */
export function putDatetime2(out: Uint8Array, at: number, bytes: Uint8Array, start: number, digits: number): number {
  const months = (((bytes[start] as number) & 0x7f) << 10) | ((bytes[start + 1] as number) << 2) | ((bytes[start + 2] as number) >> 6),
    rest = (((bytes[start + 2] as number) & 0x3f) << 16) | ((bytes[start + 3] as number) << 8) | (bytes[start + 4] as number),
    year = (months / MONTHS) | 0;
  let to = putDay(out, at, year, months - year * MONTHS, rest >> 17);
  out[to++] = UPPER_T;
  to = putClock(out, to, (rest >> 12) & 31, (rest >> 6) & 63, rest & 63);
  return putFraction(out, to, microsAt(bytes, start + 5, digits), digits);
}

/** The day printed last: rows of one event are mostly of one day. */
let lastDay = -1;
const lastDate = Buffer.alloc(10);

/** Seconds since 1970 in UTC. 0 is `0000-00-00T00:00:00Z`, which no moment is. */
function putMoment(out: Uint8Array, at: number, seconds: number, micros: number, digits: number): number {
  let to = at;
  if (seconds === 0) to = putDay(out, at, 0, 0, 0);
  else {
    const day = Math.floor(seconds / SECONDS_PER_DAY);
    if (day !== lastDay) {
      lastDate.write(dateOfDays(day), 'latin1');
      lastDay = day;
    }
    for (let i = 0; i < 10; i++) out[to++] = lastDate[i] as number;
  }
  const rest = seconds % SECONDS_PER_DAY,
    minutes = (rest / 60) | 0,
    hours = (minutes / 60) | 0;
  out[to++] = UPPER_T;
  to = putClock(out, to, hours, minutes - hours * 60, rest - minutes * 60);
  to = putFraction(out, to, micros, digits);
  out[to++] = UPPER_Z;
  return to;
}

/** TIMESTAMP: four bytes of seconds, highest first, and the fraction. */
export function putTimestamp2(out: Uint8Array, at: number, bytes: Uint8Array, start: number, digits: number): number {
  const seconds =
    (bytes[start] as number) * 0x1000000 +
    (((bytes[start + 1] as number) << 16) | ((bytes[start + 2] as number) << 8) | (bytes[start + 3] as number));
  return putMoment(out, at, seconds, microsAt(bytes, start + 4, digits), digits);
}

/** TIMESTAMP as before 5.6: the lowest byte first. */
export function putOldTimestamp(out: Uint8Array, at: number, bytes: Uint8Array, start: number): number {
  const seconds =
    (bytes[start + 3] as number) * 0x1000000 +
    (((bytes[start + 2] as number) << 16) | ((bytes[start + 1] as number) << 8) | (bytes[start] as number));
  return putMoment(out, at, seconds, 0, 0);
}

function putSigned(out: Uint8Array, at: number, negative: boolean, hours: number, minutes: number, seconds: number): number {
  let to = at;
  if (negative) out[to++] = MINUS;
  if (hours > 99) {
    const hundreds = (hours / 100) | 0;
    out[to++] = ZERO + (hundreds % 10);
    return putClock(out, to, hours - hundreds * 100, minutes, seconds);
  }
  return putClock(out, to, hours, minutes, seconds);
}

/** TIME: sign (1), unused (1), hour (10), minute (6), second (6), highest first; the fraction. Negative ones in two's complement over all of it. */
export function putTime2(out: Uint8Array, at: number, bytes: Uint8Array, start: number, digits: number): number {
  const fractionBytes = (digits + 1) >> 1,
    unit = 2 ** (8 * fractionBytes);
  let n = 0;
  for (let i = 0; i < 3 + fractionBytes; i++) n = n * 256 + (bytes[start + i] as number);
  n -= 0x80_00_00 * unit;
  const negative = n < 0;
  if (negative) n = -n;
  const whole = Math.floor(n / unit),
    fraction = n - whole * unit,
    micros = digits === 0 ? 0 : digits <= 2 ? fraction * 10_000 : digits <= 4 ? fraction * 100 : fraction;
  const to = putSigned(out, at, negative, (whole >> 12) & 1023, (whole >> 6) & 63, whole & 63);
  return putFraction(out, to, micros, digits);
}

/** TIME as before 5.6: the digits `hhmmss` as a number of three bytes with a sign. */
export function putOldTime(out: Uint8Array, at: number, bytes: Uint8Array, start: number): number {
  const n = (((bytes[start] as number) | ((bytes[start + 1] as number) << 8) | ((bytes[start + 2] as number) << 16)) << 8) >> 8,
    size = Math.abs(n),
    hours = (size / 10_000) | 0;
  return putSigned(out, at, n < 0, hours, ((size / 100) | 0) % 100, size % 100);
}

/** DATETIME as before 5.6: the digits `YYYYMMDDhhmmss` as a number of eight bytes. */
export function putOldDatetime(out: Buffer, at: number, bytes: Buffer, start: number): number {
  const digits = bytes.readBigUInt64LE(start),
    day = Number((digits / 1_000_000n) % 100_000_000n),
    clock = Number(digits % 1_000_000n),
    year = (day / 10_000) | 0;
  let to = putDay(out, at, year, ((day / 100) | 0) % 100, day % 100);
  out[to++] = UPPER_T;
  to = putClock(out, to, (clock / 10_000) | 0, ((clock / 100) | 0) % 100, clock % 100);
  return to;
}

/** A date, time or both within a JSON document: 24 bits of microseconds below what DATETIME has. `kind`: which of them. */
export function putPacked(out: Uint8Array, at: number, packed: bigint, kind: 'date' | 'datetime' | 'time'): number {
  const negative = packed < 0n,
    n = negative ? -packed : packed,
    micros = Number(n & 0xff_ff_ffn),
    whole = n >> 24n,
    clock = Number(whole & 0x1_ffffn),
    days = Number((whole >> 17n) & 0x3f_ffffn),
    months = days >> 5,
    year = Math.floor(months / MONTHS);
  if (kind === 'time') {
    const hours = Number((whole >> 12n) & 0x3ffn);
    return putFraction(out, putSigned(out, at, negative, hours, (clock >> 6) & 63, clock & 63), micros, 6);
  }
  const to = putDay(out, at, year, months - year * MONTHS, days & 31);
  if (kind === 'date') return to;
  // As the server prints it within JSON: with a blank.
  out[to] = 0x20;
  return putFraction(out, putClock(out, to + 1, (clock >> 12) & 31, (clock >> 6) & 63, clock & 63), micros, 6);
}
