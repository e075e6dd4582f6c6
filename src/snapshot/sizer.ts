// How many rows the next chunk has: bounded in rows and in bytes by the width of the rows seen so far; smaller after a chunk
// was given up because too much was written meanwhile.

import type { SnapshotLimits } from './types.ts';

/** Newer chunks count this much: widths differ along a table. */
const NEWEST = 0.5;

export class ChunkSizer {
  readonly #limits: SnapshotLimits;
  #rowBytes = 0;
  #share = 1;

  constructor(limits: SnapshotLimits) {
    this.#limits = limits;
  }

  get rows(): number {
    const byBytes = this.#rowBytes === 0 ? Number.POSITIVE_INFINITY : this.#limits.chunkBytes / this.#rowBytes;
    return Math.max(1, Math.floor(Math.min(this.#limits.chunkRows, byBytes) * this.#share));
  }

  onRead(rows: number, bytes: number): void {
    if (rows === 0) return;
    const width = bytes / rows;
    this.#rowBytes = this.#rowBytes === 0 ? width : this.#rowBytes * (1 - NEWEST) + width * NEWEST;
  }

  /** A chunk is out. */
  grow(): void {
    this.#share = Math.min(1, this.#share * 2);
  }
  /** A chunk took too long for what is written meanwhile. */
  shrink(): void {
    this.#share = Math.max(this.#share / 2, 1 / this.#limits.chunkRows);
  }
}
