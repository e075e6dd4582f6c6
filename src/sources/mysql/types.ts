// MySQL's and MariaDB's types ↔ ours: for each column its description and how its bytes in a row become a value, chosen once per
// table. What TABLE_MAP does not say (names before FULL metadata, `uuid`, defaults) comes from the catalog, as `ColumnFacts`.
//
// | MySQL, MariaDB | column type | value |
// |---|---|---|
// | tinyint, tinyint unsigned, smallint | int16 | number |
// | smallint unsigned, mediumint, int, year | int32 | number |
// | int unsigned, bigint; bigint unsigned | int64; uint64 | bigint |
// | float; double | float32; float64 | number |
// | decimal | decimal | the digits: `"12.30"` |
// | char, varchar, text; binary, varbinary, blob | string; bytes | text; bytes, BINARY with its zeros |
// | date, time, datetime, timestamp | date, time, timestamp, timestamptz | ISO 8601 with the column's digits; `-838:59:59`, `0000-00-00` |
// | enum; set | enum; string | the name; names with commas |
// | bit(n) | bits | `"0101"` |
// | json of MySQL | json | the server's own text |
// | geometry and its kinds | geometry | extended well-known binary, as bytes |
// | uuid; inet4, inet6 of MariaDB | uuid; string | the text; needs the catalog's type |
// | vector of MySQL | array of float32 | numbers |

import type { Column, ColumnType as LogicalType, TextColumn, Value } from '../../sdk/index.ts';
import { BINARY_COLLATION, type Charset, charsetNamed, charsetOf } from './binlog/charsets.ts';
import { ColumnType } from './binlog/column-type.ts';
import { BinlogError } from './binlog/errors.ts';
import type { MapColumn } from './binlog/table-map.ts';
import * as temporal from './binlog/temporal.ts';
import { hasUnsigned, isNamed, namesIn } from './native-type.ts';
import * as values from './values.ts';

/** What the catalog (information_schema.COLUMNS) knows of a column. */
export interface ColumnFacts {
  readonly name: string;
  /** `COLUMN_TYPE`: `int(10) unsigned`, `enum('a','b')`, `uuid`. */
  readonly columnType: string;
  /** `CHARACTER_SET_NAME`; `null` for what has none. */
  readonly charset: string | null;
  readonly nullable?: boolean;
  /** Literal default, when it is one. */
  readonly default?: Value;
  readonly defaultSql?: string;
  readonly comment?: string;
  /** As a statement of the log spelled the type, where the catalog has another word for it. */
  readonly declared?: 'boolean' | 'json' | 'real';
  /** See `CatalogColumn`. */
  readonly isRowEnd?: true;
  readonly isHidden?: true;
}

/** A type applied to a column. */
interface Applied {
  readonly type: LogicalType;
  readonly nativeType: string;
  readonly codec: values.Codec;
  readonly length?: number;
  readonly precision?: number;
  readonly scale?: number;
  readonly element?: LogicalType;
  readonly values?: readonly string[];
}

/** Neither the log nor the catalog says what it takes to read the column. */
function missing(what: string, name: string): BinlogError {
  return new BinlogError('unsupported', `the ${what} of column "${name}" is not in the log (binlog_row_metadata) and not known otherwise`);
}

/** Its name; throws where nobody says it. */
export function nameOf(column: MapColumn, index: number, facts: ColumnFacts | null): string {
  const name = column.name ?? facts?.name;
  if (name === undefined) throw missing('name', `${index + 1}`);
  return name;
}

function isUnsigned(column: MapColumn, facts: ColumnFacts | null, name: string): boolean {
  if (column.unsigned !== null) return column.unsigned;
  if (facts === null) throw missing('sign', name);
  return hasUnsigned(facts.columnType);
}

/** `null`: binary. */
function charsetFor(column: MapColumn, facts: ColumnFacts | null, name: string): Charset | null {
  if (column.collation !== null) return column.collation === BINARY_COLLATION ? null : charsetOf(column.collation);
  if (facts === null) throw missing('character set', name);
  if (facts.charset === null || facts.charset === 'binary') return null;
  const charset = charsetNamed(facts.charset);
  if (charset === null) throw new BinlogError('unsupported', `the character set ${facts.charset} of column "${name}"`);
  return charset;
}

function namesFor(column: MapColumn, facts: ColumnFacts | null, name: string): readonly string[] {
  const names = column.values ?? (facts === null ? null : namesIn(facts.columnType));
  if (names === null) throw missing('list of names', name);
  return names;
}

const whole = (type: LogicalType, nativeType: string, codec: values.Codec): Applied => ({ type, nativeType, codec });

function integerType(column: MapColumn, unsigned: boolean): Applied {
  const suffix = unsigned ? ' unsigned' : '';
  switch (column.type) {
    case ColumnType.tiny:
      return whole('int16', `tinyint${suffix}`, unsigned ? values.uint8Codec : values.int8Codec);
    case ColumnType.short:
      return unsigned ? whole('int32', 'smallint unsigned', values.uint16Codec) : whole('int16', 'smallint', values.int16Codec);
    case ColumnType.int24:
      return whole('int32', `mediumint${suffix}`, unsigned ? values.uint24Codec : values.int24Codec);
    case ColumnType.long:
      return unsigned ? whole('int64', 'int unsigned', values.uint32Codec) : whole('int32', 'int', values.int32Codec);
    default:
      return unsigned ? whole('uint64', 'bigint unsigned', values.uint64Codec) : whole('int64', 'bigint', values.int64Codec);
  }
}

function temporalType(type: LogicalType, name: string, digits: number | null, put: Parameters<typeof values.temporalCodec>[1]): Applied {
  const precision = digits ?? 0,
    nativeType = precision === 0 ? name : `${name}(${precision})`;
  return { type, nativeType, codec: values.temporalCodec(type === 'timestamptz' ? 'timestamptz' : 'ascii', put), precision };
}

type PutFraction = (out: Buffer, at: number, bytes: Buffer, start: number, digits: number) => number;

function fractionalType(type: LogicalType, name: string, digits: number, put: PutFraction): Applied {
  return temporalType(type, name, digits, (out, at, bytes, start) => put(out, at, bytes, start, digits));
}

/** Of CHAR, VARCHAR and their binary kinds. */
function shortTextType(column: MapColumn, facts: ColumnFacts | null, name: string): Applied {
  const isChar = column.type === ColumnType.string,
    isCompressed = column.type === ColumnType.varcharCompressed;
  if (isChar && facts !== null) {
    if (isNamed(facts.columnType, 'uuid')) return whole('uuid', 'uuid', values.uuidCodec);
    if (isNamed(facts.columnType, 'inet6')) return whole('string', 'inet6', values.inet6Codec);
    if (isNamed(facts.columnType, 'inet4')) return whole('string', 'inet4', values.inet4Codec);
  }
  const charset = charsetFor(column, facts, name),
    // A byte of the length is the kind of compression.
    bytes = isCompressed ? column.meta - 1 : column.meta;
  if (charset === null) {
    const codec = isChar ? values.binaryCodec(bytes) : values.bytesCodec;
    return { ...whole('bytes', `${isChar ? 'binary' : 'varbinary'}(${bytes})`, compressedIf(isCompressed, codec)), length: bytes };
  }
  const length = Math.floor(bytes / charset.maxBytes);
  return {
    ...whole('string', `${isChar ? 'char' : 'varchar'}(${length})`, compressedIf(isCompressed, values.textCodec(charset))),
    length,
  };
}

const compressedIf = (is: boolean, codec: values.Codec): values.Codec => (is ? values.compressedCodec(codec) : codec);

/** By the number of bytes of a length. */
const SIZES = ['', 'tiny', '', 'medium', 'long'];

function longTextType(column: MapColumn, facts: ColumnFacts | null, name: string): Applied {
  const charset = charsetFor(column, facts, name),
    size = SIZES[column.meta] ?? '',
    isCompressed = column.type === ColumnType.blobCompressed;
  if (charset === null) return whole('bytes', `${size}blob`, compressedIf(isCompressed, values.bytesCodec));
  return whole('string', `${size}text`, compressedIf(isCompressed, values.textCodec(charset)));
}

const quoted = (names: readonly string[]): string => names.map((n) => `'${n.replaceAll("'", "''")}'`).join(',');

function apply(column: MapColumn, facts: ColumnFacts | null, name: string): Applied {
  const { meta } = column;
  switch (column.type) {
    case ColumnType.tiny:
    case ColumnType.short:
    case ColumnType.int24:
    case ColumnType.long:
    case ColumnType.longlong:
      return integerType(column, isUnsigned(column, facts, name));
    case ColumnType.year:
      return whole('int32', 'year', values.yearCodec);
    case ColumnType.float:
      return whole('float32', 'float', values.floatCodec);
    case ColumnType.double:
      return whole('float64', 'double', values.doubleCodec);
    case ColumnType.newDecimal: {
      const precision = meta >> 8,
        scale = meta & 0xff;
      return { ...whole('decimal', `decimal(${precision},${scale})`, values.decimalCodec(precision, scale)), precision, scale };
    }
    case ColumnType.bit: {
      const length = (meta >> 8) * 8 + (meta & 0xff);
      return { ...whole('bits', `bit(${length})`, values.bitsCodec(length)), length };
    }
    case ColumnType.json:
      return whole('json', 'json', values.jsonCodec);
    case ColumnType.geometry:
      return whole('geometry', column.geometry ?? facts?.columnType ?? 'geometry', values.geometryCodec);
    case ColumnType.vector:
      return {
        ...whole('array', column.dimensions === null ? 'vector' : `vector(${column.dimensions})`, values.vectorCodec),
        element: 'float32',
      };
    default:
      return applyTemporal(column) ?? applyText(column, facts, name);
  }
}

function applyTemporal({ type, meta }: MapColumn): Applied | null {
  switch (type) {
    case ColumnType.date:
    case ColumnType.newDate:
      return { ...whole('date', 'date', values.temporalCodec('ascii', temporal.putDate)) };
    case ColumnType.time2:
      return fractionalType('time', 'time', meta, temporal.putTime2);
    case ColumnType.datetime2:
      return fractionalType('timestamp', 'datetime', meta, temporal.putDatetime2);
    case ColumnType.timestamp2:
      return fractionalType('timestamptz', 'timestamp', meta, temporal.putTimestamp2);
    case ColumnType.time:
      return temporalType('time', 'time', null, temporal.putOldTime);
    case ColumnType.datetime:
      return temporalType('timestamp', 'datetime', null, temporal.putOldDatetime);
    case ColumnType.timestamp:
      return temporalType('timestamptz', 'timestamp', null, temporal.putOldTimestamp);
    default:
      return null;
  }
}

function applyText(column: MapColumn, facts: ColumnFacts | null, name: string): Applied {
  switch (column.type) {
    case ColumnType.enum: {
      const names = namesFor(column, facts, name);
      return { ...whole('enum', `enum(${quoted(names)})`, values.enumCodec(names)), values: names };
    }
    case ColumnType.set: {
      const names = namesFor(column, facts, name);
      return { ...whole('string', `set(${quoted(names)})`, values.setCodec(names)), values: names };
    }
    case ColumnType.varchar:
    case ColumnType.varString:
    case ColumnType.varcharCompressed:
    case ColumnType.string:
      return shortTextType(column, facts, name);
    case ColumnType.tinyBlob:
    case ColumnType.blob:
    case ColumnType.mediumBlob:
    case ColumnType.longBlob:
    case ColumnType.blobCompressed:
      return longTextType(column, facts, name);
    default:
      throw new BinlogError('unsupported', `column "${name}" of type ${column.type}`);
  }
}

/** The column as our schemas have it. The type is spelled as the catalog does, where it is known. Throws `BinlogError`. */
export function columnOf(column: MapColumn, index: number, facts: ColumnFacts | null = null): Column {
  const name = nameOf(column, index, facts),
    { codec: _codec, ...type } = apply(column, facts, name);
  return {
    name,
    ...type,
    ...(facts === null ? {} : { nativeType: facts.columnType }),
    nullable: column.nullable,
    ...(facts?.default === undefined ? {} : { default: facts.default }),
    ...(facts?.defaultSql === undefined ? {} : { defaultSql: facts.defaultSql }),
    ...(facts?.comment === undefined ? {} : { comment: facts.comment }),
    ...(facts?.declared === undefined ? {} : { declaredType: facts.declared }),
  };
}

/** How its bytes are read and written. Throws `BinlogError`. */
export function textColumnOf(column: MapColumn, index: number, facts: ColumnFacts | null = null): TextColumn {
  const name = nameOf(column, index, facts),
    { form, decode, put } = apply(column, facts, name).codec;
  return { name, form, decode: (text) => text, decodeBytes: decode, ...(put === undefined ? {} : { put }) };
}
