// Kafka Connect's schemas as Avro, as Confluent's AvroData writes them: that is how Debezium's events look in a registry.
// https://github.com/confluentinc/schema-registry/blob/master/avro-data/src/main/java/io/confluent/connect/avro/AvroData.java

import type { ConnectField, ConnectSchema } from '../../envelope/debezium/connect-schema.ts';
import { fieldNames, schemaName, splitName } from './names.ts';
import { COLUMN_NOTE } from './schema.ts';
import type { AvroJson } from './table-schemas.ts';

/** AvroData's, where the source does not tell. */
const DEFAULT_PRECISION = 64;
const UNNAMED = 'io.confluent.connect.avro.ConnectDefault';

const PRIMITIVES = {
  boolean: 'boolean',
  int16: 'int',
  int32: 'int',
  int64: 'long',
  float: 'float',
  double: 'double',
  string: 'string',
  bytes: 'bytes',
} as const;
const LOGICAL: Readonly<Record<string, string>> = {
  'org.apache.kafka.connect.data.Date': 'date',
  'org.apache.kafka.connect.data.Time': 'time-millis',
  'org.apache.kafka.connect.data.Timestamp': 'timestamp-millis',
};
const DECIMAL = 'org.apache.kafka.connect.data.Decimal';

/** `named`: records that are defined already, and are named only from then on. */
export function avroOfConnect(schema: ConnectSchema, named = new Set<string>()): AvroJson {
  const type = plainType(schema, named);
  if (schema.optional !== true) return type;
  return schema.default === undefined ? ['null', type] : [type, 'null'];
}

function plainType(schema: ConnectSchema, named: Set<string>): AvroJson {
  switch (schema.type) {
    case 'struct':
      return recordOf(schema, named);
    case 'array':
      return { type: 'array', items: avroOfConnect(schema.items as ConnectSchema, named), ...notesOf(schema) };
    case 'map':
      return { type: 'map', values: avroOfConnect(schema.values as ConnectSchema, named), ...notesOf(schema) };
    default: {
      const type = PRIMITIVES[schema.type],
        notes = { ...logicalOf(schema), ...notesOf(schema), ...(schema.type === 'int16' ? { 'connect.type': 'int16' } : {}) };
      return Object.keys(notes).length === 0 ? type : { type, ...notes };
    }
  }
}

function logicalOf({ name, parameters }: ConnectSchema): object {
  if (name === DECIMAL) {
    const precision = Number(parameters?.['connect.decimal.precision'] ?? DEFAULT_PRECISION);
    return { scale: Number(parameters?.['scale'] ?? 0), precision, logicalType: 'decimal' };
  }
  const logicalType = name === undefined ? undefined : LOGICAL[name];
  return logicalType === undefined ? {} : { logicalType };
}

function notesOf({ doc, version, parameters, default: fallback, name, type }: ConnectSchema): object {
  return {
    ...(doc === undefined ? {} : { 'connect.doc': doc }),
    ...(version === undefined ? {} : { 'connect.version': version }),
    ...(parameters === undefined ? {} : { 'connect.parameters': parameters }),
    ...(fallback === undefined ? {} : { 'connect.default': defaultOf(type, fallback) }),
    ...(name === undefined ? {} : { 'connect.name': schemaName(name) }),
  };
}

function recordOf(schema: ConnectSchema, named: Set<string>): AvroJson {
  const full = schemaName(schema.name ?? UNNAMED);
  if (named.has(full)) return full;
  named.add(full);
  const fields = schema.fields ?? [],
    names = fieldNames(fields.map(({ field }) => String(field)));
  return {
    type: 'record',
    ...splitName(full),
    fields: fields.map((field, i) => fieldOf(field, names[i] as string, named)),
    ...(schema.doc === undefined ? {} : { 'connect.doc': schema.doc }),
    ...(schema.version === undefined ? {} : { 'connect.version': schema.version }),
    ...(schema.name === undefined ? {} : { 'connect.name': full }),
  };
}

function fieldOf(field: ConnectField, name: string, named: Set<string>): object {
  const type = avroOfConnect(field, named);
  const fallback =
    field.default === undefined ? (field.optional === true ? { default: null } : {}) : { default: defaultOf(field.type, field.default) };
  return { name, type, ...(name === field.field ? {} : { [COLUMN_NOTE]: field.field }), ...fallback };
}

/** JSON of a default → Avro's: bytes are a text of their codes. */
function defaultOf(type: ConnectSchema['type'], json: string): unknown {
  const value = JSON.parse(json) as unknown;
  return type === 'bytes' && typeof value === 'string' ? Buffer.from(value, 'base64').toString('latin1') : value;
}
