// The shop in MySQL or MariaDB. Triggers note each change in its own transaction.

import type { AuditedTable } from './audit.ts';
import type { Line } from './evidence.ts';
import type { OwnMysql } from './own-mysql.ts';
import type { Replica } from './replicas.ts';
import { TABLES } from './shop.ts';
import { expectTradeDelivered } from './trade-evidence.ts';

export const MYSQL_SHOP: readonly AuditedTable[] = TABLES.map((name) => ({
  name,
  columns: 'id bigint PRIMARY KEY, name text, credit double precision, rev bigint, note text',
  rev: 'rev',
}));

const ROWS_OF_A_STATEMENT = 500;

/** Changes of `orders` are logged with whole rows, those of `customers` now and then with some columns only: see mysql-trade.ts. */
export async function createMysqlShop(server: OwnMysql, rows: number): Promise<void> {
  await server.query('CREATE TABLE history (n bigint AUTO_INCREMENT PRIMARY KEY, tbl text, op text, id bigint, rev bigint)');
  for (const { name, columns } of MYSQL_SHOP) {
    await server.query(`CREATE TABLE ${name} (${columns})`);
    for (let first = 1; first <= rows; first += ROWS_OF_A_STATEMENT) {
      const values = Array.from({ length: Math.min(ROWS_OF_A_STATEMENT, rows - first + 1) }, (_, i) => {
        const n = first + i;
        return `(${n}, 'row ${n}', ${n / 4}, 0, ${n % 3 === 0 ? `REPEAT(MD5(${n}), 100)` : 'NULL'})`;
      });
      await server.query(`INSERT INTO ${name} VALUES ${values.join(', ')}`);
    }
    const note = (op: string, row: string): string =>
      `INSERT INTO history (tbl, op, id, rev) VALUES ('${name}', '${op}', ${row}.id, ${row}.rev)`;
    await server.query(`CREATE TRIGGER ${name}_i AFTER INSERT ON ${name} FOR EACH ROW ${note('c', 'NEW')};
      CREATE TRIGGER ${name}_u AFTER UPDATE ON ${name} FOR EACH ROW ${note('u', 'NEW')};
      CREATE TRIGGER ${name}_d AFTER DELETE ON ${name} FOR EACH ROW ${note('d', 'OLD')}`);
  }
}

/** A moment behind the snapshot. */
export interface Since {
  readonly n: number;
  readonly rev: number;
}

export async function sinceNow(server: OwnMysql): Promise<Since> {
  const [row] = await server.query('SELECT MAX(n) AS n, MAX(rev) AS rev FROM history');
  return { n: Number(row?.['n']), rev: Number(row?.['rev']) };
}

export async function expectMysqlShopDelivered(
  server: OwnMysql,
  lines: readonly Line[],
  replicas: readonly Replica[],
  since: Since,
): Promise<void> {
  const noted = await server.query(`SELECT n, CONCAT_WS(' ', op, tbl, id, rev) AS what FROM history ORDER BY n`);
  const history = noted.map(({ n, what }) => ({ what: what ?? '', later: Number(n) > since.n }));
  const rows = async (table: string) =>
    (await server.query(`SELECT id, name, credit, rev, note FROM ${table} ORDER BY id`)).map((row) => ({
      ...row,
      id: Number(row['id']),
      credit: Number(row['credit']),
      rev: Number(row['rev']),
    }));
  await expectTradeDelivered({ history, rows, sinceRev: since.rev }, lines, replicas);
}
