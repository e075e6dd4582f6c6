// Which defaults of a source mean the same in another database.

import { expect, it } from 'vitest';
import { plainDefault } from '../../../src/relational/column-default.ts';
import type { Column, Value } from '../../../src/sdk/index.ts';

it.each<[Column['type'], Value | undefined, string | null]>([
  ['boolean', true, 'true'],
  ['boolean', 't', null],
  ['int32', 5, '5'],
  ['int64', -5n, '-5'],
  ['decimal', '1.50', '1.50'],
  ['decimal', 'NaN', null],
  ['float64', Number.POSITIVE_INFINITY, null],
  ['int32', '0x10', null],
  ['string', "it's", "it's"],
  ['string', '', ''],
  ['string', 'a\0b', null],
  ['enum', 'new', 'new'],
  ['json', '{}', null],
  ['timestamptz', '2026-01-01T00:00:00Z', null],
  ['bytes', new Uint8Array([1]), null],
  ['string', null, null],
  ['string', undefined, null],
])('%s %s: %s', (type, value, expected) => {
  const column: Column = { name: 'c', type, nativeType: '', nullable: true, ...(value === undefined ? {} : { default: value }) };
  expect(plainDefault(column)).toBe(expected);
});
