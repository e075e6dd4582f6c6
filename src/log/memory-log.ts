// The memory log: a bounded ring of batches. Nothing of it survives the process; the source is acknowledged only once every
// required lane has confirmed, so what is lost here is read again (invariant 1).

import { CdcError } from '../sdk/index.ts';
import type { ChangeLog, LogAppend, LogBatch, LogPlace, LogReader } from './change-log.ts';
import { entryOf } from './entry.ts';
import { Readers } from './readers.ts';

export interface MemoryLogOptions {
  readonly id: string;
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** The place the log begins at. */
  readonly start: LogPlace;
}

export class MemoryLog implements ChangeLog {
  readonly id: string;
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  /** Held batches in order, from `#head` on; the consumed front is cut off now and then. */
  #batches: LogBatch[] = [];
  #head = 0;
  #events = 0;
  #bytes = 0;
  #tail: LogPlace;
  #lastSeq = 0;
  readonly #readers = new Readers(() => this.#trim());

  constructor(options: MemoryLogOptions) {
    this.id = options.id;
    this.#maxEvents = options.maxEvents;
    this.#maxBytes = options.maxBytes;
    this.#tail = options.start;
  }

  get firstSeq(): number {
    return this.#batches[this.#head]?.firstSeq ?? this.#lastSeq + 1;
  }
  get head(): LogPlace {
    return this.#batches[this.#head]?.before ?? this.#tail;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }
  get tail(): LogPlace {
    return this.#tail;
  }
  get readableSeq(): number {
    return this.#lastSeq;
  }
  get full(): boolean {
    return this.#events >= this.#maxEvents || this.#bytes >= this.#maxBytes;
  }
  get heldBack(): boolean {
    return this.full;
  }
  held(): { events: number; bytes: number } {
    return { events: this.#events, bytes: this.#bytes };
  }

  append(batch: LogAppend): LogBatch {
    const entry = entryOf(batch, this.#lastSeq, this.#tail);
    this.#lastSeq = entry.endSeq;
    this.#tail = entry.after;
    this.#batches.push(entry);
    this.#events += entry.events.length;
    this.#bytes += entry.bytes;
    return entry;
  }

  read(seq: number): LogBatch | null {
    if (seq > this.#lastSeq) return null;
    // Lanes read near the end or near the front; a binary search serves both.
    let low = this.#head,
      high = this.#batches.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1,
        batch = this.#batches[middle] as LogBatch;
      if (seq > batch.endSeq) low = middle + 1;
      else if (seq < batch.firstSeq) high = middle - 1;
      else return batch;
    }
    throw new CdcError('STATE_LOG_GAP', `record ${seq} is no longer in the memory log`, { where: 'log' });
  }

  async synced(): Promise<void> {}

  reader(from: number): LogReader {
    return this.#readers.add(from);
  }

  async close(): Promise<void> {}

  #trim(): void {
    const floor = this.#readers.floor(this.#lastSeq),
      batches = this.#batches;
    let head = this.#head;
    for (; head < batches.length; head++) {
      const batch = batches[head] as LogBatch;
      if (batch.endSeq > floor) break;
      this.#events -= batch.events.length;
      this.#bytes -= batch.bytes;
    }
    if (head > 64 && head * 2 > batches.length) {
      this.#batches = batches.slice(head);
      this.#head = 0;
    } else {
      batches.fill(undefined as unknown as LogBatch, this.#head, head);
      this.#head = head;
    } // let go of the events at once
  }
}
