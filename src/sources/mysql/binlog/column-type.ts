// Numbers of column types, as TABLE_MAP has them, and how many bytes of a row they take.
// https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html

import { decimalBytes } from './decimal.ts';

export const ColumnType = {
  decimal: 0,
  tiny: 1,
  short: 2,
  long: 3,
  float: 4,
  double: 5,
  null: 6,
  timestamp: 7,
  longlong: 8,
  int24: 9,
  date: 10,
  time: 11,
  datetime: 12,
  year: 13,
  newDate: 14,
  varchar: 15,
  bit: 16,
  timestamp2: 17,
  datetime2: 18,
  time2: 19,
  blobCompressed: 140,
  varcharCompressed: 141,
  vector: 242,
  json: 245,
  newDecimal: 246,
  enum: 247,
  set: 248,
  tinyBlob: 249,
  mediumBlob: 250,
  longBlob: 251,
  blob: 252,
  varString: 253,
  string: 254,
  geometry: 255,
} as const;

/** Types whose signedness is told. */
const NUMERIC: ReadonlySet<number> = new Set([
  ColumnType.tiny,
  ColumnType.short,
  ColumnType.int24,
  ColumnType.long,
  ColumnType.longlong,
  ColumnType.float,
  ColumnType.double,
  ColumnType.newDecimal,
  ColumnType.year,
]);
export const isNumeric = (type: number): boolean => NUMERIC.has(type);

/** Types whose character set is told. MariaDB counts GEOMETRY among them, MySQL does not. */
const CHARACTERS: ReadonlySet<number> = new Set([
  ColumnType.varchar,
  ColumnType.varString,
  ColumnType.string,
  ColumnType.blob,
  ColumnType.tinyBlob,
  ColumnType.mediumBlob,
  ColumnType.longBlob,
  ColumnType.blobCompressed,
  ColumnType.varcharCompressed,
]);
export const hasCharacters = (type: number, flavor: string): boolean =>
  CHARACTERS.has(type) || (flavor === 'mariadb' && type === ColumnType.geometry);

/** Bytes of metadata in TABLE_MAP. */
export function metadataBytes(type: number): 0 | 1 | 2 {
  switch (type) {
    case ColumnType.varchar:
    case ColumnType.varcharCompressed:
    case ColumnType.bit:
    case ColumnType.newDecimal:
    case ColumnType.string:
    case ColumnType.varString:
    case ColumnType.enum:
    case ColumnType.set:
      return 2;
    case ColumnType.blob:
    case ColumnType.tinyBlob:
    case ColumnType.mediumBlob:
    case ColumnType.longBlob:
    case ColumnType.blobCompressed:
    case ColumnType.json:
    case ColumnType.vector:
    case ColumnType.geometry:
    case ColumnType.float:
    case ColumnType.double:
    case ColumnType.timestamp2:
    case ColumnType.datetime2:
    case ColumnType.time2:
      return 1;
    default:
      return 0;
  }
}

/** Types that have no metadata and a fixed size. */
const PLAIN_BYTES: ReadonlyMap<number, number> = new Map([
  [ColumnType.tiny, 1],
  [ColumnType.short, 2],
  [ColumnType.int24, 3],
  [ColumnType.long, 4],
  [ColumnType.longlong, 8],
  [ColumnType.year, 1],
  [ColumnType.date, 3],
  [ColumnType.newDate, 3],
  [ColumnType.time, 3],
  [ColumnType.datetime, 8],
  [ColumnType.timestamp, 4],
  [ColumnType.null, 0],
]);

const SHORT_LENGTH = 255;
/** Digits of a fraction take half as many bytes. */
const fractionBytes = (digits: number): number => (digits + 1) >> 1;

/**
 * How far a value reaches: that many bytes, or `-n` for a length of `n` bytes and what it says. `null`: unknown, and so are all
 * columns behind it.
 */
export function widthOf(type: number, meta: number): number | null {
  const plain = PLAIN_BYTES.get(type);
  if (plain !== undefined) return plain;
  switch (type) {
    case ColumnType.float:
    case ColumnType.double:
      return meta === 4 || meta === 8 ? meta : null;
    case ColumnType.timestamp2:
      return meta > 6 ? null : 4 + fractionBytes(meta);
    case ColumnType.datetime2:
      return meta > 6 ? null : 5 + fractionBytes(meta);
    case ColumnType.time2:
      return meta > 6 ? null : 3 + fractionBytes(meta);
    case ColumnType.newDecimal:
      return decimalBytes(meta >> 8, meta & 0xff);
    case ColumnType.bit:
      return (meta >> 8) + ((meta & 0xff) > 0 ? 1 : 0);
    case ColumnType.enum:
    case ColumnType.set:
      return meta > 8 || meta < 1 ? null : meta;
    case ColumnType.varchar:
    case ColumnType.varcharCompressed:
    case ColumnType.varString:
    case ColumnType.string:
      return meta > SHORT_LENGTH ? -2 : -1;
    case ColumnType.blob:
    case ColumnType.tinyBlob:
    case ColumnType.mediumBlob:
    case ColumnType.longBlob:
    case ColumnType.blobCompressed:
    case ColumnType.json:
    case ColumnType.vector:
    case ColumnType.geometry:
      return meta > 4 || meta < 1 ? null : -meta;
    default:
      return null;
  }
}
