// Connect values back to ours, by the schema that travels with them: what `types.ts` writes, read again. Each schema is made into
// functions once.

import { JsonText, type Row, type Value } from '../../sdk/index.ts';
import { formatDecimal, integerOfBytes } from '../decimal.ts';
import { dateOfDays, momentText, timeText } from '../temporal.ts';
import { INFINITE_DAYS, INFINITE_MOMENTS } from './temporal-type.ts';

type Json = Value | undefined;
export type Read = (value: Value) => Value;
/** Of a logical type. Avro hands over bytes where JSON has base64. */
type ReadLogical = (value: Value, schema: { readonly parameters?: Json }) => Value;

/** The member `name` of an object, if it is one. */
export function member(value: Json, name: string): Json {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as { readonly [key: string]: Value })[name]
    : undefined;
}

/** The fields of a struct's schema, with their names. */
export function fieldsOf(schema: Json): readonly (readonly [name: string, schema: Json])[] {
  const fields = member(schema, 'fields');
  return Array.isArray(fields) ? (fields as readonly Value[]).map((f) => [String(member(f, 'field')), f]) : [];
}

export function fieldSchema(schema: Json, name: string): Json {
  return fieldsOf(schema).find(([field]) => field === name)?.[1];
}

export type ReadRow = (row: { readonly [key: string]: Value } | null) => Row | null;

/** Rows whose values are what the schema says; columns that it does not name stay as JSON gave them. */
export function rowReader(schema: Json): ReadRow {
  const readers = new Map<string, Read>();
  for (const [name, field] of fieldsOf(schema)) {
    const read = readerOf(field);
    if (read !== null) readers.set(name, read);
  }
  if (readers.size === 0) return (row) => row as Row | null;
  return (row) => {
    if (row === null) return null;
    // In the order of the message, and without setting a prototype for a column of that name.
    return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, readers.get(name)?.(value) ?? value]));
  };
}

/** `null`: values are ours as JSON has them. */
function readerOf(schema: Json): Read | null {
  const name = member(schema, 'name'),
    logical = typeof name === 'string' ? logicalValue(name) : undefined;
  const read = logical === undefined ? plainReader(schema) : withParameters(logical, { parameters: member(schema, 'parameters') });
  return read === null ? null : (value) => (value === null ? null : read(value));
}

const withParameters =
  (read: ReadLogical, schema: { readonly parameters: Json }): Read =>
  (value) =>
    read(value, schema);

function plainReader(schema: Json): Read | null {
  switch (member(schema, 'type')) {
    case 'int64':
      return (value) => (typeof value === 'number' ? BigInt(value) : value);
    case 'float':
    case 'double':
      // NaN and the infinities.
      return (value) => (typeof value === 'string' ? Number(value) : value);
    case 'bytes':
      return (value) => bytesOf(value) ?? value;
    case 'array': {
      const item = readerOf(member(schema, 'items'));
      return item === null ? null : (value) => (Array.isArray(value) ? (value as Value[]).map(item) : value);
    }
    case 'map': {
      const item = readerOf(member(schema, 'values'));
      return item === null ? null : (value) => mapped(value, item);
    }
    default:
      return null;
  }
}

function mapped(value: Value, read: Read): Value {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value as Row).map(([name, item]) => [name, read(item)]));
}

function bytesOf(value: Json): Uint8Array | null {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : null;
}

const decimal: ReadLogical = (value, { parameters }) => {
  const bytes = bytesOf(value),
    scale = Number(member(parameters, 'scale') ?? 0);
  return bytes === null ? value : formatDecimal({ unscaled: integerOfBytes(bytes), scale });
};

const variableDecimal: ReadLogical = (value) => {
  const bytes = bytesOf(member(value, 'value')),
    scale = member(value, 'scale');
  return bytes === null || typeof scale !== 'number' ? value : formatDecimal({ unscaled: integerOfBytes(bytes), scale });
};

/** `{seconds, nanos}` of a count; bigint, because microseconds need more than 53 bits. */
function momentOf(value: Value, perSecond: bigint): { seconds: number; nanos: number } | null {
  if (typeof value !== 'number' && typeof value !== 'bigint') return null;
  const count = BigInt(value),
    rest = ((count % perSecond) + perSecond) % perSecond;
  return { seconds: Number((count - rest) / perSecond), nanos: Number(rest * (1_000_000_000n / perSecond)) };
}
const timestamp =
  (perSecond: bigint): ReadLogical =>
  (value) => {
    const moment = momentOf(value, perSecond);
    return moment === null ? value : (infinityOf(moment) ?? momentText(moment, null));
  };
/** MySQL's times may be negative, and longer than a day. */
const time =
  (perSecond: bigint): ReadLogical =>
  (value) => {
    if (typeof value !== 'number' && typeof value !== 'bigint') return value;
    const count = BigInt(value),
      moment = momentOf(count < 0n ? -count : count, perSecond);
    return moment === null ? value : `${count < 0n ? '-' : ''}${timeText(moment, null)}`;
  };
/** `37091106789000` µs → `PT37091106.789S`: what a month was is not known any more. */
const duration =
  (perSecond: bigint): ReadLogical =>
  (value) => {
    if (typeof value !== 'number' && typeof value !== 'bigint') return value;
    const count = BigInt(value),
      size = count < 0n ? -count : count,
      fraction = (size % perSecond).toString().padStart(perSecond.toString().length - 1, '0');
    return `PT${count < 0n ? '-' : ''}${withoutZeros(`${size / perSecond}.${fraction}`)}S`;
  };
const date: ReadLogical = (value) => (typeof value === 'number' ? (DAYS_OF_INFINITY.get(value) ?? dateOfDays(value)) : value);
const DAYS_OF_INFINITY = new Map(Object.entries(INFINITE_DAYS).map(([name, days]) => [days, name]));
/** PostgreSQL's, which Debezium has as a time that no calendar reaches. */
function infinityOf({ seconds, nanos }: { readonly seconds: number; readonly nanos: number }): string | null {
  if (seconds > -LATEST_SECONDS && seconds < LATEST_SECONDS) return null;
  return Object.entries(INFINITE_MOMENTS).find(([, m]) => m.seconds === seconds && m.nanos === nanos)?.[0] ?? null;
}
/** Beyond the year 294276, PostgreSQL's last. */
const LATEST_SECONDS = 9_223_372_036_000;
const isText =
  (change: (text: string) => Value): ReadLogical =>
  (value) =>
    typeof value === 'string' ? change(value) : value;
/** `12:34:56.789000Z` → `12:34:56.789Z`, as all our sources write it. */
const withoutZeros = (text: string): string => text.replace(/(\.\d*?)0+(?!\d)/, (_, digits: string) => (digits === '.' ? '' : digits));
const zoned = isText(withoutZeros);
const unzoned = isText((text) => withoutZeros(text.replace(/Z$/, '')));

/** Bits of a declared length as text: `0b → 00001011`. */
const bits: ReadLogical = (value, { parameters }) => {
  const bytes = bytesOf(value),
    length = Number(member(parameters, 'length') ?? 0);
  if (bytes === null) return value;
  const text = [...bytes]
    .reverse()
    .map((b) => b.toString(2).padStart(8, '0'))
    .join('');
  // Of `bit varying` the length is that of the column: how long the value was is not known.
  if (length > MAX_BITS) return text.replace(/^0+(?=.)/, '');
  return text.padStart(length, '0').slice(-length);
};
/** MySQL's longest BIT has 64. */
const MAX_BITS = 4096;

const LOGICAL: Readonly<Record<string, ReadLogical>> = {
  'org.apache.kafka.connect.data.Decimal': decimal,
  'io.debezium.data.VariableScaleDecimal': variableDecimal,
  'io.debezium.data.Bits': bits,
  'io.debezium.data.Json': isText((text) => new JsonText(text)),
  'io.debezium.time.Date': date,
  'org.apache.kafka.connect.data.Date': date,
  'io.debezium.time.IsoDate': unzoned,
  'io.debezium.time.Time': time(1_000n),
  'org.apache.kafka.connect.data.Time': time(1_000n),
  'io.debezium.time.MicroTime': time(1_000_000n),
  'io.debezium.time.NanoTime': time(1_000_000_000n),
  'io.debezium.time.IsoTime': unzoned,
  'io.debezium.time.ZonedTime': zoned,
  'io.debezium.time.Timestamp': timestamp(1_000n),
  'org.apache.kafka.connect.data.Timestamp': timestamp(1_000n),
  'io.debezium.time.MicroTimestamp': timestamp(1_000_000n),
  'io.debezium.time.NanoTimestamp': timestamp(1_000_000_000n),
  'io.debezium.time.IsoTimestamp': unzoned,
  'io.debezium.time.ZonedTimestamp': zoned,
  'io.debezium.time.MicroDuration': duration(1_000_000n),
  'io.debezium.time.NanoDuration': duration(1_000_000_000n),
};

/** How a logical type's value is read; `undefined`: as its plain type. */
export function logicalValue(name: string): ReadLogical | undefined {
  return Object.hasOwn(LOGICAL, name) ? LOGICAL[name] : undefined;
}
