// A file that is being read: a handle that stays with the file when it is renamed.

import type { BigIntStats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { checksum, type FilePlace, HEAD_BYTES, TAIL_BYTES } from './position.ts';

export interface FileState {
  /** Device and inode: which file this is, as long as it exists. */
  readonly id: string;
  /** The inode alone: what a position keeps, because device numbers may change with a reboot. */
  readonly inode: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modifiedMs: number;
  /** When the file was made (0 or any time where the file system does not tell), and when it was last written or renamed. */
  readonly bornMs: number;
  readonly changedMs: number;
}

export function stateOf(stats: BigIntStats): FileState {
  const inode = stats.ino.toString(36),
    ms = (ns: bigint): number => Number(ns) / 1e6;
  return {
    id: `${stats.dev}:${inode}`,
    inode,
    size: Number(stats.size),
    modifiedMs: ms(stats.mtimeNs),
    bornMs: ms(stats.birthtimeNs),
    changedMs: ms(stats.ctimeNs),
  };
}

/**
 * Which of two files of one name was written first. The clock of a file system stands still for some milliseconds, so two
 * may have been written last at one time: then the one was made, or renamed, before the other.
 */
export function compareAge(a: FileState, b: FileState): number {
  return a.modifiedMs - b.modifiedMs || a.bornMs - b.bornMs || a.changedMs - b.changedMs;
}

export class OpenFile {
  readonly id: string;
  readonly inode: string;
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle, state: FileState) {
    this.#handle = handle;
    this.id = state.id;
    this.inode = state.inode;
  }

  static async open(path: string): Promise<OpenFile> {
    const handle = await open(path, 'r');
    try {
      return new OpenFile(handle, stateOf(await handle.stat({ bigint: true })));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async state(): Promise<FileState> {
    return stateOf(await this.#handle.stat({ bigint: true }));
  }

  /** The bytes from `offset` on: fewer than `length` only at the end of the file. */
  async read(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(buffer, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  /** Is this, up to the place, the file that was read? True for any file at offset 0. */
  async continues(place: FilePlace): Promise<boolean> {
    const head = await this.read(0, Math.min(HEAD_BYTES, place.offset));
    const tail = await this.read(Math.max(0, place.offset - TAIL_BYTES), Math.min(TAIL_BYTES, place.offset));
    return (
      head.length === Math.min(HEAD_BYTES, place.offset) &&
      tail.length === Math.min(TAIL_BYTES, place.offset) &&
      checksum(head) === place.head &&
      checksum(tail) === place.tail
    );
  }

  /** The place at an offset, with the checksums of what is there now. */
  async placeAt(generation: number, offset: number, line: number): Promise<FilePlace> {
    const head = await this.read(0, Math.min(HEAD_BYTES, offset));
    const tail = await this.read(Math.max(0, offset - TAIL_BYTES), Math.min(TAIL_BYTES, offset));
    return { generation, offset, line, inode: this.inode, head: checksum(head), tail: checksum(tail), tentative: null };
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
