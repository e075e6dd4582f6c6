// `.services/` at the root of the repository: what this script has started, and where. One state file per service, written
// before the server starts, so that whatever a crash leaves behind is found again.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mode } from './definition.ts';
import type { ProcessId } from './processes.ts';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const HOME = join(ROOT, '.services');

export interface ServiceState {
  readonly mode: Exclude<Mode, 'url'>;
  readonly version: string;
  readonly url: string;
  readonly port: number;
  readonly password: string;
  /** Folder of the server's data; `null` for containers. */
  readonly folder: string | null;
  /** The server process; `null` for containers, and when it is stopped. */
  readonly process: ProcessId | null;
  /** `down` was called: the data is kept, nothing runs. */
  readonly stopped: boolean;
}

export function loadState(name: string): ServiceState | null {
  const file = join(HOME, `${name}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ServiceState) : null;
}

/** Replaces the state in one step. Only its owner may read it: it holds the password. */
export function saveState(name: string, state: ServiceState): void {
  const file = join(HOME, `${name}.json`);
  const part = `${file}.${process.pid}`;
  writeFileSync(part, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(part, file);
}

export function removeState(name: string): void {
  rmSync(join(HOME, `${name}.json`), { force: true });
}

/** The lock file of a service. */
export function lockFile(name: string): string {
  mkdirSync(HOME, { recursive: true });
  return join(HOME, `${name}.lock`);
}

export function logFile(name: string): string {
  return join(HOME, `${name}.log`);
}

/**
 * A folder for downloads and data. Usually `.services/` itself; where another account must reach it and cannot (the
 * repository lies under a private folder such as /root), a folder under the system's temporary one, remembered for later.
 */
export function reachableFolder(otherAccount: boolean): string {
  mkdirSync(HOME, { recursive: true });
  if (!otherAccount || isOpenToAll(HOME)) return HOME;
  const note = join(HOME, 'folder');
  if (existsSync(note)) {
    const known = readFileSync(note, 'utf8');
    if (existsSync(known)) return known;
  }
  const folder = mkdtempSync(join(tmpdir(), 'cdc-run-services-'));
  chmodSync(folder, 0o755);
  writeFileSync(note, folder);
  return folder;
}

function isOpenToAll(folder: string): boolean {
  if ((statSync(folder).mode & 0o001) === 0) return false;
  return dirname(folder) === folder || isOpenToAll(dirname(folder));
}
