import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { membersOf } from '../../../../src/destinations/mysql/fit.ts';
import { parseGrants } from '../../../../src/destinations/mysql/grants.ts';
import { checkJsonNumbers, dateText, momentText, plainDecimal, timeText } from '../../../../src/destinations/mysql/values.ts';
import { canonicalDecimal, UnfitValue } from '../../../../src/relational/values.ts';
import { bytesLiteral, quoteName, textLiteral } from '../../../../src/systems/mysql/names.ts';

describe('literals', () => {
  it.each([
    ["it's", "'it''s'"],
    ['a\\', "'a\\\\'"],
    ['\0', "'\\0'"],
    ["\\'; DROP TABLE x; -- ", "'\\\\''; DROP TABLE x; -- '"],
    ['', "''"],
  ])('spell the text %j', (text, literal) => {
    expect(textLiteral(text)).toBe(literal);
  });

  it('of a text never end before its end', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("'", '\\', '\0', 'a', '"', '`', '\n') }), (text) => {
        const inner = textLiteral(text).slice(1, -1);
        // As the server reads it: a backslash takes the next character, a quote stands for one only in pairs.
        expect(inner.replace(/\\(.)/gs, (_, c: string) => (c === '0' ? '\0' : c)).replaceAll("''", "'")).toBe(text);
        expect(inner.replace(/\\./gs, '').replaceAll("''", '')).not.toContain("'");
      }),
    );
  });

  it('quote names and bytes', () => {
    expect([quoteName('we`ird'), bytesLiteral(new Uint8Array([0, 255])), bytesLiteral(new Uint8Array())]).toEqual([
      '`we``ird`',
      "x'00ff'",
      "x''",
    ]);
  });
});

describe('decimals', () => {
  it.each([
    ['12.30', 10, 2, '12.3'],
    ['-0.05', 4, 2, '-0.05'],
    ['1e3', 10, 0, '1000'],
    ['0.0', 4, 0, '0'],
    ['12e-1', 4, 1, '1.2'],
  ])('%s in decimal(%i,%i) is %s', (text, precision, scale, plain) => {
    expect(plainDecimal(text, precision, scale)).toBe(plain);
  });

  it.each([
    ['1.239', 8, 2],
    ['1000000', 8, 2],
    ['NaN', 8, 2],
  ])('%s does not fit decimal(%i,%i)', (text, precision, scale) => {
    expect(() => plainDecimal(text, precision, scale)).toThrow(UnfitValue);
  });

  it('keep their value and have no exponent', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: -20, max: 20 }), (digits, exponent) => {
        const text = `${digits}e${exponent}`,
          plain = plainDecimal(text, null, 30);
        expect(plain).toMatch(/^-?\d+(\.\d+)?$/);
        expect(canonicalDecimal(plain)).toBe(canonicalDecimal(text));
      }),
    );
  });
});

describe('times', () => {
  it.each([
    ['2024-01-01T12:00:00.000001+02:00', false, '2024-01-01 10:00:00.000001'],
    ['2024-01-01T00:30:00+05:30', true, '2023-12-31 19:00:00'],
    ['2024-02-29T12:34:56.5', false, '2024-02-29 12:34:56.5'],
    ['1900-01-01T00:00:00Z', true, '1900-01-01 00:00:00'],
    ['0000-00-00T00:00:00', false, '0000-00-00 00:00:00'],
    ['2024-01-01', false, '2024-01-01 00:00:00'],
  ])('%s (with a zone: %s) is %s', (text, zoned, expected) => {
    expect(momentText(text, zoned)).toBe(expected);
  });

  it.each([
    ['2024-01-01T00:00:00', true],
    ['infinity', false],
    ['+12024-01-01T00:00:00', false],
    ['0000-01-01T00:00:00+01:00', false],
  ])('%s (with a zone: %s) does not fit', (text, zoned) => {
    expect(() => momentText(text, zoned)).toThrow(UnfitValue);
  });

  it('of a day and dates are told apart', () => {
    expect([dateText('2024-02-29'), timeText('-838:59:59.5')]).toEqual(['2024-02-29', '-838:59:59.5']);
    for (const work of [() => dateText('2024-01-01T12:00:00'), () => dateText('-0043-03-15'), () => timeText('12:00:00+02:00')])
      expect(work).toThrow(UnfitValue);
  });
});

describe('numbers in JSON', () => {
  it.each([
    '{"a":18446744073709551615,"b":-9223372036854775808}',
    '[0.1,1e300]',
    '"12345678901234567890123"',
    '{"12345678901234567890123":1}',
  ])('%s stays as it is', (json) => {
    expect(checkJsonNumbers(json)).toBe(json);
  });

  it.each(['[18446744073709551616]', '{"a":0.12345678901234567890}'])('%s would be changed', (json) => {
    expect(() => checkJsonNumbers(json)).toThrow(UnfitValue);
  });
});

describe('catalog texts', () => {
  it('members of an enum may hold commas and quotes', () => {
    expect(membersOf("enum('a','b,c','d''e','')")).toEqual(['a', 'b,c', "d'e", '']);
  });

  it.each([
    [['GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION'], []],
    [['GRANT USAGE ON *.* TO `cdc`@`%`', 'GRANT SELECT, INSERT ON `shop`.* TO `cdc`@`%`'], ['UPDATE']],
    [['GRANT SELECT, INSERT, UPDATE ON `sh\\_p`.* TO `cdc`@`%`'], ['SELECT', 'UPDATE']],
    [['GRANT SELECT, INSERT, UPDATE ON `sh_p`.* TO `cdc`@`%`'], []],
    [['GRANT SELECT, UPDATE (`a`, `b`) ON `shop`.`orders` TO `cdc`@`%`'], ['UPDATE']],
    [['GRANT SELECT, UPDATE ON `shop`.`other` TO `cdc`@`%`'], ['SELECT', 'UPDATE']],
  ])('%j lacks %j', (statements, missing) => {
    expect(parseGrants(statements).missing(['SELECT', 'UPDATE'], 'shop', 'orders')).toEqual(missing);
  });
});
