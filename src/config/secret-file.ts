// Reads the value of a `${file:…}`.

import { readFileSync } from 'node:fs';

/** Keys and certificates fit many times over. */
const MAX_BYTES = 1024 * 1024;

/** `message` goes on after the name of the file: `does not exist`. */
export class SecretFileError extends Error {}

/** The text of the file without its last line break, which editors and `echo` add. */
export function readSecret(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new SecretFileError(reasonOf(error), { cause: error });
  }
  if (bytes.length > MAX_BYTES) throw new SecretFileError(`is larger than ${MAX_BYTES / 1024} KiB`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch (error) {
    throw new SecretFileError('is not UTF-8 text', { cause: error });
  }
}

/** What a failed read means, for people. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read';
  if (code === 'EISDIR') return 'is a folder';
  return `cannot be read (${String(code ?? 'unknown reason')})`;
}
