// Reads the parts of one message and never looks past its end. For all messages but the rows, which have a faster way.

import { PgoutputError } from './errors.ts';

export class MessageReader {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  at: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.at = start;
  }

  fail(what: string): never {
    throw new PgoutputError(what, this.at - this.start);
  }

  /** Every message has its exact length: what is left over says that it was misread. */
  finish(): void {
    if (this.at !== this.end) this.fail(`${this.end - this.at} bytes too many`);
  }

  #take(length: number, what: string): number {
    if (length > this.end - this.at) this.fail(`${what} is cut off`);
    const at = this.at;
    this.at += length;
    return at;
  }

  byte(what: string): number {
    return this.bytes[this.#take(1, what)] as number;
  }
  int16(what: string): number {
    return this.bytes.readInt16BE(this.#take(2, what));
  }
  int32(what: string): number {
    return this.bytes.readInt32BE(this.#take(4, what));
  }
  /** Object and transaction ids are unsigned. */
  uint32(what: string): number {
    return this.bytes.readUInt32BE(this.#take(4, what));
  }
  int64(what: string): bigint {
    return this.bytes.readBigInt64BE(this.#take(8, what));
  }
  lsn(what: string): bigint {
    return this.bytes.readBigUInt64BE(this.#take(8, what));
  }

  /** Ends with a zero byte, which is read too. */
  string(what: string): string {
    const { bytes, at, end } = this;
    let stop = at;
    while (stop < end && bytes[stop] !== 0) stop++;
    if (stop === end) this.fail(`${what} has no end`);
    this.at = stop + 1;
    return bytes.toString('utf8', at, stop);
  }

  /** A view, not a copy: the bytes of the stream are never rewritten. */
  view(length: number, what: string): Uint8Array {
    if (length < 0) this.fail(`${what} has a length of ${length}`);
    const at = this.#take(length, what);
    return this.bytes.subarray(at, at + length);
  }
}
