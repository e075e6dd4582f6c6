// What the file system says → what the operator should do.

import { CdcError } from '../../sdk/index.ts';

/** Errors that may pass: too many open files, a network file system that is away. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'EIO', 'ESTALE', 'EAGAIN', 'EBUSY', 'ETIMEDOUT', 'ENOMEM']);

export function toFileError(error: unknown, path: string, where: string): CdcError {
  if (error instanceof CdcError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'EACCES' || code === 'EPERM') {
    return new CdcError('SOURCE_FORBIDDEN', `"${path}" may not be read.`, {
      where,
      fix: 'Give this user read permission on the file and on its folders.',
      cause: error,
    });
  }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new CdcError('SOURCE_MISCONFIGURED', `"${path}" does not exist.`, {
      where,
      fix: 'Correct path; it is relative to the working directory.',
      cause: error,
    });
  }
  const retriable = PASSING.has(code);
  const fix = code === 'EMFILE' ? 'Raise the limit of open files (`ulimit -n`).' : 'Look at the file system that holds the file.';
  return new CdcError('SOURCE_FAILED', `Reading "${path}" failed: ${(error as Error).message}`, { where, fix, retriable, cause: error });
}

export function notAFile(path: string, isFolder: boolean, where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', `"${path}" is ${isFolder ? 'a folder' : 'not a regular file'}.`, {
    where,
    fix: isFolder ? 'Name a file, or a pattern such as `folder/*.ndjson`.' : 'Name a regular file.',
  });
}

export function positionGone(path: string, what: string, where: string): CdcError {
  return new CdcError('SOURCE_POSITION_GONE', `"${path}" ${what}, so records that were not read yet may be gone.`, {
    where,
    fix: 'Put the file that was being read back beside it, or set `when_replaced: start_over` to go on with the file that is there now.',
  });
}
