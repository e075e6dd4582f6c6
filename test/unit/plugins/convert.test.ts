import { type Column, JsonText, type Value } from 'cdc-run/sdk';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseType } from '../../../plugins/shared/column-type.ts';
import { converter } from '../../../plugins/shared/convert.ts';
import { lookInto } from '../../../plugins/shared/json-values.ts';
import { formatDecimal, isSameNumber, parseDecimal } from '../../../plugins/shared/number-text.ts';
import { Unconvertible } from '../../../plugins/shared/unconvertible.ts';
import { column } from './shaping.ts';

const convert = (value: Value, type: string, from: Column | null = null, isKey = false): Value =>
  converter(parseType(type), from, isKey)(value);
const json = (text: string): JsonText => new JsonText(text);
const decimal = column('n', 'decimal');
const LOSS = Symbol('an error');

function outcome(run: () => Value): Value | typeof LOSS {
  try {
    return run();
  } catch (error) {
    if (error instanceof Unconvertible) return LOSS;
    throw error;
  }
}

describe('a value as another type', () => {
  const cases: [Value, string, Value | typeof LOSS][] = [
    ['12', 'int32', 12],
    ['012', 'int32', LOSS],
    ['+12', 'int32', LOSS],
    ['12.0', 'int32', LOSS],
    ['', 'int32', LOSS],
    ['-0', 'int32', LOSS],
    [12.5, 'int32', LOSS],
    [2 ** 31, 'int32', LOSS],
    [-(2 ** 31), 'int32', -(2 ** 31)],
    ['32768', 'int16', LOSS],
    ['9223372036854775807', 'int64', 9223372036854775807n],
    ['9223372036854775808', 'int64', LOSS],
    [1e21, 'int64', LOSS],
    [5, 'int64', 5n],
    [true, 'int16', 1],
    [NaN, 'int32', LOSS],
    [NaN, 'decimal', LOSS],
    [NaN, 'float64', NaN],
    ['NaN', 'float64', LOSS],
    ['0.1', 'float64', 0.1],
    ['1.50', 'float64', 1.5],
    ['0.1000000000000000001', 'float64', LOSS],
    ['1e400', 'float64', LOSS],
    ['1e999999999', 'decimal', LOSS],
    [9007199254740993n, 'float64', LOSS],
    [9007199254740992n, 'float64', 9007199254740992],
    ['1.5', 'decimal(10,2)', '1.50'],
    ['1.555', 'decimal(10,2)', LOSS],
    ['1.550', 'decimal(10,2)', '1.55'],
    ['123', 'decimal(2)', LOSS],
    ['99', 'decimal(2)', '99'],
    ['1.50', 'decimal', '1.50'],
    [1e21, 'decimal', '1000000000000000000000'],
    [1.5e-7, 'decimal', '0.00000015'],
    [0, 'decimal(2,2)', '0.00'],
    ['true', 'boolean', true],
    ['yes', 'boolean', LOSS],
    [0, 'boolean', false],
    [2, 'boolean', LOSS],
    [12n, 'string', '12'],
    [false, 'string', 'false'],
    [new Uint8Array([1]), 'string', LOSS],
    [{ a: 12345678901234567890n, b: [null, 'x'] }, 'string', '{"a":12345678901234567890,"b":[null,"x"]}'],
    [{ a: new Uint8Array([1]) }, 'string', LOSS],
    ['2024-02-29', 'date', '2024-02-29'],
    ['2023-02-29', 'date', LOSS],
    ['2024-02-29T00:00:00.000', 'date', '2024-02-29'],
    ['2024-02-29T00:00:01', 'date', LOSS],
    ['2024-02-29T00:00:00Z', 'date', LOSS],
    ['2024-02-29', 'timestamp', '2024-02-29T00:00:00'],
    ['2024-02-29 12:30', 'timestamp', '2024-02-29T12:30:00'],
    ['2024-02-29T12:30:00Z', 'timestamp', LOSS],
    ['2024-02-29T24:30:00', 'timestamp', LOSS],
    ['2024-02-29T12:00:00.123456+02:00', 'timestamptz', '2024-02-29T10:00:00.123456Z'],
    ['2024-03-01T01:00:00+02', 'timestamptz', '2024-02-29T23:00:00Z'],
    ['2024-02-29T12:00:00', 'timestamptz', LOSS],
    ['0001-01-01T00:00:00+02:00', 'timestamptz', LOSS],
    [1700000000500, 'timestamptz(ms)', '2023-11-14T22:13:20.5Z'],
    [1700000000n, 'timestamptz(s)', '2023-11-14T22:13:20Z'],
    [-1n, 'timestamp(us)', '1969-12-31T23:59:59.999999'],
    [1700000000500, 'timestamptz', LOSS],
    [1.5, 'timestamptz(s)', LOSS],
    ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['a0eebc99', 'uuid', LOSS],
    ['{"a": 1.0}', 'json', json('{"a": 1.0}')],
    ['{a', 'json', LOSS],
    [5n, 'json', json('5')],
    [json('12345678901234567890123'), 'decimal', '12345678901234567890123'],
    [json('"7"'), 'int32', 7],
    [json(' null '), 'int32', null],
    [json('{}'), 'int32', LOSS],
    [[1], 'int32', LOSS],
    [null, 'uuid', null],
  ];
  it.each(cases)('%s as %s is %s', (value, type, expected) => {
    expect(outcome(() => convert(value, type))).toEqual(expected);
  });

  it('takes a decimal as the number that it is', () => {
    expect(convert('12.00', 'int32', decimal)).toBe(12);
    expect(outcome(() => convert('12.00', 'int32', decimal, true))).toBe(LOSS);
  });

  const scalars = fc.oneof(
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.tuple(fc.bigInt(), fc.nat(25)).map(([unscaled, scale]) => formatDecimal({ unscaled, scale })),
    fc.string(),
    fc.stringMatching(/^[-+]?\d{0,22}(\.\d{0,20})?(e-?\d{1,3})?$/),
  );
  const NUMBERS = ['int16', 'int32', 'int64', 'float64', 'decimal', 'decimal(20,6)'];

  it('is the same number, or an error', () => {
    fc.assert(
      fc.property(scalars, fc.constantFrom(...NUMBERS), (value, type) => {
        const out = outcome(() => convert(value, type));
        if (out === LOSS || typeof value === 'boolean' || (typeof value === 'number' && !Number.isFinite(value))) return;
        const before = parseDecimal(String(value)),
          after = parseDecimal(String(out));
        expect(before !== null && after !== null && isSameNumber(before, after), `${value} → ${String(out)}`).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('keeps different keys apart', () => {
    const all = [...NUMBERS, 'boolean', 'string', 'date', 'timestamp', 'timestamptz', 'uuid'];
    const texts = fc.oneof(
      fc.stringMatching(/^-?0{0,2}\d{1,3}(\.\d{0,3})?(e\d)?$/),
      fc.stringMatching(/^20\d\d-[01]\d-[0-3]\d([T ][012]\d:00(:00(\.0{0,2})?)?(Z|\+0[0-2](:00)?)?)?$/),
      fc.constantFrom('true', 'false', 't', 'TRUE', '1'),
    );
    fc.assert(
      fc.property(texts, texts, fc.constantFrom(...all), (a, b, type) => {
        const from = column('k', 'string');
        const first = outcome(() => convert(a, type, from, true)),
          second = outcome(() => convert(b, type, from, true));
        if (a !== b && first !== LOSS && second !== LOSS) expect(first).not.toEqual(second);
      }),
      { numRuns: 5000 },
    );
  });

  it('never tells the value in its reason', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{6}\d{6}$/), fc.constantFrom(...NUMBERS, 'date', 'uuid', 'json', 'boolean'), (value, type) => {
        expect(() => convert(value, type)).toThrow(expect.not.objectContaining({ message: expect.stringContaining(value) }));
      }),
    );
  });
});

describe('a document to look into', () => {
  it.each<[string, Value]>([
    ['{"a": 1, "b": [true, null, "x\\u0041\\n"], "c": {}}', { a: 1, b: [true, null, 'xA\n'], c: {} }],
    ['{"n": 12345678901234567890}', { n: 12345678901234567890n }],
    ['{"n": 0.12345678901234567890123}', { n: json('0.12345678901234567890123') }],
    ['[1.5e300, 100000000000000000000]', [1.5e300, 100000000000000000000]],
    ['{"s": "1234567890123456789012", "e": []}', { s: '1234567890123456789012', e: [] }],
    ['no JSON 12345678901234567890', 'no JSON 12345678901234567890'],
  ])('%s', (text, expected) => {
    expect(lookInto(json(text))).toEqual(expected);
  });

  it('is what JSON.parse makes of it where no digits are lost', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
        // The number makes it read without JSON.parse.
        const text = JSON.stringify([value, '1234567890123456', 1e3], null, indent);
        expect(lookInto(json(text))).toEqual(JSON.parse(text));
      }),
    );
  });
});
