// JSON bytes to values: digits are kept, bad input is named.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asRow, parseJson } from '../../../src/envelope/parse-json.ts';
import type { Value } from '../../../src/sdk/index.ts';

const parse = (text: string): Value => parseJson(Buffer.from(text), 'a test value');

describe('parseJson', () => {
  test.each<[string, Value]>([
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['-9223372036854775808', -9223372036854775808n],
    ['[1.0000000000000001, 12345678901234567890]', [1, 12345678901234567890n]],
    ['1.5e300', 1.5e300],
    ['{"a\\"b\\\\": "9007199254740993", "c": 9007199254740993 }', { 'a"b\\': '9007199254740993', c: 9007199254740993n }],
    [' { } ', {}],
    [
      '[ [ ] , { "x" : null , "y" : true , "z" : false , "n" : 99999999999999999 } ]',
      [[], { x: null, y: true, z: false, n: 99999999999999999n }],
    ],
  ])('%s', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  test('reads like JSON.parse where numbers are small', () => {
    fc.assert(
      fc.property(
        fc.json().filter((json) => !/\d{16}/.test(json)),
        (text) => {
          expect(parse(`[${text},1234567890123456]`)).toEqual(JSON.parse(`[${text},1234567890123456]`));
        },
      ),
    );
  });

  test('keeps a member named __proto__ a member', () => {
    const row = parse('{"__proto__":{"a":12345678901234567890}}') as { [key: string]: Value };
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    expect(Object.keys(row)).toEqual(['__proto__']);
  });

  test.each(['', '{', '{"a":}', '12345678901234567890x', 'undefined'])('names bytes that are not JSON: %j', (text) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'SOURCE_DATA_INVALID', message: expect.stringContaining('a test value') }),
    );
  });

  test('names bytes that are not UTF-8', () => {
    expect(() => parseJson(new Uint8Array([0x22, 0xff, 0x22]), 'a test value')).toThrow(
      expect.objectContaining({ code: 'SOURCE_DATA_INVALID' }),
    );
  });
});

test.each<[Value, string]>([
  [[1], 'an array'],
  ['x', 'a string'],
  [5, 'a number'],
])('asRow refuses %j', (value, named) => {
  expect(() => asRow(value, '"before"')).toThrow(`Expected "before" to be an object, got ${named}.`);
});
