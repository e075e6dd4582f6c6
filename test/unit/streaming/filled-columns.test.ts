// Columns that a DDL filled with values that only the rows tell.

import { describe, expect, it } from 'vitest';
import type { Column, TableSchema } from '../../../src/sdk/index.ts';
import { hasFilledColumn } from '../../../src/streaming/filled-columns.ts';

const column = (name: string, more: Partial<Column> = {}): Column => ({
  name,
  type: 'string',
  nativeType: 'text',
  nullable: true,
  ...more,
});
const table = (...columns: Column[]): TableSchema => ({
  id: { database: 'd', schema: 's', table: 't' },
  columns,
  key: ['id'],
  version: 1,
});
const id = column('id');

describe('a new column', () => {
  it.each([
    ['now()', true],
    ['CURRENT_TIMESTAMP', true],
    ['(uuid())', true],
    ["nextval('s'::regclass)", true],
    ["('a'::text || now())", true],
    [undefined, false],
    ['NULL', false],
    ['NULL::character varying', false],
    ["b'0'", false],
    ['B\'101\'::"bit"', false],
    ["_utf8mb4'x'", false],
    ['-1e10', false],
    ['true', false],
  ])('with the default %s: %s', (defaultSql, expected) => {
    const filled = column('c', defaultSql === undefined ? {} : { defaultSql });
    expect(hasFilledColumn(table(id), table(id, filled))).toBe(expected);
  });

  it('whose default is a value has that one', () => {
    expect(hasFilledColumn(table(id), table(id, column('c', { defaultSql: "upper('x')", default: 'X' })))).toBe(false);
  });

  it('is one that has another name now', () => {
    const at = { defaultSql: 'now()' };
    expect(hasFilledColumn(table(id, column('a', at)), table(id, column('b', at)))).toBe(false);
    expect(hasFilledColumn(table(id, column('a', at)), table(id, column('a', at), column('b', at)))).toBe(true);
  });
});
