// Who reads a log: what all of them have released, the log may forget. For the memory log and the disk log alike.

import type { LogReader } from './change-log.ts';

export class Readers {
  readonly #readers = new Set<Reader>();
  readonly #onRelease: () => void;

  /** `onRelease`: a reader has let go of something, or has left. */
  constructor(onRelease: () => void) {
    this.#onRelease = onRelease;
  }

  /** Registers one that holds everything after `from`. */
  add(from: number): LogReader {
    const reader = new Reader(from, this.#onRelease, (self) => {
      this.#readers.delete(self);
      this.#onRelease();
    });
    this.#readers.add(reader);
    return reader;
  }

  /** The number up to which nobody holds anything; `lastSeq` when there is no reader. */
  floor(lastSeq: number): number {
    let floor = lastSeq;
    for (const { releasedSeq } of this.#readers) floor = Math.min(floor, releasedSeq);
    return floor;
  }
}

class Reader implements LogReader {
  #releasedSeq: number;
  readonly #onRelease: () => void;
  readonly #onClose: (self: Reader) => void;

  constructor(from: number, onRelease: () => void, onClose: (self: Reader) => void) {
    this.#releasedSeq = from;
    this.#onRelease = onRelease;
    this.#onClose = onClose;
  }

  get releasedSeq(): number {
    return this.#releasedSeq;
  }
  release(upTo: number): void {
    if (upTo <= this.#releasedSeq) return;
    this.#releasedSeq = upTo;
    this.#onRelease();
  }
  close(): void {
    this.#onClose(this);
  }
}
