import { expect, it } from 'vitest';
import { parseProperties } from '../../../src/debezium/properties-file.ts';

it.each<[string, Record<string, string>]>([
  ['a=b', { a: 'b' }],
  ['a : b', { a: 'b' }],
  ['a b c', { a: 'b c' }],
  ['  a = b =c ', { a: 'b =c ' }],
  ['# x=1\n! y=2\n\na=1', { a: '1' }],
  ['a=1\na=2', { a: '2' }],
  ['a=b\\\n   c', { a: 'bc' }],
  ['a=b\\\\\nc=d', { a: 'b\\', c: 'd' }],
  ['a\\=b\\:c\\ d=1', { 'a=b:c d': '1' }],
  ['a=\\u00e4\\t\\q', { a: 'ä\tq' }],
  ['a', { a: '' }],
  ['a=', { a: '' }],
  ['=x', {}],
  ['a=1\r\nb=2\rc=3', { a: '1', b: '2', c: '3' }],
  ['\uFEFFa=1', { a: '1' }],
  ['a=b\\', { a: 'b' }],
])('%j', (text, expected) => {
  expect(Object.fromEntries(parseProperties(text))).toEqual(expected);
});
