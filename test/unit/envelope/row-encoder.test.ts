// Rows to JSON objects: any order, missing and added columns.

import { describe, expect, test } from 'vitest';
import { type ColumnWriter, plainColumn } from '../../../src/envelope/column-writer.ts';
import { JsonWriter } from '../../../src/envelope/json-writer.ts';
import { RowEncoder } from '../../../src/envelope/row-encoder.ts';
import type { Row } from '../../../src/sdk/index.ts';

const filled = (name: string): ColumnWriter => ({
  name,
  write: (v) => `"${String(v)}!"`,
  nullText: '"NULL"',
  absentText: '"absent"',
  unavailableText: '"toast"',
});

function text(encoder: RowEncoder, row: Row, incomplete = false): string {
  const json = new JsonWriter();
  json.begin();
  encoder.row(json, row, incomplete);
  return Buffer.from(json.end()).toString();
}

describe('columns that are left out when absent', () => {
  const encoder = new RowEncoder(['a', 'b', 'c'].map(plainColumn));
  test.each<[string, Row, string]>([
    ['all', { a: 1, b: 'x', c: null }, '{"a":1,"b":"x","c":null}'],
    ['the first', { a: 1 }, '{"a":1}'],
    ['the last', { c: 3 }, '{"c":3}'],
    ['none', {}, '{}'],
    ['undefined for absent', { a: undefined as unknown as null, b: 2 }, '{"b":2}'],
    ['another order', { c: 3, a: 1 }, '{"a":1,"c":3}'],
    ['a column that was added', { a: 1, b: 2, c: 3, extra: 'e' }, '{"a":1,"b":2,"c":3,"extra":"e"}'],
    ['an added one in between', { a: 1, extra: 'e', b: 2 }, '{"a":1,"b":2,"extra":"e"}'],
    ['only an added one', { extra: 1n }, '{"extra":1}'],
  ])('%s', (_name, row, json) => {
    expect(text(encoder, row)).toBe(json);
  });
});

describe('columns with texts of their own', () => {
  const encoder = new RowEncoder(['a', 'b'].map(filled), ['hidden']);
  test.each<[string, Row, boolean, string]>([
    ['values and NULL', { a: 1, b: null }, false, '{"a":"1!","b":"NULL"}'],
    ['absent', { b: 1 }, false, '{"a":"absent","b":"1!"}'],
    ['not sent', { a: 1 }, true, '{"a":"1!","b":"toast"}'],
    ['absent in another order', { x: 0, b: 1 }, false, '{"a":"absent","b":"1!","x":0}'],
    ['a dropped column', { a: 1, hidden: 7, b: 2 }, false, '{"a":"1!","b":"2!"}'],
  ])('%s', (_name, row, incomplete, json) => {
    expect(text(encoder, row, incomplete)).toBe(json);
  });
});

test('a table without columns is written by the row itself', () => {
  expect(text(new RowEncoder([]), { z: 1, a: [1n, { b: null }] })).toBe('{"z":1,"a":[1,{"b":null}]}');
});

test('column names are escaped and may be names of Object', () => {
  const names = ['a"b', 'constructor', '7', '__proto__'];
  const row = Object.fromEntries(names.map((name, i) => [name, i]));
  expect(JSON.parse(text(new RowEncoder(names.map(plainColumn)), row))).toEqual(row);
  expect(text(new RowEncoder(['constructor'].map(plainColumn)), { x: 1 })).toBe('{"x":1}');
});
