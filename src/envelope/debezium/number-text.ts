// Floating point numbers as Java prints them: `1.0`, `1.0E10`, `3.4028235E38`. Integers elsewhere are plain digits.

/** Double.toString: decimal from 0.001 to 10,000,000, always with a point; scientific outside. */
export function javaDouble(n: number): string {
  if (!Number.isFinite(n)) return `"${n}"`;
  if (n === 0) return Object.is(n, -0) ? '-0.0' : '0.0';
  const size = Math.abs(n);
  if (size >= 1e-3 && size < 1e7) return Number.isInteger(n) ? `${n}.0` : `${n}`;
  const [mantissa = '', exponent = ''] = n.toExponential().split('e');
  return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}E${exponent.replace('+', '')}`;
}

/** Float.toString: the fewest digits that tell the float from its neighbours, so `3.1415927` and not `3.1415927410125732`. */
export function javaFloat(n: number): string {
  if (!Number.isFinite(n) || `${n}`.length <= 8) return javaDouble(n);
  const float = Math.fround(n);
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(n.toPrecision(digits));
    if (Math.fround(shorter) === float) return javaDouble(shorter);
  }
  return javaDouble(Number(n.toPrecision(9)));
}
