// Writers of single values in Debezium's representations. Each takes what its column type promises; anything else is
// written by its JS type, so that no value is lost or makes a batch fail.

import { JsonText, type Value } from '../../sdk/index.ts';
import { base64, jsonString, jsonValue } from '../json.ts';
import { javaDouble, javaFloat } from './number-text.ts';

/** Digits also where the source delivers 64-bit integers as text. */
export function integer(value: Value): string {
  return typeof value === 'string' && /^-?(0|[1-9]\d*)$/.test(value) ? value : jsonValue(value);
}

export function wrappedLong(value: Value): string {
  const digits = integer(value);
  return /^\d{19,20}$/.test(digits) ? BigInt.asIntN(64, BigInt(digits)).toString() : digits;
}

export const float = (value: Value): string => (typeof value === 'number' ? javaFloat(value) : jsonValue(value));
export const double = (value: Value): string => (typeof value === 'number' ? javaDouble(value) : jsonValue(value));

export const hex = (value: Value): string =>
  value instanceof Uint8Array ? `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}"` : jsonValue(value);

/** With padding, as Java's encoder: Node's `base64url` leaves it out. */
export const base64UrlSafe = (value: Value): string =>
  value instanceof Uint8Array ? `"${base64(value).replaceAll('+', '-').replaceAll('/', '_')}"` : jsonValue(value);

/** A JSON document as a string: the source's own text where it has it. */
export function jsonAsText(value: Value): string {
  return jsonString(value instanceof JsonText ? value.text : jsonValue(value));
}

/** Text stays as it is, anything else becomes the text of its JSON. */
export function asText(value: Value): string {
  return typeof value === 'string' ? jsonString(value) : jsonAsText(value);
}

export function bit(value: Value): string {
  if (typeof value === 'boolean') return `${value}`;
  // A `bit varying(1)` may be empty, which Debezium cannot read.
  if (value === '') return 'null';
  if (value === '0' || value === '1') return value === '1' ? 'true' : 'false';
  return typeof value === 'number' || typeof value === 'bigint' ? `${Number(value) !== 0}` : jsonValue(value);
}

/** `1011` → 0b: little-endian, without leading zero bytes, as java.util.BitSet.toByteArray. */
export function bits(value: Value): string {
  if (typeof value !== 'string' || !/^[01]*$/.test(value)) return jsonValue(value);
  const bytes: number[] = [];
  for (let end = value.length; end > 0; end -= 8) bytes.push(Number.parseInt(value.slice(Math.max(0, end - 8), end), 2));
  while (bytes.at(-1) === 0) bytes.pop();
  return `"${Buffer.from(bytes).toString('base64')}"`;
}

const POINT = /^\(([^,()]+),([^,()]+)\)$/;

/** `(1.5,-2.5)` or `{x, y}` → x, y and the same as WKB. */
export function point(value: Value): string {
  const match = typeof value === 'string' ? POINT.exec(value) : null;
  const xy = value as { readonly x?: Value; readonly y?: Value } | null;
  const x = match === null ? xy?.x : Number(match[1]),
    y = match === null ? xy?.y : Number(match[2]);
  if (typeof x !== 'number' || typeof y !== 'number') return jsonValue(value);
  const wkb = Buffer.alloc(21);
  wkb.writeUInt8(1, 0);
  wkb.writeUInt32LE(1, 1);
  wkb.writeDoubleLE(x, 5);
  wkb.writeDoubleLE(y, 13);
  return `{"x":${javaDouble(x)},"y":${javaDouble(y)},"wkb":"${wkb.toString('base64')}","srid":null}`;
}

const HAS_SRID = 0x20_00_00_00;

/** PostGIS' extended well-known binary: with the system of reference that stands in it. */
export function geometry(value: Value): string {
  if (!(value instanceof Uint8Array) || value.length < 9) return jsonValue(value);
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength),
    littleEndian = value[0] === 1;
  const srid = (view.getUint32(1, littleEndian) & HAS_SRID) === 0 ? null : view.getInt32(5, littleEndian);
  return `{"wkb":"${base64(value)}","srid":${srid}}`;
}

export function array(value: Value, element: (value: Value) => string): string {
  if (!Array.isArray(value)) return jsonValue(value);
  let out = '';
  for (const item of value as readonly Value[]) out += `${out === '' ? '[' : ','}${item === null ? 'null' : element(item)}`;
  return out === '' ? '[]' : `${out}]`;
}
