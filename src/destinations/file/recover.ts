// Makes the files what the sidecar says: finishes renames, cuts off what was not confirmed. Run when a lane is claimed, and after
// a write that failed. Safe to repeat.

import { join } from 'node:path';
import { positionLost } from './errors.ts';
import type { Files } from './files.ts';
import type { Sidecar } from './sidecar.ts';

export interface CutOff {
  readonly path: string;
  readonly bytes: number;
}

/** Says what was cut off. */
export async function recover(files: Files, base: string, sidecar: Sidecar, where: string): Promise<CutOff[]> {
  const cutOff: CutOff[] = [];
  const touched = new Set<string>();
  for (const { from, to, bytes } of sidecar.renames) {
    // Once `to` is there the rename has happened, and `from` is the file that was begun after it.
    if ((await files.size(join(base, to))) !== null) continue;
    const size = await files.size(join(base, from));
    if (size === null || size < bytes)
      throw positionLost(`"${from}" has ${size ?? 'no'} bytes; it had ${bytes} when it was rotated.`, where);
    if (size > bytes) await cut(files, join(base, from), bytes);
    await files.rename(join(base, from), join(base, to));
    touched.add(folderOf(join(base, from)));
  }
  for (const folder of touched) await files.syncFolder(folder);
  for (const [path, { bytes, start }] of Object.entries(sidecar.files)) {
    const size = await files.size(join(base, path));
    if (size === bytes || (size === null && bytes === 0)) continue;
    if (size === null || size < bytes) {
      throw positionLost(
        `"${path}" has ${size ?? 'no'} bytes, but ${bytes} were written and confirmed: it was truncated, moved or replaced.`,
        where,
      );
    }
    if (bytes === 0 && start === 0)
      await files.remove(join(base, path)); // begun by a batch that was never confirmed
    else await cut(files, join(base, path), bytes);
    cutOff.push({ path, bytes: size - bytes });
  }
  return cutOff;
}

async function cut(files: Files, path: string, bytes: number): Promise<void> {
  await files.truncate(path, bytes);
  await files.sync(path);
}

export function folderOf(path: string): string {
  return join(path, '..');
}
