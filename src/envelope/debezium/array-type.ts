// Arrays, and pgvector's vectors, in Debezium's representation. In compatible mode with its losses: inner arrays, and digits of
// times, which Java's types for the elements do not hold.

import { createHash } from 'node:crypto';
import type { Column, Value } from '../../sdk/index.ts';
import { jsonString, jsonValue } from '../json.ts';
import type { ConnectSchema } from './connect-schema.ts';
import { PLACEHOLDER } from './placeholder.ts';
import { areElementsOptional, bareName, elementName, SYSTEM_VECTORS, VECTORS } from './postgres-types.ts';
import type { DebeziumType, TypeModes } from './types.ts';
import * as write from './write.ts';

/** `typeOf`: the type of a column like this one; `null` when Debezium has none. */
export function arrayType(column: Column, modes: TypeModes, typeOf: (element: Column) => DebeziumType | null): DebeziumType | null {
  const { compatible } = modes,
    element = elementColumn(column),
    type = typeOf(element);
  if (type === null) return null;
  const vector = vectorSchema(column, type);
  if (vector !== null) return { schema: vector, write: (v) => write.array(v, type.write), zero: '[]', unavailable: null };
  // It describes arrays of bits as single ones, and then has no value that fits.
  if (compatible && element.type === 'bits') return { ...type, write: () => 'null', zero: 'null', unavailable: null };
  const items = areElementsOptional(column) ? { ...type.schema, optional: true } : type.schema;
  const schema: ConnectSchema = { type: 'array', items };
  const more = { schema, zero: '[]', unavailable: unavailable(element, schema, modes.time) };
  if (!compatible) return { ...more, write: type.write === jsonValue ? jsonValue : (v) => write.array(v, type.write) };
  if (SYSTEM_VECTORS.has(column.nativeType)) return { ...more, write: (v) => (Array.isArray(v) && v.length === 0 ? 'null' : '[]') };
  const writeElement = lossy(element, type.write),
    writeAll = (v: Value): string => write.array(v, writeElement);
  const isLostWithNull = !areElementsOptional(column) || bareName(element.nativeType) === 'ltree';
  if (isLostWithNull) return { ...more, write: (v) => (Array.isArray(v) && v.includes(null) ? 'null' : writeAll(v)) };
  // Java's driver cannot read an array with a number that is none.
  if (element.type === 'decimal') return { ...more, write: (v) => (hasSpecial(v) ? 'null' : writeAll(v)) };
  return { ...more, write: writeAll };
}

const SPECIAL = /^(?:NaN|-?Infinity)$/;

function hasSpecial(value: Value): boolean {
  return Array.isArray(value) && (value as readonly Value[]).some((v) => (typeof v === 'string' && SPECIAL.test(v)) || hasSpecial(v));
}

function elementColumn({ name, nativeType, length, precision, scale, values, element = 'any' }: Column): Column {
  return {
    name,
    type: element,
    nativeType: nativeType.endsWith('[]') ? nativeType.slice(0, -2) : element,
    nullable: true,
    ...(length === undefined ? {} : { length }),
    ...(precision === undefined ? {} : { precision }),
    ...(scale === undefined ? {} : { scale }),
    ...(values === undefined ? {} : { values }),
  };
}

function vectorSchema({ nativeType }: Column, { schema }: DebeziumType): ConnectSchema | null {
  const name = bareName(nativeType);
  if (!VECTORS.has(name)) return null;
  return { type: 'array', items: schema, name: `io.debezium.data.${name === 'vector' ? 'DoubleVector' : 'FloatVector'}`, version: 1 };
}

/** Whose converter takes anything as text. */
const TEXTUAL: ReadonlySet<string> = new Set(['string', 'json', 'uuid', 'enum']);

/** An inner array is NULL, but where Debezium would write the address of the Java object: there it is its JSON. */
function lossy(element: Column, writer: DebeziumType['write']): DebeziumType['write'] {
  const name = bareName(element.nativeType);
  const isTextual = TEXTUAL.has(element.type) && name !== 'citext' && name !== 'hstore';
  const inner = (value: Value): string => (isTextual ? jsonString(jsonValue(value)) : 'null');
  // java.sql.Time holds milliseconds, and seconds once it is moved to UTC.
  const fraction = element.type === 'time' ? /(\.\d{3})\d+/ : element.type === 'timetz' ? /()\.\d+/ : null;
  return (value) => {
    if (Array.isArray(value)) return inner(value);
    return writer(fraction !== null && typeof value === 'string' ? value.replace(fraction, '$1') : value);
  };
}

/** UUID.nameUUIDFromBytes: version 3, without a namespace. */
function placeholderUuid(): string {
  const bytes = createHash('md5').update(PLACEHOLDER).digest();
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x30;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** UnchangedToastedPlaceholder: the bytes of the text stand for integers, other types have no placeholder. */
function unavailable(element: Column, { items }: ConnectSchema, time: TypeModes['time']): string | null {
  switch (elementName(`${element.nativeType}[]`)) {
    case 'text':
    case 'character varying':
    case 'character':
    case 'json':
    case 'jsonb':
      return `[${jsonString(PLACEHOLDER)}]`;
    case 'bytea':
      return items?.type === 'bytes' ? `["${Buffer.from(PLACEHOLDER).toString('base64')}"]` : null;
    case 'integer':
    case 'bigint':
    case 'date':
      if (element.type === 'date' && time === 'connect') return null;
      return items?.type === 'string' ? null : `[${[...Buffer.from(PLACEHOLDER)].join(',')}]`;
    case 'uuid':
      return `["${placeholderUuid()}"]`;
    default:
      return null;
  }
}
