// Rows over their bytes: columns by name, what was not sent, keys, and values taken from the old row.

import { describe, expect, test } from 'vitest';
import { PgoutputError } from '../../../../../src/sources/postgresql/pgoutput/errors.ts';
import { RowLayout } from '../../../../../src/sources/postgresql/pgoutput/tuple.ts';
import { textColumnsOf } from '../../../../../src/sources/postgresql/types.ts';
import { images, message, oidOf, type Sent, type TestColumn, TYPES, UNCHANGED } from '../../../../helpers/pgoutput.ts';

const column = (name: string, type: string, isKey = false): TestColumn => ({ name, typeOid: oidOf(type), typmod: -1, isKey });
const COLUMNS = [column('id', 'int8', true), column('note', 'text'), column('paid', 'bool')];

describe('an insert', () => {
  const [, row] = images(message.insert(1, ['7', 'ä"b', 't']), COLUMNS, TYPES);
  test('decodes as a whole and by column', () => {
    expect(row?.decode()).toEqual({ id: 7n, note: 'ä"b', paid: true });
    expect(row?.column('note')).toBe('ä"b');
    expect(row?.column('paid')).toBe(true);
    expect(row?.column('other')).toBeUndefined();
    expect(row?.incomplete).toBe(false);
  });
  test('knows NULL from an empty text', () => {
    const [, other] = images(message.insert(1, ['7', '', null]), COLUMNS, TYPES);
    expect(other?.decode()).toEqual({ id: 7n, note: '', paid: null });
    expect(other?.column('paid')).toBeNull();
  });
  test('of another width than its relation is refused', () => {
    expect(() => images(message.insert(1, ['7']), COLUMNS, TYPES)).toThrow(PgoutputError);
  });
});

describe('an unchanged value that was not sent', () => {
  test('is absent', () => {
    const [, row] = images(message.update(1, ['7', UNCHANGED, 'f']), COLUMNS, TYPES);
    expect(row?.incomplete).toBe(true);
    expect(row?.decode()).toEqual({ id: 7n, paid: false });
    expect(row?.column('note')).toBeUndefined();
    expect(row?.columns()).toEqual(['id', 'paid']);
  });
  test('is taken from the old row', () => {
    const [old, row] = images(message.update(1, ['8', UNCHANGED, null], 'O', ['7', 'long', 't']), COLUMNS, TYPES);
    expect(row?.incomplete).toBe(false);
    expect(row?.decode()).toEqual({ id: 8n, note: 'long', paid: null });
    expect(old?.decode()).toEqual({ id: 7n, note: 'long', paid: true });
  });
  test('stays absent when the old row lacks it too', () => {
    const [, row] = images(message.update(1, ['8', UNCHANGED, 't'], 'O', ['7', UNCHANGED, 't']), COLUMNS, TYPES);
    expect(row?.incomplete).toBe(true);
    expect(row?.decode()).toEqual({ id: 8n, paid: true });
  });
  test('is not taken from an old key', () => {
    const [, row] = images(message.update(1, ['8', UNCHANGED, 't'], 'K', ['7', null, null]), COLUMNS, TYPES);
    expect(row?.decode()).toEqual({ id: 8n, paid: true });
  });
});

test('a key has its own columns only, a NULL elsewhere says nothing', () => {
  const [old] = images(message.delete(1, 'K', ['7', null, null]), COLUMNS, TYPES);
  expect(old?.decode()).toEqual({ id: 7n });
  expect(old?.columns()).toEqual(['id']);
});

test('rows of the same columns give the same array of names', () => {
  const layout = new RowLayout(textColumnsOf(COLUMNS, TYPES), { columns: COLUMNS });
  const notes: readonly Sent[] = [UNCHANGED, 'x', UNCHANGED, null];
  const names = notes.map((note) => images(message.update(1, ['7', note, 't']), COLUMNS, TYPES, layout)[1]?.columns());
  expect(names[0]).toBe(names[2]);
  expect(names[1]).toBe(names[3]);
  expect(names[0]).not.toBe(names[1]);
});

test('columns that are left out are passed over', () => {
  const layout = new RowLayout(
    textColumnsOf(COLUMNS, TYPES, (name) => name !== 'note'),
    { columns: COLUMNS },
  );
  const [, row] = images(message.insert(1, ['7', 'secret', 't']), COLUMNS, TYPES, layout);
  expect(row?.decode()).toEqual({ id: 7n, paid: true });
  expect(row?.column('note')).toBeUndefined();
});

test('two rows of a layout do not disturb each other', () => {
  const layout = new RowLayout(textColumnsOf(COLUMNS, TYPES), { columns: COLUMNS });
  const rows = ['a', 'bb', 'ccc'].map((note, i) => images(message.insert(1, [`${i}`, note, 't']), COLUMNS, TYPES, layout)[1]);
  for (let round = 0; round < 2; round++) for (const [i, row] of rows.entries()) expect(row?.column('id')).toBe(BigInt(i));
  expect(rows.map((row) => row?.column('note'))).toEqual(['a', 'bb', 'ccc']);
});

test.each([
  ['texts longer than are decoded as one', 'x'.repeat(10_000), 'y'],
  ['texts beyond ASCII', 'é', '日本語 🚀'],
  ['lengths that look like characters', 'a'.repeat(200), 'b'.repeat(0xc3)],
])('decodes %s', (_name, a, b) => {
  const columns = [column('a', 'text'), column('b', 'text'), column('__proto__', 'text')];
  const [, row] = images(message.insert(1, [a, b, 'p']), columns, TYPES);
  expect(Object.entries(row?.decode() ?? {})).toEqual([
    ['a', a],
    ['b', b],
    ['__proto__', 'p'],
  ]);
});
