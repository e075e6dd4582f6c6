// What Debezium's connectors for MySQL and MariaDB do differently with some types.
// https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-data-types

import { type Column, JsonText, type Value } from '../../sdk/index.ts';
import { base64, jsonString, jsonValue } from '../json.ts';
import type { ConnectSchema } from './connect-schema.ts';
import { debeziumDocument } from './mysql-json.ts';
import { dateType, momentType, timeWithinDay } from './mysql-temporal.ts';
import { javaDouble, javaFloat } from './number-text.ts';
import type { DebeziumType, TypeModes } from './types.ts';
import * as write from './write.ts';

const YEAR: ConnectSchema = { type: 'int32', name: 'io.debezium.time.Year', version: 1 };

/** `general`: what all connectors would do. */
export function mysqlType(column: Column, modes: TypeModes, general: DebeziumType): DebeziumType {
  if (/^year\b/i.test(column.nativeType)) return yearType();
  if (column.declaredType !== undefined && column.type !== 'json') return declaredType(column.declaredType, general);
  if (/^set\s*\(/i.test(column.nativeType)) return choiceType('EnumSet', column, general);
  switch (column.type) {
    case 'enum':
      return choiceType('Enum', column, general);
    case 'float32':
      return /^float\s*\(\d+,/i.test(column.nativeType) ? scaledFloat(general) : { ...general, read: sixDigits };
    case 'uuid':
      return { ...general, write: uuid, read: general.write };
    case 'json':
      return { ...withoutFromText(general), write: (value) => document(value, general.write), read: general.write };
    case 'bits':
      return column.length === undefined || column.length === 1 ? general : { ...general, write: bits };
    case 'geometry':
      return { ...general, write: column.nativeType.startsWith('point') ? point : geometry };
    case 'date':
    case 'timestamp':
      return dateType(column, general);
    case 'timestamptz':
      return momentType(column, general);
    case 'time':
      return modes.time === 'connect' || modes.time === 'isostring' ? timeWithinDay(general) : general;
    default:
      return general;
  }
}

const BOOLEAN = (value: Value): string => (typeof value === 'number' ? `${value !== 0}` : jsonValue(value));
const JSON_TEXT: ConnectSchema = { type: 'string', name: 'io.debezium.data.Json', version: 1 };

/** Debezium knows a column by the statement that made it, until it asks the server itself. */
function declaredType(word: string, general: DebeziumType): DebeziumType {
  switch (word) {
    case 'boolean':
      return { schema: { type: 'boolean' }, write: BOOLEAN, zero: 'false', unavailable: null };
    case 'json':
      return { ...general, schema: JSON_TEXT };
    case 'real':
      return {
        ...general,
        schema: { type: 'float' },
        write: (value) => write.float(typeof value === 'number' ? Math.fround(value) : value),
      };
    default:
      return general;
  }
}

function withoutFromText({ fromText: _, ...type }: DebeziumType): DebeziumType {
  return type;
}

/** Documents of MySQL's log: Debezium has a text of its own for them. */
function document(value: Value, otherwise: DebeziumType['write']): string {
  return value instanceof JsonText ? jsonString(debeziumDocument(value.text)) : otherwise(value);
}

/** The log has years as what was added to 1900, and the year 0 as nothing added. */
function yearType(): DebeziumType {
  const log = (value: Value): string => (value === 0 ? '1900' : write.integer(value));
  return { schema: YEAR, write: log, read: write.integer, writeDefault: write.integer, zero: '0', unavailable: null };
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\0': '\\0' };

/** As a statement spells it, quotes apart: Debezium does not undo these, but reads names in such texts. */
const spelled = (text: string): string => text.replaceAll(/[\\\n\r\0]/g, (c) => ESCAPES[c] as string);

/** The comment on a column, as a statement spells it. */
export function commentOf({ comment }: Column): string | undefined {
  return comment === undefined ? undefined : spelled(comment).replaceAll("'", "''");
}

/** ENUM and SET. The log has numbers, whose names Debezium takes from the statement, with its escapes and one more for commas. */
function choiceType(name: 'Enum' | 'EnumSet', column: Column, general: DebeziumType): DebeziumType {
  const names = column.values ?? [],
    options = names.map((text) => spelled(text).replaceAll(',', '\\,')),
    schema: ConnectSchema = { type: 'string', name: `io.debezium.data.${name}`, version: 1, parameters: { allowed: options.join(',') } };
  if (options.every((text, i) => text === names[i])) return { ...general, schema };
  const log = (text: string): string => (name === 'EnumSet' ? spelled(text) : (options[names.indexOf(text)] ?? text));
  return {
    ...general,
    schema,
    write: (value) => (typeof value === 'string' ? jsonString(log(value)) : jsonValue(value)),
    read: jsonValue,
    writeDefault: jsonValue,
  };
}

/** FLOAT(M,D): the double that has the float's value. */
function scaledFloat(general: DebeziumType): DebeziumType {
  const scaled = (value: Value): string => (typeof value === 'number' ? javaDouble(Math.fround(value)) : jsonValue(value));
  return { ...general, schema: { type: 'double' }, write: scaled, writeDefault: write.double };
}

const SHOWN_DIGITS = 6,
  EXACT_DIGITS = 40;

/** The server writes a FLOAT with six digits, halves to the even one. */
function sixDigits(value: Value): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) return jsonValue(value);
  const float = Math.fround(value),
    [digits = '', exponent = '0'] = float.toExponential(EXACT_DIGITS).split('e'),
    kept = digits.slice(0, digits.indexOf('.') + SHOWN_DIGITS),
    isHalf = /^50*$/.test(digits.slice(kept.length)),
    isEven = Number(kept.at(-1)) % 2 === 0;
  return javaFloat(isHalf && isEven ? Number(`${kept}e${exponent}`) : Number(float.toPrecision(SHOWN_DIGITS)));
}

const UUID_DIGITS = 32;

/** The log leaves zeros at the end out, and Debezium reads what is left as a number. */
function uuid(value: Value): string {
  if (typeof value !== 'string') return jsonValue(value);
  const hex = value
    .replaceAll('-', '')
    .replace(/(?:00)+$/, (zeros, at: number) => (at % 2 === 0 ? '' : zeros.slice(0, 1)))
    .padStart(UUID_DIGITS, '0');
  return `"${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}"`;
}

/** `1011` → 0b: the lowest byte first, all of the column's. */
function bits(value: Value): string {
  if (typeof value !== 'string' || !/^[01]+$/.test(value)) return jsonValue(value);
  const bytes: number[] = [];
  for (let end = value.length; end > 0; end -= 8) bytes.push(Number.parseInt(value.slice(Math.max(0, end - 8), end), 2));
  return `"${Buffer.from(bytes).toString('base64')}"`;
}

const HAS_SRID = 0x20_00_00_00;
const HEAD_BYTES = 5,
  SRID_BYTES = 4,
  POINT_BYTES = 21;

/** Extended well-known binary → the plain one and the system of reference. */
function plainWkb(value: Value): { readonly wkb: Uint8Array; readonly srid: number | null } | null {
  if (!(value instanceof Uint8Array) || value.length < HEAD_BYTES) return null;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength),
    isLittle = value[0] === 1,
    type = view.getUint32(1, isLittle);
  if ((type & HAS_SRID) === 0 || value.length < HEAD_BYTES + SRID_BYTES) return { wkb: value, srid: null };
  const wkb = new Uint8Array(value.length - SRID_BYTES);
  wkb.set(value.subarray(0, HEAD_BYTES));
  wkb.set(value.subarray(HEAD_BYTES + SRID_BYTES), HEAD_BYTES);
  new DataView(wkb.buffer).setUint32(1, (type & ~HAS_SRID) >>> 0, isLittle);
  return { wkb, srid: view.getUint32(HEAD_BYTES, isLittle) };
}

function geometry(value: Value): string {
  const plain = plainWkb(value);
  return plain === null ? jsonValue(value) : `{"wkb":"${base64(plain.wkb)}","srid":${plain.srid}}`;
}

function point(value: Value): string {
  const plain = plainWkb(value);
  if (plain === null || plain.wkb.length !== POINT_BYTES) return plain === null ? jsonValue(value) : jsonString(base64(plain.wkb));
  const view = new DataView(plain.wkb.buffer, plain.wkb.byteOffset, POINT_BYTES),
    isLittle = plain.wkb[0] === 1,
    x = view.getFloat64(HEAD_BYTES, isLittle),
    y = view.getFloat64(HEAD_BYTES + 8, isLittle);
  return `{"x":${javaDouble(x)},"y":${javaDouble(y)},"wkb":"${base64(plain.wkb)}","srid":${plain.srid}}`;
}
