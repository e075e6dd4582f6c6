// The rows that are captured: `orders` of ten columns and about 170 bytes, 1,000 rows per transaction, each phase in a file of the log.

import type { Connection, RowDataPacket } from 'mysql2/promise';

export interface Phase {
  readonly name: 'inserts' | 'updates';
  readonly events: number;
  /** Of the log; it begins with the phase and ends with it. */
  readonly file: string;
}

const ROWS = 1000;

const table = (json: string): string => `
CREATE DATABASE shop;
USE shop;
CREATE TABLE orders (
  id bigint NOT NULL PRIMARY KEY, customer varchar(64) NOT NULL, email varchar(128), sku varchar(32), amount decimal(12,2),
  created_at datetime(3), updated_at timestamp(3) NULL, active tinyint(1), qty int unsigned, attrs ${json}
) DEFAULT CHARSET utf8mb4`;

function insert(first: number): string {
  const rows = Array.from({ length: ROWS }, (_, n) => {
    const i = first + n,
      ms = 100 + (i % 900);
    return `(${i},'Customer Ünïque ${i}','user${i}@example.com','SKU-${i % 5000}',${(i % 100_000) / 100 + 0.5},'2024-0${1 + (i % 9)}-1${i % 10} 12:34:56.${ms}','2024-03-01 10:00:00.${ms}',${i % 2},${i % 17},'{"color":"red","size":${i % 40},"tags":["a","b","c"],"note":"order number ${i}"}')`;
  });
  return `INSERT INTO orders VALUES ${rows.join(',')}`;
}

/** `inserts`, `updates`: how many. `json`: type of the column `attrs`. */
export async function createWorkload(client: Connection, json: 'json' | 'longtext', inserts: number, updates: number): Promise<Phase[]> {
  // The text of each statement would be in the file, and not be sent.
  if (json === 'longtext') await client.query('SET binlog_annotate_row_events = OFF');
  await client.query(table(json));
  const phases: Phase[] = [];
  const phase = async (name: Phase['name'], events: number, statement: (first: number) => string): Promise<void> => {
    await client.query('FLUSH BINARY LOGS');
    const [files] = await client.query<RowDataPacket[]>('SHOW BINARY LOGS');
    for (let i = 1; i <= events; i += ROWS) await client.query(statement(i));
    phases.push({ name, events, file: String(files.at(-1)?.['Log_name']) });
  };
  await phase('inserts', inserts, insert);
  await phase('updates', updates, (i) => `UPDATE orders SET amount = amount + 1, qty = qty + 1 WHERE id BETWEEN ${i} AND ${i + ROWS - 1}`);
  await client.query('FLUSH BINARY LOGS');
  return phases;
}

const NUMBERS = {
  longtext: (count: number) => `SELECT seq AS i FROM seq_1_to_${count}`,
  json: (count: number) => `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n`,
};

/** One transaction of so many rows, in a file of its own. */
export async function oneTransaction(client: Connection, json: 'json' | 'longtext', count: number): Promise<string> {
  await client.query('TRUNCATE shop.orders; FLUSH BINARY LOGS');
  const [files] = await client.query<RowDataPacket[]>('SHOW BINARY LOGS');
  if (json === 'json') await client.query(`SET SESSION cte_max_recursion_depth = ${count + 1}`);
  await client.query(`INSERT INTO shop.orders SELECT i, CONCAT('Customer ', i), CONCAT('user', i, '@example.com'), CONCAT('SKU-', i % 5000), i % 100000 / 100,
    '2024-02-11 12:34:56.123', '2024-03-01 10:00:00.456', i % 2, i % 17, CONCAT('{"color":"red","size":', i % 40, ',"tags":["a","b","c"],"note":"order number ', i, '"}')
    FROM (${NUMBERS[json](count)}) AS numbers`);
  await client.query('FLUSH BINARY LOGS');
  return String(files.at(-1)?.['Log_name']);
}
