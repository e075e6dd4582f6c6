// Decimal text ↔ unscaled integer in two's complement, the form of Kafka Connect's Decimal and Debezium's VariableScaleDecimal.
// https://kafka.apache.org/documentation/#connect_developing (org.apache.kafka.connect.data.Decimal)

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,5}))?$/;

/** Fit 48 bits, the longest integer that Buffer writes at once. */
const SHORT_DIGITS = 14;
const POINT = '.'.charCodeAt(0) - 48;

/** `value` = unscaled / 10^scale. */
export interface Unscaled {
  readonly unscaled: bigint;
  readonly scale: number;
}

/** `12.30 → {1230n, 2}`; `null` for NaN, Infinity and what else is no decimal number. */
export function parseDecimal(text: string): Unscaled | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') return null;
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(`${whole}${fraction}`);
  const unscaled = sign === '-' ? -digits : digits;
  return scale >= 0 ? { unscaled, scale } : { unscaled: unscaled * 10n ** BigInt(-scale), scale: 0 };
}

/**
 * `12.3` at scale 2 → 1230, for the short plain decimals that nearly all are: a fifth of the time that bigints take. NaN for
 * what has more digits than a number or the scale holds, or is no such text.
 */
export function shortUnscaled(text: string, scale: number): number {
  const length = text.length,
    negative = text.startsWith('-');
  let n = 0,
    digits = 0,
    fraction = -1;
  for (let at = negative ? 1 : 0; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit === POINT && fraction < 0) {
      fraction = 0;
      continue;
    }
    if (digit < 0 || digit > 9) return Number.NaN;
    n = n * 10 + digit;
    digits++;
    if (fraction >= 0) fraction++;
  }
  const missing = scale - Math.max(fraction, 0);
  if (digits === 0 || missing < 0 || digits + missing > SHORT_DIGITS) return Number.NaN;
  for (let i = 0; i < missing; i++) n *= 10;
  return negative ? 0 - n : n;
}

/** The same value at another scale; `null` when digits would be lost. */
export function atScale(value: Unscaled, scale: number): bigint | null {
  if (scale >= value.scale) return value.unscaled * 10n ** BigInt(scale - value.scale);
  const divisor = 10n ** BigInt(value.scale - scale);
  return value.unscaled % divisor === 0n ? value.unscaled / divisor : null;
}

/** Trailing zeros after the point removed: `1.500 → 1.5`, `100 → 100`. */
export function stripZeros(value: Unscaled): Unscaled {
  let { unscaled, scale } = value;
  if (unscaled === 0n) return { unscaled, scale: 0 };
  while (scale > 0 && unscaled % 10n === 0n) {
    unscaled /= 10n;
    scale--;
  }
  return { unscaled, scale };
}

/** `{1230n, 2} → 12.30`, as Java's toPlainString. */
export function formatDecimal({ unscaled, scale }: Unscaled): string {
  if (scale <= 0) return (unscaled * 10n ** BigInt(-scale)).toString();
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  return `${negative ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/**
 * The shortest big-endian two's complement, as BigInteger.toByteArray:
 *
 * | integer | bytes |
 * |---|---|
 * | 0 | 00 |
 * | 127, 128 | 7f, 0080 |
 * | -128, -129 | 80, ff7f |
 */
export function bytesOfInteger(n: bigint): Buffer {
  let length = n >= -0x80000000n && n <= 0x7fffffffn ? 1 : Math.max(1, n.toString(16).length >> 1);
  while (BigInt.asIntN(length * 8, n) !== n) length++;
  return Buffer.from(
    BigInt.asUintN(length * 8, n)
      .toString(16)
      .padStart(length * 2, '0'),
    'hex',
  );
}

const scratch = Buffer.alloc(6);

/** `bytesOfInteger` of a number below 10^14, in base64. */
export function base64OfShort(n: number): string {
  let length = 1;
  for (let limit = 128; n < -limit || n >= limit; limit *= 256) length++;
  scratch.writeIntBE(n, 0, length);
  return scratch.toString('base64', 0, length);
}

/** The reverse of `bytesOfInteger`; no bytes are 0. */
export function integerOfBytes(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}
