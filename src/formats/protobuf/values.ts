// Our values ↔ the objects of protobufjs.
//
// | Protobuf | value |
// |---|---|
// | int32, sint32 … · uint32, int64, uint64 … | number · bigint |
// | float, double · bool · string · bytes | number · boolean · string · Uint8Array |
// | enum | its name; a number that has none |
// | google.protobuf.Timestamp · wrappers (Int64Value …) | ISO-8601 text in UTC · the value or null |
// | message · repeated · map | object · list · object |
// | a field that is not there | null where the schema tells that apart, else its default, as Protobuf has it |

import protobuf from 'protobufjs';
import { momentText, parseMoment } from '../../envelope/temporal.ts';
import { type Column, type ColumnType, JsonText, type Row, type Value } from '../../sdk/index.ts';
import { stringifyJson } from '../json-lossless.ts';
import { kindOf, Unfit } from '../unfit.ts';

type Encode = (value: Exclude<Value, null>) => unknown;
type Decode = (value: unknown) => Value;

const TIMESTAMP = '.google.protobuf.Timestamp';
const isWrapper = (name: string): boolean => /^\.google\.protobuf\.\w+Value$/.test(name) && name !== '.google.protobuf.ListValue';
const LOW = 0xffff_ffffn;

interface Long {
  readonly low: number;
  readonly high: number;
}

/** Has the field no value where it is not there? */
function hasPresence(field: protobuf.Field): boolean {
  const { field_presence: presence } = (field as unknown as { readonly _features: { readonly field_presence?: string } })._features;
  return field.partOf !== null || field.resolvedType instanceof protobuf.Type || presence !== 'IMPLICIT';
}

const encoders = new WeakMap<protobuf.Type, (row: Row) => Record<string, unknown>>();

/** A row as a message. Throws `Unfit`. */
export function encoderOf(type: protobuf.Type): (row: Row) => Record<string, unknown> {
  const known = encoders.get(type);
  if (known !== undefined) return known;
  const fields = new Map<string, { readonly encode: Encode; readonly field: protobuf.Field; readonly present: boolean }>();
  const encode = (row: Row): Record<string, unknown> => {
    const message: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(row)) {
      const field = fields.get(name);
      // Invariant 3: what the message has no field for would vanish.
      if (field === undefined) throw new Unfit(name, `the message ${type.fullName.slice(1)} has no such field`);
      // Invariant 6: it would be read as zero.
      if (value === null && !field.present) throw new Unfit(name, 'NULL cannot be told from the default of a field that is not `optional`');
      if (value === null || value === undefined) continue;
      try {
        message[name] = field.encode(value);
      } catch (error) {
        throw error instanceof Unfit ? error.within(name) : error;
      }
    }
    return message;
  };
  encoders.set(type, encode);
  for (const field of type.fieldsArray)
    fields.set(field.name, { field, encode: fieldEncoder(field), present: hasPresence(field) && !field.repeated });
  return encode;
}

function fieldEncoder(field: protobuf.Field): Encode {
  const one = valueEncoder(field);
  const item = (value: Value): unknown => {
    if (value === null) throw new Unfit('', 'NULL cannot stand in a list');
    return one(value);
  };
  if (field.map)
    return (value) => {
      if (!isObject(value)) throw unfit('an object', value);
      return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, item(v)]));
    };
  if (!field.repeated) return one;
  return (value) => {
    if (!Array.isArray(value)) throw unfit('an array', value);
    return (value as readonly Value[]).map(item);
  };
}

const unfit = (expected: string, value: Value): Unfit => new Unfit('', `expected ${expected}, got ${kindOf(value)}`);

function isObject(value: Value): value is Row {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array) && !(value instanceof JsonText)
  );
}

function valueEncoder({ type, resolvedType }: protobuf.Field): Encode {
  if (resolvedType instanceof protobuf.Enum) {
    const { values } = resolvedType;
    return (value) => {
      if (typeof value === 'number' && Number.isInteger(value)) return value;
      if (typeof value === 'string' && Object.hasOwn(values, value)) return values[value];
      throw new Unfit('', 'the value is none of the names of its enum');
    };
  }
  if (resolvedType instanceof protobuf.Type) return messageEncoder(resolvedType);
  switch (type) {
    case 'double':
    case 'float':
      return (value) => {
        if (typeof value !== 'number') throw unfit('a number', value);
        return value;
      };
    case 'bool':
      return (value) => {
        if (typeof value !== 'boolean') throw unfit('a boolean', value);
        return value;
      };
    case 'string':
      return textOf;
    case 'bytes':
      return (value) => {
        if (!(value instanceof Uint8Array)) throw unfit('bytes', value);
        return value;
      };
    default:
      return wholeEncoder(type);
  }
}

function messageEncoder(type: protobuf.Type): Encode {
  const encode = encoderOf(type);
  if (type.fullName === TIMESTAMP)
    return (value) => {
      const moment = typeof value === 'string' ? parseMoment(value) : null;
      if (moment === null) throw new Unfit('', 'expected a timestamp, got none');
      return { seconds: longOf(BigInt(moment.seconds)), nanos: moment.nanos };
    };
  if (isWrapper(type.fullName)) return (value) => encode({ value });
  return (value) => {
    if (!isObject(value)) throw unfit('an object', value);
    return encode(value);
  };
}

function textOf(value: Exclude<Value, null>): string {
  if (typeof value === 'string') return value;
  if (value instanceof JsonText) return value.text;
  // A document has one text; a number would need one of its spellings.
  if (typeof value === 'object' && !(value instanceof Uint8Array)) return stringifyJson(value);
  throw unfit('a text', value);
}

function wholeEncoder(type: string): Encode {
  const isUnsigned = type.startsWith('u') || type.startsWith('fixed'),
    is64 = type.endsWith('64');
  const bits = is64 ? 64n : 32n,
    least = isUnsigned ? 0n : -(1n << (bits - 1n)),
    most = isUnsigned ? (1n << bits) - 1n : (1n << (bits - 1n)) - 1n;
  return (value) => {
    const n = wholeOf(value);
    if (n < least || n > most) throw new Unfit('', `the number does not fit ${type}`);
    return is64 ? longOf(BigInt(n)) : Number(n);
  };
}

function wholeOf(value: Exclude<Value, null>): number | bigint {
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) return value;
  if (typeof value === 'string' && /^-?(0|[1-9]\d{0,19})$/.test(value)) return BigInt(value);
  throw unfit('a whole number', value);
}

/** Halves of 64 bits, as protobufjs takes them. */
function longOf(n: bigint): Long {
  const bits = BigInt.asUintN(64, n);
  return { low: Number(bits & LOW) | 0, high: Number(bits >> 32n) | 0 };
}

function bigintOf(value: unknown, unsigned: boolean): bigint {
  if (typeof value === 'number') return BigInt(value);
  const { low, high } = value as Long;
  const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  return unsigned ? bits : BigInt.asIntN(64, bits);
}

/** Unsigned ones of 32 bits do not fit an int32. */
const isWide = (type: string): boolean => type.endsWith('64') || type === 'uint32' || type === 'fixed32';

const decoders = new WeakMap<protobuf.Type, (message: Record<string, unknown>) => Row>();

export function decoderOf(type: protobuf.Type): (message: Record<string, unknown>) => Row {
  const known = decoders.get(type);
  if (known !== undefined) return known;
  const fields: { readonly name: string; readonly decode: Decode; readonly present: boolean }[] = [];
  const decode = (message: Record<string, unknown>): Row => {
    const row: Row = {};
    for (const { name, decode: one, present } of fields) row[name] = present && !Object.hasOwn(message, name) ? null : one(message[name]);
    return row;
  };
  decoders.set(type, decode);
  for (const field of type.fieldsArray)
    fields.push({ name: field.name, decode: fieldDecoder(field), present: hasPresence(field) && !field.repeated && !field.map });
  return decode;
}

function fieldDecoder(field: protobuf.Field): Decode {
  const one = valueDecoder(field);
  if (field.map) return (value) => Object.fromEntries(Object.entries((value ?? {}) as object).map(([key, v]) => [key, one(v)]));
  return field.repeated ? (value) => ((value ?? []) as unknown[]).map(one) : one;
}

function valueDecoder({ type, resolvedType }: protobuf.Field): Decode {
  if (resolvedType instanceof protobuf.Enum) {
    const { valuesById } = resolvedType;
    return (value) => valuesById[value as number] ?? String(value as number);
  }
  if (resolvedType instanceof protobuf.Type) {
    const decode = decoderOf(resolvedType);
    if (resolvedType.fullName === TIMESTAMP)
      return (value) => {
        const { seconds = 0, nanos = 0 } = value as { seconds?: unknown; nanos?: number };
        return `${momentText({ seconds: Number(bigintOf(seconds, false)), nanos }, null)}Z`;
      };
    if (isWrapper(resolvedType.fullName)) return (value) => decode(value as Record<string, unknown>)['value'] ?? null;
    return (value) => decode(value as Record<string, unknown>);
  }
  if (isWide(type)) {
    const isUnsigned = type.startsWith('u') || type.startsWith('fixed');
    return (value) => bigintOf(value, isUnsigned);
  }
  return type === 'bytes' ? (value) => new Uint8Array(value as Uint8Array) : (value) => value as Value;
}

const TYPES: Readonly<Record<string, ColumnType>> = {
  double: 'float64',
  float: 'float32',
  bool: 'boolean',
  string: 'string',
  bytes: 'bytes',
};

/** What `decoderOf` makes of the fields. */
export function columnsOf(type: protobuf.Type): readonly Column[] {
  return type.fieldsArray.map((field) => {
    const element = columnTypeOf(field);
    return {
      name: field.name,
      type: field.map ? 'json' : field.repeated ? 'array' : element,
      nativeType: field.type,
      nullable: hasPresence(field) && !field.repeated && !field.map,
      ...(field.repeated ? { element } : {}),
    };
  });
}

function columnTypeOf({ type, resolvedType }: protobuf.Field): ColumnType {
  if (resolvedType instanceof protobuf.Enum) return 'string';
  if (resolvedType instanceof protobuf.Type) {
    if (resolvedType.fullName === TIMESTAMP) return 'timestamptz';
    const inner = isWrapper(resolvedType.fullName) ? resolvedType.fields['value'] : undefined;
    return inner === undefined ? 'json' : columnTypeOf(inner);
  }
  if (type === 'uint64' || type === 'fixed64') return 'uint64';
  return TYPES[type] ?? (isWide(type) ? 'int64' : 'int32');
}
