// NEWDECIMAL: groups of nine digits in four bytes, the first and the last group shorter, most significant byte first. The highest
// bit is the sign turned over; all bits of negative numbers are turned over.
// https://dev.mysql.com/doc/refman/8.4/en/precision-math-decimal-characteristics.html

const GROUP_DIGITS = 9,
  GROUP_BYTES = 4;
/** Bytes of a group of so many digits. */
const BYTES_OF_DIGITS = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
const MOST_DIGITS = 65,
  MOST_FRACTION = 30 + 8;
const ZERO = 0x30,
  MINUS = 0x2d,
  POINT = 0x2e;
/** Characters of the longest: sign, digits, `0.`. */
export const DECIMAL_CHARACTERS = MOST_DIGITS + 3;

const bytesOfDigits = (digits: number): number =>
  Math.floor(digits / GROUP_DIGITS) * GROUP_BYTES + (BYTES_OF_DIGITS[digits % GROUP_DIGITS] as number);

/** `null` for what is no decimal. */
export function decimalBytes(precision: number, scale: number): number | null {
  if (scale > precision || precision > MOST_DIGITS || precision < 1 || scale > MOST_FRACTION) return null;
  return bytesOfDigits(precision - scale) + bytesOfDigits(scale);
}

/**
 * Writes the digits at `at` and gives the place behind them: all of the scale's, none too many before the point.
 *
 * | decimal(p,s) | bytes | text |
 * |---|---|---|
 * | (12,2) | `80 00 00 04 d2 38` | `1234.56` |
 * | (12,2) | `7f ff ff ff ff fa` | `-0.05` |
 * | (5,5) | `80 00 01` | `0.00001` |
 */
export function putDecimal(out: Uint8Array, at: number, bytes: Uint8Array, start: number, precision: number, scale: number): number {
  const whole = precision - scale,
    negative = ((bytes[start] as number) & 0x80) === 0,
    mask = negative ? 0xff : 0;
  let to = at,
    from = start,
    flip = mask ^ 0x80;
  if (negative) out[to++] = MINUS;
  const digitsAt = to;
  for (let left = whole, size = whole % GROUP_DIGITS; left > 0; left -= size, size = GROUP_DIGITS) {
    if (size === 0) size = GROUP_DIGITS;
    const length = BYTES_OF_DIGITS[size] as number;
    let group = 0;
    for (let i = 0; i < length; i++) {
      group = group * 256 + ((bytes[from++] as number) ^ flip);
      flip = mask;
    }
    if (to === digitsAt) {
      if (group > 0) to = putPadded(out, to, group, digitsOf(group));
    } else to = putPadded(out, to, group, size);
  }
  if (to === digitsAt) out[to++] = ZERO;
  if (scale === 0) return to;
  out[to++] = POINT;
  for (let left = scale; left > 0; ) {
    const size = Math.min(left, GROUP_DIGITS),
      length = BYTES_OF_DIGITS[size] as number;
    let group = 0;
    for (let i = 0; i < length; i++) {
      group = group * 256 + ((bytes[from++] as number) ^ flip);
      flip = mask;
    }
    to = putPadded(out, to, group, size);
    left -= size;
  }
  return to;
}

function digitsOf(n: number): number {
  let digits = 1;
  for (let limit = 10; n >= limit; limit *= 10) digits++;
  return digits;
}

/** `n` as exactly so many digits. Bytes that no server writes may hold more: they lose the upper ones, never their place. */
function putPadded(out: Uint8Array, at: number, n: number, digits: number): number {
  let rest = n;
  for (let i = at + digits - 1; i >= at; i--) {
    const quotient = (rest / 10) | 0;
    out[i] = ZERO + rest - quotient * 10;
    rest = quotient;
  }
  return at + digits;
}
