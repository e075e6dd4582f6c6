// Rows of a SQLite file, read only.

import Database from 'better-sqlite3';

export function readSqlite(path: string, sql: string): Record<string, unknown>[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare<unknown[], Record<string, unknown>>(sql).all();
  } finally {
    db.close();
  }
}
