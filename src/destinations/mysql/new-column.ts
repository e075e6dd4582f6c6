// Logical types → column types of columns that we make, each such that no value changes. Pure.
//
// | logical | new column | | logical | new column |
// |---|---|---|---|---|
// | boolean | tinyint(1) | | date | date |
// | int16, int32, int64 | smallint, int, bigint | | time(p) | time(p) |
// | uint64 | bigint unsigned | | timestamp(p), timestamptz(p) | datetime(p), the latter in UTC |
// | float32, float64 | float, double | | timetz, interval, finer times | varchar(64) |
// | decimal(p,s) up to 65 and 30 digits | decimal(p,s) | | uuid | char(36) |
// | decimal without bounds | longtext | | json, array, any | json |
// | string(n) up to 255, enum, bits(n) | varchar | | xml, geometry (hex), other strings | longtext |
// | bytes | longblob | | in a key: longtext, longblob | varchar(255), varbinary(255) |

import type { Column, ColumnType } from '../../sdk/index.ts';
import type { ServerFacts } from '../../systems/mysql/server.ts';

/** MySQL counts microseconds. */
export const FINEST_DIGITS = 6;
export const MAX_DECIMAL_DIGITS = 65;
export const MAX_DECIMAL_SCALE = 30;
/** Longer texts are kept apart from the row, whose length is limited to 65,535 bytes. */
export const MAX_SHORT_TEXT = 255;
/** An index takes 3,072 bytes, 4 for each character. */
export const MAX_INDEXED_TEXT = 768;
/** Room for texts and bytes within the limit of a row; with more than this they are kept apart. */
const MAX_ROW_BYTES = 40_000;

const SIMPLE: Readonly<Partial<Record<ColumnType, string>>> = {
  boolean: 'tinyint(1)',
  int16: 'smallint',
  int32: 'int',
  int64: 'bigint',
  uint64: 'bigint unsigned',
  float32: 'float',
  float64: 'double',
  date: 'date',
  timetz: 'varchar(64)',
  interval: 'varchar(64)',
  uuid: 'char(36)',
  json: 'json',
  array: 'json',
  any: 'json',
  bytes: 'longblob',
  xml: 'longtext',
  geometry: 'longtext',
};

/** The type of a new column that keeps every value of `column`; of a `key` column, up to a length that an index takes. */
export function newColumnType(column: Column, key = false): string {
  const type = typeOf(column);
  if (!key) return type;
  if (type === 'longblob') return `varbinary(${MAX_SHORT_TEXT})`;
  return type === 'longtext' || type === 'json' ? `varchar(${Math.min(column.length ?? MAX_SHORT_TEXT, MAX_INDEXED_TEXT)})` : type;
}

function typeOf(column: Column): string {
  const { type, length, precision = FINEST_DIGITS } = column;
  switch (type) {
    case 'decimal':
      return decimalType(column);
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      if (precision > FINEST_DIGITS) return 'varchar(64)';
      return `${type === 'time' ? 'time' : 'datetime'}${precision === 0 ? '' : `(${precision})`}`;
    case 'enum':
      return `varchar(${MAX_SHORT_TEXT})`;
    case 'bits':
      return length === undefined || length > MAX_SHORT_TEXT ? 'longtext' : `varchar(${length})`;
    case 'string':
      return length === undefined || length > MAX_SHORT_TEXT || length === 0 ? 'longtext' : `varchar(${length})`;
    default:
      return SIMPLE[type] ?? 'longtext';
  }
}

function decimalType({ precision, scale = 0 }: Column): string {
  const fits = precision !== undefined && precision <= MAX_DECIMAL_DIGITS && scale >= 0 && scale <= Math.min(precision, MAX_DECIMAL_SCALE);
  return fits ? `decimal(${precision},${scale})` : 'longtext';
}

/** The types of all columns of a new table: texts outside of the key are kept apart where a row would be too long with them. */
export function newColumnTypes(columns: readonly Column[], key: readonly string[]): string[] {
  const types = columns.map((c) => newColumnType(c, key.includes(c.name)));
  const bytes = types.reduce((sum, type) => sum + 4 * Number(/^varchar\((\d+)\)/.exec(type)?.[1] ?? 0), 0);
  if (bytes <= MAX_ROW_BYTES) return types;
  return types.map((type, i) => (type.startsWith('varchar') && !key.includes(columns[i]?.name ?? '') ? 'longtext' : type));
}

/** Texts are told apart byte by byte, blanks at the end included: the same as at the source. */
export function exactCollation({ flavor, number }: ServerFacts): string {
  if (flavor === 'mariadb') return 'utf8mb4_nopad_bin';
  return number >= 80_017 ? 'utf8mb4_0900_bin' : 'utf8mb4_bin';
}

const isText = (type: string): boolean => /^(var)?char|text$/.test(type);

/** ` CHARACTER SET … COLLATE …` for types that have one, in a table that may have others. */
export function charsetClause(type: string, server: ServerFacts): string {
  return isText(type) ? ` CHARACTER SET utf8mb4 COLLATE ${exactCollation(server)}` : '';
}
