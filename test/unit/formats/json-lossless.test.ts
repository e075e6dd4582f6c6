// JSON without loss of digits.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../../src/formats/json-lossless.ts';
import type { Value } from '../../../src/sdk/index.ts';

describe('parseJson', () => {
  const numbers: [string, Value][] = [
    ['0', 0],
    ['-1.50', -1.5],
    ['1e3', 1000],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['9007199254740993', 9007199254740993n],
    ['-18446744073709551616', -18446744073709551616n],
    ['0.1', 0.1],
    ['0.1000000000000000055511151231257827', '0.1000000000000000055511151231257827'],
    ['0.30000000000000004', 0.30000000000000004],
    ['1.0000000000000000000', 1],
    ['123456789012345678.5', '123456789012345678.5'],
    ['1e400', '1e400'],
    ['1E-400', '1E-400'],
    ['0e999', 0],
    ['5e-324', 5e-324],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['100000000000000000000000e-20', 1000],
  ];
  it.each(numbers)('reads %s without loss', (text, value) => {
    expect(parseJson(text)).toEqual(value);
    expect(parseJson(`{"a":[${text},"x"]}`)).toEqual({ a: [value, 'x'] });
  });

  it('reads like JSON.parse where nothing can be lost', () => {
    // A long run of digits in a string sends the text the careful way.
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify({ digits: '12345678901234567890', value });
        const expected = JSON.parse(text) as { value: unknown };
        fc.pre(!/[0-9.]{16}|[eE][+-]?[0-9]{3}/.test(JSON.stringify(value)));
        expect((parseJson(text) as { value: unknown }).value).toEqual(expected.value);
      }),
    );
  });

  it('finds a number that could lose digits wherever it stands', () => {
    for (let before = 0; before < 40; before++) {
      const text = 'x'.repeat(before);
      expect(parseJson(`["${text}",9007199254740993]`)).toEqual([text, 9007199254740993n]);
      expect(parseJson(`[9007199254740993,"${text}"]`)).toEqual([9007199254740993n, text]);
      expect(parseJson(`["${text}",1e400]`)).toEqual([text, '1e400']);
    }
  });

  it('refuses what JSON.parse refuses, in both ways', () => {
    const broken = [
      '',
      '{',
      '{"a":}',
      '{"a" 1}',
      '[1,]',
      '{"a":1,}',
      '01',
      '+1',
      '.5',
      '1.',
      'tru',
      '"a',
      '"\u0001"',
      '"\\x"',
      '{"a":1}}',
      '[1] x',
      "{'a':1}",
      'NaN',
      '{a:1}',
    ];
    for (const text of broken) {
      for (const t of [text, text === '' ? ' ' : `${text} 1234567890123456`]) expect(() => parseJson(t), t).toThrow(SyntaxError);
    }
  });

  it('says what is wrong without quoting data', () => {
    for (const text of ['{"card":4111111111111111x}', '{"card":"4111"x}', 'secret', '{"a":"secret']) {
      expect(() => parseJson(text)).toThrow(expect.not.objectContaining({ message: expect.stringMatching(/4111|secret/) }));
    }
  });

  it('takes __proto__ as a field', () => {
    for (const text of ['{"__proto__":{"a":1}}', '{"__proto__":{"a":9007199254740993}}']) {
      const value = parseJson(text) as object;
      expect(Object.keys(value)).toEqual(['__proto__']);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    }
  });

  it.each([
    ['"\\ud800"'],
    ['{"\\udc00a":1}'],
    [`{"a":${'['.repeat(600)}${']'.repeat(600)}}`],
    [`{"n":9007199254740993,"a":${'['.repeat(9000)}${']'.repeat(9000)}}`],
  ])('refuses what could not be written again', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });

  it('keeps pairs of surrogate escapes', () => {
    expect(parseJson('"\\ud83d\\ude00"')).toBe('😀');
  });
});

describe('stringifyJson', () => {
  it('reads back what it wrote', () => {
    const any = fc.letrec<{ value: Value }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.boolean(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
        fc.bigInt({ min: 2n ** 53n }),
        fc.string(),
        fc.array(tie('value')),
        fc.dictionary(fc.string(), tie('value'), { noNullPrototype: true }),
      ),
    })).value;
    fc.assert(
      fc.property(any, (value) => {
        // Integers beyond 2^53 in double form come back as the integers that they are.
        const same = (v: Value): Value =>
          typeof v === 'number' && Number.isInteger(v) && !Number.isSafeInteger(v) && Math.abs(v) < 1e21
            ? BigInt(v)
            : Array.isArray(v)
              ? v.map(same)
              : typeof v === 'object' && v !== null
                ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, same(x as Value)]))
                : v;
        expect(parseJson(stringifyJson(value))).toEqual(same(value));
      }),
    );
  });

  it.each<[Value, string]>([
    [2n ** 64n, '18446744073709551616'],
    [new Uint8Array([1, 2]), '"AQI="'],
    [Number.NaN, '"NaN"'],
    [{ a: [1n, null] }, '{"a":[1,null]}'],
  ])('writes %o', (value, text) => {
    expect(stringifyJson(value)).toBe(text);
  });
});
