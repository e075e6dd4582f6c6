// What the file system says → what the operator should do.

import { CdcError } from '../../sdk/index.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const FORBIDDEN = new Set(['EACCES', 'EPERM', 'EROFS']);
/** Errors that trying again cannot help. */
const WRONG = new Set(['EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EINVAL']);

/** The new sidecar may or may not be in place: only reading it back tells. */
export class UncertainError extends Error {
  override readonly name = 'UncertainError';
}

export function toFileError(error: unknown, where: string): CdcError {
  if (error instanceof CdcError) return error;
  if (error instanceof UncertainError) {
    return new CdcError('DESTINATION_OUTCOME_UNKNOWN', `The commit of a batch was cut off: ${error.message}`, {
      where,
      fix: 'Look at the file system that holds the files.',
      retriable: true,
      cause: error,
    });
  }
  const { code = '', path, message } = error as NodeJS.ErrnoException;
  const options = { where, cause: error };
  const file = path === undefined ? 'The files' : `"${path}"`;
  if (FULL.has(code))
    return new CdcError('DESTINATION_FULL', `${file} cannot grow: there is no space left (${code}).`, {
      ...options,
      fix: 'Free space, or set rotate.max_files.',
      retriable: true,
    });
  if (FORBIDDEN.has(code))
    return new CdcError('DESTINATION_FORBIDDEN', `${file} may not be written (${code}).`, {
      ...options,
      fix: 'Give this user write permission on the folder and the files in it.',
    });
  if (WRONG.has(code))
    return new CdcError('DESTINATION_MISCONFIGURED', `${file} cannot be a file here (${code}).`, {
      ...options,
      fix: 'Choose another path.',
    });
  return new CdcError('DESTINATION_FAILED', `Writing failed: ${message}`, {
    ...options,
    fix: 'Look at the file system that holds the files.',
    retriable: true,
  });
}

export function fenced(what: string, where: string): CdcError {
  return new CdcError('DESTINATION_FENCED', what, { where, fix: 'Run the pipeline in one process only.' });
}

export function positionLost(what: string, where: string): CdcError {
  return new CdcError('DESTINATION_POSITION_LOST', what, {
    where,
    fix: 'Put the files back as they were; or, to begin anew, remove the files and the folder `.cdc-run` beside them.',
  });
}
