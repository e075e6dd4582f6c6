// Values as headers and names of topics, which are texts. Pure.

import { JsonText, type Value } from 'cdc-run/sdk';

export function headerText(value: Exclude<Value, null>): string {
  if (value instanceof JsonText) return value.text;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value !== 'object') return String(value);
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item));
}
