// JSON text to values and back without losing digits: integers beyond 2^53 become `bigint`, other numbers that a double
// cannot hold as written stay text. Pure. https://www.rfc-editor.org/rfc/rfc8259
//
// | JSON | value |
// |---|---|
// | `9007199254740991`, `1.5`, `1e3` | number |
// | `9007199254740993` | `9007199254740993n` |
// | `0.12345678901234567890`, `1e400` | `'0.12345678901234567890'`, `'1e400'` |

import { JsonText, type Value } from '../sdk/index.ts';

/** Values nested deeper than this are refused: what reads or writes them later works by recursion. */
const MAX_DEPTH = 500;

/**
 * A number can only lose digits if it has 16 of them, or an exponent of three digits. Most texts have neither, and go to
 * `JSON.parse`, which is five times as fast.
 */
function mayLoseDigits(text: string): boolean {
  return hasLongRun(text) || EXPONENT.test(text);
}

const EXPONENT = /[0-9][eE][+-]?[0-9]{3}/;
const LONG = 16;

/** Digits and points, 16 of them: one is at a place that 16 divides. A pattern takes as long as `JSON.parse`, since it looks at all. */
function hasLongRun(text: string): boolean {
  for (let i = LONG; i <= text.length; i += LONG) {
    if (!isOfNumber(text, i - 1)) continue;
    let from = i - 1,
      to = i;
    while (isOfNumber(text, from - 1)) from--;
    while (isOfNumber(text, to)) to++;
    if (to - from >= LONG) return true;
  }
  return false;
}

/** A digit or a point. */
function isOfNumber(text: string, at: number): boolean {
  // NaN beyond the ends.
  const code = text.charCodeAt(at);
  return code <= NINE && code >= POINT && code !== SLASH;
}

const POINT = 46,
  SLASH = 47,
  NINE = 57;
/** `\ud800` and the like: halves of a pair that no text encoding can hold. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** Parses JSON. Throws `SyntaxError`, also for values that no destination could write: lone surrogates, extreme nesting. */
export function parseJson(text: string): Value {
  const value: Value = mayLoseDigits(text) ? new LosslessParser(text).parse() : parsePlain(text);
  if (text.length > 2 * MAX_DEPTH || (text.includes('\\u') && SURROGATE_ESCAPE.test(text))) assertWritable(value, 0);
  return value;
}

function parsePlain(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch (error) {
    // The engine quotes the text around the fault: data that has no place in logs.
    throw new SyntaxError((error as Error).message.replace(/, (\.\.\.)?".*"(\.\.\.)? is not valid JSON$/s, ' in JSON'));
  }
}

/** A value as JSON: `bigint` as digits, bytes as base64. Numbers that JSON has not (NaN, Infinity) become text. */
export function stringifyJson(value: Value): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return `"${value}"`;
  // Beyond 2^53 the shortest digits of a double are not its own: read back as an integer they would be another number.
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21)
    return BigInt(value).toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (value instanceof JsonText) return value.text;
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('base64')}"`;
  if (value instanceof JsonText) return value.text;
  if (isList(value)) return `[${value.map(stringifyJson).join(',')}]`;
  return `{${Object.entries(value)
    .map(([name, v]) => `${JSON.stringify(name)}:${stringifyJson(v)}`)
    .join(',')}}`;
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function assertWritable(value: Value, depth: number): void {
  if (typeof value === 'string') assertWellFormed(value);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof JsonText) return;
  if (depth >= MAX_DEPTH) throw new SyntaxError(`nested more than ${MAX_DEPTH} levels deep`);
  if (isList(value)) {
    for (const v of value) assertWritable(v, depth + 1);
    return;
  }
  for (const [name, v] of Object.entries(value)) {
    assertWellFormed(name);
    assertWritable(v, depth + 1);
  }
}

function assertWellFormed(text: string): void {
  if (/\p{Surrogate}/u.test(text)) throw new SyntaxError('a string holds half of a surrogate pair, which no text encoding can hold');
}

/** A mark, string, number or word. What is within a string is for `JSON.parse` to judge. */
const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("[^"\\]*(?:\\.[^"\\]*)*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(true|false|null))/sy;

/** The careful way: takes numbers as text first. Strings are left to `JSON.parse`. */
class LosslessParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Value {
    const value = this.#value(0);
    if (/[^ \t\n\r]/.test(this.#text.slice(this.#at))) throw this.#unexpected();
    return value;
  }

  #value(depth: number): Value {
    const [, mark, string, number, word] = this.#token();
    if (string !== undefined) return JSON.parse(string) as string;
    if (number !== undefined) return numberOf(number);
    if (word !== undefined) return word === 'null' ? null : word === 'true';
    if (depth >= MAX_DEPTH) throw new SyntaxError(`nested more than ${MAX_DEPTH} levels deep`);
    if (mark === '{') return this.#object(depth + 1);
    if (mark === '[') return this.#array(depth + 1);
    throw this.#unexpected();
  }

  #object(depth: number): Value {
    const result: { [key: string]: Value } = {};
    if (this.#skip('}')) return result;
    do {
      const name = this.#token()[2];
      if (name === undefined || !this.#skip(':')) throw this.#unexpected();
      // A plain assignment to `__proto__` would set the prototype instead of a field.
      Object.defineProperty(result, JSON.parse(name) as string, {
        value: this.#value(depth),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    } while (this.#skip(','));
    if (!this.#skip('}')) throw this.#unexpected();
    return result;
  }

  #array(depth: number): Value {
    const result: Value[] = [];
    if (this.#skip(']')) return result;
    do result.push(this.#value(depth));
    while (this.#skip(','));
    if (!this.#skip(']')) throw this.#unexpected();
    return result;
  }

  #token(): RegExpExecArray {
    TOKEN.lastIndex = this.#at;
    const token = TOKEN.exec(this.#text);
    if (token === null) throw this.#unexpected();
    this.#at = TOKEN.lastIndex;
    return token;
  }

  #skip(mark: string): boolean {
    const before = this.#at;
    TOKEN.lastIndex = before;
    if (TOKEN.exec(this.#text)?.[1] !== mark) return false;
    this.#at = TOKEN.lastIndex;
    return true;
  }

  #unexpected(): SyntaxError {
    return new SyntaxError(`Unexpected text in JSON at position ${this.#at}`);
  }
}

/** Invariant 6: a number whose digits a double would change is not made one. */
function numberOf(token: string): number | bigint | string {
  const number = Number(token);
  if (/^-?[0-9]+$/.test(token)) return Number.isSafeInteger(number) ? number : BigInt(token);
  return Number.isFinite(number) && digitsOf(token) === digitsOf(String(number)) ? number : token;
}

/** The value of a decimal text in one form: `1.50`, `15e-1` → `15e-1`; zero → `0`. */
function digitsOf(text: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(
    text,
  ) as RegExpExecArray;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
