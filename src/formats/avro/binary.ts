// Avro's binary encoding of primitive values. https://avro.apache.org/docs/1.12.0/specification/#binary-encoding

import type { JsonWriter } from '../../envelope/json-writer.ts';

/** Any writer of bytes: the one that envelopes write JSON with has pooled chunks and does not move begun records without need. */
export type Sink = Pick<JsonWriter, 'bytes' | 'view' | 'at' | 'start' | 'room' | 'raw'>;

const LONG_BYTES = 10,
  DOUBLE_BYTES = 8,
  FLOAT_BYTES = 4;
/** Their length fits one byte, if all of their characters do. From here on a native call is faster than a loop. */
const SHORT_CHARACTERS = 48;
const BYTES_PER_CHARACTER = 3;
const MAX_INT = 0x3fff_ffff,
  /** Twice as much is exact, too. */
  MAX_EXACT = 2 ** 52;
const MASK_64 = 0xffff_ffff_ffff_ffffn;

/** A whole number within 64 bits. */
export function writeLong(out: Sink, n: number | bigint): void {
  out.room(LONG_BYTES);
  const { bytes } = out;
  let { at } = out;
  if (typeof n === 'bigint') {
    if (n > -MAX_EXACT && n < MAX_EXACT) {
      writeLong(out, Number(n));
      return;
    }
    let rest = ((n << 1n) ^ (n >> 63n)) & MASK_64;
    for (; rest > 127n; rest >>= 7n) bytes[at++] = Number(rest & 127n) | 128;
    bytes[at++] = Number(rest);
  } else if (n >= -MAX_INT && n <= MAX_INT) {
    let rest = (n << 1) ^ (n >> 31);
    for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128;
    bytes[at++] = rest;
  } else if (n > -MAX_EXACT && n < MAX_EXACT) {
    let rest = n < 0 ? -n * 2 - 1 : n * 2;
    for (; rest > MAX_INT; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128;
    for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128;
    bytes[at++] = rest;
  } else {
    writeLong(out, BigInt(n));
    return;
  }
  out.at = at;
}

export function writeBoolean(out: Sink, value: boolean): void {
  out.room(1);
  out.bytes[out.at++] = value ? 1 : 0;
}

export function writeFloat(out: Sink, value: number): void {
  out.room(FLOAT_BYTES);
  out.view.setFloat32(out.at, value, true);
  out.at += FLOAT_BYTES;
}

export function writeDouble(out: Sink, value: number): void {
  out.room(DOUBLE_BYTES);
  out.view.setFloat64(out.at, value, true);
  out.at += DOUBLE_BYTES;
}

export function writeBytes(out: Sink, value: Uint8Array): void {
  writeLong(out, value.length);
  out.raw(value);
}

export function writeString(out: Sink, text: string): void {
  const { length } = text;
  if (length <= SHORT_CHARACTERS) {
    out.room(length + 1);
    const { bytes, at } = out;
    let i = 0;
    for (; i < length; i++) {
      const c = text.charCodeAt(i);
      if (c > 127) break;
      bytes[at + 1 + i] = c;
    }
    if (i === length) {
      bytes[at] = length * 2;
      out.at = at + 1 + length;
      return;
    }
  }
  out.room(LONG_BYTES + length * BYTES_PER_CHARACTER);
  writeLong(out, Buffer.byteLength(text));
  out.at += out.bytes.write(text, out.at);
}

/** Bytes that are being read. Throws `RangeError` beyond their end. */
export class Bytes {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new RangeError('it ends early');
    return byte;
  }

  /** A whole number that must be exact as a number: lengths, counts, ints. */
  int(): number {
    const n = this.long();
    if (n < -0x8000_0000_0000n || n > 0x7fff_ffff_ffffn) throw new RangeError('a number is too large');
    return Number(n);
  }

  long(): bigint {
    let low = 0,
      shift = 0;
    // Four bytes of seven bits: nearly all numbers, without a bigint per byte.
    for (; shift < 28; shift += 7) {
      const byte = this.byte();
      low |= (byte & 127) << shift;
      if (byte < 128) return BigInt((low >>> 1) ^ -(low & 1));
    }
    let value = BigInt(low);
    for (let bits = 28n; bits < 70n; bits += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << bits;
      if (byte < 128) return (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n;
    }
    throw new RangeError('a number is longer than 64 bits');
  }

  /** A long as a number where that is exact; else NaN, and nothing is read. */
  exact(): number {
    const start = this.at;
    let value = 0,
      factor = 1;
    // Seven bytes hold 49 bits: microseconds need 52, so the eighth is looked at, too.
    for (let i = 0; i < 8; i++) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      }
      factor *= 128;
    }
    this.at = start;
    return Number.NaN;
  }

  /** Ints of 32 bits, without a bigint. */
  small(): number {
    const first = this.byte();
    if (first < 128) return (first >>> 1) ^ -(first & 1);
    this.at--;
    return this.int();
  }

  float(): number {
    this.#need(FLOAT_BYTES);
    const value = this.#bytes.readFloatLE(this.at);
    this.at += FLOAT_BYTES;
    return value;
  }

  double(): number {
    this.#need(DOUBLE_BYTES);
    const value = this.#bytes.readDoubleLE(this.at);
    this.at += DOUBLE_BYTES;
    return value;
  }

  /** The bytes themselves, not a copy. */
  take(length: number): Buffer {
    if (length < 0) throw new RangeError('a length is negative');
    this.#need(length);
    const start = this.at;
    this.at += length;
    return this.#bytes.subarray(start, this.at);
  }

  text(): string {
    const length = this.small();
    if (length < 0) throw new RangeError('a length is negative');
    this.#need(length);
    const start = this.at;
    this.at += length;
    return this.#bytes.toString('utf8', start, this.at);
  }

  #need(length: number): void {
    if (length > this.#bytes.length - this.at) throw new RangeError('it ends early');
  }
}
