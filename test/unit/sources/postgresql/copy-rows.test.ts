import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TextColumn } from '../../../../src/sdk/index.ts';
import { literal } from '../../../../src/sources/postgresql/chunk-sql.ts';
import { type CopiedRow, CopiedRows, keyOf } from '../../../../src/sources/postgresql/copy-rows.ts';
import { RowLayout } from '../../../../src/sources/postgresql/pgoutput/tuple.ts';
import { type CatalogShape, literalDefault } from '../../../../src/sources/postgresql/schemas.ts';

const column = (name: string): TextColumn => ({ name, form: 'text', decode: (text) => text, decodeBytes: null });
const layoutOf = (names: readonly string[]): RowLayout =>
  new RowLayout(names.map(column), { columns: names.map((name) => ({ name, typeOid: 25, typmod: -1, isKey: false })) });

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};
/** As the server writes it. */
const copyText = (rows: readonly (readonly (string | null)[])[]): Buffer =>
  Buffer.from(
    rows.map((row) => `${row.map((v) => v?.replace(/[\\\b\f\n\r\t\v]/g, (c) => ESCAPES[c] as string) ?? '\\N').join('\t')}\n`).join(''),
  );

/** As `CopyOut` hands them over, in portions of `size` rows, each with bytes of its own. */
function copied(table: readonly (readonly (string | null)[])[], names: readonly string[], key: readonly string[], size = 100): CopiedRows {
  const rows = new CopiedRows({ shape: { layout: layoutOf(names) } as CatalogShape, transaction: '1' }, key);
  for (let at = 0; at < table.length; at += size) {
    const texts = table.slice(at, at + size).map((row) => copyText([row])),
      ends = Int32Array.from(texts, (_, i) => texts.slice(0, i + 1).reduce((n, t) => n + t.length, 0));
    rows.push({ bytes: Buffer.concat(texts), starts: ends.map((end, i) => end - (texts[i] as Buffer).length), ends, count: texts.length });
  }
  return rows;
}
const all = (rows: CopiedRows): CopiedRow[] => Array.from({ length: rows.count }, (_, i) => rows.row(i));
const namesOf = (width: number): string[] => Array.from({ length: width }, (_, i) => `c${i}`);

describe('rows of COPY', () => {
  const values = fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[\\\t\nN]*$/), fc.constantFrom('\\N', '')));
  const tables = fc
    .integer({ min: 1, max: 4 })
    .chain((width) => fc.array(fc.array(values, { minLength: width, maxLength: width }), { maxLength: 6 }));

  it('have the values that the server wrote, however often they are looked at', () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 1, max: 3 }), (table, size) => {
        const names = namesOf(table[0]?.length ?? 1),
          rows = all(copied(table, names, [], size));
        const expected = table.map((row) => row.map((v) => v && Buffer.from(v).toString()));
        for (let time = 1; time <= 2; time++) expect(rows.map((t) => Object.values(t.decode()))).toEqual(expected);
        expect(rows.map((row) => names.map((name) => row.column(name)))).toEqual(expected);
      }),
    );
  });

  it('are the same after their key was asked for', () => {
    fc.assert(
      fc.property(tables, (table) => {
        const names = namesOf(table[0]?.length ?? 1),
          rows = copied(table, names, ['c0'], 2);
        const keys = table.map(([first]) => (first == null ? '' : JSON.stringify([Buffer.from(first).toString()])));
        expect(table.map((_, i) => rows.key(i))).toEqual(keys);
        expect(table.map((_, i) => rows.key(i))).toEqual(keys);
        expect(all(rows).map((t) => t.columnAt(0))).toEqual(table.map(([first]) => first && Buffer.from(first).toString()));
      }),
    );
  });

  it('can be asked for in any order, and know their size', () => {
    const table = Array.from({ length: 50 }, (_, i) => [`${i}`, i % 3 === 0 ? null : `tab\t${i}\\`]),
      rows = copied(table, ['a', 'b'], ['a'], 7);
    const sizes = table.map((row) => copyText([row]).length);
    for (const i of [49, 0, 7, 6, 48, 13, 14]) expect([rows.place(i), rows.bytes(i)]).toEqual([`["${i}"]`, sizes[i]]);
    expect(rows.size).toBe(sizes.reduce((a, b) => a + b, 0));
    expect(all(rows).map((t) => Object.values(t.decode()))).toEqual(table);
  });

  it('may have no columns', () => {
    expect(all(copied([[], []], [], [])).map((t) => t.decode())).toEqual([{}, {}]);
  });

  it('are refused with another number of columns', () => {
    for (const row of [['1'], ['1', '2', '3'], ['1', 'a\\', '3'], ['a\tb']]) {
      const [image] = all(copied([row], ['a', 'b'], []));
      expect(() => image?.decode()).toThrow(`A row of COPY has ${row.length} columns, and 2 were asked for.`);
    }
  });

  it('give keys as the texts they came as, and none where one is NULL or missing', () => {
    const table = [
      ['1', 'a"b'],
      ['2', null],
    ];
    const [first, second] = all(copied(table, ['id', 'k'], []));
    expect(first && keyOf(first, ['k', 'id'])).toBe('["a\\"b","1"]');
    expect(second && [keyOf(second, ['id', 'k']), keyOf(second, ['gone'])]).toEqual([null, null]);
  });
});

describe('literals', () => {
  it.each([
    ["it's", "'it''s'"],
    ['a\\b', "E'a\\\\b'"],
    ["\\'; DROP TABLE t; --", "E'\\\\''; DROP TABLE t; --'"],
  ])('%s is written as %s', (text, sql) => {
    expect(literal(text)).toBe(sql);
  });
});

describe('defaults', () => {
  it.each([
    ['5', '5'],
    ['(-1)', '-1'],
    ["'-1'::integer", '-1'],
    ['1.50', '1.50'],
    ["'a''b'::character varying(10)", "a'b"],
    ["'{}'::text[]", '{}'],
    ['true', 't'],
    ["nextval('s'::regclass)", undefined],
    ['now()', undefined],
    ["('a'::text || 'b'::text)", undefined],
    ["E'a\\\\b'::text", undefined],
    ['NULL::text', undefined],
    [null, undefined],
  ])('of %s the value is that of the text %s', (sql, text) => {
    expect(literalDefault(sql, (t) => t)).toBe(text);
  });
});
