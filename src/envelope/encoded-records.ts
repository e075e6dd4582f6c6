// The records of one batch as places in few buffers. Views of them are made for those who ask; most destinations never do.

import type { EncodedBatch, EncodedLines } from '../sdk/index.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { JsonWriter } from './json-writer.ts';

/** Writes the key of an event, by its index, as a text of its own. `false`: it has none. */
export type WriteKey = (json: JsonWriter, event: number) => boolean;

/** In the place of a buffer: there is no text, and it is written once somebody asks. */
const NULL = -1,
  LATER = -2;

/** Texts that a `JsonWriter` wrote, by where they are; grows. */
export class Spans {
  buffers: Buffer[] = [];
  buffer: Int32Array;
  start: Int32Array;
  end: Int32Array;
  length = 0;
  hasLater = false;
  /** The last of `buffers`. */
  #last: Buffer | null = null;

  constructor(expected: number) {
    this.buffer = new Int32Array(expected);
    this.start = new Int32Array(expected);
    this.end = new Int32Array(expected);
  }

  /** A text in `bytes`, where all that came since another buffer lies, too. */
  add(bytes: Buffer, start: number, end: number): void {
    this.#put(this.#indexOf(bytes), start, end);
  }

  addNull(): void {
    this.#put(NULL, 0, 0);
  }

  addLater(): void {
    this.hasLater = true;
    this.#put(LATER, 0, 0);
  }

  /** Writes those that were left for later. */
  writeLater(json: JsonWriter, event: Uint32Array, write: WriteKey): void {
    for (let i = 0; i < this.length; i++) {
      if (this.buffer[i] !== LATER) continue;
      const isThere = write(json, event[i] as number);
      this.buffer[i] = isThere ? this.#indexOf(json.bytes) : NULL;
      this.start[i] = json.start;
      this.end[i] = json.at;
    }
  }

  #indexOf(bytes: Buffer): number {
    if (bytes !== this.#last) {
      this.buffers.push(bytes);
      this.#last = bytes;
    }
    return this.buffers.length - 1;
  }

  /** The same text as the one before. */
  repeat(): void {
    const last = this.length - 1;
    this.#put(this.buffer[last] as number, this.start[last] as number, this.end[last] as number);
  }

  clear(): void {
    this.length = 0;
    this.buffers = [];
    this.#last = null;
  }

  #put(buffer: number, start: number, end: number): void {
    const at = this.length++;
    if (at >= this.buffer.length) this.#grow();
    this.buffer[at] = buffer;
    this.start[at] = start;
    this.end[at] = end;
  }

  #grow(): void {
    const size = this.buffer.length * 2 + 8;
    this.buffer = grown(this.buffer, size);
    this.start = grown(this.start, size);
    this.end = grown(this.end, size);
  }

  /** `trailing`: bytes at each text's end that are not shown. */
  views(trailing: number): (Uint8Array | null)[] {
    const views = new Array<Uint8Array | null>(this.length);
    for (let i = 0; i < this.length; i++) {
      const bytes = this.buffers[this.buffer[i] as number],
        start = this.start[i] as number;
      // Not by `subarray`, which takes twice as long.
      views[i] =
        bytes === undefined ? null : new Uint8Array(bytes.buffer, bytes.byteOffset + start, (this.end[i] as number) - trailing - start);
    }
    return views;
  }
}

function grown(list: Int32Array, size: number): Int32Array {
  const larger = new Int32Array(size);
  larger.set(list);
  return larger;
}

export interface EncodedParts {
  readonly event: Uint32Array;
  readonly topic: readonly string[];
  readonly keys: Spans;
  /** Each with a line feed at its end. */
  readonly values: Spans;
  readonly headers: EncodedBatch['headers'];
  readonly timestampMs: Float64Array;
  /** For keys that were left for later. */
  readonly writeKey: WriteKey;
  readonly pool: ChunkPool;
  /** All that keys and values lie in. */
  readonly chunks: readonly Buffer[];
}

const LINE_FEED_BYTES = 1;
/** Of one, roughly. */
export const KEY_BYTES = 64;

export class EncodedRecords implements EncodedBatch {
  readonly event: Uint32Array;
  readonly topic: readonly string[];
  readonly headers: EncodedBatch['headers'];
  readonly timestampMs: Float64Array;
  readonly #keys: Spans;
  readonly #values: Spans;
  readonly #writeKey: WriteKey;
  readonly #pool: ChunkPool;
  #chunks: readonly Buffer[];
  #key: readonly (Uint8Array | null)[] | null = null;
  #value: readonly (Uint8Array | null)[] | null = null;

  constructor({ event, topic, keys, values, headers, timestampMs, writeKey, pool, chunks }: EncodedParts) {
    this.event = event;
    this.topic = topic;
    this.headers = headers;
    this.timestampMs = timestampMs;
    this.#keys = keys;
    this.#values = values;
    this.#writeKey = writeKey;
    this.#pool = pool;
    this.#chunks = chunks;
  }

  get key(): readonly (Uint8Array | null)[] {
    this.#key ??= this.#allKeys();
    return this.#key;
  }

  #allKeys(): (Uint8Array | null)[] {
    if (this.#keys.hasLater) {
      const json = new JsonWriter(this.event.length * KEY_BYTES, this.#pool);
      this.#keys.writeLater(json, this.event, this.#writeKey);
      this.#chunks = [...this.#chunks, ...json.chunks];
    }
    return this.#keys.views(0);
  }

  get value(): readonly (Uint8Array | null)[] {
    this.#value ??= this.#values.views(LINE_FEED_BYTES);
    return this.#value;
  }

  get lines(): EncodedLines {
    return this.#values;
  }

  release(): void {
    this.#pool.give(this.#chunks);
    // Whoever asks again gets nothing that others write into.
    this.#chunks = [];
    this.#key = this.#value = [];
    this.#keys.clear();
    this.#values.clear();
  }
}
