// A file system in memory that can be stopped after any operation. A killed process leaves what it did, the last write torn; a power
// failure also takes what was not synced, or leaves it, as it likes.

import { dirname, join } from 'node:path';
import type { Files } from '../../../../src/destinations/file/files.ts';

interface Inode {
  data: Buffer;
  synced: Buffer;
  readonly id: number;
  version: number;
}

class Crash extends Error {}

export class CrashFiles implements Files {
  names = new Map<string, Inode>();
  #syncedNames = new Map<string, Inode>();
  /** Changes of names that are not synced. A file system keeps their order within a folder, and a rename whole. */
  #journal: { readonly folder: string; readonly change: (names: Map<string, Inode>) => void }[] = [];
  #nextId = 1;
  /** Operations that change something, so far. */
  operations = 0;
  /** The operation at which the process ends; it happens in part. */
  crashAt = Number.POSITIVE_INFINITY;
  /** Operations that fail with this code, if they take space: a full disk. A write happens in part. */
  failures = new Map<number, string>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  text(path: string): string | null {
    return this.names.get(path)?.data.toString() ?? null;
  }

  put(path: string, text: string): void {
    const inode = { data: Buffer.from(text), synced: Buffer.from(text), id: this.#nextId++, version: 0 };
    this.names.set(path, inode);
    this.#syncedNames.set(path, inode);
  }

  /** The machine starts again. */
  powerFailure(): void {
    this.names = new Map(this.#syncedNames);
    const journal = this.#journal.splice(0);
    for (const folder of new Set(journal.map((entry) => entry.folder))) {
      const changes = journal.filter((entry) => entry.folder === folder);
      for (const { change } of changes.slice(0, Math.floor(this.#random() * (changes.length + 1)))) change(this.names);
    }
    for (const inode of new Set(this.names.values())) {
      if (inode.data.equals(inode.synced)) continue;
      const kept = Math.floor(this.#random() * (inode.data.length + 1));
      inode.data = this.#random() < 0.5 ? inode.synced : Buffer.concat([inode.data.subarray(0, kept), inode.synced.subarray(kept)]);
      inode.synced = inode.data;
      inode.version++;
    }
    this.#syncedNames = new Map(this.names);
  }

  async size(path: string) {
    return this.names.get(path)?.data.length ?? null;
  }
  async stamp(path: string) {
    const inode = this.names.get(path);
    return inode === undefined ? null : { file: `${inode.id}/${inode.data.length}`, written: String(inode.version) };
  }
  async read(path: string) {
    return this.names.get(path)?.data ?? null;
  }
  async readAt(path: string, offset: number, length: number) {
    return this.#inode(path).data.subarray(offset, offset + length);
  }
  async list(folder: string) {
    return [...this.names.keys()].filter((name) => dirname(name) === folder).map((name) => name.slice(folder.length + 1));
  }
  async createFolder() {
    this.#step(
      () => {},
      () => {},
      true,
    );
  }

  async writeDurably(path: string, offset: number, parts: readonly Uint8Array[]) {
    await this.#write(path, offset, Buffer.concat(parts));
    await this.sync(path);
  }

  async #write(path: string, offset: number, bytes: Uint8Array) {
    const put = (length: number): void => {
      let inode = this.names.get(path);
      if (inode === undefined) {
        inode = { data: Buffer.alloc(0), synced: Buffer.alloc(0), id: this.#nextId++, version: 0 };
        this.#change(path, (names) => names.set(path, inode as Inode));
      }
      if (offset > inode.data.length) throw new Error(`a hole in ${path}`);
      inode.data = Buffer.concat([inode.data.subarray(0, offset), bytes.subarray(0, length), inode.data.subarray(offset + length)]);
      inode.version++;
    };
    this.#step(
      () => put(bytes.length),
      () => put(Math.floor(this.#random() * (bytes.length + 1))),
      true,
    );
  }

  async append(path: string, bytes: Uint8Array) {
    const length = this.names.get(path)?.data.length;
    if (length !== undefined) await this.#write(path, length, bytes);
  }

  async truncate(path: string, size: number) {
    this.#step(() => {
      const inode = this.#inode(path);
      inode.data = inode.data.subarray(0, size);
      inode.version++;
    });
  }

  async sync(path: string) {
    this.#step(() => {
      const inode = this.#inode(path);
      inode.synced = inode.data;
    });
  }

  async rename(from: string, to: string) {
    this.#step(
      () => {
        const inode = this.#inode(from);
        this.#change(from, (names) => {
          names.delete(from);
          names.set(to, inode);
        });
      },
      undefined,
      true,
    );
  }

  async remove(path: string) {
    this.#step(() => this.#change(path, (names) => names.delete(path)));
  }

  async syncFolder(folder: string) {
    this.#step(() => {
      for (const { change } of this.#journal.filter((entry) => entry.folder === folder)) change(this.#syncedNames);
      this.#journal = this.#journal.filter((entry) => entry.folder !== folder);
    });
  }

  async close() {}

  #change(path: string, change: (names: Map<string, Inode>) => void): void {
    change(this.names);
    this.#journal.push({ folder: dirname(path), change });
  }

  #inode(path: string): Inode {
    const inode = this.names.get(path);
    if (inode === undefined) throw Object.assign(new Error(`ENOENT ${path}`), { code: 'ENOENT', path });
    return inode;
  }

  #step(
    work: () => void,
    torn: () => void = () => {
      if (this.#random() < 0.5) work();
    },
    takesSpace = false,
  ): void {
    this.operations++;
    const failure = this.failures.get(this.operations);
    if (failure !== undefined && takesSpace) {
      torn();
      throw Object.assign(new Error(failure), { code: failure });
    }
    if (this.operations === this.crashAt) {
      torn();
      throw new Crash('killed');
    }
    if (this.operations > this.crashAt) throw new Crash('killed before');
    work();
  }
}

/** All text of a file and of those rotated from it, in order. */
export function contentOf(files: CrashFiles, folder: string, name: string): string {
  const [stem, extension] = name.split(/\.(?=[^.]+$)/) as [string, string];
  const numbered = [...files.names.keys()]
    .flatMap((path) => {
      const match = new RegExp(`^${stem}\\.([0-9]+)\\.${extension}$`).exec(
        path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : '',
      );
      return match === null ? [] : [Number(match[1])];
    })
    .sort((a, b) => a - b);
  return [...numbered.map((n) => `${stem}.${n}.${extension}`), name].map((n) => files.text(join(folder, n)) ?? '').join('');
}
