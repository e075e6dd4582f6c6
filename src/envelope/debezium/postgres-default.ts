// Defaults in Debezium's schemas, from PostgreSQL's SQL: literals, and a placeholder where the server computes the default.
//
// | default | shown |
// |---|---|
// | `5`, `'-1'::integer`, `'it'::text`, `'ok'::mood` | the literal |
// | `nextval('…')`, `now()`, `CURRENT_DATE`, `gen_random_uuid()` | 0, the epoch, zeros |
// | `(-1)`, `1 + 2`, of domains, arrays, bytes, inet and other types | none |

import { type Column, JsonText, type Value } from '../../sdk/index.ts';
import { atScale, formatDecimal, parseDecimal } from '../decimal.ts';
import { bareName } from './postgres-types.ts';
import { LAST_MOMENT } from './temporal-type.ts';

/** As Debezium tells calls of functions; what stands behind the call does not matter. */
const CALL = /^\(?[A-Za-z0-9_.]+\(.*\)/;
const MOMENTS: ReadonlySet<string> = new Set(['current_timestamp', 'current_time', 'current_date', 'localtime', 'localtimestamp']);
const INTEGER = /^[+-]?\d+$/;
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** `undefined`: Debezium's schema has no default. */
export function postgresDefault(column: Column, sql: string): Value | undefined {
  if (column.domain !== undefined) return undefined;
  const text = sql.trim();
  const literal = (placeholder: string): string | undefined => {
    if (CALL.test(text) || MOMENTS.has(text.toLowerCase())) return placeholder;
    if (!text.includes("'")) return text.startsWith('NULL::') ? undefined : text;
    return /'([^\n\r]*?)'/.exec(text)?.[1];
  };
  switch (column.type) {
    case 'boolean':
      return text.startsWith('NULL::') ? undefined : literal('false')?.toLowerCase() === 'true';
    case 'int16':
    case 'int32':
    case 'int64':
      return bareName(column.nativeType) === 'oid' ? undefined : integer(literal('0'), column.type === 'int64');
    case 'float32':
    case 'float64':
      return float(literal('0.0'));
    case 'decimal':
      return decimal(column, literal('0.0'));
    case 'string':
      return ['text', 'character varying', 'character'].includes(bareName(column.nativeType)) ? literal('') : undefined;
    case 'xml':
      return literal('');
    case 'json':
      return bareName(column.nativeType) === 'hstore' ? undefined : document(literal('{}'));
    case 'uuid':
      return uuid(literal('00000000-0000-0000-0000-000000000000'));
    case 'enum':
      return enumLabel(text, column.nativeType);
    case 'bits':
      return bits(literal(bareName(column.nativeType) === 'bit' ? '00' : '0'));
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return moment(literal('1970-01-01'), column.type);
    case 'time':
      return time(literal('00:00'));
    case 'interval':
      return interval(literal('epoch'));
    default:
      return undefined;
  }
}

function integer(text: string | undefined, isLong: boolean): Value | undefined {
  if (text === undefined || !INTEGER.test(text)) return undefined;
  return isLong ? BigInt(text) : Number(text);
}

function float(text: string | undefined): Value | undefined {
  if (text === undefined) return undefined;
  return FLOAT.test(text) || ['NaN', 'Infinity', '-Infinity'].includes(text) ? Number(text) : undefined;
}

/** More digits than the column has would have to be rounded; then there is none. */
function decimal(column: Column, text: string | undefined): Value | undefined {
  const parsed = text === undefined || column.nativeType === 'money' ? null : parseDecimal(text);
  if (parsed === null) return undefined;
  const { scale } = column;
  if (scale === undefined) return text;
  const unscaled = atScale(parsed, scale);
  return unscaled === null ? undefined : formatDecimal({ unscaled, scale });
}

const document = (text: string | undefined): Value | undefined =>
  text === undefined ? undefined : (new JsonText(text) as unknown as Value);

function uuid(text: string | undefined): Value | undefined {
  return text !== undefined && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : undefined;
}

/** `'ok'::mood`; a cast to another type tells nothing. */
function enumLabel(sql: string, nativeType: string): Value | undefined {
  const [, label, type] = /^'(.*)'::(.+)$/s.exec(sql) ?? [];
  return type !== undefined && bareName(type) === bareName(nativeType) ? label : undefined;
}

function bits(text: string | undefined): Value | undefined {
  return text !== undefined && /^[01]*$/.test(text) ? text : undefined;
}

/** `LocalDateTime.MAX` and `MIN` of Java. */
const INFINITIES: Readonly<Record<string, string>> = {
  infinity: LAST_MOMENT,
  '-infinity': '-999999999-01-01T00:00:00',
};

function moment(text: string | undefined, type: 'date' | 'timestamp' | 'timestamptz'): Value | undefined {
  const infinity = text !== undefined && type !== 'timestamptz' && Object.hasOwn(INFINITIES, text) ? INFINITIES[text] : undefined;
  if (infinity !== undefined) return type === 'date' ? infinity.slice(0, infinity.indexOf('T')) : infinity;
  const [, day, clock, zone] = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?([+-]\d\d(?::?\d\d)?)?$/.exec(text ?? '') ?? [];
  if (day === undefined) return undefined;
  if (type === 'date') return day;
  const local = `${day}T${clock ?? '00:00:00'}`;
  return type === 'timestamp' ? local : `${local}${zone ?? 'Z'}`;
}

function time(text: string | undefined): Value | undefined {
  return text !== undefined && /^\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/.test(text) ? text : undefined;
}

function interval(text: string | undefined): Value | undefined {
  if (text === undefined || text === 'epoch') return text === undefined ? undefined : 'PT0S';
  return text;
}
