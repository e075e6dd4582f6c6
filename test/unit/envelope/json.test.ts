// JSON text: valid for every value, and without loss.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonNumber, jsonString, jsonValue } from '../../../src/envelope/json.ts';
import { JsonWriter } from '../../../src/envelope/json-writer.ts';
import { parseJson } from '../../../src/envelope/parse-json.ts';
import type { Value } from '../../../src/sdk/index.ts';
import { JsonText } from '../../../src/sdk/index.ts';

/** Every sequence of UTF-16 units: control characters, quotes and lone surrogates come often. */
const anyString = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0xd7ff, max: 0xe000 }), fc.integer({ min: 0, max: 0xffff })), {
    maxLength: 80,
  })
  .map((units) => String.fromCharCode(...units));
const bigInteger = fc.bigInt().filter((n) => n > BigInt(Number.MAX_SAFE_INTEGER) || n < BigInt(Number.MIN_SAFE_INTEGER));
const anyValue = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    bigInteger,
    anyString,
    fc.array(tie('value')),
    fc.dictionary(anyString, tie('value')),
  ),
})).value;

function written(write: (json: JsonWriter) => void): Uint8Array {
  const json = new JsonWriter();
  json.begin();
  write(json);
  return json.end();
}

describe('strings', () => {
  test('come back equal whatever they hold', () => {
    fc.assert(
      fc.property(anyString, (text) => {
        expect(JSON.parse(Buffer.from(jsonString(text)).toString())).toBe(text);
        expect(JSON.parse(Buffer.from(written((json) => json.string(text))).toString())).toBe(text);
      }),
    );
  });

  test('keep lone surrogates, which have no UTF-8 form', () => {
    expect(jsonString('a\ud800b')).toBe('"a\\ud800b"');
    expect(jsonString('🚀')).toBe('"🚀"');
  });
});

describe('numbers', () => {
  test.each([
    [0, '0'],
    [-0, '-0'],
    [12, '12'],
    [0.5, '0.5'],
    [-1e300, '-1e+300'],
    [5e-324, '5e-324'],
    [2 ** 53 - 1, '9007199254740991'],
    [2 ** 60, '1.152921504606847e+18'],
    [Number.NaN, '"NaN"'],
    [Number.POSITIVE_INFINITY, '"Infinity"'],
    [Number.NEGATIVE_INFINITY, '"-Infinity"'],
  ])('%d is written as %s', (n, text) => {
    expect(jsonNumber(n)).toBe(text);
    expect(Buffer.from(written((json) => json.value(n))).toString()).toBe(text);
  });

  test('are the same whether written digit by digit or as text', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (n) => {
        expect(Buffer.from(written((json) => json.integer(n))).toString()).toBe(String(n));
      }),
    );
  });
});

describe('values', () => {
  test('come back equal from both writers', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(parseJson(Buffer.from(jsonValue(value)), 'a value')).toEqual(value);
        expect(
          parseJson(
            written((json) => json.value(value)),
            'a value',
          ),
        ).toEqual(value);
      }),
    );
  });

  test.each<[string, Value, string]>([
    ['bytes', new Uint8Array([0xde, 0xad]), '"3q0="'],
    ['a part of a larger buffer', new Uint8Array([1, 0xff, 2]).subarray(1, 2), '"/w=="'],
    ['a 64-bit integer', 9223372036854775807n, '9223372036854775807'],
    ['an absent member', { a: 1, b: undefined as unknown as Value }, '{"a":1}'],
    [
      'JSON text with its digits',
      new JsonText('{"n": 1.10,\n "m": 12345678901234567890}') as unknown as Value,
      '{"n": 1.10,  "m": 12345678901234567890}',
    ],
    ['JSON text that is none', new JsonText('{broken') as unknown as Value, '"{broken"'],
  ])('%s', (_name, value, text) => {
    expect(jsonValue(value)).toBe(text);
  });
});

describe('the writer', () => {
  test('gives texts that later ones leave alone, across chunks of memory', () => {
    const json = new JsonWriter(),
      texts = Array.from({ length: 300 }, (_, i) => `${i}:${'ä€'.repeat((i * 37) % 900)}`);
    const all = texts.map((text) => {
      json.begin();
      json.text('[');
      json.string(text);
      json.raw(Buffer.from(',1]'));
      return json.end();
    });
    expect(all.map((bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown)).toEqual(texts.map((text) => [text, 1]));
  });

  test('takes a text larger than a chunk', () => {
    const large = 'x'.repeat(300_000);
    expect(
      Buffer.from(
        written((json) => {
          json.text('"');
          json.text(large);
          json.text('"');
        }),
      ).toString(),
    ).toBe(`"${large}"`);
  });
});
