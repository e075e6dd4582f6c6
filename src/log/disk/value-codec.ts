// Column values as bytes and back without loss. Pure. One tag byte per value; what is short stands in the tag itself.
//
// | tag | value |
// |---|---|
// | 0–3 | `null`, `true`, `false`, `undefined` |
// | 4, 5 | whole number, negative one: varint of its amount |
// | 6 | any other number (`-0`, `NaN`, fractions): eight bytes |
// | 7 | text: length; the characters stand in the text part |
// | 8 | bytes: length, bytes |
// | 9, 10 | array: count, values · object: count, then name and value |
// | 11, 12, 13 | bigint up to 2^53, negative one, any other as decimal text |
// | 14 | JSON in its source's text |
// | 15, 16 | text and JSON of a row that nobody decoded: length, then UTF-8, here and not in the text part |
// | 64–191 | text of 0–127 characters |
// | 192–255 | whole number 0–63 |

import { CdcError, JsonText, type Row, type Value } from '../../sdk/index.ts';
import type { FrameReader, FrameWriter } from './frame.ts';

export const NULL = 0,
  TRUE = 1,
  FALSE = 2,
  TEXT_BYTES = 15,
  JSON_BYTES = 16;
const UNDEFINED = 3,
  WHOLE = 4,
  NEGATIVE = 5,
  FLOAT = 6,
  TEXT = 7,
  BYTES = 8,
  ARRAY = 9,
  OBJECT = 10,
  BIG = 11,
  BIG_NEGATIVE = 12,
  BIG_TEXT = 13,
  JSON_TEXT = 14,
  SHORT_TEXT = 64,
  SMALL = 192;
const SHORT_TEXTS = SMALL - SHORT_TEXT,
  SMALL_NUMBERS = 256 - SMALL;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

export function writeValue(w: FrameWriter, value: unknown): void {
  switch (typeof value) {
    case 'string':
      if (value.length < SHORT_TEXTS) {
        w.byte(SHORT_TEXT + value.length);
        w.text += value;
      } else {
        w.byte(TEXT);
        w.string(value);
      }
      return;
    case 'number':
      writeNumber(w, value);
      return;
    case 'bigint':
      writeBigint(w, value);
      return;
    case 'boolean':
      w.byte(value ? TRUE : FALSE);
      return;
    case 'undefined':
      w.byte(UNDEFINED);
      return;
    default:
      if (value === null) w.byte(NULL);
      else writeObject(w, value as object);
  }
}

export function writeNumber(w: FrameWriter, n: number): void {
  if (!Number.isSafeInteger(n) || Object.is(n, -0)) {
    w.byte(FLOAT);
    w.float(n);
  } else if (n >= 0) {
    if (n < SMALL_NUMBERS) w.byte(SMALL + n);
    else {
      w.byte(WHOLE);
      w.varint(n);
    }
  } else {
    w.byte(NEGATIVE);
    w.varint(-n);
  }
}

function writeBigint(w: FrameWriter, n: bigint): void {
  if (n > MAX_SAFE || n < -MAX_SAFE) {
    w.byte(BIG_TEXT);
    w.string(n.toString());
    return;
  }
  const number = Number(n);
  w.byte(number < 0 ? BIG_NEGATIVE : BIG);
  w.varint(number < 0 ? -number : number);
}

function writeObject(w: FrameWriter, value: object): void {
  if (value instanceof Uint8Array) {
    w.byte(BYTES);
    w.bytes(value);
  } else if (value instanceof JsonText) {
    w.byte(JSON_TEXT);
    w.string(value.text);
  } else if (Array.isArray(value)) {
    w.byte(ARRAY);
    w.varint(value.length);
    for (const item of value) writeValue(w, item);
  } else {
    const prototype: unknown = Object.getPrototypeOf(value);
    // Invariant 6: a Date or a Map would come back as an empty object.
    if (prototype !== Object.prototype && prototype !== null) throw notAValue(value);
    const names = Object.keys(value);
    w.byte(OBJECT);
    w.varint(names.length);
    for (const name of names) {
      w.string(name);
      writeValue(w, (value as Record<string, unknown>)[name]);
    }
  }
}

function notAValue(value: unknown): CdcError {
  const what = typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'object') : typeof value;
  return new CdcError('PLUGIN_CONTRACT', `a change event holds a ${what}, which is not a column value`, {
    where: 'log',
    fix: 'Make the source or the transformer that adds it give out one of the types of `Value` (src/sdk/value.ts).',
  });
}

export function readValue(r: FrameReader): Value {
  const tag = r.byte();
  if (tag >= SMALL) return tag - SMALL;
  if (tag >= SHORT_TEXT) return r.take(tag - SHORT_TEXT);
  switch (tag) {
    case NULL:
      return null;
    case TRUE:
      return true;
    case FALSE:
      return false;
    case UNDEFINED:
      return undefined as unknown as Value;
    case WHOLE:
      return r.varint();
    case NEGATIVE:
      return -r.varint();
    case FLOAT:
      return r.float();
    case TEXT:
      return r.string();
    case BYTES:
      return r.bytes();
    case BIG:
      return BigInt(r.varint());
    case BIG_NEGATIVE:
      return BigInt(-r.varint());
    case BIG_TEXT:
      return BigInt(r.string());
    case JSON_TEXT:
      return new JsonText(r.string());
    case TEXT_BYTES:
      return r.utf8(r.varint());
    case JSON_BYTES:
      return new JsonText(r.utf8(r.varint()));
    case ARRAY:
      return Array.from({ length: r.varint() }, () => readValue(r));
    case OBJECT:
      return readObject(r);
    default:
      throw new RangeError(`unknown tag ${tag} of a value`);
  }
}

function readObject(r: FrameReader): Row {
  const object: Row = {};
  for (let left = r.varint(); left > 0; left--) {
    const name = r.string();
    setOwn(object, name, readValue(r));
  }
  return object;
}

/** A plain assignment to `__proto__` would set the prototype instead. */
export function setOwn(row: Row, name: string, value: Value): void {
  if (name === '__proto__') Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
  else row[name] = value;
}

/** A number written by `writeNumber`. */
export function readNumber(r: FrameReader): number {
  return readValue(r) as number;
}
