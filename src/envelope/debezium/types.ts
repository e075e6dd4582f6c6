// Column → how Debezium describes and writes it. Each option's representation is decided here, once per column; what an
// option leaves open is written by its JS type, without loss.

import type { Column, Value } from '../../sdk/index.ts';
import type { TextWrite } from '../column-writer.ts';
import { jsonString, jsonValue } from '../json.ts';
import { arrayType } from './array-type.ts';
import type { ConnectSchema } from './connect-schema.ts';
import type { Connector } from './connectors.ts';
import { type DecimalMode, decimalType, moneyOrDecimalScale } from './decimal-type.ts';
import { hstoreType } from './hstore-type.ts';
import { PLACEHOLDER } from './placeholder.ts';
import { bareName } from './postgres-types.ts';
import { SPARSE_VECTOR, writeSparseVector } from './sparse-vector.ts';
import { type TimeMode, temporalType } from './temporal-type.ts';
import * as write from './write.ts';

/** The options that change values, resolved. `own`: by JS type. */
export interface TypeModes {
  readonly compatible: boolean;
  readonly decimal: DecimalMode | 'own';
  readonly time: TimeMode | 'own';
  readonly interval: 'numeric' | 'string';
  readonly hstore: 'json' | 'map';
  readonly binary: 'bytes' | 'base64' | 'base64-url-safe' | 'hex';
  /** With schemas, what a schema cannot describe becomes text. */
  readonly described: boolean;
}

export interface DebeziumType {
  readonly schema: ConnectSchema;
  readonly write: (value: Value) => string;
  /** For rows of a snapshot, where Debezium's connector shows them otherwise than changes. */
  readonly read?: (value: Value) => string;
  /** For defaults, where it shows those otherwise. */
  readonly writeDefault?: (value: Value) => string;
  /** Some values become NULL, or what stands for it. */
  readonly hasNulls?: boolean;
  /** See `ColumnWriter`. Absent: as the writer is known to do. */
  readonly fromText?: TextWrite;
  /** What Debezium shows for a NOT NULL column that the source did not send and that has no default. */
  readonly zero: string;
  /** What Debezium shows for a column whose unchanged value the source left out; `null`: what it shows for NULL. */
  readonly unavailable: string | null;
}

/** A type whose writers may say `null`. */
export const orNull = (type: DebeziumType): DebeziumType => ({ ...type, hasNulls: true });

/** What is written from the text of a value alone. */
export function fromTextOf({ write: writer, fromText }: DebeziumType): TextWrite | undefined {
  if (writer === write.integer) return 'digits';
  return writer === write.jsonAsText ? 'quoted' : fromText;
}

const PLACEHOLDER_TEXT = jsonString(PLACEHOLDER);

const named = (type: ConnectSchema['type'], name: string, parameters?: Readonly<Record<string, string>>): ConnectSchema => ({
  type,
  name: `io.debezium.data.${name}`,
  version: 1,
  ...(parameters === undefined ? {} : { parameters }),
});
const simple = (type: ConnectSchema['type'], writer: DebeziumType['write'], zero: string): DebeziumType => ({
  schema: { type },
  write: writer,
  zero,
  unavailable: null,
});
const stringType = (schema: ConnectSchema = { type: 'string' }): DebeziumType => ({
  schema,
  write: jsonValue,
  zero: '""',
  unavailable: PLACEHOLDER_TEXT,
});

/** `null`: Debezium has no converter for the type and leaves the column out. */
export function debeziumType(column: Column, modes: TypeModes, connector: Connector): DebeziumType | null {
  if (modes.compatible && !connector.supports(column)) return null;
  const type = generalType(column, modes, connector);
  return type !== null && modes.compatible && connector.typeOf !== undefined ? connector.typeOf(column, modes, type) : type;
}

function generalType(column: Column, modes: TypeModes, connector: Connector): DebeziumType | null {
  switch (column.type) {
    case 'boolean':
      return simple('boolean', jsonValue, 'false');
    case 'int16':
    case 'int32':
      return simple(column.type, write.integer, '0');
    case 'int64':
      return simple('int64', write.integer, '0');
    case 'uint64':
      return unsignedType(modes);
    case 'float32':
      return simple('float', modes.compatible ? write.float : jsonValue, '0.0');
    case 'float64':
      return simple('double', modes.compatible ? write.double : jsonValue, '0.0');
    case 'decimal':
      return modes.decimal === 'own' ? stringType() : decimalType(moneyOrDecimalScale(column), modes.decimal, modes.compatible);
    case 'date':
    case 'time':
    case 'timetz':
    case 'timestamp':
    case 'timestamptz':
    case 'interval':
      return modes.time === 'own' ? stringType() : temporalType(column, modes.time, modes.interval, connector);
    case 'bytes':
      return bytesType(modes.binary);
    case 'string':
      return textualType(column, modes);
    case 'uuid':
      return stringType(named('string', 'Uuid'));
    case 'xml':
      return stringType(named('string', 'Xml'));
    case 'enum':
      return stringType(named('string', 'Enum', { allowed: (column.values ?? []).join(',') }));
    case 'json':
      return jsonType(column, modes);
    case 'bits':
      return modes.compatible ? bitsType(column) : textType(modes);
    case 'array':
      return arrayType(column, modes, (element) => debeziumType(element, modes, connector));
    case 'geometry':
      return modes.compatible ? geometryType(column) : textType(modes);
    case 'any':
      return textType(modes);
  }
}

const LOGICAL_TEXTS: Readonly<Record<string, string>> = { ltree: 'Ltree', tsvector: 'Tsvector' };

function textualType(column: Column, modes: TypeModes): DebeziumType {
  const name = bareName(column.nativeType);
  if (name === 'sparsevec' && modes.compatible) return { schema: SPARSE_VECTOR, write: writeSparseVector, zero: '[]', unavailable: null };
  if (name === 'name' && modes.compatible) return nameType(column);
  const logical = Object.hasOwn(LOGICAL_TEXTS, name) ? LOGICAL_TEXTS[name] : undefined;
  return stringType(logical === undefined ? undefined : named('string', logical));
}

/** PostgreSQL's type `name` is lost in changes: NULL, or empty where NULL cannot be. */
function nameType({ nullable }: Column): DebeziumType {
  const lost = nullable ? 'null' : '""';
  return { ...stringType(), write: () => lost, read: jsonValue, unavailable: null };
}

function unsignedType(modes: TypeModes): DebeziumType {
  // Debezium's default `bigint.unsigned.handling.mode=long` lets values from 2^63 on come out negative.
  if (modes.compatible) return simple('int64', write.wrappedLong, '0');
  return modes.described ? textType(modes) : simple('int64', write.integer, '0');
}

/** By JS type; as text when a schema must describe it. */
function textType(modes: TypeModes): DebeziumType {
  return modes.described ? { ...stringType(), write: write.asText } : stringType();
}

function bytesType(binary: TypeModes['binary']): DebeziumType {
  const unavailable = {
    bytes: `"${Buffer.from(PLACEHOLDER).toString('base64')}"`,
    hex: PLACEHOLDER_TEXT,
    base64: null,
    'base64-url-safe': null,
  }[binary];
  const writer = { bytes: jsonValue, base64: jsonValue, 'base64-url-safe': write.base64UrlSafe, hex: write.hex }[binary];
  return { schema: { type: binary === 'bytes' ? 'bytes' : 'string' }, write: writer, zero: '""', unavailable };
}

function jsonType(column: Column, modes: TypeModes): DebeziumType {
  const asText = modes.compatible || modes.described;
  if (bareName(column.nativeType) === 'hstore') return hstoreType(modes.hstore, modes.compatible, asText);
  return { ...stringType(named('string', 'Json')), write: asText ? write.jsonAsText : jsonValue };
}

function bitsType(column: Column): DebeziumType {
  // A `bit varying` without length has Debezium's largest.
  const length = column.length ?? (column.nativeType.startsWith('bit varying') ? 2_147_483_647 : 1);
  if (length === 1) return simple('boolean', write.bit, 'false');
  return { schema: named('bytes', 'Bits', { length: `${length}` }), write: write.bits, zero: '""', unavailable: null };
}

const POINT: ConnectSchema = {
  type: 'struct',
  fields: [
    { type: 'double', field: 'x' },
    { type: 'double', field: 'y' },
    { type: 'bytes', optional: true, field: 'wkb' },
    { type: 'int32', optional: true, field: 'srid' },
  ],
  name: 'io.debezium.data.geometry.Point',
  version: 1,
  doc: 'Geometry (POINT)',
};

/** A geometry collection without members. */
const EMPTY_GEOMETRY = `{"wkb":"${Buffer.from('010700000000000000', 'hex').toString('base64')}","srid":null}`;

function geometryType(column: Column): DebeziumType {
  if (column.nativeType.startsWith('point')) return { schema: POINT, write: write.point, zero: write.point('(0,0)'), unavailable: null };
  const kind = column.nativeType.startsWith('geography') ? 'Geography' : 'Geometry';
  const schema: ConnectSchema = {
    type: 'struct',
    fields: [
      { type: 'bytes', field: 'wkb' },
      { type: 'int32', optional: true, field: 'srid' },
    ],
    name: `io.debezium.data.geometry.${kind}`,
    version: 1,
    doc: kind,
  };
  return { schema, write: write.geometry, zero: EMPTY_GEOMETRY, unavailable: null };
}
