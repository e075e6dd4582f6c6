// Equality of plain JSON values.

import { isMapping } from './document.ts';

export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  if (!isMapping(a)) return a === b;
  const keys = Object.keys(a);
  return isMapping(b) && keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]));
}
