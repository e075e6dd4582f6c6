// Frames of the stream that nobody has taken yet: those of the arena that is being filled, and of arenas before it.

import type { Arena } from './arena.ts';
import { FrameList, type Frames, HEAD_BYTES, type OnControl, scanFrames } from './frames.ts';

interface Waiting extends Frames {
  readonly size: number;
}

export class WaitingFrames {
  readonly #maxBytes: number;
  #queue: Waiting[] = [];
  /** Of the arena that is being filled. */
  readonly list = new FrameList();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Adds the frames that are whole in the arena, and begins another arena when this one has little room left. Throws `FrameError`. */
  scan(arena: Arena, onControl: OnControl): void {
    const { from } = arena;
    arena.from = scanFrames(arena.bytes, from, arena.to, this.list, onControl);
    this.#bytes += arena.from - from;
  }

  /** Makes room for the next read. */
  makeRoom(arena: Arena): void {
    if (!arena.isTight) return;
    this.#cut(arena.bytes);
    arena.renew();
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.list.count === 0;
  }

  /** More than may wait. */
  get isFull(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  /** The oldest, an arena's at once; `null`: none are left. `bytes`: of the arena that is being filled. */
  take(bytes: Buffer): Frames | null {
    if (this.#queue.length === 0) this.#cut(bytes);
    const frames = this.#queue.shift();
    if (frames === undefined) return null;
    this.#bytes = Math.max(0, this.#bytes - frames.size);
    // Messages that are no data were counted, too.
    if (this.isEmpty) this.#bytes = 0;
    return frames;
  }

  clear(): void {
    this.#queue = [];
  }

  /** What is whole in the arena goes to the queue. */
  #cut(bytes: Buffer): void {
    if (this.list.count === 0) return;
    const { starts, ends, count } = this.list.cut();
    const size = (ends[count - 1] as number) - (starts[0] as number) + HEAD_BYTES;
    this.#queue.push({ bytes, starts, ends, count, size });
  }
}
