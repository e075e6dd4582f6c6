// Preflight of the file destination: may the folder be made and written? Looks, and writes nothing.

import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Finding } from '../../sdk/index.ts';
import { toFileError } from './errors.ts';

export async function* checkFolder(base: string, where: string): AsyncIterable<Finding> {
  try {
    const folder = await nearestFolder(base);
    await access(folder, constants.W_OK | constants.X_OK);
    yield { level: 'ok', check: 'folder', message: folder === base ? `"${base}" can be written` : `"${base}" can be made in "${folder}"` };
  } catch (error) {
    const { code, message, fix } = toFileError(error, where);
    yield { level: 'error', check: 'folder', code, message, ...(fix === null ? {} : { fix }) };
  }
}

/** The folder, or the nearest one above it that exists. */
async function nearestFolder(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(path) !== path) return nearestFolder(dirname(path));
    throw error;
  }
  throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR', path });
}
