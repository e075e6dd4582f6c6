// What is done to the tables of a replica, noted by triggers in the replica itself: in the transaction of the rows, so that
// what was rolled back is not in it, and what was written twice is in it twice.

import type Database from 'better-sqlite3';
import type { TestDatabase } from '../helpers/postgres.ts';

/** `put`: a row was inserted or updated. `rev`: of the row, by which its changes are told apart. */
export interface Effect {
  readonly op: 'put' | 'gone';
  readonly table: string;
  readonly id: number;
  readonly rev: number;
}

export interface AuditedTable {
  readonly name: string;
  /** `id bigint PRIMARY KEY, …`, understood by both databases. */
  readonly columns: string;
  /** The column that tells changes of a row apart. */
  readonly rev: string;
}

type Queried = Pick<TestDatabase, 'query'>;

export function auditSqlite(db: Database.Database, tables: readonly AuditedTable[]): void {
  db.exec('CREATE TABLE audit (n INTEGER PRIMARY KEY, op TEXT, tbl TEXT, id INTEGER, rev INTEGER)');
  for (const { name, columns, rev } of tables) {
    const note = (op: string, row: string): string =>
      `BEGIN INSERT INTO audit (op, tbl, id, rev) VALUES ('${op}', '${name}', ${row}.id, ${row}.${rev}); END`;
    db.exec(`
      CREATE TABLE ${name} (${columns});
      CREATE TRIGGER ${name}_i AFTER INSERT ON ${name} ${note('put', 'NEW')};
      CREATE TRIGGER ${name}_u AFTER UPDATE ON ${name} ${note('put', 'NEW')};
      CREATE TRIGGER ${name}_d AFTER DELETE ON ${name} ${note('gone', 'OLD')};`);
  }
}

export async function auditPostgres(db: Queried, tables: readonly AuditedTable[]): Promise<void> {
  await db.query('CREATE TABLE audit (n bigserial PRIMARY KEY, op text, tbl text, id bigint, rev bigint)');
  for (const { name, columns, rev } of tables) {
    await db.query(`CREATE TABLE ${name} (${columns})`);
    await db.query(`
      CREATE FUNCTION note_${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'DELETE' THEN INSERT INTO audit (op, tbl, id, rev) VALUES ('gone', '${name}', OLD.id, OLD.${rev});
        ELSE INSERT INTO audit (op, tbl, id, rev) VALUES ('put', '${name}', NEW.id, NEW.${rev}); END IF;
        RETURN NULL;
      END $$`);
    await db.query(`CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON ${name} FOR EACH ROW EXECUTE FUNCTION note_${name}()`);
  }
}

/** The same in MySQL. */
export async function auditMysql(db: { query(text: string): Promise<unknown> }, tables: readonly AuditedTable[]): Promise<void> {
  await db.query('CREATE TABLE audit (n bigint AUTO_INCREMENT PRIMARY KEY, op text, tbl text, id bigint, rev bigint)');
  for (const { name, columns, rev } of tables) {
    const note = (op: string, row: string): string =>
      `FOR EACH ROW INSERT INTO audit (op, tbl, id, rev) VALUES ('${op}', '${name}', ${row}.id, ${row}.${rev})`;
    await db.query(`CREATE TABLE ${name} (${columns})`);
    await db.query(`CREATE TRIGGER ${name}_i AFTER INSERT ON ${name} ${note('put', 'NEW')}`);
    await db.query(`CREATE TRIGGER ${name}_u AFTER UPDATE ON ${name} ${note('put', 'NEW')}`);
    await db.query(`CREATE TRIGGER ${name}_d AFTER DELETE ON ${name} ${note('gone', 'OLD')}`);
  }
}

export async function mysqlEffects(db: { query(text: string): Promise<Record<string, string | null>[]> }): Promise<Effect[]> {
  const rows = await db.query('SELECT op, tbl, id, rev FROM audit ORDER BY n');
  return rows.map((r) => ({ op: r['op'] as Effect['op'], table: r['tbl'] as string, id: Number(r['id']), rev: Number(r['rev']) }));
}

export function sqliteEffects(db: Database.Database): Effect[] {
  return db.prepare('SELECT op, tbl AS "table", id, rev FROM audit ORDER BY n').all() as Effect[];
}

export async function postgresEffects(db: Queried): Promise<Effect[]> {
  return db.query<Effect & { [column: string]: unknown }>(
    'SELECT op, tbl AS "table", id::float8 AS id, rev::float8 AS rev FROM audit ORDER BY n',
  );
}

/** Puts that bring nothing new: the row had this change, or a later one, already. A snapshot may bring a row as it is. */
export function repeatedPuts(effects: readonly Effect[], fromSnapshot: (effect: Effect) => boolean = () => false): Effect[] {
  const last = new Map<string, { rev: number; again: boolean }>();
  return effects.filter((effect) => {
    if (effect.op !== 'put') return false;
    const key = `${effect.table}/${effect.id}`,
      known = last.get(key);
    const again = known?.rev === effect.rev;
    last.set(key, { rev: effect.rev, again: again || (known?.again ?? false) });
    if (known === undefined || effect.rev > known.rev) return false;
    return !(again && !known.again && fromSnapshot(effect));
  });
}
