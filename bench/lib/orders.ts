// The table and rows of the benches that measure encoding: about 190 bytes of values in eight columns.

import type { Column, ColumnType, Row, TableSchema } from '../../src/sdk/index.ts';

const column = (name: string, type: ColumnType, nativeType: string, more: Partial<Column> = {}): Column => ({
  name,
  type,
  nativeType,
  nullable: true,
  ...more,
});

export const ORDERS: TableSchema = {
  id: { database: 'shop', schema: 'public', table: 'orders' },
  key: ['id'],
  version: 1,
  columns: [
    column('id', 'int64', 'bigint', { nullable: false }),
    column('customer', 'string', 'text'),
    column('email', 'string', 'text'),
    column('note', 'string', 'text'),
    column('total', 'decimal', 'numeric(12,2)', { precision: 12, scale: 2 }),
    column('placed_at', 'timestamptz', 'timestamptz'),
    column('paid', 'boolean', 'boolean'),
    column('items', 'int32', 'integer'),
  ],
};

export function orderRow(i: number): Row {
  return {
    id: BigInt(i),
    customer: `Customer number ${i}`,
    email: `customer${i}@example.com`,
    note: 'left at the door, as usual, with the neighbour',
    total: `${i % 1000}.50`,
    placed_at: '2024-02-29T12:34:56.789123Z',
    paid: i % 2 === 0,
    items: i % 17,
  };
}
