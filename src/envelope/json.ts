// Values to JSON text, without loss: every digit of a bigint, every string however broken, bytes as base64. JSON.stringify
// alone would refuse bigints, turn NaN into null and bytes into objects.

import { JsonText, type Value } from '../sdk/index.ts';

// Quote, backslash and control characters, which JSON must escape; and surrogates: a lone one has no UTF-8 form and would
// arrive as U+FFFD.
const NEEDS_ESCAPE = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

export function needsEscape(text: string): boolean {
  return NEEDS_ESCAPE.test(text);
}

/** `a"b` → `"a\"b"`. Lone surrogates are written as `\udXXX`, so that they survive UTF-8. */
export function jsonString(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/**
 * | number | JSON |
 * |---|---|
 * | 12, 0.5, 1e300 | `12`, `0.5`, `1e+300` |
 * | -0 | `-0` |
 * | 2^60 | `1.152921504606847e+18`: beyond 2^53 digits without exponent are kept for integers, which hold them all |
 * | NaN, ±Infinity | `"NaN"`, `"Infinity"`, `"-Infinity"` |
 */
export function jsonNumber(n: number): string {
  if (n === 0) return Object.is(n, -0) ? '-0' : '0';
  if (n > Number.MAX_SAFE_INTEGER || n < Number.MIN_SAFE_INTEGER) return Number.isFinite(n) ? n.toExponential() : `"${n}"`;
  return Number.isNaN(n) ? '"NaN"' : `${n}`;
}

/** Standard base64 with padding. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Any value by its JS type alone. */
export function jsonValue(value: Value): string {
  if (typeof value === 'string') return jsonString(value);
  if (typeof value === 'number') return jsonNumber(value);
  if (value === null || typeof value === 'boolean') return `${value}`;
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return `"${base64(value)}"`;
  if (value instanceof JsonText) return jsonOfText(value.text);
  return Array.isArray(value) ? jsonArray(value) : jsonObject(value as { readonly [key: string]: Value });
}

function jsonArray(values: readonly Value[]): string {
  if (values.length === 0) return '[]';
  let out = '';
  for (const value of values) out += (out === '' ? '[' : ',') + jsonValue(value);
  return `${out}]`;
}

/** Members whose value is `undefined` are left out: an absent column is not a null. */
export function jsonObject(object: { readonly [key: string]: Value | undefined }): string {
  let out = '';
  for (const name in object) {
    const value = object[name];
    if (value !== undefined) out += `${(out === '' ? '{' : ',') + jsonString(name)}:${jsonValue(value)}`;
  }
  return out === '' ? '{}' : `${out}}`;
}

/** The text as part of a larger document: what is not JSON becomes a string, and line breaks, which only stand between tokens, spaces. */
function jsonOfText(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    return jsonString(text);
  }
  return text.replace(/[\r\n]/g, ' ');
}
