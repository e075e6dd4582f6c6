// The text of a document that Debezium makes of MySQL's binary form, from the text that the server would make of it.
//
// | server | Debezium |
// |---|---|
// | `{"a": [1, 2]}` | `{"a":[1,2]}` |
// | `1e300`, `12345678.9` | all digits of the double, which may be many |
// | `"base64:type15:AP9B"` | `"AP9B"` |
// | `"2024-02-29 12:34:56.500000"`, a DATETIME | the same: its text may be a text, whose zeros Debezium keeps |

const OPAQUE = /^"base64:type\d+:/;

export function debeziumDocument(text: string): string {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|\s+|-?\d[\d.eE+-]*/gs, (token) => {
    const first = token[0] as string;
    if (first === '"') return token.replace(OPAQUE, '"');
    return first.trim() === '' ? '' : number(token);
  });
}

const EXPONENT_FROM = 1e7,
  EXPONENT_BELOW = 1e-3;

/** Where Double.toString has an exponent, BigDecimal has the digits. Whole numbers and decimals are not doubles. */
function number(text: string): string {
  if (!/[.e]/i.test(text)) return text;
  const n = Number(text),
    size = Math.abs(n);
  const isDecimal = /\.\d*0$/.test(text) && !/\.0$/.test(text);
  if (isDecimal || size === 0 || (size >= EXPONENT_BELOW && size < EXPONENT_FROM)) return text;
  return exactDigits(n);
}

const MANTISSA_BITS = 52n,
  EXPONENT_BIAS = 1075n;

/** All digits of a double: a whole number times a power of two, and so of five and ten. */
export function exactDigits(n: number): string {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(n));
  const raw = bits.getBigUint64(0),
    biased = raw >> MANTISSA_BITS,
    fraction = raw & ((1n << MANTISSA_BITS) - 1n);
  let mantissa = biased === 0n ? fraction : fraction | (1n << MANTISSA_BITS),
    exponent = (biased === 0n ? 1n : biased) - EXPONENT_BIAS;
  const sign = n < 0 ? '-' : '';
  for (; exponent < 0n && mantissa % 2n === 0n && mantissa > 0n; exponent++) mantissa /= 2n;
  if (exponent >= 0n) return `${sign}${mantissa << exponent}`;
  const places = Number(-exponent),
    digits = `${mantissa * 5n ** -exponent}`.padStart(places + 1, '0');
  return `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}
