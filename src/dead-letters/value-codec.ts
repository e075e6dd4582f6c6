// Column values as JSON and back without loss. Pure. What JSON cannot say becomes an object with one tagged key:
//
// | value | JSON |
// |---|---|
// | `42n` | `{"$bigint": "42"}` |
// | bytes | `{"$bytes": "base64"}` |
// | `NaN`, `Infinity`, `-0` | `{"$number": "NaN"}` |
// | JSON in its source's text | `{"$json": "…"}` |
// | an object with one key that begins with `$` | `{"$object": {…}}` |

import { JsonText, type Row, type Value } from '../sdk/index.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export function encodeValue(value: Value): Json {
  if (typeof value === 'bigint') return { $bigint: value.toString() };
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0) ? value : { $number: Object.is(value, -0) ? '-0' : String(value) };
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  if (value instanceof JsonText) return { $json: value.text };
  if (isArray(value)) return value.map(encodeValue);
  const encoded = mapValues(value, encodeValue);
  return looksTagged(value) ? { $object: encoded } : encoded;
}

export function decodeValue(json: Json): Value {
  if (typeof json !== 'object' || json === null) return json;
  if (isArray(json)) return json.map(decodeValue);
  if (!looksTagged(json)) return mapValues(json, decodeValue);
  const [tag, content] = Object.entries(json)[0] as [string, Json];
  if (tag === '$object' && isObject(content)) return mapValues(content, decodeValue);
  if (typeof content === 'string') {
    if (tag === '$bigint') return BigInt(content);
    if (tag === '$number') return Number(content);
    if (tag === '$json') return new JsonText(content);
    if (tag === '$bytes') return new Uint8Array(Buffer.from(content, 'base64'));
  }
  throw new TypeError(`unknown tag "${tag}" of a value`);
}

export function encodeRow(row: Row | null): Json {
  return row && mapValues(row, encodeValue);
}

export function decodeRow(json: Json): Row | null {
  if (json === null) return null;
  if (!isObject(json)) throw new TypeError('a row is not an object');
  return mapValues(json, decodeValue);
}

export function isObject(json: Json | undefined): json is { readonly [key: string]: Json } {
  return typeof json === 'object' && json !== null && !isArray(json);
}

function looksTagged(value: object): boolean {
  const keys = Object.keys(value);
  return keys.length === 1 && (keys[0] as string).startsWith('$');
}

/** `fromEntries` defines its keys, so that a column named `__proto__` is a column. */
function mapValues<A, B>(object: { readonly [key: string]: A }, map: (value: A) => B): { [key: string]: B } {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}

/** `Array.isArray` that keeps the element type of readonly arrays. */
function isArray<T>(value: readonly T[] | object): value is readonly T[] {
  return Array.isArray(value);
}
