// JSON bytes to values without losing digits: an integer that a JS number cannot hold becomes a bigint. Text that is not
// JSON is an error of the source.

import { CdcError, type Value } from '../sdk/index.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });
/** Only with as many digits in a row can an integer be beyond 2^53. */
const LONG_NUMBER = /\d{16}/;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\r\n]*/y;
const SHOWN_BYTES = 80;

export const hasLongNumber = (text: string): boolean => LONG_NUMBER.test(text);

/**
 * Throws `SOURCE_DATA_INVALID`. `what` names the input in the message: `the value of a debezium record`. `needsDigits`: whether the text
 * may hold an integer beyond 2^53 that anybody looks at.
 */
export function parseJson(bytes: Uint8Array, what: string, needsDigits: (text: string) => boolean = hasLongNumber): Value {
  try {
    const text = utf8.decode(bytes);
    const value = JSON.parse(text) as Value;
    // The own reader costs a multiple of JSON.parse, and relies on the text being JSON.
    return needsDigits(text) ? new Reader(text).value() : value;
  } catch (cause) {
    throw invalid(`Expected ${what} to be JSON, got ${bytes.length} bytes that start with ${shown(bytes)}.`, cause);
  }
}

/** The start of the bytes, quoted; only a part, because values may be private. */
function shown(bytes: Uint8Array): string {
  return JSON.stringify(Buffer.from(bytes.subarray(0, SHOWN_BYTES / 4)).toString('latin1'));
}

export function invalid(message: string, cause?: unknown): CdcError {
  return new CdcError('SOURCE_DATA_INVALID', message, { cause, fix: 'Set the envelope type to what the producer writes.' });
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): Value {
    switch (this.#peek()) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        this.#at += 4;
        return true;
      case 'f':
        this.#at += 5;
        return false;
      case 'n':
        this.#at += 4;
        return null;
      default:
        return this.#number();
    }
  }

  #peek(): string {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
    return this.#text.charAt(this.#at);
  }

  #object(): Value {
    const object: { [key: string]: Value } = {};
    this.#at++;
    while (this.#peek() !== '}') {
      const key = this.#string();
      this.#peek();
      this.#at++; // the colon
      // Not by assignment: that would set the prototype for a key `__proto__`.
      Object.defineProperty(object, key, { value: this.value(), enumerable: true, configurable: true, writable: true });
      if (this.#peek() === ',') {
        this.#at++;
      }
    }
    this.#at++;
    return object;
  }

  #array(): Value {
    const array: Value[] = [];
    this.#at++;
    while (this.#peek() !== ']') {
      array.push(this.value());
      if (this.#peek() === ',') this.#at++;
    }
    this.#at++;
    return array;
  }

  #string(): string {
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    while (this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    this.#at = end + 1;
    return JSON.parse(this.#text.slice(start, end + 1)) as string;
  }

  /** An odd number of backslashes stands before it. */
  #isEscaped(at: number): boolean {
    let before = at - 1;
    while (this.#text.charAt(before) === '\\') before--;
    return (at - before) % 2 === 0;
  }

  #number(): Value {
    NUMBER.lastIndex = this.#at;
    const token = NUMBER.exec(this.#text)?.[0] ?? '';
    this.#at += token.length;
    const number = Number(token);
    return Number.isSafeInteger(number) || /[.eE]/.test(token) ? number : BigInt(token);
  }
}

/** A JSON object as a row; `null` stays. Throws `SOURCE_DATA_INVALID` for other values; `what` names it. */
export function asRow(value: Value | undefined, what: string): { readonly [key: string]: Value } | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array))
    return value as { readonly [key: string]: Value };
  throw invalid(`Expected ${what} to be an object, got ${Array.isArray(value) ? 'an array' : `a ${typeof value}`}.`);
}

export function asText(value: Value | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

export function asMilliseconds(value: Value | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
