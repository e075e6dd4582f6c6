// The destinations that keep tables, made alike for the tests: each is installed with the triggers of audit.ts, and read back
// at the end. A further destination joins with one more function like these.

import { expect } from 'vitest';
import type { Workspace } from '../e2e/process.ts';
import { createMysqlDatabase, type ServerName } from '../helpers/mysql.ts';
import { createDatabase, type TestDatabase } from '../helpers/postgres.ts';
import {
  type AuditedTable,
  auditMysql,
  auditPostgres,
  auditSqlite,
  type Effect,
  mysqlEffects,
  postgresEffects,
  sqliteEffects,
} from './audit.ts';
import { type Line, openDatabase, type Row, replayed } from './evidence.ts';

export interface Replica extends AsyncDisposable {
  readonly name: string;
  /** Its entry under `destinations`, on one line. `more` are further keys. */
  yaml(more?: string): string;
  /** Variables that the entry refers to. */
  readonly env: Readonly<Record<string, string>>;
  effects(): Promise<Effect[]>;
  /** Columns of a table by key; what is no text is a number. */
  rows(table: string, columns: Readonly<Record<string, 'number' | 'text'>>): Promise<Row[]>;
}

export async function sqliteReplica(work: Workspace, tables: readonly AuditedTable[]): Promise<Replica> {
  const { db, [Symbol.dispose]: close } = openDatabase(work.path('replica.db'));
  auditSqlite(db, tables);
  return {
    name: 'sqlite',
    env: {},
    yaml: (more = '') => `  - {name: replica, type: sqlite, path: replica.db${more}}\n`,
    effects: async () => sqliteEffects(db),
    rows: async (table, columns) => db.prepare(`SELECT ${Object.keys(columns).join(', ')} FROM ${table} ORDER BY id`).all() as Row[],
    [Symbol.asyncDispose]: async () => close(),
  };
}

/** In a database of its own on the server for tests, unless `database` is given, which is left to its owner. */
export async function postgresReplica(tables: readonly AuditedTable[], database?: Pick<TestDatabase, 'url' | 'query'>): Promise<Replica> {
  const own = database === undefined ? await createDatabase() : null;
  const db = database ?? (own as TestDatabase);
  await auditPostgres(db, tables);
  return {
    name: 'postgresql',
    env: { CHAOS_POSTGRES: db.url },
    yaml: (more = '') => `  - {name: warehouse, type: postgresql, url: "\${CHAOS_POSTGRES}"${more}}\n`,
    effects: () => postgresEffects(db),
    rows: (table, columns) => {
      const list = Object.entries(columns).map(([name, kind]) => (kind === 'number' ? `${name}::float8 AS ${name}` : name));
      return db.query(`SELECT ${list.join(', ')} FROM ${table} ORDER BY id`);
    },
    [Symbol.asyncDispose]: async () => own?.[Symbol.asyncDispose](),
  };
}

/** In a database of its own on a server for tests, unless `database` is given, which is left to its owner. */
export async function mysqlReplica(
  tables: readonly AuditedTable[],
  database: ServerName | { readonly url: string; query(text: string): Promise<Record<string, string | null>[]> } = 'mariadb',
): Promise<Replica> {
  const own = typeof database === 'string' ? await createMysqlDatabase(database) : null,
    db = own ?? (database as Exclude<typeof database, string>);
  await auditMysql(db, tables);
  return {
    name: 'mysql',
    env: { CHAOS_MYSQL: db.url },
    yaml: (more = '') => `  - {name: copy, type: mysql, url: "\${CHAOS_MYSQL}"${more}}\n`,
    effects: () => mysqlEffects(db),
    rows: async (table, columns) => {
      const rows = await db.query(`SELECT ${Object.keys(columns).join(', ')} FROM ${table} ORDER BY id`);
      const typed = ([name, kind]: [string, 'number' | 'text'], value: string | null): [string, unknown] => [
        name,
        kind === 'number' && value !== null ? Number(value) : value,
      ];
      return rows.map((row) => Object.fromEntries(Object.entries(columns).map((column) => typed(column, row[column[0]] ?? null))));
    },
    [Symbol.asyncDispose]: async () => own?.[Symbol.asyncDispose](),
  };
}

/** The replica holds the rows that somebody has who applies the lines in order: nothing lost, no delete undone. */
export async function expectReplayed(
  replica: Replica,
  lines: readonly Line[],
  table: string,
  columns: Readonly<Record<string, 'number' | 'text'>>,
): Promise<void> {
  const names = Object.keys(columns);
  const wanted = replayed(lines, table).map((row) => Object.fromEntries(names.map((name) => [name, row[name]])));
  expect(await replica.rows(table, columns), `${replica.name}, ${table}`).toEqual(wanted);
}
