// Columns of the catalog in the form in which the log has them: for tables that were not met in the log, and for rows that are read by
// SELECT. What makes a schema of a column is the same code for both.

import { charsetNamed } from './binlog/charsets.ts';
import { ColumnType, widthOf } from './binlog/column-type.ts';
import type { MapColumn } from './binlog/table-map.ts';
import type { CatalogColumn } from './catalog.ts';
import { hasUnsigned, namesIn } from './native-type.ts';

interface Typed {
  readonly type: number;
  readonly meta: number;
}

const INTEGERS: Readonly<Record<string, number>> = {
  tinyint: ColumnType.tiny,
  smallint: ColumnType.short,
  mediumint: ColumnType.int24,
  int: ColumnType.long,
  bigint: ColumnType.longlong,
  year: ColumnType.year,
  date: ColumnType.date,
};
const FRACTIONAL: Readonly<Record<string, number>> = {
  time: ColumnType.time2,
  datetime: ColumnType.datetime2,
  timestamp: ColumnType.timestamp2,
};
/** Bytes of the length before a value. */
const LONG: Readonly<Record<string, number>> = {
  tinyblob: 1,
  blob: 2,
  mediumblob: 3,
  longblob: 4,
  tinytext: 1,
  text: 2,
  mediumtext: 3,
  longtext: 4,
};
const FIXED: Readonly<Record<string, Typed>> = {
  float: { type: ColumnType.float, meta: 4 },
  double: { type: ColumnType.double, meta: 8 },
  json: { type: ColumnType.json, meta: 4 },
  uuid: { type: ColumnType.string, meta: 16 },
  inet6: { type: ColumnType.string, meta: 16 },
  inet4: { type: ColumnType.string, meta: 4 },
};
const SHORT_ENUM = 255;

function typed(column: CatalogColumn): Typed {
  const text = column.columnType.toLowerCase(),
    [, word = '', first, second] = /^([a-z0-9]+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?/.exec(text) ?? [],
    n = Number(first ?? 0);
  if (Object.hasOwn(FIXED, word)) return FIXED[word] as Typed;
  if (Object.hasOwn(INTEGERS, word)) return { type: INTEGERS[word] as number, meta: 0 };
  if (Object.hasOwn(FRACTIONAL, word)) return { type: FRACTIONAL[word] as number, meta: n };
  if (Object.hasOwn(LONG, word)) return { type: ColumnType.blob, meta: LONG[word] as number };
  return typedByLength(column, word, n, Number(second ?? 0));
}

function typedByLength(column: CatalogColumn, word: string, n: number, scale: number): Typed {
  const bytes = n * (charsetNamed(column.charset ?? '')?.maxBytes ?? 1),
    names = namesIn(column.columnType) ?? [];
  switch (word) {
    case 'decimal':
      return { type: ColumnType.newDecimal, meta: (n << 8) | scale };
    case 'bit':
      return { type: ColumnType.bit, meta: ((n >> 3) << 8) | (n & 7) };
    case 'char':
    case 'binary':
      return { type: ColumnType.string, meta: bytes };
    case 'varchar':
    case 'varbinary':
      return { type: ColumnType.varchar, meta: bytes };
    case 'enum':
      return { type: ColumnType.enum, meta: names.length > SHORT_ENUM ? 2 : 1 };
    case 'set':
      return { type: ColumnType.set, meta: names.length > 32 ? 8 : Math.max(1, Math.ceil(names.length / 8)) };
    case 'vector':
      return { type: ColumnType.vector, meta: 4 };
    default:
      return { type: ColumnType.geometry, meta: 4 };
  }
}

const BINARY_COLLATION = 63;

/** `charset` stays with the facts: the catalog names it, the log has a number. */
export function mapColumn(column: CatalogColumn): MapColumn {
  const { type, meta } = typed(column),
    isText = [ColumnType.string, ColumnType.varchar, ColumnType.blob].includes(type as never);
  return {
    type,
    meta,
    nullable: column.nullable,
    width: widthOf(type, meta),
    name: column.name,
    unsigned: hasUnsigned(column.columnType),
    collation: isText && column.charset === null ? BINARY_COLLATION : null,
    values: namesIn(column.columnType),
    geometry: type === ColumnType.geometry ? column.columnType.toLowerCase() : null,
    visible: true,
    dimensions: null,
  };
}
