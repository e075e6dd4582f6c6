// Values as texts that are the same for equal values. Pure.

import { JsonText, type Value } from 'cdc-run/sdk';

/**
 * JSON with sorted keys and no spaces, https://www.rfc-editor.org/rfc/rfc8785 for what records hold (texts, integers,
 * booleans, null, lists, objects). Values of rows that JSON lacks are written so that no JSON looks like them: `42n`,
 * `b"AQI="`, `NaN`, `-0`; JSON in its source's text as `j"…"`.
 */
export function canonical(value: Value): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (value instanceof Uint8Array) return `b"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"`;
  if (value instanceof JsonText) return `j${JSON.stringify(value.text)}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value as { readonly [key: string]: Value }).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}
