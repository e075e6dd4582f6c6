// Makes a folder with its parents. Node's own `recursive` tries for ever, at full speed, where a parent is there and says
// "no such file" to whatever is to be made in it, as /proc does: here that is an error.

import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

interface MakeFolderOptions {
  /** Of the folders that are made. */
  readonly mode?: number;
}

/** Returns the first folder that was made, as an absolute path; `undefined`: all of them were there. */
export async function makeFolder(path: string, options: MakeFolderOptions = {}): Promise<string | undefined> {
  const folder = resolve(path),
    make = async (): Promise<boolean> => {
      try {
        await mkdir(folder, options);
        return true;
      } catch (error) {
        if (
          await stat(folder).then(
            (found) => found.isDirectory(),
            () => false,
          )
        )
          return false;
        throw error;
      }
    };
  try {
    return (await make()) ? folder : undefined;
  } catch (error) {
    if (!isParentMissing(error, folder)) throw error;
  }
  const first = await makeFolder(dirname(folder), options);
  return (await make()) ? (first ?? folder) : first;
}

/** The same at once. */
export function makeFolderSync(path: string, options: MakeFolderOptions = {}): string | undefined {
  const folder = resolve(path),
    make = (): boolean => {
      try {
        mkdirSync(folder, options);
        return true;
      } catch (error) {
        if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return false;
        throw error;
      }
    };
  try {
    return make() ? folder : undefined;
  } catch (error) {
    if (!isParentMissing(error, folder)) throw error;
  }
  const first = makeFolderSync(dirname(folder), options);
  return make() ? (first ?? folder) : first;
}

function isParentMissing(error: unknown, folder: string): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'ENOENT' && dirname(folder) !== folder;
}
