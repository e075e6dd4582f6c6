import { describe, expect, it } from 'vitest';
import { copyText } from '../../../../src/destinations/postgresql/copy-text.ts';
import type { TargetColumn, TargetTable } from '../../../../src/destinations/postgresql/target-table.ts';
import { spelling } from '../../../../src/destinations/postgresql/types.ts';
import { type EncodeOptions, EventEncoder } from '../../../../src/relational/encode.ts';
import { chunks } from '../../../../src/relational/groups.ts';
import { ChangeEvent, type ChangeEventInit, type Position, type TableSchema } from '../../../../src/sdk/index.ts';

const column = (name: string, kind: TargetColumn['kind'], more: Partial<TargetColumn> = {}): TargetColumn => ({
  name,
  type: kind,
  kind,
  bulk: true,
  length: null,
  fraction: null,
  precision: null,
  domain: false,
  caseless: false,
  padded: false,
  element: null,
  generated: false,
  identity: 'none',
  ...more,
});
const columns = [column('id', 'int'), column('name', 'text'), column('sum', 'int', { generated: true })];
const target = (key: readonly string[] = ['id']): TargetTable => ({
  schema: 'public',
  name: 'orders',
  place: 'orders',
  columns,
  key,
  truncatable: true,
  byName: new Map(columns.map((c) => [c.name, c])),
});
const schema: TableSchema = { id: { database: null, schema: 's', table: 'orders' }, columns: [], key: ['id'], version: 1 };
const event = (init: Partial<ChangeEventInit> & Pick<ChangeEventInit, 'op'>): ChangeEvent =>
  new ChangeEvent({ table: schema, source: 'shop', partition: 'p', position: '1' as Position, sourceTsMs: 0, ...init });

const encode = (init: Parameters<typeof event>[0], table = target(), options: Partial<EncodeOptions> = {}, mayBeMissing = false): unknown =>
  new EventEncoder(spelling, { keepExisting: false, sharedTarget: false, leavesOut: () => false, ...options }).encode(
    event(init),
    3,
    table,
    mayBeMissing,
  );

describe('events', () => {
  it.each<[string, Parameters<typeof event>[0], object]>([
    [
      'an insert is a whole row',
      { op: 'c', after: { id: 1, name: 'a' } },
      { kind: 'put', index: 3, key: ['1'], columns: ['id', 'name'], values: ['1', 'a'] },
    ],
    ['an update is a whole row', { op: 'u', after: { id: 1, name: null } }, { kind: 'put', values: ['1', null] }],
    ['an incomplete one is a patch', { op: 'u', incomplete: true, after: { id: 1 } }, { kind: 'patch', columns: ['id'] }],
    [
      'a change of key is a move',
      { op: 'u', before: { id: 1 }, after: { id: 2, name: 'a' } },
      { kind: 'move', key: ['2'], oldKey: ['1'], incomplete: false },
    ],
    ['a delete has its key only', { op: 'd', before: { id: 1, name: 'a' } }, { kind: 'delete', key: ['1'], columns: [] }],
    ['a truncate has nothing', { op: 't' }, { kind: 'truncate' }],
    ['a computed column is left out', { op: 'c', after: { id: 1, sum: 5 } }, { columns: ['id'] }],
    [
      'a key beside the row is part of it',
      { op: 'c', key: { id: 9 }, after: { name: 'a' } },
      { columns: ['id', 'name'], values: ['9', 'a'], key: ['9'] },
    ],
  ])('%s', (_, init, change) => {
    expect(encode(init)).toMatchObject(change);
  });

  it('insert only where nothing is when rows that exist are kept', () => {
    const options = { keepExisting: true };
    expect([
      encode({ op: 'c', after: { id: 1 } }, target(), options),
      encode({ op: 'u', after: { id: 1 } }, target(), options),
    ]).toMatchObject([{ kind: 'add' }, { kind: 'put' }]);
  });

  it('of a table without a key are rows of their own', () => {
    expect(encode({ op: 'c', after: { id: 1 } }, target([]))).toMatchObject({ kind: 'put', id: '#3', key: [] });
  });

  it.each<[string, Parameters<typeof event>[0], TargetTable, Partial<EncodeOptions>, string]>([
    ['an update without a key', { op: 'u', after: { id: 1 } }, target([]), {}, 'without a key'],
    ['a delete without a key', { op: 'd', before: { id: 1 } }, target([]), {}, 'without a key'],
    ['a delete that lacks its key', { op: 'd', before: { name: 'a' } }, target(), {}, 'without a key'],
    ['a null in the key', { op: 'c', after: { id: null } }, target(), {}, 'key column "id" is null'],
    ['an absent key column', { op: 'c', after: { name: 'a' } }, target(), {}, 'key column "id" is absent'],
    ['a column that is not there', { op: 'c', after: { id: 1, nam: 'a' } }, target(), {}, 'no column "nam"'],
    ['a value that does not fit', { op: 'c', after: { id: 1.5 } }, target(), {}, 'column "id": the value is not a whole number'],
    ['an event without a row', { op: 'c' }, target(), {}, 'has no row'],
    ['a truncate of a shared target', { op: 't' }, target(), { sharedTarget: true }, 'rows of others'],
  ])('refuses %s', (_, init, table, options, message) => {
    expect(() => encode(init, table, options)).toThrow(
      expect.objectContaining({ code: 'DESTINATION_EVENT_REJECTED', message: expect.stringContaining(message) as unknown }),
    );
  });
});

describe('COPY', () => {
  it('escapes what has a meaning of its own', () => {
    expect(
      copyText([
        ['a\tb', null, '\\N', ''],
        ['\r\n', '\\.', '\\xff', '"'],
      ]),
    ).toBe('a\\tb\t\\N\t\\\\N\t\n\\r\\n\t\\\\.\t\\\\xff\t"\n');
  });
});

describe('chunks', () => {
  it('are cut by rows and by size, and never empty', () => {
    const rows = ['a', 'b', 'c', 'x'.repeat(20 << 20), 'd'].map((text) => [text]);
    expect([...chunks(rows, (r) => r, 2)].map((c) => c.length)).toEqual([2, 1, 1, 1]);
    expect([...chunks([], () => [], 2)]).toEqual([]);
  });
});
