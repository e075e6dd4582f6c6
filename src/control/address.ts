// Where control sockets are. Each process has its own, beside the state file and with its process id in the name, so that several
// processes on one state file (other pipelines, a standby) are all found by listing:
//
// | state file | process | socket |
// |---|---|---|
// | `.cdc/state.db` | 4711 | `.cdc/state.db.4711.sock` |
// | a path too long for a socket | 4711 | `<tmp>/cdc-run-<uid>/<hash of the state path>.4711.sock` |
// | any, on Windows | 4711 | `\\.\pipe\cdc-run-<hash>.4711` |

import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { makeFolderSync } from '../util/make-folder.ts';

/** `sun_path` of unix(7) has 108 bytes with its final zero; macOS has 104. */
const MAX_SOCKET_PATH_BYTES = process.platform === 'darwin' ? 103 : 107;
/** Room for `.<pid>-<n>.sock` at its longest (pid_max is 4194304): the choice of folder must not depend on the pid. */
const SUFFIX_BYTES = 16;
const PIPE_FOLDER = '\\\\.\\pipe\\';

/** A place where sockets of one state file may be: names in `folder` that are `prefix.<pid>` and so on. */
export interface SocketPlace {
  readonly folder: string;
  readonly prefix: string;
  readonly suffix: string;
  /** The folder lies in the system's temporary one, where others may write too. */
  readonly shared: boolean;
}

/** The place for sockets of this state file. The same for server and client, whatever their working directory. */
export function placeOf(statePath: string, platform: NodeJS.Platform = process.platform): SocketPlace {
  const path = canonical(statePath);
  if (platform === 'win32') return { folder: PIPE_FOLDER, prefix: `cdc-run-${hashOf(path)}`, suffix: '', shared: false };
  if (Buffer.byteLength(path) + SUFFIX_BYTES <= MAX_SOCKET_PATH_BYTES) {
    return { folder: dirname(path), prefix: basename(path), suffix: '.sock', shared: false };
  }
  return { folder: join(tmpdir(), `cdc-run-${userInfo().uid}`), prefix: hashOf(path), suffix: '.sock', shared: true };
}

/** The socket of process `pid`; `attempt` > 0 when another process already listens under that name (two containers, one volume). */
export function socketPath(place: SocketPlace, pid: number, attempt = 0): string {
  const name = `${place.prefix}.${pid}${attempt === 0 ? '' : `-${attempt}`}${place.suffix}`;
  return place.folder === PIPE_FOLDER ? `${PIPE_FOLDER}${name}` : join(place.folder, name);
}

/** All sockets in the place, living or stale. */
export function listSockets(place: SocketPlace): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(place.folder);
  } catch {
    // No folder: nobody has ever listened here.
    return [];
  }
  return names
    .filter((name) => isSocketName(place, name))
    .sort()
    .map((name) => (place.folder === PIPE_FOLDER ? `${PIPE_FOLDER}${name}` : join(place.folder, name)));
}

function isSocketName({ prefix, suffix }: SocketPlace, name: string): boolean {
  if (!name.startsWith(`${prefix}.`) || !name.endsWith(suffix)) return false;
  return /^\d+(-\d+)?$/.test(name.slice(prefix.length + 1, suffix === '' ? undefined : -suffix.length));
}

/**
 * Makes the folder of the place. A folder under the shared temporary one must be ours alone: in somebody else's folder they
 * could put a socket of their own under our name. Throws when it is not.
 */
export function preparePlace(place: SocketPlace): void {
  if (place.folder === PIPE_FOLDER) return;
  makeFolderSync(place.folder, { mode: 0o700 });
  if (!place.shared) return;
  const found = lstatSync(place.folder);
  if (!found.isDirectory() || found.uid !== userInfo().uid || (found.mode & 0o077) !== 0) {
    throw new Error(`${place.folder} is not a folder of this user alone`);
  }
}

/** May the client trust what listens there? Beside the state file: as much as the state file itself. */
export function isTrusted(place: SocketPlace): boolean {
  if (!place.shared) return true;
  try {
    const found = lstatSync(place.folder);
    return found.isDirectory() && found.uid === userInfo().uid;
  } catch {
    return false;
  }
}

/** Symbolic links resolved as far as the path exists: two names of one state file give one place. */
function canonical(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(canonical(parent), basename(absolute));
  }
}

function hashOf(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 16);
}
