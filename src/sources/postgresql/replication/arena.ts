// Memory that the socket reads into. An arena is filled once and never written again, because events point into it until
// the last of them is gone; what was begun at its end and is not whole moves to the next one.

import { frameBytes } from './frames.ts';

/** Large enough that moving a half frame is rare, small enough that one kept event does not keep much alive. */
export const ARENA_BYTES = 256 << 10;
/** Less room than this is not worth a read: the next arena begins. */
const MIN_READ_BYTES = 64 << 10;

export class Arena {
  bytes: Buffer;
  /** Whole messages end here. */
  from = 0;
  /** Read so far. */
  to = 0;

  constructor(bytes = ARENA_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
  }

  /** Where the next read goes. */
  space(): Buffer {
    return this.bytes.subarray(this.to);
  }

  get isTight(): boolean {
    return this.bytes.length - this.to < MIN_READ_BYTES;
  }

  /** A fresh arena that begins with what is not whole yet, with room for all of it: a value may have hundreds of megabytes. */
  renew(): void {
    const rest = this.to - this.from;
    const wanted = frameBytes(this.bytes, this.from, this.to) + MIN_READ_BYTES;
    const next = Buffer.allocUnsafeSlow(Math.max(ARENA_BYTES, rest + MIN_READ_BYTES, wanted));
    this.bytes.copy(next, 0, this.from, this.to);
    this.bytes = next;
    this.from = 0;
    this.to = rest;
  }
}
