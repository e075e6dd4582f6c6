// The newest batches as objects, as they were appended: lanes that keep up never read the disk. And a few that were read back,
// for lanes that lag.

import type { LogBatch } from '../change-log.ts';

export class RecentBatches {
  #batches: { readonly batch: LogBatch; readonly weight: number }[] = [];
  #head = 0;
  #bytes = 0;

  add(batch: LogBatch, weight: number): void {
    this.#batches.push({ batch, weight });
    this.#bytes += weight;
  }

  /**
   * Lets go of the oldest down to `maxBytes`, and of all up to `readSeq`, which nobody waits for: what is kept outlives the young
   * generation, and collecting it costs more than appending. But of none beyond `syncedSeq`: those are nowhere else.
   */
  trim(maxBytes: number, syncedSeq: number, readSeq: number): void {
    const batches = this.#batches;
    let head = this.#head;
    for (; head < batches.length; head++) {
      const { batch, weight } = batches[head] as { batch: LogBatch; weight: number };
      if (batch.endSeq > syncedSeq || (this.#bytes <= maxBytes && batch.endSeq > readSeq)) break;
      this.#bytes -= weight;
    }
    if (head > 64 && head * 2 > batches.length) {
      this.#batches = batches.slice(head);
      this.#head = 0;
    } else {
      batches.fill(undefined as never, this.#head, head);
      this.#head = head;
    }
  }

  find(seq: number): LogBatch | null {
    let low = this.#head,
      high = this.#batches.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1,
        { batch } = this.#batches[middle] as { batch: LogBatch };
      if (seq > batch.endSeq) low = middle + 1;
      else if (seq < batch.firstSeq) high = middle - 1;
      else return batch;
    }
    return null;
  }
}

const MAX_READ_BATCHES = 32;

/** Batches that were read back, the last used at the end. */
export class ReadBatches {
  readonly #maxBytes: number;
  #batches: LogBatch[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(batch: LogBatch): void {
    this.#batches.push(batch);
    this.#bytes += batch.bytes;
    while (this.#batches.length > MAX_READ_BATCHES || (this.#bytes > this.#maxBytes && this.#batches.length > 1)) {
      this.#bytes -= (this.#batches.shift() as LogBatch).bytes;
    }
  }

  find(seq: number): LogBatch | null {
    for (let i = this.#batches.length - 1; i >= 0; i--) {
      const batch = this.#batches[i] as LogBatch;
      if (seq >= batch.firstSeq && seq <= batch.endSeq) return batch;
    }
    return null;
  }
}
