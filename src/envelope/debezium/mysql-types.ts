// What Debezium's connectors for MySQL and MariaDB do differently with some types.
// https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-data-types

import type { Column, Value } from '../../sdk/index.ts';
import { base64, jsonString, jsonValue } from '../json.ts';
import { parseDate, parseTime } from '../temporal.ts';
import type { ConnectSchema } from './connect-schema.ts';
import { javaDouble } from './number-text.ts';
import type { DebeziumType, TypeModes } from './types.ts';
import * as write from './write.ts';

const YEAR: ConnectSchema = { type: 'int32', name: 'io.debezium.time.Year', version: 1 };
const SECONDS_PER_DAY = 86_400;
const DATE_CHARACTERS = 10;

/** `general`: what all connectors would do. */
export function mysqlType(column: Column, modes: TypeModes, general: DebeziumType): DebeziumType {
  if (/^year\b/i.test(column.nativeType)) return { schema: YEAR, write: write.integer, zero: '0', unavailable: null };
  if (/^set\s*\(/i.test(column.nativeType)) {
    const parameters = { allowed: (column.values ?? []).join(',') };
    return { ...general, schema: { type: 'string', name: 'io.debezium.data.EnumSet', version: 1, parameters } };
  }
  switch (column.type) {
    case 'bits':
      return column.length === undefined || column.length === 1 ? general : { ...general, write: bits };
    case 'geometry':
      return { ...general, write: column.nativeType.startsWith('point') ? point : geometry };
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return withoutZeroDates(column, general);
    case 'time':
      return modes.time === 'connect' || modes.time === 'isostring' ? withinDay(general) : general;
    default:
      return general;
  }
}

/** `1011` → 0b: the lowest byte first, all of the column's. */
function bits(value: Value): string {
  if (typeof value !== 'string' || !/^[01]+$/.test(value)) return jsonValue(value);
  const bytes: number[] = [];
  for (let end = value.length; end > 0; end -= 8) bytes.push(Number.parseInt(value.slice(Math.max(0, end - 8), end), 2));
  return `"${Buffer.from(bytes).toString('base64')}"`;
}

/** `0000-00-00` and days that no calendar has (`2024-02-00`): NULL, and the zero of the type where NULL cannot be. */
function withoutZeroDates(column: Column, general: DebeziumType): DebeziumType {
  // Not from the text alone: these would go out as they are.
  const { fromText: _fromText, ...type } = general,
    instead = column.nullable ? 'null' : general.zero;
  return {
    ...type,
    write: (value) => (typeof value === 'string' && parseDate(value.slice(0, DATE_CHARACTERS)) === null ? instead : general.write(value)),
  };
}

/** Times of a day cannot be negative or longer. */
function withinDay(general: DebeziumType): DebeziumType {
  return {
    ...general,
    write: (value) => {
      const time = typeof value === 'string' ? parseTime(value) : null;
      return time !== null && (time.seconds < 0 || time.seconds >= SECONDS_PER_DAY) ? 'null' : general.write(value);
    },
  };
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
