// CSV records to fields and back.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CsvOptions, formatRecords, parseRecords } from '../../../src/formats/csv.ts';

const plain: CsvOptions = { delimiter: ',', quote: '"', nullValue: null };

describe('parseRecords', () => {
  const cases: [string, CsvOptions, (string | null)[]][] = [
    ['a,b,c', plain, ['a', 'b', 'c']],
    ['a,"b ""x"", \n y",', plain, ['a', 'b "x", \n y', '']],
    ['a;b,c', { ...plain, delimiter: ';' }, ['a', 'b,c']],
    ['a\tb', { ...plain, delimiter: '\t' }, ['a', 'b']],
    ["'a,b',c", { ...plain, quote: "'" }, ['a,b', 'c']],
    ['5" pipe,"x', { ...plain, quote: null }, ['5" pipe', '"x']],
    ['a,,""', { ...plain, nullValue: '' }, ['a', null, '']],
    ['\\N,"\\N"', { ...plain, nullValue: '\\N' }, [null, '\\N']],
    [' a , b ', plain, [' a ', ' b ']],
    ['a\u0000b,ü', plain, ['a\u0000b', 'ü']],
  ];
  it.each(cases)('reads %j', (record, options, fields) => {
    expect(parseRecords([record], options)).toEqual([fields]);
  });

  it('names the records that are malformed and reads the others', () => {
    const result = parseRecords(['a,b', 'a,5" pipe', '"a" x,b', '"open', 'c,d'], plain);
    expect(result[0]).toEqual(['a', 'b']);
    expect(result.slice(1, 4).map((r) => (r as Error).message)).toEqual([
      expect.stringContaining('Invalid Opening Quote'),
      expect.stringContaining('Invalid Closing Quote'),
      expect.stringContaining('Quote Not Closed'),
    ]);
    expect(result[4]).toEqual(['c', 'd']);
  });

  it('says what is wrong without quoting data', () => {
    const [error] = parseRecords(['secret"x,b'], plain);
    expect((error as Error).message).toBe('Invalid Opening Quote: a quote is found on field 0');
  });

  it('reads records of any size', () => {
    const long = 'x'.repeat(500_000);
    expect(parseRecords([`a,${long}`, `"${long}",b`], plain)).toEqual([
      ['a', long],
      [long, 'b'],
    ]);
  });
});

describe('formatRecords', () => {
  it.each([
    [['a', null, undefined, ''], 'a,,__absent__,""\n'],
    [['__absent__', 'x,y', 'l\nm', 'q"q'], '"__absent__","x,y","l\nm","q""q"\n'],
  ])('writes %j', (row, text) => {
    expect(formatRecords([row], { delimiter: ',', nullValue: '', absentValue: '__absent__' })).toBe(text);
  });

  it('reads back what it wrote, nulls and texts apart', () => {
    const cell = fc.oneof(fc.constant(null), fc.constantFrom('', '\\N', '"', ',', '\r\n', '\n'), fc.string({ unit: 'grapheme' }));
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 5 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(table, fc.constantFrom(',', ';', '\t'), fc.constantFrom('', '\\N', 'NULL'), (rows, delimiter, nullValue) => {
        const records = rows.map((row) => formatRecords([row], { delimiter, nullValue, absentValue: '__absent__' }));
        expect(records.join('')).toBe(formatRecords(rows, { delimiter, nullValue, absentValue: '__absent__' }));
        expect(
          parseRecords(
            records.map((r) => r.slice(0, -1)),
            { delimiter, quote: '"', nullValue },
          ),
        ).toEqual(rows);
      }),
    );
  });
});
