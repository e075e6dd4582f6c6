// What went wrong at a SQLite source, and whether trying again can help: decided here and nowhere else.
// https://www.sqlite.org/rescode.html

import { CdcError } from '../../sdk/index.ts';
import { SQLITE_INSTALL, sqliteCode } from '../../util/sqlite.ts';

export function driverMissing(where: string, cause?: unknown): CdcError {
  return new CdcError('DEPENDENCY_MISSING', 'The package better-sqlite3 is not installed, or was built for another Node.js.', {
    where,
    fix: `Run \`${SQLITE_INSTALL}\`.`,
    cause,
  });
}

/** Any error of the driver as ours; a `CdcError` passes. */
export function sourceError(error: unknown, path: string, where: string): CdcError {
  if (error instanceof CdcError) return error;
  const code = sqliteCode(error),
    message = error instanceof Error ? error.message : String(error);
  if (isDriverBroken(error)) return driverMissing(where, error);
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new CdcError('SOURCE_FAILED', `Another program has ${path} locked.`, {
      where,
      fix: 'Wait until it is done, raise busy_timeout, or switch the database to WAL.',
      retriable: true,
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_CANTOPEN') || /directory does not exist/.test(message)) {
    return new CdcError('SOURCE_UNREACHABLE', `The database ${path} cannot be opened: ${message}.`, {
      where,
      fix: 'Create the database, or correct `path` (it starts at the working directory).',
      retriable: true,
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_PERM') || code.startsWith('SQLITE_AUTH')) {
    return new CdcError('SOURCE_FORBIDDEN', `The database ${path} cannot be written: ${message}.`, {
      where,
      fix: 'Give this user the right to write the file and its folder, or use `cdc_mode: polling`.',
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return new CdcError('SOURCE_DATA_INVALID', `${path} is damaged or is no SQLite database: ${message}.`, {
      where,
      fix: 'Check it with `PRAGMA integrity_check` and restore it.',
      cause: error,
    });
  }
  if (code === 'SQLITE_ERROR') {
    return new CdcError('SOURCE_MISCONFIGURED', `${path} does not understand what it is asked: ${message}.`, {
      where,
      fix: 'Correct the query, or what the message names.',
      cause: error,
    });
  }
  const passes = code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_FULL') || code === 'SQLITE_NOMEM' || code === 'SQLITE_PROTOCOL';
  return new CdcError('SOURCE_FAILED', `Reading ${path} failed: ${message}.`, {
    where,
    fix: 'Look at the cause.',
    retriable: passes,
    cause: error,
  });
}

function isDriverBroken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error as NodeJS.ErrnoException).code === 'ERR_DLOPEN_FAILED' || error.message.startsWith('Could not locate the bindings file');
}

export function fileMissing(path: string, where: string): CdcError {
  return new CdcError('SOURCE_UNREACHABLE', `There is no database at ${path}.`, {
    where,
    fix: 'Create it, or correct `path` (it starts at the working directory).',
    retriable: true,
  });
}

export function fileReplaced(path: string, where: string): CdcError {
  return new CdcError('SOURCE_FAILED', `${path} is not the file any more that was being read.`, {
    where,
    fix: 'Wait: the file that is there now is opened.',
    retriable: true,
  });
}

export function tooManyNullKeys(table: string, limit: number, where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', `More than ${limit} rows of "${table}" have NULL in their primary key.`, {
    where,
    fix: 'Give the rows keys, or leave the table out of `tables`.',
  });
}

/** Lost history: never a silent restart (invariant 2). */
export function positionGone(what: string, where: string, cause?: unknown): CdcError {
  return new CdcError('SOURCE_POSITION_GONE', what, {
    where,
    cause,
    fix: 'Restore the database and the state that belong together, or set `snapshot_mode: when_needed`: then the tables are emptied at the destinations and read again.',
  });
}

export function historyLost(table: string, where: string): CdcError {
  return positionGone(
    `The triggers of "${table}" were missing for a while (the table was rebuilt, or they were dropped): changes may have been missed.`,
    where,
  );
}

export function noSuchTable(table: string, where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', `There is no captured table "${table}".`, { where, fix: 'Correct `tables`.' });
}

export function capturesNothing(patterns: readonly string[], where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', `No table matches ${patterns.join(', ')}.`, {
    where,
    fix: 'Create the tables first, or correct `tables`.',
  });
}

export function watermarkMissing(table: string, column: string, where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', `"${table}" has no column "${column}".`, {
    where,
    fix: 'Correct `watermark`, or leave the table out of `tables`.',
  });
}

export function notATime(table: string, column: string, where: string): CdcError {
  return new CdcError('SOURCE_DATA_INVALID', `A value of ${table}.${column} is no time that SQLite can read.`, {
    where,
    fix: 'Correct the row, or set `watermark.type` to integer or text.',
  });
}

export function unorderableText(table: string, where: string): CdcError {
  return new CdcError(
    'SOURCE_DATA_INVALID',
    `A row of "${table}" has a watermark or key that is not valid Unicode: nothing behind it can be asked for.`,
    {
      where,
      fix: 'Correct the row.',
    },
  );
}
