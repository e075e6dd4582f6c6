// Single values of rows: bytes → value, and bytes → the JSON of that value without making it. For each kind of column both, so
// that they cannot drift apart: what is read is made of what is written wherever the value is a text.

import { inflateRawSync, inflateSync } from 'node:zlib';
import { base64 } from '../../envelope/json.ts';
import { escapedLength, putEscaped } from '../../envelope/text-bytes.ts';
import { type JsonSink, JsonText, type TextForm, type Value } from '../../sdk/index.ts';
import type { Charset } from './binlog/charsets.ts';
import { DECIMAL_CHARACTERS, putDecimal } from './binlog/decimal.ts';
import { BinlogError } from './binlog/errors.ts';
import { putJson } from './binlog/json-binary.ts';
import { TEMPORAL_CHARACTERS } from './binlog/temporal.ts';

export interface Codec {
  readonly form: TextForm;
  readonly decode: (bytes: Buffer, start: number, end: number) => Value;
  /** Absent: the bytes are the text that `form` says. */
  readonly put?: (to: JsonSink, bytes: Buffer, start: number, end: number) => void;
}

const QUOTE = 0x22;
const EXACT_HIGH = 0x20_00_00;

type ReadNumber = (bytes: Buffer, start: number) => number;

function integer(read: ReadNumber): Codec {
  return { form: 'digits', decode: read, put: (to, bytes, start) => to.integer(read(bytes, start)) };
}

const uint16: ReadNumber = (b, at) => (b[at] as number) | ((b[at + 1] as number) << 8);
const uint24: ReadNumber = (b, at) => uint16(b, at) | ((b[at + 2] as number) << 16);
const int32: ReadNumber = (b, at) => uint24(b, at) | ((b[at + 3] as number) << 24);
const uint32: ReadNumber = (b, at) => int32(b, at) >>> 0;

export const int8Codec = integer((b, at) => ((b[at] as number) << 24) >> 24);
export const uint8Codec = integer((b, at) => b[at] as number);
export const int16Codec = integer((b, at) => (uint16(b, at) << 16) >> 16);
export const uint16Codec = integer(uint16);
export const int24Codec = integer((b, at) => (uint24(b, at) << 8) >> 8);
export const uint24Codec = integer(uint24);
export const int32Codec = integer(int32);
/** 0 is the year 0000. */
export const yearCodec = integer((b, at) => (b[at] === 0 ? 0 : 1900 + (b[at] as number)));

/** Of `int unsigned`: an int64 as a type, so a bigint. */
export const uint32Codec: Codec = {
  form: 'digits',
  decode: (b, at) => BigInt(uint32(b, at)),
  put: (to, b, at) => to.integer(uint32(b, at)),
};

function long(read: (b: Buffer, at: number) => bigint, high: ReadNumber): Codec {
  return {
    form: 'digits',
    decode: (b, at) => {
      const h = high(b, at + 4);
      return h < EXACT_HIGH && h >= 0 ? BigInt(h * 0x1_0000_0000 + uint32(b, at)) : read(b, at);
    },
    put: (to, b, at) => {
      const h = high(b, at + 4);
      if (h < EXACT_HIGH && h >= 0) to.integer(h * 0x1_0000_0000 + uint32(b, at));
      else to.text(read(b, at).toString());
    },
  };
}
export const int64Codec = long((b, at) => b.readBigInt64LE(at), int32);
export const uint64Codec = long((b, at) => b.readBigUInt64LE(at), uint32);

/**
 * The fewest digits that tell a single from its neighbours: `3.1415927`, not `3.1415927410125732`. A column of such numbers shows
 * what was stored, and gives the same bits again.
 */
export function shortestFloat(n: number): number {
  if (Number.isInteger(n) && Math.abs(n) < 1e7) return n;
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(n.toPrecision(digits));
    if (Math.fround(shorter) === n) return shorter;
  }
  return Number(n.toPrecision(9));
}

export const floatCodec: Codec = {
  form: 'float',
  decode: (b, at) => shortestFloat(b.readFloatLE(at)),
  put: (to, b, at) => number(to, shortestFloat(b.readFloatLE(at))),
};
export const doubleCodec: Codec = {
  form: 'float',
  decode: (b, at) => b.readDoubleLE(at),
  put: (to, b, at) => number(to, b.readDoubleLE(at)),
};

/** The server stores neither NaN nor infinities. */
function number(to: JsonSink, n: number): void {
  if (n > Number.MAX_SAFE_INTEGER || n < Number.MIN_SAFE_INTEGER) to.text(n.toExponential());
  else to.text(Object.is(n, -0) ? '-0' : `${n}`);
}

/** Writes text at a place and gives the place behind it. */
type PutText = (out: Buffer, at: number, bytes: Buffer, start: number) => number;

const scratch = Buffer.alloc(Math.max(DECIMAL_CHARACTERS, TEMPORAL_CHARACTERS) + 2);

/** Text of few ASCII characters, none of which JSON escapes. `most`: how many. */
function ascii(form: TextForm, most: number, put: PutText): Codec {
  return {
    form,
    decode: (bytes, start) => scratch.toString('latin1', 0, put(scratch, 0, bytes, start)),
    put: (to, bytes, start) => {
      to.room(most + 2);
      const out = to.bytes;
      out[to.at] = QUOTE;
      const end = put(out, to.at + 1, bytes, start);
      out[end] = QUOTE;
      to.at = end + 1;
    },
  };
}

export const decimalCodec = (precision: number, scale: number): Codec =>
  ascii('ascii', DECIMAL_CHARACTERS, (out, at, bytes, start) => putDecimal(out, at, bytes, start, precision, scale));

/** Only of a `timestamptz` is the form of use: its digits are those of its column. */
export const temporalCodec = (form: TextForm, put: PutText): Codec => ascii(form, TEMPORAL_CHARACTERS, put);

function putString(to: JsonSink, bytes: Buffer, start: number, end: number): void {
  to.room(escapedLength(bytes, start, end));
  to.at = putEscaped(to.bytes, to.at, bytes, start, end);
}

export function textCodec(charset: Charset): Codec {
  const { decode } = charset;
  if (charset.form === 'utf8') return { form: 'text', decode };
  if (charset.name === 'latin1') {
    return {
      form: 'text',
      decode,
      put: (to, b, start, end) => (isAscii(b, start, end) ? putString(to, b, start, end) : to.string(decode(b, start, end))),
    };
  }
  return { form: 'text', decode, put: (to, b, start, end) => to.string(decode(b, start, end)) };
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((bytes[i] as number) > 0x7f) return false;
  return true;
}

function bytesOf(bytes: Buffer, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

function ofBytes(read: (bytes: Buffer, start: number, end: number) => Uint8Array): Codec {
  return { form: 'other', decode: read, put: (to, b, start, end) => to.text(`"${base64(read(b, start, end))}"`) };
}

export const bytesCodec = ofBytes(bytesOf);

/** BINARY(n): zeros at the end are not sent. */
function padded(bytes: Buffer, start: number, end: number, length: number): Buffer {
  const whole = Buffer.alloc(Math.max(length, end - start));
  bytes.copy(whole, 0, start, end);
  return whole;
}
export const binaryCodec = (length: number): Codec => ofBytes((b, start, end) => new Uint8Array(padded(b, start, end, length)));

function ofText(read: (bytes: Buffer, start: number, end: number) => string): Codec {
  return { form: 'ascii', decode: read, put: (to, b, start, end) => to.text(`"${read(b, start, end)}"`) };
}

export const uuidCodec = ofText((b, start, end) => {
  const hex = padded(b, start, end, 16).toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
});

export const inet4Codec = ofText((b, start, end) => padded(b, start, end, 4).subarray(0, 4).join('.'));

/** As the server prints it: the longest run of zeros as `::`, embedded IPv4 addresses with points. */
export const inet6Codec = ofText((b, start, end) => inet6Text(padded(b, start, end, 16)));

export function inet6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2));
  let at = -1,
    length = 1;
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n++;
    if (n > length) [at, length] = [i, n];
  }
  const hex = groups.map((g) => g.toString(16)),
    isMapped = at === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff)),
    last = isMapped ? [bytes.subarray(12, 16).join('.')] : hex.slice(6);
  const parts = [...hex.slice(0, 6), ...last];
  if (at < 0) return parts.join(':');
  return `${parts.slice(0, at).join(':')}::${parts.slice(at + length).join(':')}`;
}

/** `1011`: the highest bit first, all of the column's. */
export const bitsCodec = (length: number): Codec =>
  ofText((b, start, end) => {
    let text = '';
    for (let i = start; i < end; i++) text += (b[i] as number).toString(2).padStart(8, '0');
    return text.slice(Math.max(0, text.length - length)).padStart(length, '0');
  });

/** `values` in order; 0 is what a server that is not strict stores for a text that is none of them. */
export function enumCodec(values: readonly string[]): Codec {
  const all = ['', ...values],
    json = all.map((text) => JSON.stringify(text));
  const index = (b: Buffer, start: number, end: number): number => {
    const n = end - start === 1 ? (b[start] as number) : uint16(b, start);
    return n < all.length ? n : outside(n, values.length);
  };
  return {
    form: 'text',
    decode: (b, start, end) => all[index(b, start, end)] as string,
    put: (to, b, start, end) => to.text(json[index(b, start, end)] as string),
  };
}

function outside(n: number, count: number): never {
  throw new BinlogError('malformed', `value ${n} of an ENUM or SET of ${count} values`);
}

export function setCodec(values: readonly string[]): Codec {
  const read = (b: Buffer, start: number, end: number): string => {
    let text = '',
      isFirst = true;
    for (let i = start; i < end; i++) {
      const bits = b[i] as number;
      for (let k = 0; k < 8; k++) {
        if (((bits >> k) & 1) === 0) continue;
        const n = (i - start) * 8 + k,
          name = values[n] ?? outside(n + 1, values.length);
        text += isFirst ? name : `,${name}`;
        isFirst = false;
      }
    }
    return text;
  };
  return { form: 'text', decode: read, put: (to, b, start, end) => to.string(read(b, start, end)) };
}

const SRID_BYTES = 4,
  WKB_HEAD_BYTES = 5,
  HAS_SRID = 0x20_00_00_00;

/** A system of reference and well-known binary → extended well-known binary, the form of PostGIS: with the system in it, if it has one. */
export const geometryCodec = ofBytes((b, start, end) => {
  const wkbAt = start + SRID_BYTES;
  if (end - wkbAt < WKB_HEAD_BYTES || uint32(b, start) === 0) return bytesOf(b, Math.min(wkbAt, end), end);
  const ewkb = Buffer.alloc(end - start),
    isLittle = b[wkbAt] === 1,
    type = isLittle ? b.readUInt32LE(wkbAt + 1) : b.readUInt32BE(wkbAt + 1),
    srid = uint32(b, start);
  ewkb[0] = b[wkbAt] as number;
  if (isLittle) {
    ewkb.writeUInt32LE((type | HAS_SRID) >>> 0, 1);
    ewkb.writeUInt32LE(srid, 5);
  } else {
    ewkb.writeUInt32BE((type | HAS_SRID) >>> 0, 1);
    ewkb.writeUInt32BE(srid, 5);
  }
  b.copy(ewkb, 9, wkbAt + WKB_HEAD_BYTES, end);
  return new Uint8Array(ewkb);
});

/** Where a document is written when its text is asked for. */
class TextSink implements JsonSink {
  bytes: Buffer = Buffer.allocUnsafe(4096);
  at = 0;
  room(length: number): void {
    if (this.bytes.length - this.at >= length) return;
    const larger = Buffer.allocUnsafe((this.at + length) * 2);
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }
  integer(n: number): void {
    this.text(`${n}`);
  }
  text(text: string): void {
    this.room(text.length * 3);
    this.at += this.bytes.write(text, this.at);
  }
  string(text: string): void {
    this.text(JSON.stringify(text));
  }
}

/** Larger ones are not kept for the next document. */
const KEPT_BYTES = 1024 * 1024;
let sink = new TextSink();

export const jsonCodec: Codec = {
  form: 'jsonLine',
  decode: (b, start, end) => {
    sink.at = 0;
    putJson(sink, b, start, end);
    const text = sink.bytes.toString('utf8', 0, sink.at);
    if (sink.bytes.length > KEPT_BYTES) sink = new TextSink();
    return new JsonText(text) as unknown as Value;
  },
  put: putJson,
};

export const vectorCodec: Codec = {
  form: 'other',
  decode: (b, start, end) => Array.from({ length: (end - start) >> 2 }, (_, i) => shortestFloat(b.readFloatLE(start + i * 4))),
};

const METHOD = 0xf0,
  ZLIB = 0x80,
  RAW = 0x08,
  LENGTH_BYTES = 0x07;
/** What the server lets a column hold. */
const MOST_BYTES = 0xff_ff_ff_ff;

/** Columns of MariaDB that are COMPRESSED: a byte says how, then the length, then zlib. Nothing at all is the empty text. */
export function uncompressed(bytes: Buffer, start: number, end: number): Buffer {
  if (end <= start) return Buffer.alloc(0);
  const head = bytes[start] as number,
    lengthBytes = head & LENGTH_BYTES;
  if ((head & METHOD) === 0) return bytes.subarray(start + 1, end);
  if ((head & METHOD) !== ZLIB) throw new BinlogError('unsupported', `a column compressed by method ${head >> 4}`);
  if (lengthBytes < 1 || lengthBytes > 4 || end - start < 1 + lengthBytes)
    throw new BinlogError('malformed', 'a compressed column is cut off');
  const length = bytes.readUIntBE(start + 1, lengthBytes),
    packed = bytes.subarray(start + 1 + lengthBytes, end);
  try {
    const whole = ((head & RAW) === 0 ? inflateSync : inflateRawSync)(packed, {
      maxOutputLength: Math.max(1, Math.min(length, MOST_BYTES)),
    });
    if (whole.length === length) return whole;
  } catch (error) {
    throw new BinlogError('malformed', `a compressed column that zlib does not read (${(error as Error).message})`);
  }
  throw new BinlogError('malformed', 'a compressed column of another length than it says');
}

export function compressedCodec(inner: Codec): Codec {
  const decode: Codec['decode'] = (b, start, end) => {
    const whole = uncompressed(b, start, end);
    return inner.decode(whole, 0, whole.length);
  };
  return {
    form: inner.form,
    decode,
    put: (to, b, start, end) => {
      const value = decode(b, start, end);
      if (typeof value === 'string') to.string(value);
      else to.text(`"${base64(value as Uint8Array)}"`);
    },
  };
}
