// Connect values back to ours, by the schema that travels with them: what `types.ts` writes, read again.

import type { Row, Value } from '../../sdk/index.ts';
import { formatDecimal, integerOfBytes } from '../decimal.ts';
import { dateOfDays, momentText, timeText } from '../temporal.ts';

type Json = Value | undefined;
/** A parsed schema; every member may be missing. */
interface Schema {
  readonly type?: Json;
  readonly name?: Json;
  readonly fields?: Json;
  readonly items?: Json;
  readonly parameters?: Json;
  readonly field?: Json;
}

/** The member `name` of an object, if it is one. */
export function member(value: Json, name: string): Json {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as { readonly [key: string]: Value })[name]
    : undefined;
}

/** The fields of a struct's schema by name. */
function fieldsOf(schema: Json): ReadonlyMap<string, Schema> {
  const fields = member(schema, 'fields');
  return new Map(Array.isArray(fields) ? (fields as Schema[]).map((f) => [String(f.field), f]) : []);
}

export function fieldSchema(schema: Json, name: string): Json {
  return fieldsOf(schema).get(name) as Json;
}

/** A row whose values are what the schema says; columns that it does not name stay as JSON gave them. */
export function typedRow(row: { readonly [key: string]: Value } | null, schema: Json): Row | null {
  if (row === null || schema === undefined) return row;
  const fields = fieldsOf(schema);
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, typedValue(value, fields.get(name))]));
}

function typedValue(value: Value, schema: Schema | undefined): Value {
  if (value === null || schema === undefined) return value;
  const logical = typeof schema.name === 'string' ? LOGICAL[schema.name] : undefined;
  if (logical !== undefined) return logical(value, schema);
  switch (schema.type) {
    case 'int64':
      return typeof value === 'number' ? BigInt(value) : value;
    case 'float':
    case 'double':
      return typeof value === 'string' ? Number(value) : value;
    case 'bytes':
      return bytesOf(value) ?? value;
    case 'array':
      return Array.isArray(value) ? (value as Value[]).map((item) => typedValue(item, schema.items as Schema | undefined)) : value;
    default:
      return value;
  }
}

function bytesOf(value: Json): Uint8Array | null {
  return typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : null;
}

function decimal(value: Value, schema: Schema): Value {
  const bytes = bytesOf(value),
    scale = Number(member(schema.parameters as Json, 'scale') ?? 0);
  return bytes === null ? value : formatDecimal({ unscaled: integerOfBytes(bytes), scale });
}

function variableDecimal(value: Value): Value {
  const bytes = bytesOf(member(value, 'value')),
    scale = member(value, 'scale');
  return bytes === null || typeof scale !== 'number' ? value : formatDecimal({ unscaled: integerOfBytes(bytes), scale });
}

/** `{seconds, nanos}` of a count; bigint, because microseconds need more than 53 bits. */
function momentOf(value: Value, perSecond: bigint): { seconds: number; nanos: number } | null {
  if (typeof value !== 'number' && typeof value !== 'bigint') return null;
  const count = BigInt(value),
    rest = ((count % perSecond) + perSecond) % perSecond;
  return { seconds: Number((count - rest) / perSecond), nanos: Number(rest * (1_000_000_000n / perSecond)) };
}
const timestamp =
  (perSecond: bigint) =>
  (value: Value): Value => {
    const moment = momentOf(value, perSecond);
    return moment === null ? value : momentText(moment, null);
  };
const time =
  (perSecond: bigint) =>
  (value: Value): Value => {
    const moment = momentOf(value, perSecond);
    return moment === null || moment.seconds < 0 ? value : timeText(moment, null);
  };
const date = (value: Value): Value => (typeof value === 'number' ? dateOfDays(value) : value);
const withoutZone = (value: Value): Value => (typeof value === 'string' ? value.replace(/Z$/, '') : value);

/** Bits of a declared length as text: `0b → 00001011`. */
function bits(value: Value, schema: Schema): Value {
  const bytes = bytesOf(value),
    length = Number(member(schema.parameters as Json, 'length') ?? 0);
  return bytes === null
    ? value
    : [...bytes]
        .reverse()
        .map((b) => b.toString(2).padStart(8, '0'))
        .join('')
        .padStart(length, '0')
        .slice(-length);
}

const LOGICAL: Readonly<Record<string, (value: Value, schema: Schema) => Value>> = {
  'org.apache.kafka.connect.data.Decimal': decimal,
  'io.debezium.data.VariableScaleDecimal': variableDecimal,
  'io.debezium.data.Bits': bits,
  'io.debezium.time.Date': date,
  'org.apache.kafka.connect.data.Date': date,
  'io.debezium.time.IsoDate': withoutZone,
  'io.debezium.time.Time': time(1_000n),
  'org.apache.kafka.connect.data.Time': time(1_000n),
  'io.debezium.time.MicroTime': time(1_000_000n),
  'io.debezium.time.NanoTime': time(1_000_000_000n),
  'io.debezium.time.IsoTime': withoutZone,
  'io.debezium.time.Timestamp': timestamp(1_000n),
  'org.apache.kafka.connect.data.Timestamp': timestamp(1_000n),
  'io.debezium.time.MicroTimestamp': timestamp(1_000_000n),
  'io.debezium.time.NanoTimestamp': timestamp(1_000_000_000n),
  'io.debezium.time.IsoTimestamp': withoutZone,
};

/** How a logical type's value is read; `undefined`: as its plain type. Bytes are base64, as in JSON. */
export function logicalValue(name: string): ((value: Value, schema: { readonly parameters: Value }) => Value) | undefined {
  return Object.hasOwn(LOGICAL, name) ? LOGICAL[name] : undefined;
}
