// The file operations of the destination, over which tests simulate crashes: each call either happened or did not, and what
// was not synced may be lost by a power failure.

import { constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { makeFolder } from '../../util/make-folder.ts';
import { syncFolder } from '../../util/sync-folder.ts';

export interface Stamp {
  /** Changes when the file is replaced or its length changes. */
  readonly file: string;
  /** Changes when it is written. */
  readonly written: string;
}

export interface Files {
  /** Bytes of the file; `null` when there is none. */
  size(path: string): Promise<number | null>;
  /** `null` when there is no such file. */
  stamp(path: string): Promise<Stamp | null>;
  /** The whole file; `null` when there is none. */
  read(path: string): Promise<Buffer | null>;
  /** At most `length` bytes from `offset` on. */
  readAt(path: string, offset: number, length: number): Promise<Buffer>;
  /** Writes at an offset, makes the file if need be, and then its content durable. */
  writeDurably(path: string, offset: number, parts: readonly Uint8Array[]): Promise<void>;
  /** At the end, wherever that is. Not durably. Does nothing when there is no such file. */
  append(path: string, bytes: Uint8Array): Promise<void>;
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
  /** Lets go of what is held open. */
  close(): Promise<void>;
}

/** A file that stays open from write to write. */
interface Kept {
  readonly handle: FileHandle;
  readonly inode: string;
}

/** Files kept open: those written last. */
const MAX_KEPT = 64;

/** Linux makes each write of such a file durable before it returns: one call in place of two. Elsewhere that does not reach the disk. */
const SYNCED = process.platform === 'linux' ? constants.O_DSYNC : 0;

/** IOV_MAX of Linux and macOS. */
const MAX_PARTS = 1024;

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

const inodeOf = ({ dev, ino }: Stats): string => `${dev}/${ino}`;

/**
 * The real file system. What is written stays open; `size` and `stamp` see whether the name still leads to it, and let go of it
 * otherwise. So whoever writes looks first, and never writes into a file that was moved away.
 */
export class NodeFiles implements Files {
  readonly #mode: number;
  readonly #durable: boolean;
  /** By path; the one written last is the last. */
  readonly #kept = new Map<string, Kept>();

  /** `mode`: permissions of new files. `durable: false` leaves out all syncs. */
  constructor(mode: number, durable: boolean) {
    this.#mode = mode;
    this.#durable = durable;
  }

  async size(path: string): Promise<number | null> {
    return (await this.#stat(path))?.size ?? null;
  }

  async stamp(path: string): Promise<Stamp | null> {
    const stats = await this.#stat(path);
    return stats === null ? null : { file: `${stats.ino}/${stats.size}`, written: String(stats.mtimeMs) };
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

  async writeDurably(path: string, offset: number, parts: readonly Uint8Array[]): Promise<void> {
    const handle = await this.#keep(path, offset === 0);
    try {
      await writeAll(handle, offset, parts);
      // The length of the file is synced with it; times are not.
      if (this.#durable && SYNCED === 0) await handle.datasync();
    } catch (error) {
      await this.#letGo(path);
      throw error;
    }
  }

  async append(path: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#with(path, constants.O_WRONLY | constants.O_APPEND, (handle) => handle.write(bytes));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async truncate(path: string, size: number): Promise<void> {
    await truncate(path, size);
  }

  async sync(path: string): Promise<void> {
    if (this.#durable) await this.#with(path, 'r+', (handle) => handle.sync());
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#letGo(to);
    const kept = this.#kept.get(from);
    await rename(from, to);
    if (kept === undefined) return;
    this.#kept.delete(from);
    this.#kept.set(to, kept);
  }

  async remove(path: string): Promise<void> {
    await this.#letGo(path);
    await rm(path, { force: true });
  }

  async close(): Promise<void> {
    for (const path of [...this.#kept.keys()]) await this.#letGo(path);
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

  async #stat(path: string): Promise<Stats | null> {
    let stats: Stats | null = null;
    try {
      stats = await stat(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    const kept = this.#kept.get(path);
    if (kept !== undefined && (stats === null || kept.inode !== inodeOf(stats))) await this.#letGo(path);
    return stats;
  }

  async #keep(path: string, mayBegin: boolean): Promise<FileHandle> {
    const kept = this.#kept.get(path);
    if (kept !== undefined) {
      if (this.#kept.size > 1) {
        this.#kept.delete(path);
        this.#kept.set(path, kept);
      }
      return kept.handle;
    }
    for (const oldest of [...this.#kept.keys()].slice(0, Math.max(0, this.#kept.size + 1 - MAX_KEPT))) await this.#letGo(oldest);
    const handle = await this.#openForWriting(path, mayBegin);
    try {
      this.#kept.set(path, { handle, inode: inodeOf(await handle.stat()) });
    } catch (error) {
      await handle.close();
      throw error;
    }
    return handle;
  }

  async #letGo(path: string): Promise<void> {
    const kept = this.#kept.get(path);
    this.#kept.delete(path);
    await kept?.handle.close();
  }

  async #with<T>(path: string, flags: 'r' | 'r+' | number, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const handle = await open(path, flags);
    try {
      return await work(handle);
    } finally {
      await handle.close();
    }
  }

  /** Neither `a` (ignores the offset) nor `w` (truncates): an existing file is opened, a missing one is made. */
  async #openForWriting(path: string, mayBegin: boolean): Promise<FileHandle> {
    const flags = constants.O_RDWR | (this.#durable ? SYNCED : 0);
    try {
      return await open(path, flags);
    } catch (error) {
      if (!isMissing(error) || !mayBegin) throw error;
      return open(path, flags | constants.O_CREAT | constants.O_EXCL, this.#mode);
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
