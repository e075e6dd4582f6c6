// Opens the state store that a configuration or a path names. The drivers are loaded only by what needs them.

import { statSync } from 'node:fs';
import type { StateStore } from './store.ts';

export interface StateLocation {
  readonly type: 'sqlite' | 'file';
  readonly path: string;
}

export async function openStateStore({ type, path }: StateLocation): Promise<StateStore> {
  if (type === 'file') return (await import('./file-store.ts')).openFileStateStore(path);
  return (await import('./sqlite-store.ts')).openSqliteStateStore(path);
}

/** The store at a path of which only the path is known; `null` when nothing is there. Opening would create it. */
export async function openExistingStateStore(path: string): Promise<StateStore | null> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  return openStateStore({ type: found.isDirectory() ? 'file' : 'sqlite', path });
}
