// Bytes and texts of one record. Numbers, tags and lengths stand in a binary part; all texts are joined and stand behind it,
// written by one call and read by one: a call per text costs more than everything else together.
//
// | bytes | holds |
// |---|---|
// | 1 | how the text is written: 0 one byte per character, 1 UTF-8, 2 UTF-16 (texts with half a surrogate pair) |
// | 4 | length of the binary part |
// | 4 | length of the text in bytes |
// | … | binary part, then text |

const HEAD_BYTES = 9;
const FIRST_BYTES = 64 * 1024;
const ONE_BYTE = 0,
  UTF8 = 1,
  UTF16 = 2;

/** ES2024; all supported versions of Node have it. */
const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed();

/** Used again for each record. Fields are open because the codecs write through them, a call per byte being too slow. */
export class FrameWriter {
  buffer = Buffer.allocUnsafe(FIRST_BYTES);
  at = 0;
  /** Joined so far. A rope inside the engine, made flat once at the end. */
  text = '';

  reset(): void {
    this.at = 0;
    this.text = '';
  }

  /** Makes room for `bytes` more. */
  ensure(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + bytes));
    this.buffer.copy(larger, 0, 0, this.at);
    this.buffer = larger;
  }

  byte(n: number): void {
    if (this.at === this.buffer.length) this.ensure(1);
    this.buffer[this.at++] = n;
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte. */
  varint(n: number): void {
    if (this.at + 8 > this.buffer.length) this.ensure(8);
    const b = this.buffer;
    let at = this.at,
      rest = n;
    for (; rest >= 0x8000_0000; rest = Math.floor(rest / 128)) b[at++] = (rest % 128) | 0x80;
    for (; rest >= 0x80; rest >>>= 7) b[at++] = (rest & 0x7f) | 0x80;
    b[at++] = rest;
    this.at = at;
  }

  float(n: number): void {
    this.ensure(8);
    this.at = this.buffer.writeDoubleLE(n, this.at);
  }

  uint32(n: number): void {
    this.ensure(4);
    this.at = this.buffer.writeUInt32LE(n, this.at);
  }

  string(text: string): void {
    this.varint(text.length);
    this.text += text;
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.ensure(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** The frame as bytes of its own. */
  finish(): Buffer {
    const { text, at } = this;
    const kind = textKind(text);
    const textBytes = kind === ONE_BYTE ? text.length : kind === UTF16 ? text.length * 2 : Buffer.byteLength(text);
    const frame = Buffer.allocUnsafe(HEAD_BYTES + at + textBytes);
    frame[0] = kind;
    frame.writeUInt32LE(at, 1);
    frame.writeUInt32LE(textBytes, 5);
    this.buffer.copy(frame, HEAD_BYTES, 0, at);
    frame.write(text, HEAD_BYTES + at, kind === ONE_BYTE ? 'latin1' : kind === UTF16 ? 'utf16le' : 'utf8');
    return frame;
  }
}

function textKind(text: string): number {
  if (Buffer.byteLength(text) === text.length) return ONE_BYTE;
  return isWellFormed(text) ? UTF8 : UTF16;
}

/** Reads what a `FrameWriter` wrote, in the same order. The bytes are shared with the caller's. */
export class FrameReader {
  readonly buffer: Buffer;
  readonly text: string;
  /** Where the frame ends in the bytes it was read from. */
  readonly end: number;
  at = 0;
  textAt = 0;

  /** Throws `RangeError` when the bytes hold no whole frame. */
  constructor(bytes: Buffer, from = 0) {
    const kind = bytes.readUInt8(from),
      binary = bytes.readUInt32LE(from + 1),
      text = bytes.readUInt32LE(from + 5);
    const middle = from + HEAD_BYTES + binary;
    this.end = middle + text;
    if (this.end > bytes.length || kind > UTF16) throw new RangeError('a frame ends beyond its record');
    this.buffer = bytes.subarray(from + HEAD_BYTES, middle);
    this.text = bytes.toString(kind === ONE_BYTE ? 'latin1' : kind === UTF16 ? 'utf16le' : 'utf8', middle, this.end);
  }

  byte(): number {
    const byte = this.buffer[this.at++];
    if (byte === undefined) throw new RangeError('a frame is shorter than what it should hold');
    return byte;
  }

  varint(): number {
    let byte = this.byte();
    if (byte < 0x80) return byte;
    let n = byte & 0x7f,
      factor = 128;
    for (;;) {
      byte = this.byte();
      n += (byte & 0x7f) * factor;
      if (byte < 0x80) return n;
      factor *= 128;
    }
  }

  float(): number {
    const n = this.buffer.readDoubleLE(this.at);
    this.at += 8;
    return n;
  }

  uint32(): number {
    const n = this.buffer.readUInt32LE(this.at);
    this.at += 4;
    return n;
  }

  string(): string {
    return this.take(this.varint());
  }

  take(length: number): string {
    const from = this.textAt;
    this.textAt = from + length;
    return this.text.substring(from, this.textAt);
  }

  /** So many bytes of the binary part as text. */
  utf8(length: number): string {
    const from = this.at;
    this.at = from + length;
    if (this.at > this.buffer.length) throw new RangeError('a frame is shorter than what it should hold');
    return this.buffer.toString('utf8', from, this.at);
  }

  /** A copy: the record's bytes may be part of a large block. */
  bytes(): Uint8Array {
    const length = this.varint(),
      from = this.at;
    this.at += length;
    const copy = new Uint8Array(length);
    copy.set(this.buffer.subarray(from, this.at));
    return copy;
  }
}
