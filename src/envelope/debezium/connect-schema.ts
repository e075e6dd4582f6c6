// Kafka Connect schemas as JsonConverter writes them with `schemas.enable`: member order included.
// https://github.com/apache/kafka/blob/trunk/connect/json/src/main/java/org/apache/kafka/connect/json/JsonConverter.java

import { jsonString } from '../json.ts';

export interface ConnectSchema {
  readonly type: 'boolean' | 'int16' | 'int32' | 'int64' | 'float' | 'double' | 'string' | 'bytes' | 'struct' | 'array' | 'map';
  readonly fields?: readonly ConnectField[];
  readonly items?: ConnectSchema;
  /** Of a map. */
  readonly keys?: ConnectSchema;
  readonly values?: ConnectSchema;
  readonly optional?: boolean;
  readonly name?: string;
  readonly version?: number;
  readonly doc?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** JSON text of the default. */
  readonly default?: string;
}

/** A schema in its place in a struct. */
export interface ConnectField extends ConnectSchema {
  readonly field: string;
}

export function schemaText(schema: ConnectSchema | ConnectField): string {
  let out = `{"type":"${schema.type}"`;
  if (schema.items !== undefined) out += `,"items":${schemaText(schema.items)}`;
  if (schema.keys !== undefined) out += `,"keys":${schemaText(schema.keys)}`;
  if (schema.values !== undefined) out += `,"values":${schemaText(schema.values)}`;
  if (schema.fields !== undefined) out += `,"fields":[${schema.fields.map(schemaText).join(',')}]`;
  out += `,"optional":${schema.optional ?? false}`;
  if (schema.name !== undefined) out += `,"name":${jsonString(schema.name)}`;
  if (schema.version !== undefined) out += `,"version":${schema.version}`;
  if (schema.doc !== undefined) out += `,"doc":${jsonString(schema.doc)}`;
  if (schema.parameters !== undefined) out += `,"parameters":${JSON.stringify(schema.parameters)}`;
  if (schema.default !== undefined) out += `,"default":${schema.default}`;
  if ('field' in schema) out += `,"field":${jsonString(schema.field)}`;
  return `${out}}`;
}

/** A required field. */
export function field(name: string, type: ConnectSchema['type'], optional = false): ConnectField {
  return { type, optional, field: name };
}

export const TRANSACTION_BLOCK: ConnectSchema = {
  type: 'struct',
  fields: [field('id', 'string'), field('total_order', 'int64'), field('data_collection_order', 'int64')],
  optional: true,
  name: 'event.block',
  version: 1,
};

export const TRANSACTION_KEY: ConnectSchema = {
  type: 'struct',
  fields: [field('id', 'string')],
  name: 'io.debezium.connector.common.TransactionMetadataKey',
  version: 1,
};

const EVENT_COUNT: ConnectSchema = {
  type: 'struct',
  fields: [field('data_collection', 'string'), field('event_count', 'int64')],
  optional: true,
  name: 'event.collection',
  version: 1,
};

export const TRANSACTION_VALUE: ConnectSchema = {
  type: 'struct',
  fields: [
    field('status', 'string'),
    field('id', 'string'),
    field('event_count', 'int64', true),
    { type: 'array', items: EVENT_COUNT, optional: true, field: 'data_collections' },
    field('ts_ms', 'int64'),
  ],
  name: 'io.debezium.connector.common.TransactionMetadataValue',
  version: 1,
};
