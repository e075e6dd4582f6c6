// JSON straight into bytes: what an event costs is mostly here. Measured for an event of 690 bytes: 1.2 µs to build the
// string, 1.4 µs more to flatten it and turn it into UTF-8; written as bytes from the start it is less than half of both.

import type { ChangeEvent, Value } from '../sdk/index.ts';
import { CHUNK_BYTES, ChunkPool } from './chunk-pool.ts';
import type { Fixed } from './fixed.ts';
import { jsonNumber, jsonString, jsonValue, needsEscape } from './json.ts';

/** A record begins only with this much room, because moving it to the next chunk costs a copy. */
const ROOM_BYTES = 1024;
/** From here on a native call (75 ns) beats a loop over the characters (2 ns each). */
const LONG_CHARACTERS = 32;
/** The same where quotes and escapes are looked for too. */
const LONG_STRING = 64;
/** The same for copying bytes (28 ns). */
const LONG_BYTES = 12;
/** The same where they are copied four at a time. */
const LONG_FIXED = 128;
const BYTES_PER_CHARACTER = 3;

/** Numbers below have at most nine digits and are small integers to V8. */
const SMALL = 1_000_000_000;
const SMALL_DIGITS = 9;
/** Below, both halves are small: milliseconds of the next 31,000 years are among them. */
const EXACT = 1e15;

const ZERO = 0x30,
  QUOTE = 0x22,
  BACKSLASH = 0x5c,
  SPACE = 0x20,
  DELETE = 0x7f;

/** `00` to `99`, the first digit in the lower byte. */
const PAIRS = Uint16Array.from({ length: 100 }, (_, n) => (ZERO + ((n / 10) | 0)) | ((ZERO + (n % 10)) << 8));

/** Digits of a small number. */
function lengthOf(n: number): number {
  if (n < 1000) return n < 10 ? 1 : n < 100 ? 2 : 3;
  if (n < 1_000_000) return n < 10_000 ? 4 : n < 100_000 ? 5 : 6;
  return n < 10_000_000 ? 7 : n < 100_000_000 ? 8 : 9;
}

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

export class JsonWriter {
  /** Changes whenever room is made. */
  bytes: Buffer;
  view: DataView;
  at = 0;
  #start = 0;
  /** Of `bytes`: kept, because asking for it costs as much as making a view. */
  #memory: ArrayBuffer;
  #offset = 0;
  readonly #pool: ChunkPool;
  /** All that was written into. */
  readonly chunks: Buffer[];

  /** `expectedBytes`: a batch of few events needs no whole chunk. */
  constructor(expectedBytes = CHUNK_BYTES, pool = new ChunkPool()) {
    this.#pool = pool;
    this.bytes = pool.take(Math.max(expectedBytes, 2 * ROOM_BYTES));
    this.chunks = [this.bytes];
    this.view = viewOf(this.bytes);
    this.#memory = this.bytes.buffer as ArrayBuffer;
    this.#offset = this.bytes.byteOffset;
  }

  #goOnIn(bytes: Buffer): void {
    this.chunks.push(bytes);
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.#memory = bytes.buffer as ArrayBuffer;
    this.#offset = bytes.byteOffset;
  }

  /** Starts a text of its own. */
  begin(): void {
    if (this.bytes.length - this.at < ROOM_BYTES) {
      this.#goOnIn(this.#pool.take());
      this.at = 0;
    }
    this.#start = this.at;
  }

  /** Where in `bytes` the text began. */
  get start(): number {
    return this.#start;
  }

  /** What was written since `begin`. Not by `subarray`, which takes twice as long. */
  end(): Uint8Array {
    return new Uint8Array(this.#memory, this.#offset + this.#start, this.at - this.#start);
  }

  /** How many bytes were written since `begin`. */
  get written(): number {
    return this.at - this.#start;
  }

  /** Makes room for those who write bytes themselves, into `bytes` from `at` on. They say by `at` how far they came. */
  room(length: number): void {
    if (this.bytes.length - this.at < length) this.#move(length);
  }

  /** Text that is JSON already. Holds no lone surrogates. */
  text(text: string): void {
    const length = text.length;
    this.room(length * BYTES_PER_CHARACTER);
    const bytes = this.bytes,
      start = this.at;
    if (length < LONG_CHARACTERS) {
      let i = 0;
      for (; i < length; i++) {
        const c = text.charCodeAt(i);
        if (c > DELETE) break;
        bytes[start + i] = c;
      }
      if (i === length) {
        this.at = start + length;
        return;
      }
    }
    this.at = start + bytes.write(text, start);
  }

  /** Bytes that are JSON already. */
  raw(raw: Uint8Array): void {
    const length = raw.length;
    this.room(length);
    const bytes = this.bytes,
      at = this.at;
    if (length < LONG_BYTES) for (let i = 0; i < length; i++) bytes[at + i] = raw[i] as number;
    else bytes.set(raw, at);
    this.at = at + length;
  }

  /** Prepared bytes that are JSON already. */
  fixed({ bytes, words, length }: Fixed): void {
    if (length > LONG_FIXED) {
      this.raw(bytes);
      return;
    }
    this.room(words.length * 4);
    const { view, at } = this;
    for (let i = 0; i < words.length; i++) view.setInt32(at + i * 4, words[i] as number, true);
    this.at = at + length;
  }

  /** A string with its quotes and escapes. */
  string(text: string): void {
    const length = text.length;
    if (length >= LONG_STRING) {
      this.#longString(text);
      return;
    }
    this.room(length * 2 + 2);
    const bytes = this.bytes;
    let at = this.at;
    bytes[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const c = text.charCodeAt(i);
      if (c < SPACE || c > DELETE) {
        this.text(jsonString(text));
        return;
      }
      if (c === QUOTE || c === BACKSLASH) bytes[at++] = BACKSLASH;
      bytes[at++] = c;
    }
    bytes[at++] = QUOTE;
    this.at = at;
  }

  #longString(text: string): void {
    if (needsEscape(text)) {
      this.text(JSON.stringify(text));
      return;
    }
    this.room(text.length * BYTES_PER_CHARACTER + 2);
    const bytes = this.bytes;
    bytes[this.at++] = QUOTE;
    this.at += bytes.write(text, this.at);
    bytes[this.at++] = QUOTE;
  }

  /** A whole number. */
  integer(n: number): void {
    if (n > 0 && n < SMALL) {
      this.#digits(n | 0, lengthOf(n | 0));
      return;
    }
    if (!(n > 0 && n < EXACT)) {
      this.text(jsonNumber(n));
      return;
    }
    const high = Math.floor(n / SMALL);
    this.#digits(high, lengthOf(high));
    this.#digits(n - high * SMALL, SMALL_DIGITS);
  }

  /** A position with its quotes. */
  position(event: ChangeEvent): void {
    const lazy = event.lazyPosition();
    if (lazy === null) {
      this.string(event.position);
      return;
    }
    this.room(lazy.length + 2);
    this.bytes[this.at++] = QUOTE;
    lazy.put(this.bytes, this.at);
    this.at += lazy.length;
    this.bytes[this.at++] = QUOTE;
  }

  /** Any value by its JS type. */
  value(value: Value): void {
    if (typeof value === 'string') this.string(value);
    else if (typeof value === 'number' && value > 0 && value < SMALL && (value | 0) === value) this.#digits(value, lengthOf(value));
    else this.text(jsonValue(value));
  }

  /** The `length` digits of a whole number below 1e15 over what stands at `at`. */
  digitsOver(at: number, n: number, length: number): void {
    const end = this.at;
    this.at = at;
    if (length <= SMALL_DIGITS) this.#digits(n | 0, length);
    else {
      const high = Math.floor(n / SMALL);
      this.#digits(high, length - SMALL_DIGITS);
      this.#digits(n - high * SMALL, SMALL_DIGITS);
    }
    this.at = end;
  }

  /** `length` digits of a small number, two at a time, without a string between: a quarter of the time. */
  #digits(n: number, length: number): void {
    this.room(length);
    const bytes = this.bytes,
      start = this.at;
    let rest = n,
      at = start + length;
    for (; at - start >= 2; ) {
      const quotient = (rest / 100) | 0,
        pair = PAIRS[rest - quotient * 100] as number;
      bytes[--at] = pair >>> 8;
      bytes[--at] = pair & 0xff;
      rest = quotient;
    }
    if (at > start) bytes[start] = ZERO + rest;
    this.at = start + length;
  }

  /** Goes on in a new chunk, the begun text with it. */
  #move(length: number): void {
    const begun = this.at - this.#start,
      size = begun + length;
    const next = size > CHUNK_BYTES ? Buffer.allocUnsafe(size * 2) : this.#pool.take();
    next.set(this.bytes.subarray(this.#start, this.at));
    this.#goOnIn(next);
    this.#start = 0;
    this.at = begun;
  }
}
