// Opens the state file: makes it whole or not at all, tells damage from other people's files, and asks SQLite for
// durability at each commit. Nothing is ever reset here.

import { closeSync, constants, copyFileSync, existsSync, linkSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import type { Database } from 'better-sqlite3';
import { CdcError } from '../sdk/index.ts';
import { makeFolderSync } from '../util/make-folder.ts';
import { syncFolderSync } from '../util/sync-folder.ts';
import { classifyStateError, corrupt, unavailable } from './errors.ts';
import { assertOurs, migrate } from './migrations.ts';

type Driver = typeof BetterSqlite3;

/** SQLite waits inside the call, which stops the whole process: long enough for another process's commit, not for more. */
const BUSY_TIMEOUT_MS = 2000;
/** Page cache in KiB. The file is read once at the start; the driver's default of 16 MB would be memory for nothing. */
const CACHE_KIB = 256;

/** Loaded only here, so that a program that keeps no state needs no native module. */
async function loadDriver(): Promise<Driver> {
  try {
    return (await import('better-sqlite3')).default;
  } catch (error) {
    throw driverMissing(error);
  }
}

function driverMissing(cause: unknown): CdcError {
  return new CdcError(
    'DEPENDENCY_MISSING',
    'The state file needs the package better-sqlite3, which is missing or not built for this Node.js.',
    {
      where: 'state.type',
      fix: 'Run `npm install better-sqlite3`, or `npm rebuild better-sqlite3` after a change of Node.js.',
      cause,
    },
  );
}

/** Opens `path`, creating it with its folder when it is not there. */
export async function openStateFile(path: string, busyTimeoutMs = BUSY_TIMEOUT_MS): Promise<Database> {
  const driver = await loadDriver();
  try {
    if (!existsSync(path)) create(driver, path);
    const stat = statSync(path);
    if (!stat.isFile()) throw unavailable(path, 'is not a file.', { fix: 'Set state.path to a file.' });
    // Files appear here with all their tables in them (see `create`), so an empty one has lost its content.
    if (stat.size === 0) throw corrupt(path, 'it is empty.');
    return openExisting(driver, path, busyTimeoutMs);
  } catch (error) {
    throw isDriverMissing(error) ? driverMissing(error) : classifyStateError(path, error);
  }
}

function openExisting(driver: Driver, path: string, busyTimeoutMs: number): Database {
  // A clean close removes the write-ahead log: one that is left means a crash, or a second process at work.
  const wal = statSync(`${path}-wal`, { throwIfNoEntry: false });
  const db = new driver(path, { fileMustExist: true, timeout: busyTimeoutMs });
  try {
    assertOurs(db, path);
    configure(db, path);
    migrate(db);
    if (wal !== undefined && wal.size > 0) assertSound(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function configure(db: Database, path: string): void {
  const mode = db.pragma('journal_mode = wal', { simple: true });
  if (mode !== 'wal') {
    throw unavailable(path, `lies on a disk without shared memory (journal mode ${String(mode)}).`, {
      fix: 'Set state.path to a file on a local disk.',
    });
  }
  // FULL, not the usual NORMAL: a commit must survive a power cut, because the source forgets what it covers (invariant 1).
  db.pragma('synchronous = full');
  db.pragma(`cache_size = -${CACHE_KIB}`);
}

function assertSound(db: Database, path: string): void {
  const found = db.pragma('quick_check(1)', { simple: true });
  if (found !== 'ok') throw corrupt(path, `${String(found)}.`);
}

/**
 * Builds the file beside its place and links it there when it is whole: nobody ever sees it half made, and of two
 * processes that start together one wins and both open the winner's.
 */
function create(driver: Driver, path: string): void {
  const folder = dirname(path);
  makeFolderSync(folder, { mode: 0o700 });
  const workshop = mkdtempSync(`${path}.new-`);
  try {
    const fresh = join(workshop, 'state.db');
    // SQLite gives the write-ahead log the mode of the file.
    closeSync(openSync(fresh, 'wx', 0o600));
    const db = new driver(fresh);
    db.pragma('synchronous = full');
    migrate(db);
    // Kept in the file's header. Here nobody else has it open, so the switch needs no lock.
    db.pragma('journal_mode = wal');
    db.close();
    publish(fresh, path);
    syncFolderSync(folder);
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
}

/** Puts the file in its place, never over another one. */
function publish(fresh: string, path: string): void {
  try {
    linkSync(fresh, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return;
    // Some file systems have no links. The copy is not atomic, but it is the best they offer.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    copyFileSync(fresh, path, constants.COPYFILE_EXCL);
  }
}

/** The driver looks for its native part when the first database is opened, not when it is imported. */
function isDriverMissing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error as NodeJS.ErrnoException).code === 'ERR_DLOPEN_FAILED' || /Could not locate the bindings file/.test(error.message);
}
