// Can a file be made or written here? Asked at the start, so that a wrong path is an error then, and not when the first event
// must be parked and the pipeline stands still for it.

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../util/make-folder.ts';

/** Throws what Node says of it. A folder that had to be made stays: other pipelines may be about to use it. */
export async function assertWritable(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found !== null && !found.isFile()) throw new Error(`${path} is not a file`);
  if (found !== null) return access(path, constants.R_OK | constants.W_OK);
  const folder = dirname(path);
  await makeFolder(folder);
  return access(folder, constants.W_OK | constants.X_OK);
}
