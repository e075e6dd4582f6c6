// The open file: settings that make a commit durable, and what to make of a folder that cannot be had.

import { dirname, resolve } from 'node:path';
import { CdcError } from '../../sdk/index.ts';
import { makeFolderSync } from '../../util/make-folder.ts';
import { loadSqlite, openSqlite, type SqliteDatabase } from '../../util/sqlite.ts';
import type { SqliteConfig } from './config.ts';
import { classify, driverMissing } from './errors.ts';

export async function openDatabase(config: SqliteConfig): Promise<SqliteDatabase> {
  const driver = await loadSqlite();
  if (driver === null) throw driverMissing();
  const path = resolve(config.path);
  try {
    makeFolderSync(dirname(path));
    const db = openSqlite(driver, path, { mustExist: false });
    db.pragma(`journal_mode = ${config.journal_mode}`);
    db.pragma(`synchronous = ${config.synchronous}`);
    // The source has checked its foreign keys; here tables come one after the other, and cascades come as deletes of their own.
    db.pragma('foreign_keys = off');
    // 4 MB of page cache; the driver's default of 16 MB is memory that a batch writer does not use.
    db.pragma('cache_size = -4096');
    db.defaultSafeIntegers(true);
    return db;
  } catch (error) {
    throw folderError(error, path) ?? classify(error, config.path);
  }
}

function folderError(error: unknown, path: string): CdcError | null {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM' && code !== 'ENOTDIR' && code !== 'EEXIST') return null;
  return new CdcError('DESTINATION_FORBIDDEN', `The folder of "${path}" cannot be made: ${(error as Error).message}`, {
    where: 'path',
    fix: 'Correct `path`, or the rights of its folder.',
    cause: error,
  });
}
