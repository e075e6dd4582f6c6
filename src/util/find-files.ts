// Finds files by a pattern (util/glob.ts). Node 20 has no `fs.glob`.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { globBase, globToRegExp, isGlob } from './glob.ts';

export interface FoundFiles {
  /** The folder that all paths are in. */
  readonly base: string;
  /** Paths relative to `base`, with `/`, in order of their names. */
  readonly paths: readonly string[];
}

/**
 * Paths of what matches, folders left out. Names that begin with a dot only match a part of the pattern that does, too; links to
 * folders are not followed. A path without wildcards is returned whether it exists or not. A base that does not exist holds nothing.
 */
export async function findFiles(pattern: string): Promise<FoundFiles> {
  const base = globBase(pattern);
  const rest = restOf(pattern);
  if (!isGlob(pattern)) return { base, paths: [rest.replace(/\\(.)/gsu, '$1')] };
  const match = pathMatcher(pattern);
  const depth = rest.includes('**') ? Number.POSITIVE_INFINITY : rest.split('/').length;
  const paths = (await walk(base, '', depth, /(^|\/)\./.test(rest))).filter(match);
  return { base, paths: paths.sort((a, b) => (a < b ? -1 : 1)) };
}

/** Tests paths relative to the pattern's base. */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const regExp = globToRegExp(restOf(pattern));
  return (path) => regExp.test(path);
}

/** The part of the pattern below its base. */
function restOf(pattern: string): string {
  const parts = pattern.split('/');
  const first = parts.findIndex(isGlob);
  return parts.slice(first === -1 ? parts.length - 1 : first).join('/');
}

async function walk(base: string, folder: string, depth: number, hidden: boolean): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await entriesOf(join(base, folder))) {
    if (entry.name.startsWith('.') && !hidden) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (!entry.isDirectory()) found.push(path);
    else if (depth > 1) found.push(...(await walk(base, path, depth - 1, hidden)));
  }
  return found;
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return []; // not there (yet), or removed while we were looking
    throw error;
  }
}
