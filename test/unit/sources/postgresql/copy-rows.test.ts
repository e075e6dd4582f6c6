import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TextColumn } from '../../../../src/sdk/index.ts';
import { literal } from '../../../../src/sources/postgresql/chunk-sql.ts';
import { keyOf } from '../../../../src/sources/postgresql/chunks.ts';
import { CopyRows } from '../../../../src/sources/postgresql/copy-rows.ts';
import { RowLayout } from '../../../../src/sources/postgresql/pgoutput/tuple.ts';
import { literalDefault } from '../../../../src/sources/postgresql/schemas.ts';

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

describe('rows of COPY', () => {
  const values = fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[\\\t\nN]*$/), fc.constant('\\N')));
  const tables = fc
    .integer({ min: 1, max: 4 })
    .chain((width) => fc.array(fc.array(values, { minLength: width, maxLength: width }), { maxLength: 6 }));

  it('are the same wherever the bytes are cut', () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 1, max: 9 }), (table, size) => {
        const width = table[0]?.length ?? 1,
          names = Array.from({ length: width }, (_, i) => `c${i}`),
          bytes = copyText(table);
        const rows = new CopyRows(width);
        for (let at = 0; at < bytes.length; at += size) rows.push(bytes.subarray(at, at + size));
        const expected = table.map((row) => row.map((v) => v && Buffer.from(v).toString()));
        expect(rows.tuples(layoutOf(names)).map((t) => Object.values(t.decode()))).toEqual(expected);
      }),
    );
  });

  it('can be taken in portions', () => {
    const table = Array.from({ length: 50 }, (_, i) => [`${i}`, i % 3 === 0 ? null : `tab\t${i}\\`]),
      bytes = copyText(table),
      layout = layoutOf(['a', 'b']),
      seen: unknown[] = [];
    let rows = new CopyRows(2);
    for (let at = 0; at < bytes.length; at += 7) {
      rows.push(bytes.subarray(at, at + 7));
      if (rows.count < 5) continue;
      const { done, rest } = rows.split();
      seen.push(...done.tuples(layout).map((t) => Object.values(t.decode())));
      rows = rest;
    }
    seen.push(...rows.tuples(layout).map((t) => Object.values(t.decode())));
    expect(seen).toEqual(table);
  });

  it('give keys as the texts they came as, and none where one is NULL or missing', () => {
    const rows = new CopyRows(2);
    rows.push(
      copyText([
        ['1', 'a"b'],
        ['2', null],
      ]),
    );
    const [first, second] = rows.tuples(layoutOf(['id', 'k']));
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
