// Errors of the state: those that both stores throw, and the driver's classified (only here is it decided what may be
// tried again).

import { CdcError, toCdcError } from '../sdk/index.ts';

const CORRUPT_FIX = 'Restore the file from a backup, or move it away and start anew: the pipeline then says what it cannot know.';

export function fenced(pipeline: string, owner: string, holder: string | null): CdcError {
  const now = holder === null ? 'nobody holds it now' : `"${holder}" holds it now`;
  return new CdcError('STATE_FENCED', `"${owner}" no longer holds the lease of pipeline "${pipeline}": ${now}.`, {
    where: `pipeline "${pipeline}"`,
    fix: 'Look for a second process that runs this pipeline, and stop one of the two.',
  });
}

/** `what`: the part that was found damaged, as a sentence. */
export function corrupt(path: string, what: string, options: { fix?: string; cause?: unknown } = {}): CdcError {
  const { fix = CORRUPT_FIX, cause } = options;
  return new CdcError('STATE_CORRUPT', `The state file ${path} is damaged: ${what}`, { where: 'state.path', fix, cause });
}

/** `fix`: where else this program might put its state. */
export function newerVersion(path: string, version: number, fix: string): CdcError {
  return new CdcError('STATE_VERSION', `The state file ${path} has version ${version}, which this program does not know.`, {
    where: 'state.path',
    fix: `Run the newer cdc-run that wrote the file, or ${fix}.`,
  });
}

/** Of state on a server. `what`: a sentence that goes on from the place. */
export function remoteError(
  code: 'STATE_CORRUPT' | 'STATE_UNAVAILABLE' | 'STATE_VERSION',
  place: string,
  what: string,
  fix: string,
): CdcError {
  return new CdcError(code, `The state at ${place} ${what}`, { where: 'state.url', fix });
}

export function unavailable(path: string, what: string, options: { fix: string; retriable?: boolean; cause?: unknown }): CdcError {
  return new CdcError('STATE_UNAVAILABLE', `The state file ${path} ${what}`, { where: 'state.path', ...options });
}

/** An error of the driver or the file system as one of ours. */
export function classifyStateError(path: string, error: unknown): CdcError {
  if (error instanceof CdcError) return error;
  const code = codeOf(error),
    cause = error;
  const text = error instanceof Error ? error.message : String(error);
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return corrupt(path, `${text}.`, { cause: error });
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return unavailable(path, 'is locked by another program.', {
      fix: 'Close the program that holds the file open for writing.',
      retriable: true,
      cause,
    });
  }
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') {
    return unavailable(path, `cannot grow: the disk is full (${text}).`, {
      fix: 'Free space on the disk that holds the file.',
      retriable: true,
      cause,
    });
  }
  if (/^SQLITE_READONLY/.test(code) || code === 'EROFS') {
    return unavailable(path, `is read-only (${text}).`, { fix: 'Make the file and its folder writable for this user.', cause });
  }
  if (/^SQLITE_(CANTOPEN|PERM|AUTH|IOERR)|^E[A-Z]+$/.test(code)) {
    return unavailable(path, `cannot be used: ${text}.`, {
      fix: 'Check that state.path is a file on a local disk which this user may write.',
      cause,
    });
  }
  // Ours is a fixed set of statements, so that one fails to compile or meets a foreign type only in a changed file.
  if (/^SQLITE_(ERROR|MISMATCH|CONSTRAINT|SCHEMA|FORMAT)/.test(code)) return corrupt(path, `${text}.`, { cause: error });
  return toCdcError(error, 'STATE_UNAVAILABLE', { where: 'state.path' });
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : '';
}
