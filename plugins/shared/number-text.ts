// Numbers in decimal digits, exactly. Pure.

/** `unscaled` × 10^-`scale`. */
export interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

const NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/;
/** Beyond all that a float64 has; a text of 9 characters must not become one of 10^9. */
const MAX_EXPONENT = 1100;

/** `-12.50` → -1250 and 2, `1e3` → 1 and -3. `null`: no number, or one with leading zeros or a plus sign, which would be lost. */
export function parseDecimal(text: string): Decimal | null {
  const match = NUMBER.exec(text);
  if (match === null) return null;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match,
    shift = Number(exponent);
  if (Math.abs(shift) > MAX_EXPONENT) return null;
  return { unscaled: BigInt(`${sign}${whole}${fraction}`), scale: fraction.length - shift };
}

/** The same number with that many digits after the point; `null` when it has more. */
export function rescale({ unscaled, scale }: Decimal, wanted: number): Decimal | null {
  if (wanted >= scale) return { unscaled: unscaled * 10n ** BigInt(wanted - scale), scale: wanted };
  const divisor = 10n ** BigInt(scale - wanted);
  return unscaled % divisor === 0n ? { unscaled: unscaled / divisor, scale: wanted } : null;
}

export function isSameNumber(a: Decimal, b: Decimal): boolean {
  const scale = Math.max(a.scale, b.scale);
  return rescale(a, scale)?.unscaled === rescale(b, scale)?.unscaled;
}

/** -1250 and 2 → `-12.50`. */
export function formatDecimal(decimal: Decimal): string {
  const { unscaled, scale } = decimal.scale < 0 ? (rescale(decimal, 0) as Decimal) : decimal,
    digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0'),
    sign = unscaled < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** Digits in all, without leading zeros. */
export const digitsOf = ({ unscaled }: Decimal): number => (unscaled < 0n ? -unscaled : unscaled).toString().length;
