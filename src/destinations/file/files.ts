// The file operations of the destination, over which tests simulate crashes: each call either happened or did not, and what
// was not synced may be lost by a power failure.

import type { FileHandle } from 'node:fs/promises';
import { open, readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { makeFolder } from '../../util/make-folder.ts';
import { syncFolder } from '../../util/sync-folder.ts';

export interface Files {
  /** Bytes of the file; `null` when there is none. */
  size(path: string): Promise<number | null>;
  /** Changes whenever the file is replaced or written; `null` when there is none. */
  stamp(path: string): Promise<string | null>;
  /** The whole file; `null` when there is none. */
  read(path: string): Promise<Buffer | null>;
  /** At most `length` bytes from `offset` on. */
  readAt(path: string, offset: number, length: number): Promise<Buffer>;
  /** Writes at an offset, makes the file if need be, and then its content durable. */
  writeDurably(path: string, offset: number, parts: readonly Uint8Array[]): Promise<void>;
  truncate(path: string, size: number): Promise<void>;
  /** Makes the content durable. */
  sync(path: string): Promise<void>;
  /** Replaces `to` atomically. */
  rename(from: string, to: string): Promise<void>;
  /** Does nothing when there is no such file. */
  remove(path: string): Promise<void>;
  /** Names in a folder; none when there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** With all folders above it, durably. */
  createFolder(folder: string): Promise<void>;
  /** Makes names in the folder durable: new files, renames, removals. */
  syncFolder(folder: string): Promise<void>;
}

/** IOV_MAX of Linux and macOS. */
const MAX_PARTS = 1024;

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** The real file system. */
export class NodeFiles implements Files {
  readonly #mode: number;
  readonly #durable: boolean;

  /** `mode`: permissions of new files. `durable: false` leaves out all syncs. */
  constructor(mode: number, durable: boolean) {
    this.#mode = mode;
    this.#durable = durable;
  }

  async size(path: string): Promise<number | null> {
    return (await this.#stat(path))?.size ?? null;
  }

  async stamp(path: string): Promise<string | null> {
    const stats = await this.#stat(path);
    return stats === null ? null : `${stats.ino}/${stats.size}/${stats.mtimeMs}`;
  }

  async read(path: string): Promise<Buffer | null> {
    try {
      return await readFile(path);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  readAt(path: string, offset: number, length: number): Promise<Buffer> {
    return this.#with(path, 'r', async (handle) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    });
  }

  writeDurably(path: string, offset: number, parts: readonly Uint8Array[]): Promise<void> {
    // Neither `a` (ignores the offset) nor `w` (truncates): an existing file is opened, a missing one is made.
    return this.#with(path, 'write', async (handle) => {
      await writeAll(handle, offset, parts);
      if (this.#durable) await handle.sync();
    });
  }

  async truncate(path: string, size: number): Promise<void> {
    await truncate(path, size);
  }

  async sync(path: string): Promise<void> {
    if (this.#durable) await this.#with(path, 'r+', (handle) => handle.sync());
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(from, to);
  }

  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  async list(folder: string): Promise<string[]> {
    try {
      return await readdir(folder);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async createFolder(folder: string): Promise<void> {
    const first = await makeFolder(folder);
    if (first === undefined) return;
    for (let made = resolve(folder); made.length >= first.length; made = dirname(made)) await this.syncFolder(dirname(made));
  }

  async syncFolder(folder: string): Promise<void> {
    if (this.#durable) await syncFolder(folder);
  }

  async #stat(path: string) {
    try {
      return await stat(path);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async #with<T>(path: string, flags: 'r' | 'r+' | 'write', work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const handle = flags === 'write' ? await this.#openForWriting(path) : await open(path, flags);
    try {
      return await work(handle);
    } finally {
      await handle.close();
    }
  }

  async #openForWriting(path: string): Promise<FileHandle> {
    try {
      return await open(path, 'r+');
    } catch (error) {
      if (!isMissing(error)) throw error;
      return open(path, 'wx+', this.#mode);
    }
  }
}

/** In one call, unless the system takes less than all. */
async function writeAll(handle: FileHandle, offset: number, parts: readonly Uint8Array[]): Promise<void> {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  let done = parts.length > MAX_PARTS ? 0 : (await handle.writev(parts as Uint8Array[], offset)).bytesWritten;
  if (done === total) return;
  const bytes = Buffer.concat(parts);
  while (done < total) done += (await handle.write(bytes, done, total - done, offset + done)).bytesWritten;
}
