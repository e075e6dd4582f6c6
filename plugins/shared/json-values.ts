// JSON texts as values that keep every digit. Pure.

import { JsonText, type Value } from 'cdc-run/sdk';
import { formatDecimal, isSameNumber, parseDecimal, rescale } from './number-text.ts';

/** Numbers of up to 15 digits are what JSON.parse makes of them. */
const MAY_LOSE_DIGITS = /[\d.]{16}|\d[eE]/;
const TOKEN = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|([^\s{}[\],:"]+))\s*/y;

/**
 * What a column of JSON holds, to look into. A number that a float64 does not keep is a `bigint` where it is whole, else its text as
 * `JsonText`. A text that is no JSON stays what it is.
 */
export function lookInto(value: Value): Value {
  if (!(value instanceof JsonText)) return value;
  if (!MAY_LOSE_DIGITS.test(value.text)) return value.parse() as Value;
  try {
    JSON.parse(value.text);
  } catch {
    return value.text;
  }
  return new Reader(value.text).value();
}

/** Reads a text that is known to be JSON. */
class Reader {
  readonly #text: string;
  #at = 0;
  #token = '';

  constructor(text: string) {
    this.#text = text;
    this.#next();
  }

  value(): Value {
    const token = this.#token;
    if (token === '{') return this.#object();
    if (token === '[') return this.#list();
    this.#next();
    return /^[-\d]/.test(token) ? numberOf(token) : (JSON.parse(token) as Value);
  }

  #next(): void {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#text);
    this.#token = match?.[1] ?? match?.[2] ?? match?.[3] ?? '';
    this.#at = TOKEN.lastIndex;
  }

  #object(): Value {
    const entries: [string, Value][] = [];
    for (this.#next(); this.#token !== '}'; ) {
      if (this.#token === ',') this.#next();
      const name = JSON.parse(this.#token) as string;
      this.#next();
      this.#next();
      entries.push([name, this.value()]);
    }
    this.#next();
    return Object.fromEntries(entries);
  }

  #list(): Value {
    const items: Value[] = [];
    for (this.#next(); this.#token !== ']'; ) {
      if (this.#token === ',') this.#next();
      items.push(this.value());
    }
    this.#next();
    return items;
  }
}

function numberOf(token: string): Value {
  const float = Number(token),
    exact = parseDecimal(token),
    back = parseDecimal(String(float));
  if (exact === null) return new JsonText(token);
  if (back !== null && isSameNumber(exact, back)) return float;
  const whole = rescale(exact, 0);
  return whole === null ? new JsonText(token) : BigInt(formatDecimal(whole));
}

export type Tree = { readonly [name: string]: Value };

/** An object to look into: no list, no bytes, no text. */
export function isTree(value: Value | undefined): value is Tree {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array) && !(value instanceof JsonText)
  );
}

/** The same for a column that is named to be opened: a text may hold a document as well. */
export function openDocument(value: Value): Value {
  if (typeof value !== 'string') return lookInto(value);
  const document = lookInto(new JsonText(value));
  return isTree(document) ? document : value;
}
