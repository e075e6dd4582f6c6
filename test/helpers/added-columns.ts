// A table with rows to which its source adds columns, as a destination hears of it.

import { expect } from 'vitest';
import type { ChangeEvent, Column, TableSchema } from '../../src/sdk/index.ts';
import { Events } from '../../src/sdk/testing/index.ts';
import { column } from './columns.ts';
import { type Lane, STORED } from './postgresql-lane.ts';

const tableOf = (version: number, ...columns: Column[]): TableSchema => ({
  id: { database: null, schema: 'shop', table: 'orders' },
  columns,
  key: ['id'],
  version,
});
const ID = column('id', 'int32', { nullable: false });
const ADDED = [
  column('flag', 'boolean', { default: true }),
  column('n', 'int32', { default: '5' }),
  column('price', 'decimal', { precision: 6, scale: 2, default: '-1.25' }),
  column('short', 'string', { length: 20, default: "it's \\ new" }),
  column('long', 'string', { default: 'x' }),
  column('at', 'timestamptz', { default: '2026-01-01T00:00:00Z' }),
];
/** Rows that say NULL have NULL. */
export const NOTHING = { flag: null, n: null, price: null, short: null, long: null, at: null };

const e = new Events();
const row = (table: TableSchema, after: ChangeEvent['after']): ChangeEvent => e.make({ op: 'c', table, after });
const altered = (table: TableSchema, previous: TableSchema): ChangeEvent =>
  e.make({ op: 's', table, schemaChange: { kind: 'alter', previous, ddl: null } });

/**
 * Afterwards rows 1, 2 and 5 were there before the columns, or do not know them, and 3 and 4 say NULL. Before row 5 `short` has become
 * longer; `late`, 8 in row 4, came to the table without a DDL, and has a default of 7.
 */
export async function writeAddedColumns(lane: Lane): Promise<void> {
  const before = tableOf(1, ID),
    filled = tableOf(2, ID, ...ADDED),
    wider = tableOf(3, ID, ...ADDED.filter((c) => c.name !== 'short'), column('short', 'string', { length: 500 })),
    more = tableOf(4, ...filled.columns, column('late', 'int32', { default: '7' }));
  expect(await lane.write([row(before, { id: 1 })])).toEqual(STORED);
  expect(await lane.write([row(before, { id: 2 }), altered(filled, before), row(filled, { id: 3, ...NOTHING })])).toEqual(STORED);
  expect(await lane.write([altered(wider, filled), row(before, { id: 5 })])).toEqual(STORED);
  expect(await lane.write([row(more, { id: 4, ...NOTHING, late: 8 })])).toEqual(STORED);
}
