// Memory that records are written into. A chunk has one owner at a time: the batch that is being encoded, then its
// `EncodedBatch`, which gives it back once nobody reads it any more (`EncodedBatch.release`); one that is never given back is
// left to the garbage collector. Chunks that are used again are worth 0.3 µs per event: new ones mean new pages and collections.

/** Holds the records of many events; one that is kept keeps its chunk, so it is not larger. */
export const CHUNK_BYTES = 64 * 1024;
/** What waits to be used again: some batches of a thousand events of a kilobyte. */
const MAX_FREE = 64;

export class ChunkPool {
  readonly #free: Buffer[] = [];

  /** `expectedBytes`: what few events need; they get a chunk of their size when none waits. */
  take(expectedBytes = CHUNK_BYTES): Buffer {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    return expectedBytes < CHUNK_BYTES ? Buffer.allocUnsafe(expectedBytes) : Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  /** Nobody reads them any more. Those of other sizes go. */
  give(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) if (chunk.length === CHUNK_BYTES && this.#free.length < MAX_FREE) this.#free.push(chunk);
  }
}
