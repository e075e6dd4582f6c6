// Binary JSON → text as the server itself prints it, written as bytes: with a blank after `:` and `,`, numbers with all their
// digits, dates and decimals as their text. A column in the stream and in a snapshot so has the same text.
// https://dev.mysql.com/doc/dev/mysql-server/latest/json__binary_8h.html

import { escapedLength, MOST_ESCAPED, putEscaped } from '../../../envelope/text-bytes.ts';
import type { JsonSink } from '../../../sdk/index.ts';
import { ColumnType } from './column-type.ts';
import { DECIMAL_CHARACTERS, decimalBytes, putDecimal } from './decimal.ts';
import { isInline, JsonType, MOST_DEPTH, malformedJson, scalarBytes, varBehind, varLength } from './json-tree.ts';
import { putPacked, TEMPORAL_CHARACTERS } from './temporal.ts';

const QUOTE = 0x22,
  COMMA = 0x2c,
  COLON = 0x3a,
  SPACE = 0x20;
const LITERALS = ['null', 'true', 'false'];

/** Of the document being read: a document is read at once, and passing these on costs as much as a small value. */
let source: Buffer = Buffer.alloc(0),
  end = 0,
  /** No document has more values than bytes: offsets that point at the same place would make one that never ends. */
  left = 0;

/** Writes the document in `bytes` from `start` to `stop`. An empty one is `null`, as the server takes it. */
export function putJson(to: JsonSink, bytes: Buffer, start: number, stop: number): void {
  if (stop <= start) {
    to.text('null');
    return;
  }
  source = bytes;
  end = stop;
  left = stop - start;
  value(to, bytes[start] as number, start + 1, 0);
}

function uint(at: number, size: number): number {
  if (at + size > end) throw malformedJson('a number is cut off');
  const low = (source[at] as number) | ((source[at + 1] as number) << 8);
  return size === 2 ? low : low + ((source[at + 2] as number) << 16) + (source[at + 3] as number) * 0x1000000;
}

function value(to: JsonSink, type: number, at: number, depth: number): void {
  if (--left < 0 || depth > MOST_DEPTH) throw malformedJson('values within each other');
  if (type <= JsonType.largeArray) {
    container(to, type, at, depth);
    return;
  }
  if (type === JsonType.string) {
    const length = varLength(source, at, end);
    text(to, varBehind, varBehind + length);
    return;
  }
  if (scalarBytes(type, source, at, end) > end - at) throw malformedJson('a value is cut off');
  switch (type) {
    case JsonType.literal:
      to.text(LITERALS[source[at] as number] ?? unknownLiteral(source[at] as number));
      break;
    case JsonType.int16:
      to.integer((uint(at, 2) << 16) >> 16);
      break;
    case JsonType.uint16:
      to.integer(uint(at, 2));
      break;
    case JsonType.int32:
      to.integer(source.readInt32LE(at));
      break;
    case JsonType.uint32:
      to.integer(uint(at, 4));
      break;
    case JsonType.int64:
      to.text(source.readBigInt64LE(at).toString());
      break;
    case JsonType.uint64:
      to.text(source.readBigUInt64LE(at).toString());
      break;
    case JsonType.double:
      to.text(doubleText(source.readDoubleLE(at)));
      break;
    default: {
      const length = varLength(source, at + 1, end);
      opaque(to, source[at] as number, varBehind, varBehind + length);
    }
  }
}

function unknownLiteral(n: number): never {
  throw malformedJson(`the unknown literal ${n}`);
}

/** Longer ones get the room that they need, not that for the worst. */
const LONG_TEXT_BYTES = 4096;

function text(to: JsonSink, start: number, stop: number): void {
  const length = stop - start;
  to.room(length > LONG_TEXT_BYTES ? escapedLength(source, start, stop) : length * MOST_ESCAPED + 2);
  to.at = putEscaped(to.bytes, to.at, source, start, stop);
}

function mark(to: JsonSink, character: number): void {
  to.room(1);
  to.bytes[to.at++] = character;
}

function container(to: JsonSink, type: number, at: number, depth: number): void {
  const isLarge = (type & 1) === 1,
    size = isLarge ? 4 : 2,
    isObject = type <= JsonType.largeObject,
    count = uint(at, size),
    keysAt = at + 2 * size,
    valuesAt = keysAt + (isObject ? count * (size + 2) : 0);
  if (valuesAt + count * (size + 1) > end) throw malformedJson(`${count} members`);
  mark(to, isObject ? 0x7b : 0x5b);
  for (let i = 0; i < count; i++) {
    if (i > 0) pair(to, COMMA);
    if (isObject) key(to, at, keysAt + i * (size + 2), size);
    const entry = valuesAt + i * (size + 1),
      entryType = source[entry] as number;
    value(to, entryType, isInline(entryType, isLarge) ? entry + 1 : at + uint(entry + 1, size), depth + 1);
  }
  mark(to, isObject ? 0x7d : 0x5d);
}

function pair(to: JsonSink, character: number): void {
  to.room(2);
  to.bytes[to.at++] = character;
  to.bytes[to.at++] = SPACE;
}

function key(to: JsonSink, base: number, entry: number, size: number): void {
  const start = base + uint(entry, size),
    stop = start + uint(entry + size, 2);
  if (stop > end) throw malformedJson('a name is cut off');
  // A document that names one long text again and again is none of a server.
  left -= (stop - start) >> 6;
  text(to, start, stop);
  pair(to, COLON);
}

/** Beyond, the server prints an exponent. */
const MOST_WHOLE_DIGITS = 15,
  MOST_ZEROS = 14;

/**
 * As `my_gcvt` prints it, and never without a point or an exponent: a whole number would be read as an integer.
 *
 * | double | text |
 * |---|---|
 * | 1, 0.5, -0 | `1.0`, `0.5`, `-0.0` |
 * | 1e15, 1e-7, 1e-20 | `1e15`, `0.0000001`, `1e-20` |
 */
export function doubleText(n: number): string {
  if (n === 0) return Object.is(n, -0) ? '-0.0' : '0.0';
  if (!Number.isFinite(n)) throw malformedJson(`the number ${n}`);
  const plain = `${n}`,
    size = Math.abs(n);
  if (size >= 1e-6 && size < 10 ** MOST_WHOLE_DIGITS) return Number.isInteger(n) ? `${plain}.0` : plain;
  const [mantissa = '', exponentText = ''] = n.toExponential().split('e'),
    exponent = Number(exponentText);
  if (exponent >= MOST_WHOLE_DIGITS || exponent < -MOST_ZEROS - 1) return `${mantissa}e${exponent}`;
  const sign = n < 0 ? '-' : '';
  return `${sign}0.${'0'.repeat(-exponent - 1)}${mantissa.replace(/[-.]/g, '')}`;
}

/** Values that JSON has no form for. */
function opaque(to: JsonSink, type: number, start: number, stop: number): void {
  switch (type) {
    case ColumnType.newDecimal: {
      const precision = source[start] as number,
        scale = source[start + 1] as number,
        length = decimalBytes(precision, scale);
      if (stop - start < 2 || length === null || length > stop - start - 2) throw malformedJson('a decimal is cut off');
      to.room(DECIMAL_CHARACTERS);
      to.at = putDecimal(to.bytes, to.at, source, start + 2, precision, scale);
      return;
    }
    case ColumnType.date:
    case ColumnType.newDate:
      packed(to, start, stop, 'date');
      return;
    case ColumnType.time:
    case ColumnType.time2:
      packed(to, start, stop, 'time');
      return;
    case ColumnType.datetime:
    case ColumnType.datetime2:
    case ColumnType.timestamp:
    case ColumnType.timestamp2:
      packed(to, start, stop, 'datetime');
      return;
    default:
      to.text(`"base64:type${type}:${source.toString('base64', start, stop)}"`);
  }
}

function packed(to: JsonSink, start: number, stop: number, kind: 'date' | 'datetime' | 'time'): void {
  if (stop - start !== 8) throw malformedJson(`a ${kind} of ${stop - start} bytes`);
  to.room(TEMPORAL_CHARACTERS + 2);
  to.bytes[to.at] = QUOTE;
  to.at = putPacked(to.bytes, to.at + 1, source.readBigInt64LE(start), kind);
  to.bytes[to.at++] = QUOTE;
}
