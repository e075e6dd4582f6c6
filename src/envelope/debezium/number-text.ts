// Floating point numbers as Java prints them: `1.0`, `1.0E10`, `3.4028235E38`. Integers elsewhere are plain digits.

/** Double.toString: decimal from 0.001 to 10,000,000, always with a point; scientific outside. */
export function javaDouble(n: number): string {
  if (!Number.isFinite(n)) return `"${n}"`;
  if (n === 0) return Object.is(n, -0) ? '-0.0' : '0.0';
  const size = Math.abs(n);
  if (size >= 1e-3 && size < 1e7) return Number.isInteger(n) ? `${n}.0` : `${n}`;
  let [mantissa = '', exponent = ''] = n.toExponential().split('e');
  // Where one digit would do, Java takes the best two: `4.9E-324`.
  if (!mantissa.includes('.')) [mantissa = '', exponent = ''] = n.toExponential(1).split('e');
  return `${mantissa}E${exponent.replace('+', '')}`;
}

/** Float.toString: the fewest digits that tell the float from its neighbours, so `3.1415927` and not `3.1415927410125732`. */
export function javaFloat(n: number): string {
  const size = Math.abs(n);
  if (!Number.isFinite(n) || (`${n}`.length <= 8 && (size > SMALLEST_FLOATS || n === 0))) return javaDouble(n);
  if (size <= SMALLEST_FLOATS) return javaDouble(shortestOf(Math.fround(n), 2));
  return javaDouble(shortestOf(n, 6));
}

/** Below, floats have so few digits that one may tell them apart, and the text of a source may be that one. */
const SMALLEST_FLOATS = 1e-37;

function shortestOf(n: number, least: number): number {
  const float = Math.fround(n);
  for (let digits = least; digits < 9; digits++) {
    const shorter = Number(n.toPrecision(digits));
    if (Math.fround(shorter) === float) return shorter;
  }
  return Number(n.toPrecision(9));
}
