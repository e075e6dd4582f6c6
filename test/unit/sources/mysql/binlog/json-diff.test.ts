// Changes of JSON documents, against the same changes of plain values.

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonText } from '../../../../../src/sdk/index.ts';
import { BinlogError } from '../../../../../src/sources/mysql/binlog/errors.ts';
import type { RowsEvent, UnreadableRowsEvent } from '../../../../../src/sources/mysql/binlog/events.ts';
import { applyDiffs, parsePath } from '../../../../../src/sources/mysql/binlog/json-diff.ts';
import { encodeJsonTree, parseJsonTree } from '../../../../../src/sources/mysql/binlog/json-tree.ts';
import { jsonCodec } from '../../../../../src/sources/mysql/values.ts';
import {
  column,
  event,
  formatDescription,
  image,
  jsonBytesOf,
  le,
  packed,
  packedText,
  rowsBody,
  type TestJson,
  type TestTable,
  tableMap,
} from '../../../../helpers/binlog.ts';
import { decodeAll, readRows } from '../../../../helpers/binlog-reader.ts';

const textOf = (bytes: Buffer): string => (jsonCodec.decode(bytes, 0, bytes.length) as unknown as JsonText).text;
const diff = (operation: 0 | 1 | 2, path: string, value?: TestJson): Buffer => {
  const bytes = value === undefined ? null : jsonBytesOf(value);
  return Buffer.concat([le(operation, 1), packedText(path), ...(bytes === null ? [] : [packed(bytes.length), bytes])]);
};
function changed(document: TestJson, ...diffs: Buffer[]): string {
  const bytes = jsonBytesOf(document);
  return textOf(encodeJsonTree(applyDiffs(parseJsonTree(bytes, 0, bytes.length), Buffer.concat(diffs))));
}

describe('paths', () => {
  test.each<[string, readonly (string | number)[]]>([
    ['$', []],
    ['$.a', ['a']],
    ['$[0].b[12]', [0, 'b', 12]],
    ['$."x y"."q\\"z"', ['x y', 'q"z']],
    ['$.é', [Buffer.from('é').toString('latin1')]],
  ])('%s', (path, legs) => {
    expect(parsePath(path)).toEqual(legs);
  });

  test.each(['$.', '$[', '$[x]', '$."a', '$a b'])('%s is none', (path) => {
    expect(() => parsePath(path)).toThrow(BinlogError);
  });
});

describe('changes', () => {
  const document: TestJson = { a: 1, b: [1, 2, 3], 'x y': { z: 'deep' } };
  test.each<[string, readonly Buffer[], string]>([
    ['replace a member', [diff(0, '$.a', 'new')], '{"a": "new", "b": [1, 2, 3], "x y": {"z": "deep"}}'],
    ['replace an element', [diff(0, '$.b[1]', -70_000)], '{"a": 1, "b": [1, -70000, 3], "x y": {"z": "deep"}}'],
    ['insert a member, in its place', [diff(1, '$.A', null)], '{"A": null, "a": 1, "b": [1, 2, 3], "x y": {"z": "deep"}}'],
    ['insert an element', [diff(1, '$.b[0]', 0)], '{"a": 1, "b": [0, 1, 2, 3], "x y": {"z": "deep"}}'],
    ['insert behind the last', [diff(1, '$.b[9]', 4)], '{"a": 1, "b": [1, 2, 3, 4], "x y": {"z": "deep"}}'],
    ['remove', [diff(2, '$.b[0]'), diff(2, '$.a')], '{"b": [2, 3], "x y": {"z": "deep"}}'],
    [
      'one after another, deep',
      [diff(0, '$."x y".z', {}), diff(1, '$."x y".z.n', [])],
      '{"a": 1, "b": [1, 2, 3], "x y": {"z": {"n": []}}}',
    ],
    ['nothing', [], '{"a": 1, "b": [1, 2, 3], "x y": {"z": "deep"}}'],
    ['replace all', [diff(0, '$', [])], '[]'],
  ])('%s', (_name, diffs, expected) => {
    expect(changed(document, ...diffs)).toBe(expected);
  });

  test.each<[string, Buffer]>([
    ['of what is not there', diff(0, '$.none', 1)],
    ['of an element that is not there', diff(2, '$.b[3]')],
    ['that adds what is there', diff(1, '$.a', 1)],
    ['below a number', diff(0, '$.a.b', 1)],
    ['that removes all', diff(2, '$')],
    ['of an unknown operation', Buffer.concat([le(9, 1), packedText('$.a')])],
    ['that is cut off', diff(0, '$.a', 'text').subarray(0, -1)],
  ])('%s is an error', (_name, bytes) => {
    expect(() => changed(document, bytes)).toThrow(BinlogError);
  });

  test('a tree is the same document, whichever format it was in', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.constantFrom<2 | 4>(2, 4), (json, size) => {
        // Whole numbers only: what JSON.parse gives for others has another text in the server.
        const document = JSON.parse(JSON.stringify(json), (_, v: unknown) => (typeof v === 'number' ? Math.trunc(v % 1e9) : v)) as TestJson;
        const bytes = jsonBytesOf(document, size);
        expect(textOf(encodeJsonTree(parseJsonTree(bytes, 0, bytes.length)))).toBe(textOf(bytes));
      }),
      { numRuns: 30 },
    );
  });
});

describe('rows with changes of documents', () => {
  const table: TestTable = {
    id: 3,
    database: 'd',
    table: 't',
    columns: [column.int('id'), column.json('a'), column.json('b'), column.int('n')],
    key: [0],
  };
  const old = { id: 1, a: jsonBytesOf({ k: 1 }), b: jsonBytesOf([1]), n: 5 };
  /** New images whose `partial` columns have changes instead of documents. */
  function partialUpdate(before: readonly string[], partial: number, after: Record<string, unknown>): ReturnType<typeof decodeAll>[number] {
    const { head } = rowsBody('u', table, [], { type: 39, before });
    const images = [
      image(table.columns, old, before),
      packed(partial === 0 ? 0 : 1),
      partial === 0 ? Buffer.alloc(0) : le(partial, 1),
      image(table.columns, after),
    ];
    return decodeAll([formatDescription(), tableMap(table), event(39, Buffer.concat([head, ...images]))]).at(-1) as never;
  }
  const all = ['id', 'a', 'b', 'n'];

  test('become whole', () => {
    const decoded = partialUpdate(all, 0b01, { ...old, a: diff(0, '$.k', 2), n: null }) as RowsEvent;
    expect(readRows(decoded)).toEqual([
      { before: { id: 1, a: '{"k": 1}', b: '[1]', n: 5 }, after: { id: 1, a: '{"k": 2}', b: '[1]', n: null } },
    ]);
    const second = partialUpdate(all, 0b10, { ...old, b: diff(1, '$[0]', 0) }) as RowsEvent;
    expect(readRows(second)[0]?.after).toEqual({ id: 1, a: '{"k": 1}', b: '[0, 1]', n: 5 });
  });

  test('without any change are whole', () => {
    expect(readRows(partialUpdate(all, 0, { ...old, n: 6 }) as RowsEvent)[0]?.after).toEqual({ id: 1, a: '{"k": 1}', b: '[1]', n: 6 });
  });

  test('without the old document cannot be read, which is said and not guessed', () => {
    const decoded = partialUpdate(['id', 'n'], 0b01, { ...old, a: diff(0, '$.k', 2) }) as UnreadableRowsEvent;
    expect(decoded).toMatchObject({
      kind: 'unreadable_rows',
      op: 'u',
      reason: 'column "a" has changes of a JSON document, and the old document was not sent',
    });
  });
});
