// Values of SELECT: the server writes them as text, and they must be the very values that rows of the log have. Where the text would
// lose something (FLOAT shows six digits), another expression is asked for.

import { type Column, JsonText, type Value } from '../../sdk/index.ts';
import { quoteName, textLiteral } from '../../systems/mysql/names.ts';
import { bitsCodec, geometryCodec, shortestFloat, vectorCodec } from './values.ts';

type Read = (bytes: Buffer) => Value;

const text = (bytes: Buffer): string => bytes.toString('utf8');
const instant = (bytes: Buffer): string => text(bytes).replace(' ', 'T');

/** YEAR(2) is shown without its century, which the log has. */
const longYear = (year: number): number => year + (year < 70 ? 2000 : 1900);

/** What a column is asked by. */
export function selectExpression({ name, type }: Column): string {
  // As a double it has all its digits.
  return type === 'float32' ? `${quoteName(name)} + 0e0` : quoteName(name);
}

export function readerOf(column: Column): Read {
  switch (column.type) {
    case 'int16':
    case 'int32':
      return /^year\(2\)/i.test(column.nativeType) ? (b) => longYear(Number(text(b))) : (b) => Number(text(b));
    case 'float64':
      return (b) => Number(text(b));
    case 'float32':
      return (b) => shortestFloat(Math.fround(Number(text(b))));
    case 'int64':
    case 'uint64':
      return (b) => BigInt(text(b));
    case 'bytes':
      return (b) => new Uint8Array(b);
    case 'timestamp':
      return instant;
    case 'timestamptz':
      return (b) => `${instant(b)}Z`;
    case 'bits': {
      const { decode } = bitsCodec(column.length ?? 1);
      return (b) => decode(b, 0, b.length);
    }
    case 'decimal':
      // The log has no zeros in front.
      return /\bzerofill\b/i.test(column.nativeType) ? (b) => text(b).replace(/^0+(?=\d)/, '') : text;
    case 'json':
      return (b) => new JsonText(text(b)) as unknown as Value;
    case 'geometry':
      return (b) => geometryCodec.decode(b, 0, b.length);
    case 'array':
      return (b) => vectorCodec.decode(b, 0, b.length);
    default:
      return text;
  }
}

/** Types by whose values rows can be told apart and put in order in SQL. Others have no equality that we could write. */
export function isKeyType({ type }: Column): boolean {
  return !['float32', 'json', 'geometry', 'array', 'bits', 'any', 'xml', 'interval'].includes(type);
}

/** A value as SQL; also the canonical text of a key, the same for a row of the log and of SELECT. */
export function literalOf({ type }: Column, value: Value): string {
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`;
  if (typeof value === 'number') return type === 'float64' ? `${value}e0`.replace(/e([+-]?\d+)e0$/, 'e$1') : `${value}`;
  if (typeof value === 'bigint') return value.toString();
  const literal = `${value as string}`;
  if (type === 'decimal') return literal;
  return textLiteral(type === 'timestamp' || type === 'timestamptz' ? literal.replace('T', ' ').replace('Z', '') : literal);
}

/** ENUM and SET are ordered by their numbers, and compared by their names. */
export const isOrderedByNumber = ({ nativeType }: Column): boolean => /^(?:enum|set)\b/i.test(nativeType);
