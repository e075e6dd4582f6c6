// One writer per log. Node has no file locks, SQLite has: an open exclusive transaction holds one, and the operating system
// ends it with the process, however that ends. A file with a process id in it would outlive a crash.

import { closeSync, openSync } from 'node:fs';
import { CdcError } from '../../sdk/index.ts';
import { loadSqlite, openSqlite, SQLITE_INSTALL, sqliteCode } from '../../util/sqlite.ts';
import type { LogLock } from './files.ts';

export async function lockFile(path: string): Promise<LogLock | null> {
  const sqlite = await loadSqlite();
  if (sqlite === null) {
    throw new CdcError('DEPENDENCY_MISSING', 'The disk log needs the package better-sqlite3 for its lock, and it is not installed.', {
      where: 'log.type',
      fix: `Run \`${SQLITE_INSTALL}\`.`,
    });
  }
  // SQLite would make it readable for others.
  closeSync(openSync(path, 'a', 0o600));
  const db = openSqlite(sqlite, path, { mustExist: true });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (sqliteCode(error).startsWith('SQLITE_BUSY')) return null;
    throw error;
  }
  return { release: () => db.close() };
}
