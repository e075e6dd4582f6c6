// A file system in memory that can fail like a disk: no space, failed syncs, a crash with what was not synced lost in whole or
// in part. For tests and the simulator. What it does beyond the worst of real disks is deliberate: each unsynced write may be
// lost, kept or torn by itself, so nothing may rely on their order.

import type { Random } from '../../sdk/index.ts';
import type { LogFile, LogFiles, LogLock } from './files.ts';

export type Operation = 'mkdir' | 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'rename' | 'unlink' | 'syncFolder' | 'list';
type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly size: number };

/** Content of a file: as the next read sees it, as it is surely on the disk, and what lies between. */
class Inode {
  content = new Uint8Array(0);
  synced = new Uint8Array(0);
  unsynced: Change[] = [];

  apply(change: Change): void {
    this.content = changed(this.content, change);
    this.unsynced.push(change);
  }
}

function changed(content: Uint8Array<ArrayBuffer>, change: Change): Uint8Array<ArrayBuffer> {
  if ('size' in change) {
    const cut = new Uint8Array(change.size);
    cut.set(content.subarray(0, change.size));
    return cut;
  }
  const end = change.at + change.bytes.length;
  const next = end > content.length ? new Uint8Array(end) : content.slice();
  if (next.length !== content.length) next.set(content);
  next.set(change.bytes, change.at);
  return next;
}

export class MemoryFiles implements LogFiles {
  /** Called before each operation; an error that it throws is the operation's. */
  before: ((operation: Operation, path: string) => void) | null = null;
  /** Operations so far. */
  operations = 0;
  /** The process dies in the middle of this operation: half of a write is done, and nothing answers any more. */
  crashAt = Number.POSITIVE_INFINITY;
  readonly #files = new Map<string, Inode>();
  /** Names as they are surely on the disk. */
  #syncedNames = new Map<string, Inode>();
  readonly #folders = new Set<string>();
  /** Path → who holds it. */
  readonly #locks = new Map<string, object>();

  /**
   * What a process finds that starts after this one has died. `kill`: all that was written. `power`: what was synced, and of the
   * rest what chance says.
   */
  crash(kind: 'kill' | 'power', random: Random): MemoryFiles {
    this.crashAt = 0;
    const found = new MemoryFiles();
    for (const folder of this.#folders) found.#folders.add(folder);
    const inodes = new Map<Inode, Inode>();
    for (const [path, inode] of kind === 'kill' ? this.#files : this.#namesAfterPowerCut(random)) {
      let copy = inodes.get(inode);
      if (copy === undefined) {
        copy = new Inode();
        copy.content = kind === 'kill' ? inode.content.slice() : afterPowerCut(inode, random);
        // Killed: it is in the cache, but not on the disk.
        copy.synced = kind === 'kill' ? inode.synced : copy.content;
        copy.unsynced = kind === 'kill' ? [...inode.unsynced] : [];
        inodes.set(inode, copy);
      }
      found.#files.set(path, copy);
    }
    const synced = kind === 'kill' ? this.#syncedNames : found.#files;
    for (const [path, inode] of synced) found.#syncedNames.set(path, inodes.get(inode) ?? inode);
    return found;
  }

  /** Each name by itself: as it was, or as it is. */
  #namesAfterPowerCut(random: Random): Map<string, Inode> {
    const names = new Map(this.#syncedNames);
    for (const path of new Set([...this.#files.keys(), ...this.#syncedNames.keys()])) {
      if (random() < 0.5) continue;
      const now = this.#files.get(path);
      if (now === undefined) names.delete(path);
      else names.set(path, now);
    }
    return names;
  }

  /** For tests: the bytes themselves. */
  content(path: string): Uint8Array {
    return this.#inode(path).content;
  }
  replace(path: string, content: Uint8Array): void {
    const inode = this.#inode(path);
    inode.content = new Uint8Array(content);
    inode.synced = inode.content;
  }
  get paths(): string[] {
    return [...this.#files.keys()].sort();
  }

  async mkdir(folder: string): Promise<void> {
    await this.#step('mkdir', folder);
    this.#folders.add(folder);
  }
  async list(folder: string): Promise<string[]> {
    await this.#step('list', folder);
    if (!this.#folders.has(folder)) throw failure('ENOENT', folder);
    return this.paths.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1));
  }
  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<LogFile> {
    await this.#step('open', path);
    let inode = this.#files.get(path);
    if (mode === 'create') {
      inode ??= new Inode();
      if (inode.content.length > 0) inode.apply({ size: 0 });
      this.#files.set(path, inode);
    }
    if (inode === undefined) throw failure('ENOENT', path);
    return new MemoryFile(inode, (operation, half) => this.#step(operation, path, half));
  }
  async rename(from: string, to: string): Promise<void> {
    await this.#step('rename', to);
    this.#files.set(to, this.#inode(from));
    this.#files.delete(from);
  }
  async unlink(path: string): Promise<void> {
    await this.#step('unlink', path);
    this.#files.delete(path);
  }
  async syncFolder(folder: string): Promise<void> {
    await this.#step('syncFolder', folder);
    this.#syncedNames = new Map(this.#files);
  }
  async lock(path: string): Promise<LogLock | null> {
    if (this.#locks.has(path)) return null;
    const holder = {};
    this.#locks.set(path, holder);
    // Released twice, it is not taken from who has it since.
    return {
      release: () => {
        if (this.#locks.get(path) === holder) this.#locks.delete(path);
      },
    };
  }

  async #step(operation: Operation, path: string, half?: () => void): Promise<void> {
    const number = this.operations++;
    if (number >= this.crashAt) {
      if (number === this.crashAt) half?.();
      await new Promise<never>(() => {});
    }
    this.before?.(operation, path);
    // Let others run, as every real call does.
    await Promise.resolve();
  }

  #inode(path: string): Inode {
    const inode = this.#files.get(path);
    if (inode === undefined) throw failure('ENOENT', path);
    return inode;
  }
}

class MemoryFile implements LogFile {
  readonly #inode: Inode;
  readonly #step: (operation: Operation, half?: () => void) => Promise<void>;

  constructor(inode: Inode, step: (operation: Operation, half?: () => void) => Promise<void>) {
    this.#inode = inode;
    this.#step = step;
  }

  async size(): Promise<number> {
    return this.#inode.content.length;
  }
  async read(into: Buffer, at: number): Promise<number> {
    await this.#step('read');
    const bytes = this.#inode.content.subarray(at, at + into.length);
    into.set(bytes);
    return bytes.length;
  }
  async write(bytes: Uint8Array, at: number): Promise<void> {
    const copy = bytes.slice();
    await this.#step('write', () => this.#inode.apply({ at, bytes: copy.subarray(0, copy.length >> 1) }));
    this.#inode.apply({ at, bytes: copy });
  }
  async sync(): Promise<void> {
    const inode = this.#inode,
      changes = inode.unsynced;
    // Like Linux: what a failed sync did not write is never tried again, though reads still show it.
    inode.unsynced = [];
    await this.#step('sync', () => inode.unsynced.unshift(...changes));
    for (const change of changes) inode.synced = changed(inode.synced, change);
  }
  async truncate(size: number): Promise<void> {
    await this.#step('truncate');
    this.#inode.apply({ size });
  }
  async close(): Promise<void> {}
}

/** What was synced, with each later change made, left out, or made in part. */
function afterPowerCut(inode: Inode, random: Random): Uint8Array<ArrayBuffer> {
  let content = inode.synced;
  for (const change of inode.unsynced) {
    const fate = random();
    if (fate < 0.3) continue;
    if (fate < 0.7 || 'size' in change) content = changed(content, change);
    else content = changed(content, { at: change.at, bytes: change.bytes.subarray(0, Math.floor(change.bytes.length * random())) });
  }
  return content;
}

/** An error as Node throws it. */
export function failure(code: 'ENOENT' | 'ENOSPC' | 'EIO', path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
