// SQLite's errors → ours: permanent or retriable is decided here and only here. https://www.sqlite.org/rescode.html

import { CdcError, type ErrorCode } from '../../sdk/index.ts';
import { SQLITE_INSTALL, sqliteCode } from '../../util/sqlite.ts';

/** The event cannot be stored for good, whatever else happens: constraints, sizes, types. */
const EVENT_CODES = ['SQLITE_CONSTRAINT', 'SQLITE_TOOBIG', 'SQLITE_MISMATCH', 'SQLITE_RANGE'];

export function isEventError(error: unknown): boolean {
  if (error instanceof CdcError) return error.code === 'DESTINATION_EVENT_REJECTED' || error.code === 'DESTINATION_ROW_MISSING';
  const code = sqliteCode(error);
  return EVENT_CODES.some((c) => code.startsWith(c)) || (code === 'SQLITE_ERROR' && isMissingThing(error));
}

/** A column or table that somebody dropped while we had it in mind. */
const isMissingThing = (error: unknown): boolean => /no such (column|table)|has no column named/.test((error as Error).message);

/** The column that takes no NULL, when that was the reason. */
export function refusedNull(error: unknown): string | null {
  if (sqliteCode(error) !== 'SQLITE_CONSTRAINT_NOTNULL') return null;
  return /failed: .*?\.([^.]+)$/s.exec((error as Error).message)?.[1] ?? null;
}

export function eventError(error: unknown, where: string): CdcError {
  if (error instanceof CdcError) return error;
  return new CdcError('DESTINATION_EVENT_REJECTED', `SQLite refuses the row: ${(error as Error).message}`, {
    where,
    fix: 'Correct the target table or the row, then replay the dead letter.',
    cause: error,
  });
}

/** An I/O error of a COMMIT: the transaction may be in the journal, whole, or not. */
export function isOutcomeOpen(error: unknown): boolean {
  return sqliteCode(error).startsWith('SQLITE_IOERR');
}

export function outcomeUnknown(error: unknown, path: string): CdcError {
  return new CdcError('DESTINATION_OUTCOME_UNKNOWN', `SQLite file "${path}": ${(error as Error).message} during a commit`, {
    where: path,
    fix: 'Look at the disk and the system log.',
    retriable: true,
    cause: error,
  });
}

/** Any error of the driver, as seen by a whole call. */
export function classify(error: unknown, path: string): CdcError {
  if (error instanceof CdcError) return error;
  const code = sqliteCode(error),
    message = error instanceof Error ? error.message : String(error);
  const make = (ours: ErrorCode, fix: string, retriable = false): CdcError =>
    new CdcError(ours, `SQLite file "${path}": ${message}`, { where: path, fix, retriable, cause: error });
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
    return make('DESTINATION_UNREACHABLE', 'Wait, or end the program that keeps the database locked.', true);
  if (code.startsWith('SQLITE_FULL')) return make('DESTINATION_FULL', 'Make room on the disk; the batch is tried again.', true);
  if (code.startsWith('SQLITE_IOERR'))
    return make('DESTINATION_FAILED', 'Look at the disk and the system log; the batch is tried again.', true);
  if (code.startsWith('SQLITE_CANTOPEN')) return make('DESTINATION_UNREACHABLE', 'Create the folder, or correct `path`.', true);
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_PERM') || code.startsWith('SQLITE_AUTH'))
    return make('DESTINATION_FORBIDDEN', 'Give this account the right to write the file and its folder.');
  if (code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB'))
    return make('DESTINATION_FAILED', 'Restore the file from a backup, or move it away so that a new one is made.');
  if (message.includes('ON CONFLICT clause does not match'))
    return make('DESTINATION_MISCONFIGURED', 'Give the target table a primary key or unique index on the key columns.');
  return make('DESTINATION_FAILED', 'See the message of SQLite.');
}

export function driverMissing(): CdcError {
  return new CdcError('DEPENDENCY_MISSING', 'The sqlite destination needs the package better-sqlite3, which is not installed.', {
    where: 'type',
    fix: `Run \`${SQLITE_INSTALL}\`.`,
  });
}
