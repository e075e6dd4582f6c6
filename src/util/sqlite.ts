// better-sqlite3, loaded when it is needed: it is an optional package, and importing an adapter must load no driver. What is
// said to the user when it is missing is up to the caller.

import { statSync } from 'node:fs';
import type BetterSqlite3 from 'better-sqlite3';

export type SqliteDatabase = BetterSqlite3.Database;
export type SqliteStatement = BetterSqlite3.Statement<unknown[], unknown>;
export type SqliteModule = typeof BetterSqlite3;

/** For the fix line of an error. */
export const SQLITE_INSTALL = 'npm install better-sqlite3@^12.11.1';

/** How long SQLite itself waits for a lock. It blocks the whole process, so longer waits are done by `whileBusy`. */
const NATIVE_WAIT_MS = 20;
const BUSY_PAUSE_MS = 25;

/** `null` when the package is not installed. A package that is there but broken throws. */
export async function loadSqlite(): Promise<SqliteModule | null> {
  try {
    return (await import('better-sqlite3')).default;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** The package itself is missing, not one inside of it. */
function isMissing(error: unknown): boolean {
  return (
    error instanceof Error && (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' && error.message.includes("'better-sqlite3'")
  );
}

export function openSqlite(module: SqliteModule, path: string, options: { readonly mustExist: boolean }): SqliteDatabase {
  return new module(path, { fileMustExist: options.mustExist, timeout: NATIVE_WAIT_MS });
}

/**
 * Tells one file from another that took its place: an open database goes on in the old one, which nobody sees any more.
 * `null` when there is none.
 */
export function fileIdentity(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
}

/** `SQLITE_BUSY`, `SQLITE_CONSTRAINT_UNIQUE` …; an empty string for anything that is not an error of SQLite. */
export function sqliteCode(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : '';
}

interface Waiter {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Calls `work` until no other connection is in the way, at most for `timeoutMs`; then throws what SQLite threw. Other work
 * of the process goes on meanwhile. `work` must leave nothing open when it throws.
 */
export async function whileBusy<T>(clock: Waiter, timeoutMs: number, work: () => T, signal?: AbortSignal): Promise<T> {
  const until = clock.now() + timeoutMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!sqliteCode(error).startsWith('SQLITE_BUSY') || clock.now() >= until || signal?.aborted) throw error;
    }
    await clock.sleep(BUSY_PAUSE_MS, signal);
  }
}

/** One transaction. `immediate` takes the write lock at once, so that nothing fails half-way for want of it. */
export function inTransaction<T>(db: SqliteDatabase, kind: 'deferred' | 'immediate', work: () => T): T {
  db.exec(kind === 'immediate' ? 'BEGIN IMMEDIATE' : 'BEGIN');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // Some errors (disk full, I/O) have rolled back already.
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
