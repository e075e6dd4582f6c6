// Defaults in the schemas of Debezium's connectors for MySQL and MariaDB, from the server's SQL: literals as SHOW CREATE TABLE has them,
// with their escapes, and a placeholder where the server takes the time.
//
// | default | shown |
// |---|---|
// | `5`, `'007'`, `1.6` of integers | 5, 7, 2 |
// | `'it''s'`, `'back\\slash'` | the text between the quotes as it stands there |
// | `b'101'` | the bits |
// | `current_timestamp()` | the epoch; none for a TIMESTAMP that may be NULL |
// | `0000-00-00` | the epoch; none where NULL can be |
// | other expressions, UUID, geometries | none |

import type { Column, Value } from '../../sdk/index.ts';
import { atScale, formatDecimal, parseDecimal } from '../decimal.ts';

const QUOTED = /^(?:_[a-z0-9]+\s*)?(?:'(.*)'|"(.*)")$/is;
const BOOLEAN = /^(?:true|false)$/i;
const BITS = /^b'([01]*)'$/i;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const NOW = /^(?:current_timestamp|now)(?:\s*\(\s*\d*\s*\))?(?:\s+on\s+update\b.*)?$/i;
const TODAY = /^curdate\(\)$/i;
const NO_DAY = /^(?:\d{4}-\d\d-00|\d{4}-00-\d\d|0000-\d\d-\d\d)/;
const EPOCH_DAY = '1970-01-01';
const EPOCH = `${EPOCH_DAY}T00:00:00`;
const MAX_LONG = 2n ** 63n - 1n;

/** `undefined`: Debezium's schema has no default. */
export function mysqlDefault(column: Column, sql: string): Value | undefined {
  const text = sql.trim();
  if (NOW.test(text)) return epochOf(column, column.type === 'timestamp');
  if (TODAY.test(text)) return column.type === 'date' ? epochOf(column, false) : undefined;
  const [, bits] = BITS.exec(text) ?? [];
  if (bits !== undefined) return column.type === 'bits' ? bits.padStart(column.length ?? 1, '0') : undefined;
  const [, single, double] = QUOTED.exec(text) ?? [],
    literal = single ?? double ?? (NUMBER.test(text) || BOOLEAN.test(text) ? text : undefined);
  return literal === undefined ? undefined : valueOfLiteral(column, literal);
}

function valueOfLiteral(column: Column, literal: string): Value | undefined {
  const isNumber = ['int16', 'int32', 'int64', 'uint64', 'decimal'].includes(column.type),
    text = isNumber && BOOLEAN.test(literal) ? `${Number(literal.toLowerCase() === 'true')}` : literal;
  switch (column.type) {
    case 'int16':
    case 'int32':
      return NUMBER.test(text) ? shortInteger(column, Number(long(text))) : undefined;
    case 'int64':
    case 'uint64':
      return NUMBER.test(text) ? long(text) : undefined;
    case 'float32':
    case 'float64':
      return NUMBER.test(text) ? Number(text) : undefined;
    case 'decimal':
      return decimal(text, column.scale ?? 0);
    case 'bits':
      return column.length === 1 && NUMBER.test(text) ? `${Number(Number(text) !== 0)}` : undefined;
    case 'bytes':
      return new Uint8Array(Buffer.from(text));
    case 'string':
    case 'enum':
    case 'json':
    case 'time':
      return text;
    case 'date':
    case 'timestamp':
      return NO_DAY.test(text) ? epochOf(column, false) : instant(column, text);
    case 'timestamptz':
      return NO_DAY.test(text) || text === EPOCH.replace('T', ' ') ? epochOf(column, false) : `${instant(column, text)}Z`;
    default:
      return undefined;
  }
}

function epochOf({ type, nullable }: Column, always: boolean): Value | undefined {
  if (nullable && !always) return undefined;
  return { date: EPOCH_DAY, timestamp: EPOCH, timestamptz: `${EPOCH}Z` }[type as string];
}

/** `2024-02-29` is midnight. */
function instant({ type }: Column, text: string): string {
  return type === 'date' || text.length > EPOCH_DAY.length ? text.replace(' ', 'T') : `${text}T00:00:00`;
}

/** YEAR takes two digits. */
function shortInteger({ nativeType }: Column, n: number): number {
  return /^year\b/i.test(nativeType) && n < 100 ? n + (n < 70 ? 2000 : 1900) : n;
}

/** By way of a floating point number, as Debezium reads them: 2^63 and more become 2^63 - 1. */
function long(text: string): bigint {
  const n = BigInt(Math.round(Number(text)));
  if (n > MAX_LONG) return MAX_LONG;
  return n < -MAX_LONG - 1n ? -MAX_LONG - 1n : n;
}

function decimal(text: string, scale: number): Value | undefined {
  const parsed = parseDecimal(text),
    unscaled = parsed === null ? null : atScale(parsed, scale);
  return unscaled === null ? undefined : formatDecimal({ unscaled, scale });
}
