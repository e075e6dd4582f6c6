// hstore: a JSON document as text, or a map. Members in the order of Java's maps in compatible mode.

import { JsonText, type Value } from '../../sdk/index.ts';
import { jsonString, jsonValue } from '../json.ts';
import type { ConnectSchema } from './connect-schema.ts';
import { javaOrder } from './java-map.ts';
import { PLACEHOLDER } from './placeholder.ts';
import type { DebeziumType } from './types.ts';
import * as write from './write.ts';

const JSON_SCHEMA: ConnectSchema = { type: 'string', name: 'io.debezium.data.Json', version: 1 };
const MAP_SCHEMA: ConnectSchema = { type: 'map', keys: { type: 'string' }, values: { type: 'string', optional: true } };
const UNAVAILABLE = JSON.stringify({ [PLACEHOLDER]: PLACEHOLDER });

export function hstoreType(mode: 'json' | 'map', compatible: boolean, asText: boolean): DebeziumType {
  if (mode === 'map' && compatible) {
    return { schema: MAP_SCHEMA, write: (value) => javaMap(value) ?? jsonValue(value), zero: '{}', unavailable: UNAVAILABLE };
  }
  const more = { schema: JSON_SCHEMA, zero: '"{}"', unavailable: jsonString(UNAVAILABLE) };
  if (!compatible) return { ...more, write: asText ? write.jsonAsText : jsonValue };
  return {
    ...more,
    write: (value) => {
      const text = javaMap(value);
      return text === null ? write.jsonAsText(value) : jsonString(text);
    },
  };
}

/** The JSON of the map; `null` when the value is none. As text, since objects of ours put keys that are whole numbers first. */
function javaMap(value: Value): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  if (value instanceof Uint8Array || value instanceof JsonText) return null;
  const members = value as { readonly [key: string]: Value };
  const texts = javaOrder(Object.keys(members)).map((key) => `${jsonString(key)}:${jsonValue(members[key] as Value)}`);
  return `{${texts.join(',')}}`;
}
