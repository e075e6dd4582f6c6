// The bytes of a binlog, made here: the table `orders` of ten columns with about 165 bytes a row, in events of 8 KiB as servers
// write them.

import { column, formatDescription, jsonBytesOf, rowsEvent, type TestRow, type TestTable, tableMap } from '../../test/helpers/binlog.ts';

const EVENT_BYTES = 8192;

export function ordersTable(flavor: 'mysql' | 'mariadb'): TestTable {
  const columns = [
    column.bigint('id'),
    column.varchar('customer', 256),
    column.varchar('email', 512),
    column.varchar('sku', 128),
    column.decimal('amount', 12, 2),
    column.datetime('created_at', 3),
    column.timestamp('updated_at', 3),
    column.tinyint('active'),
    column.int('qty', true),
    flavor === 'mysql' ? column.json('attrs') : column.blob('attrs', 4, 45),
  ];
  return { id: 100, database: 'shop', table: 'orders', columns, key: [0] };
}

function row(i: number, flavor: 'mysql' | 'mariadb', change: number): TestRow {
  const attrs = { color: 'red', size: i % 40, tags: ['a', 'b', 'c'], note: `order number ${i}` };
  return {
    id: i,
    customer: `Customer Ünïque ${i}`,
    email: `user${i}@example.com`,
    sku: `SKU-${i % 5000}`,
    amount: ((i % 100_000) / 100 + 0.5 + change).toFixed(2),
    created_at: `2024-0${1 + (i % 9)}-1${i % 10} 12:34:56.${100 + (i % 900)}`,
    updated_at: 1_709_210_096_000_000 + i * 1000,
    active: i % 2,
    qty: (i % 17) + change,
    attrs: flavor === 'mysql' ? jsonBytesOf(attrs) : JSON.stringify(attrs),
  };
}

/** Events one after another, and where each begins; one more place marks the end. */
export interface Tape {
  readonly bytes: Buffer;
  readonly starts: readonly number[];
  readonly rows: number;
}

/** A TABLE_MAP before each event of rows of one statement with `perStatement` rows. */
export function tape(kind: 'inserts' | 'updates', flavor: 'mysql' | 'mariadb', count: number, perStatement: number): Tape {
  const table = ordersTable(flavor),
    events: Buffer[] = [formatDescription(flavor === 'mysql' ? '8.0.31' : '10.11.19-MariaDB-log')];
  for (let i = 0; i < count; ) {
    events.push(tableMap(table));
    const end = Math.min(i + perStatement, count);
    while (i < end) {
      const rows: TestRow[] = [];
      for (let bytes = 0; i < end && bytes < EVENT_BYTES; i++) {
        const id = 1_000_000 + i;
        if (kind === 'updates') rows.push(row(id, flavor, 0));
        rows.push(row(id, flavor, kind === 'updates' ? 1 : 0));
        bytes += kind === 'updates' ? 340 : 170;
      }
      events.push(rowsEvent(kind === 'inserts' ? 'c' : 'u', table, rows, { endsStatement: i === end }));
    }
  }
  const starts: number[] = [];
  let at = 0;
  for (const event of events) {
    starts.push(at);
    at += event.length;
  }
  starts.push(at);
  return { bytes: Buffer.concat(events), starts, rows: count };
}
