// The shop in PostgreSQL, and what must hold of what was delivered of it. Triggers note each change in its own transaction.

import type { AuditedTable } from './audit.ts';
import type { Line } from './evidence.ts';
import type { OwnPostgres } from './own-postgres.ts';
import type { Replica } from './replicas.ts';
import { TABLES } from './shop.ts';
import { expectTradeDelivered } from './trade-evidence.ts';

export const POSTGRES_SHOP: readonly AuditedTable[] = TABLES.map((name) => ({
  name,
  columns: 'id bigint PRIMARY KEY, name text, credit double precision, rev bigint, note text',
  rev: 'rev',
}));

/** `orders` has full identity: deletes and updates carry the whole old row. */
export async function createPostgresShop(server: OwnPostgres, rows: number): Promise<void> {
  await server.query(`CREATE SEQUENCE ids START 100000; CREATE SEQUENCE revs;
    CREATE TABLE history (n bigserial PRIMARY KEY, tbl text, op text, id bigint, rev bigint, lsn pg_lsn DEFAULT pg_current_wal_insert_lsn());
    CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF TG_OP = 'TRUNCATE' THEN INSERT INTO history (tbl, op) VALUES (TG_TABLE_NAME, 't');
      ELSIF TG_OP = 'DELETE' THEN INSERT INTO history (tbl, op, id, rev) VALUES (TG_TABLE_NAME, 'd', OLD.id, OLD.rev);
      ELSE INSERT INTO history (tbl, op, id, rev) VALUES (TG_TABLE_NAME, CASE TG_OP WHEN 'INSERT' THEN 'c' ELSE 'u' END, NEW.id, NEW.rev);
      END IF; RETURN NULL;
    END $$`);
  for (const { name, columns } of POSTGRES_SHOP) {
    await server.query(`CREATE TABLE ${name} (${columns}); ALTER TABLE ${name} ALTER note SET STORAGE EXTERNAL;
      INSERT INTO ${name} SELECT n, 'row ' || n, n / 4.0, 0, CASE n % 3 WHEN 0 THEN repeat(md5(n::text), 100) END FROM generate_series(1, ${rows}) n;
      CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON ${name} FOR EACH ROW EXECUTE FUNCTION note_change();
      CREATE TRIGGER note_t AFTER TRUNCATE ON ${name} FOR EACH STATEMENT EXECUTE FUNCTION note_change()`);
  }
  await server.query('ALTER TABLE orders REPLICA IDENTITY FULL');
}

/** A moment behind the snapshot. */
export interface Since {
  readonly lsn: string;
  readonly rev: number;
}

export async function sinceNow(server: OwnPostgres): Promise<Since> {
  const [since] = await server.query<Since & { [column: string]: unknown }>(
    'SELECT pg_current_wal_insert_lsn()::text AS lsn, last_value::float8 AS rev FROM revs',
  );
  return since as Since;
}

/** Compared with what somebody has who applies the lines in order, and with the replicas. */
export async function expectPostgresShopDelivered(
  server: OwnPostgres,
  lines: readonly Line[],
  replicas: readonly Replica[],
  since: Since,
): Promise<void> {
  const history = await server.query<{ what: string; later: boolean }>(
    `SELECT concat_ws(' ', op, tbl, id, rev) AS what, lsn > $1::pg_lsn AS later FROM history WHERE op <> 't' ORDER BY n`,
    [since.lsn],
  );
  const rows = (table: string) => server.query(`SELECT id::float8 AS id, name, credit, rev::float8 AS rev, note FROM ${table} ORDER BY id`);
  await expectTradeDelivered({ history, rows, sinceRev: since.rev }, lines, replicas);
}
