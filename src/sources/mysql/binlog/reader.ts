// Reads the parts of one event and never looks past its end. For all events but the rows, which have a faster way.

import { BinlogError } from './errors.ts';

export const HEADER_BYTES = 19;
const TWO_BYTES = 0xfc,
  THREE_BYTES = 0xfd,
  EIGHT_BYTES = 0xfe;

export class EventReader {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  at: number;

  /** `from`: behind the header; `end`: before the checksum. */
  constructor(bytes: Buffer, start: number, end: number, from: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.at = from;
  }

  get left(): number {
    return this.end - this.at;
  }

  fail(what: string): never {
    throw new BinlogError('malformed', what, this.at - this.start);
  }

  /** What is left over says that the event was misread. */
  finish(): void {
    if (this.at !== this.end) this.fail(`${this.end - this.at} bytes too many`);
  }

  take(length: number, what: string): number {
    if (length < 0 || length > this.end - this.at) this.fail(`${what} is cut off`);
    const at = this.at;
    this.at += length;
    return at;
  }

  byte(what: string): number {
    return this.bytes[this.take(1, what)] as number;
  }
  uint16(what: string): number {
    return this.bytes.readUInt16LE(this.take(2, what));
  }
  uint24(what: string): number {
    return this.bytes.readUIntLE(this.take(3, what), 3);
  }
  uint32(what: string): number {
    return this.bytes.readUInt32LE(this.take(4, what));
  }
  int32(what: string): number {
    return this.bytes.readInt32LE(this.take(4, what));
  }
  uint48(what: string): number {
    return this.bytes.readUIntLE(this.take(6, what), 6);
  }
  uint56(what: string): number {
    const at = this.take(7, what);
    return this.#safe(BigInt(this.bytes.readUIntLE(at, 4)) + (BigInt(this.bytes.readUIntLE(at + 4, 3)) << 32n), what);
  }
  bigUint64(what: string): bigint {
    return this.bytes.readBigUInt64LE(this.take(8, what));
  }
  /** Positions and counts: beyond 2^53 they are no such thing. */
  uint64(what: string): number {
    return this.#safe(this.bigUint64(what), what);
  }

  #safe(n: bigint, what: string): number {
    if (n > BigInt(Number.MAX_SAFE_INTEGER)) this.fail(`${what} is ${n}`);
    return Number(n);
  }

  /** An integer of one, three, four or nine bytes ("length-encoded"). */
  packedInteger(what: string): number {
    const first = this.byte(what);
    if (first < 0xfb) return first;
    if (first === TWO_BYTES) return this.uint16(what);
    if (first === THREE_BYTES) return this.uint24(what);
    if (first === EIGHT_BYTES) return this.uint64(what);
    return this.fail(`${what} begins with ${first}`);
  }

  text(length: number, what: string): string {
    const at = this.take(length, what);
    return this.bytes.toString('utf8', at, at + length);
  }
  packedText(what: string): string {
    return this.text(this.packedInteger(what), what);
  }
  packedBytes(what: string): Buffer {
    return this.view(this.packedInteger(what), what);
  }
  rest(): string {
    return this.text(this.left, 'the text');
  }

  /** A view, not a copy. */
  view(length: number, what: string): Buffer {
    const at = this.take(length, what);
    return this.bytes.subarray(at, at + length);
  }

  /** The next `length` bytes as something of their own. */
  part(length: number, what: string): EventReader {
    const at = this.take(length, what);
    return new EventReader(this.bytes, this.start, at + length, at);
  }
}
