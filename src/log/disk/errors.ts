// The two ways in which a disk log fails: it cannot be reached, which may pass, and it is damaged, which does not.

import { CdcError } from '../../sdk/index.ts';

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

export function unavailable(folder: string, what: string, fix: string, cause?: unknown): CdcError {
  return new CdcError('LOG_UNAVAILABLE', `The change log in ${folder} ${what}.`, { where: 'log.path', fix, cause });
}

/** Whoever has it may be about to end. */
export function inUse(folder: string): CdcError {
  return new CdcError('LOG_UNAVAILABLE', `The change log in ${folder} is in use by another process.`, {
    where: 'log.path',
    fix: 'Stop the other process, or give this pipeline another log.path',
    retriable: true,
  });
}

/** An error of the file system while writing. Trying again may help: space is freed, a disk comes back. */
export function writeFailed(folder: string, cause: unknown): CdcError {
  const code = (cause as NodeJS.ErrnoException | null)?.code ?? '';
  const text = cause instanceof Error ? cause.message : String(cause);
  return new CdcError('LOG_UNAVAILABLE', `The change log in ${folder} cannot be written: ${text}.`, {
    where: 'log.path',
    fix: FULL.has(code) ? 'Free space on the disk that holds the log.' : 'Check the disk that holds the log.',
    retriable: true,
    cause,
  });
}

export function readFailed(folder: string, cause: unknown): CdcError {
  if (cause instanceof CdcError) return cause;
  // Opening writes, too.
  if (FULL.has((cause as NodeJS.ErrnoException | null)?.code ?? '')) return writeFailed(folder, cause);
  const text = cause instanceof Error ? cause.message : String(cause);
  return new CdcError('LOG_UNAVAILABLE', `The change log in ${folder} cannot be read: ${text}.`, {
    where: 'log.path',
    fix: 'Check that the folder is there and that this user may read and write it.',
    cause,
  });
}

export function corrupt(path: string, offset: number, what: string, cause?: unknown): CdcError {
  return new CdcError('LOG_CORRUPT', `The change log file ${path} is damaged at byte ${offset}: ${what}.`, {
    where: 'log.path',
    fix: 'Restore the folder from a copy, or move it away to begin a new log and take new snapshots.',
    cause,
  });
}
