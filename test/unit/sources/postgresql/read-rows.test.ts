import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TextColumn } from '../../../../src/sdk/index.ts';
import { literal } from '../../../../src/sources/postgresql/chunk-sql.ts';
import { RowLayout } from '../../../../src/sources/postgresql/pgoutput/tuple.ts';
import { keyOf, type ReadRow, ReadRows } from '../../../../src/sources/postgresql/read-rows.ts';
import { type CatalogShape, literalDefault } from '../../../../src/sources/postgresql/schemas.ts';

const column = (name: string): TextColumn => ({ name, form: 'text', decode: (text) => text, decodeBytes: null });
const layoutOf = (names: readonly string[]): RowLayout =>
  new RowLayout(names.map(column), { columns: names.map((name) => ({ name, typeOid: 25, typmod: -1, isKey: false })) });

/** A DataRow as the server writes it, without type and length. */
function dataRow(row: readonly (string | null)[]): Buffer {
  const int = (n: number, bytes: number): Buffer => {
    const out = Buffer.alloc(bytes);
    out.writeIntBE(n, 0, bytes);
    return out;
  };
  const values = row.map((v) => (v === null ? int(-1, 4) : Buffer.concat([int(Buffer.byteLength(v), 4), Buffer.from(v)])));
  return Buffer.concat([int(row.length, 2), ...values]);
}
/** As `RowQuery` hands them over, in portions of `size` rows, each with bytes of its own. */
function readRows(messages: readonly Buffer[], names: readonly string[], key: readonly string[], size = 100): ReadRows {
  const rows = new ReadRows({ shape: { layout: layoutOf(names) } as CatalogShape, transaction: '1' }, key);
  for (let at = 0; at < messages.length; at += size) {
    const some = messages.slice(at, at + size),
      ends = Int32Array.from(some, (_, i) => some.slice(0, i + 1).reduce((n, t) => n + t.length, 0));
    rows.push({ bytes: Buffer.concat(some), starts: ends.map((end, i) => end - (some[i] as Buffer).length), ends, count: some.length });
  }
  return rows;
}
const all = (rows: ReadRows): ReadRow[] => Array.from({ length: rows.count }, (_, i) => rows.row(i));
const namesOf = (width: number): string[] => Array.from({ length: width }, (_, i) => `c${i}`);

describe('rows of a query', () => {
  const values = fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\\N', '', '\t')));
  const tables = fc
    .integer({ min: 1, max: 4 })
    .chain((width) => fc.array(fc.array(values, { minLength: width, maxLength: width }), { maxLength: 6 }));

  it('have the values that the server wrote', () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 1, max: 3 }), (table, size) => {
        const names = namesOf(table[0]?.length ?? 1),
          rows = all(readRows(table.map(dataRow), names, [], size));
        const expected = table.map((row) => row.map((v) => v && Buffer.from(v).toString()));
        expect(rows.map((t) => Object.values(t.decode()))).toEqual(expected);
        expect(rows.map((row) => names.map((name) => row.column(name)))).toEqual(expected);
      }),
    );
  });

  it('can be asked for in any order, and know their key and size', () => {
    const table = Array.from({ length: 50 }, (_, i) => [`${i}`, i % 3 === 0 ? null : `text ${i}`]),
      rows = readRows(table.map(dataRow), ['a', 'b'], ['a'], 7);
    const sizes = table.map((row) => dataRow(row).length);
    for (const i of [49, 0, 7, 6, 48, 13, 14])
      expect([rows.key(i), rows.place(i), rows.bytes(i)]).toEqual([`["${i}"]`, `["${i}"]`, sizes[i]]);
    expect(rows.size).toBe(sizes.reduce((a, b) => a + b, 0));
    expect(all(rows).map((t) => Object.values(t.decode()))).toEqual(table);
  });

  it('may have no columns', () => {
    expect(all(readRows([dataRow([]), dataRow([])], [], [])).map((t) => t.decode())).toEqual([{}, {}]);
  });

  it.each([
    ['1 columns, and 2 were asked for', dataRow(['1'])],
    ['3 columns, and 2 were asked for', dataRow(['1', '2', '3'])],
    ['1 bytes too many', Buffer.concat([dataRow(['1', null]), Buffer.from('x')])],
    ['a value of 1 bytes in a message of 11', dataRow(['1', '2']).subarray(0, 11)],
    ['a value of -2 bytes in a message of 11', Buffer.from('00020000000131fffffffe', 'hex')],
  ])('are refused with %s', (what, message) => {
    const [row] = all(readRows([message], ['a', 'b'], []));
    expect(() => row?.decode()).toThrow(what);
  });

  it('give keys as the texts they came as, and none where one is NULL or missing', () => {
    const table = [
      ['1', 'a"b'],
      ['2', null],
    ];
    const [first, second] = all(readRows(table.map(dataRow), ['id', 'k'], []));
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
