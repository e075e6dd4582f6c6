// Where the file that was being read is now: under its path, under another name in its folder (rotation), or nowhere.

import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { compareAge, type FileState, OpenFile, stateOf } from './open-file.ts';
import type { FilePlace } from './position.ts';

/** What compresses a rotated file makes it unreadable for us. */
const COMPRESSED = /\.(gz|zst|bz2|xz|lz4|Z)$/;

export interface Sibling extends FileState {
  readonly path: string;
}

/** The regular file at a path; `null` when there is none. */
export async function fileAt(path: string): Promise<FileState | null> {
  try {
    const stats = await stat(path, { bigint: true });
    return stats.isFile() ? stateOf(stats) : null;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

/**
 * The path of the file that continues `place`. In this order: the same file under its path; the same file under another name
 * in its folder; another file of the path with the same content (it was copied or restored); a rotated copy of it (`copytruncate`).
 */
export async function findContinuation(path: string, place: FilePlace): Promise<string | null> {
  const current = await fileAt(path);
  if (current?.inode === place.inode && (await continuesAt(path, place))) return path;
  const others = await filesBeside(path);
  for (const other of others) if (other.inode === place.inode && (await continuesAt(other.path, place))) return other.path;
  // At the beginning of a file any file would do: then only the same one does.
  if (place.offset === 0) return null;
  if (current !== null && current.inode !== place.inode && (await continuesAt(path, place))) return path;
  const copies = others.filter((o) => isRotated(path, o.path) && !COMPRESSED.test(o.path)).sort((a, b) => b.modifiedMs - a.modifiedMs);
  for (const copy of copies) if (await continuesAt(copy.path, place, 'skip')) return copy.path;
  return null;
}

/** The present path of a file, looked for in the folder of `path`. */
export async function findByInode(path: string, inode: string): Promise<string | null> {
  if ((await fileAt(path))?.inode === inode) return path;
  return (await filesBeside(path)).find((f) => f.inode === inode)?.path ?? null;
}

/** Files of the path's name that were rotated away after `after`, oldest first. In doubt a file is newer: read twice rather than not at all. */
export async function rotatedSince(path: string, after: FileState): Promise<(Sibling & { readonly compressed: boolean })[]> {
  return (await filesBeside(path))
    .filter((f) => f.inode !== after.inode && compareAge(f, after) >= 0 && isRotated(path, f.path))
    .sort(compareAge)
    .map((f) => ({ ...f, compressed: COMPRESSED.test(f.path) }));
}

/** `orders.ndjson` → `orders.ndjson.1`, `orders.ndjson-20250131`, `orders.1.ndjson`, `orders-20250131.ndjson.gz`: the usual names. */
function isRotated(path: string, other: string): boolean {
  const name = basename(path),
    extension = extname(name),
    stem = name.slice(0, name.length - extension.length);
  const otherName = basename(other),
    candidate = otherName.replace(COMPRESSED, '');
  if (otherName.startsWith(`${name}.`) || otherName.startsWith(`${name}-`)) return true;
  return (
    candidate.startsWith(stem) &&
    candidate.endsWith(extension) &&
    /^[._-][0-9][0-9TZ:._-]*$/.test(candidate.slice(stem.length, candidate.length - extension.length))
  );
}

async function filesBeside(path: string): Promise<Sibling[]> {
  const folder = dirname(path),
    own = basename(path),
    found: Sibling[] = [];
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  for (const name of names) {
    if (name === own) continue;
    const state = await fileAt(join(folder, name));
    if (state !== null) found.push({ ...state, path: join(folder, name) });
  }
  return found;
}

async function continuesAt(path: string, place: FilePlace, unreadable: 'throw' | 'skip' = 'throw'): Promise<boolean> {
  let file: OpenFile;
  try {
    file = await OpenFile.open(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || (unreadable === 'skip' && code === 'EACCES')) return false; // gone since it was listed, or not ours to read
    throw error;
  }
  try {
    return await file.continues(place);
  } finally {
    await file.close();
  }
}
