// What was created, renamed and removed in a folder survives a power cut once the folder itself is synced.

import { closeSync, fsyncSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** Windows cannot open folders, and needs no sync of them. */
const IS_NEEDED = process.platform !== 'win32';

export async function syncFolder(folder: string): Promise<void> {
  if (!IS_NEEDED) return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** For what may not give way to others in between. */
export function syncFolderSync(folder: string): void {
  if (!IS_NEEDED) return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
