// The file system as the disk log uses it: few calls, so that tests and the simulator can take its place (memory-files.ts).

import { constants } from 'node:fs';
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { makeFolder } from '../../util/make-folder.ts';
import { syncFolder } from '../../util/sync-folder.ts';
import { lockFile } from './lock.ts';

/** An open file. Errors are those of Node, with `code`. */
export interface LogFile {
  size(): Promise<number>;
  /** Fills `into` from `at` on; fewer bytes than asked for only at the end of the file. */
  read(into: Buffer, at: number): Promise<number>;
  /** All of it, or an error. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** What was written survives a power cut once this resolves. After an error nothing is known of it. */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

export interface LogFiles {
  /** With its parents, readable by this user alone, and durable. */
  mkdir(folder: string): Promise<void>;
  /** Names in a folder. */
  list(folder: string): Promise<string[]>;
  /** `create` empties a file that is there. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<LogFile>;
  rename(from: string, to: string): Promise<void>;
  /** A file that is not there is fine. */
  unlink(path: string): Promise<void>;
  /** What was created, renamed and removed in the folder survives a power cut. */
  syncFolder(folder: string): Promise<void>;
  /** A lock that dies with the process; `null` when somebody else has it. */
  lock(path: string): Promise<LogLock | null>;
}

export interface LogLock {
  release(): void;
}

const FLAGS = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
} as const;

export const nodeLogFiles: LogFiles = {
  async mkdir(folder) {
    const first = await makeFolder(folder, { mode: 0o700 });
    if (first === undefined) return;
    const top = dirname(resolve(first));
    for (let at = resolve(folder); at !== top && at !== dirname(at); at = dirname(at)) await syncFolder(dirname(at));
  },
  list: (folder) => readdir(folder),
  open: async (path, mode) => new NodeLogFile(await open(path, FLAGS[mode], 0o600)),
  rename: (from, to) => rename(from, to),
  async unlink(path) {
    await unlink(path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  },
  syncFolder,
  lock: lockFile,
};

export function isMissing(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'ENOENT';
}

class NodeLogFile implements LogFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }
  async read(into: Buffer, at: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await this.#handle.read(into, done, into.length - done, at + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }
  async write(bytes: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += (await this.#handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
    }
  }
  // The size is part of what fdatasync writes; times are not, and nobody needs them.
  sync(): Promise<void> {
    return this.#handle.datasync();
  }
  truncate(size: number): Promise<void> {
    return this.#handle.truncate(size);
  }
  close(): Promise<void> {
    return this.#handle.close();
  }
}
