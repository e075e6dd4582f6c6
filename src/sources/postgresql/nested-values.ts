// The texts of values that hold values: arrays, composites, hstore. Each reader goes once through the text and gives `null` for
// text that is not of its kind.
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO and https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX

import type { Value } from '../../sdk/index.ts';

/** An array whose first index is not 1. An array in every way; `bounds` is what the server wrote before it: `[0:2]`. */
export class BoundedArray extends Array<Value> {
  readonly #bounds: string;

  /** The methods of arrays make plain ones. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  constructor(bounds: string, values: readonly Value[]) {
    super();
    this.#bounds = bounds;
    for (const value of values) this.push(value);
  }

  get bounds(): string {
    return this.#bounds;
  }
}

const BOUNDS = /^((?:\[-?\d+:-?\d+\])+)=/;
/** Far more than the server's six dimensions. */
const MAX_DEPTH = 32;

/** `{1,NULL,3}`, `{{a,b},{"c d","e\"f"}}`, `[0:1]={1,2}` → arrays of what `element` makes of the texts. */
export function parseArray(text: string, delimiter: string, element: (text: string) => Value): readonly Value[] | null {
  const bounds = text.startsWith('[') ? BOUNDS.exec(text) : null;
  const reader = new ArrayReader(text, bounds === null ? 0 : bounds[0].length, delimiter, element);
  const values = reader.array(0);
  if (values === null || reader.at !== text.length) return null;
  return bounds === null ? values : new BoundedArray(bounds[1] as string, values);
}

class ArrayReader {
  readonly #text: string;
  readonly #delimiter: string;
  readonly #element: (text: string) => Value;
  at: number;

  constructor(text: string, at: number, delimiter: string, element: (text: string) => Value) {
    this.#text = text;
    this.at = at;
    this.#delimiter = delimiter;
    this.#element = element;
  }

  array(depth: number): Value[] | null {
    const text = this.#text;
    if (text[this.at] !== '{' || depth > MAX_DEPTH) return null;
    const values: Value[] = [];
    this.at++;
    if (text[this.at] === '}') {
      this.at++;
      return values;
    }
    for (;;) {
      const value = this.#value(depth);
      if (value === undefined) return null;
      values.push(value);
      const next = text[this.at++];
      if (next === '}') return values;
      if (next !== this.#delimiter) return null;
    }
  }

  #value(depth: number): Value | undefined {
    const text = this.#text,
      first = text[this.at];
    if (first === '{') return this.array(depth + 1) ?? undefined;
    if (first === '"') {
      const quoted = readQuoted(text, this.at, false);
      if (quoted === null) return undefined;
      this.at = quoted.end;
      return this.#element(quoted.text);
    }
    const start = this.at;
    while (this.at < text.length && text[this.at] !== this.#delimiter && text[this.at] !== '}') this.at++;
    const plain = text.slice(start, this.at);
    if (plain === '') return undefined;
    return plain === 'NULL' ? null : this.#element(plain);
  }
}

/** From the quote at `at` to the one that ends it. A backslash escapes; where `doubled`, a quote twice is one too. */
function readQuoted(text: string, at: number, doubled: boolean): { readonly text: string; readonly end: number } | null {
  let out = '',
    from = at + 1;
  for (let i = from; i < text.length; i++) {
    const c = text[i];
    if (c === '"' && !(doubled && text[i + 1] === '"')) return { text: out + text.slice(from, i), end: i + 1 };
    if (c !== '\\' && c !== '"') continue;
    out += text.slice(from, i);
    from = ++i;
  }
  return null;
}

/** `(1,"a ""b""",,"")` → `1`, `a "b"`, NULL, the empty text. `()` is one NULL. */
export function parseComposite(text: string): (string | null)[] | null {
  if (!text.startsWith('(')) return null;
  const fields: (string | null)[] = [];
  let at = 1;
  for (;;) {
    // A field may be quoted in parts.
    let field: string | null = null;
    while (at < text.length && text[at] !== ',' && text[at] !== ')') {
      if (text[at] === '"') {
        const quoted = readQuoted(text, at, true);
        if (quoted === null) return null;
        field = (field ?? '') + quoted.text;
        at = quoted.end;
      } else {
        if (text[at] === '\\') at++;
        field = (field ?? '') + (text[at++] ?? '');
      }
    }
    fields.push(field);
    const next = text[at++];
    if (next === ')') return at === text.length ? fields : null;
    if (next === undefined) return null;
  }
}

/** `"k1"=>"v1", "k2"=>NULL` → an object of texts and nulls. */
export function parseHstore(text: string): { readonly [key: string]: Value } | null {
  const pairs: [string, string | null][] = [];
  let at = 0;
  while (at < text.length) {
    const key = text[at] === '"' ? readQuoted(text, at, false) : null;
    if (key === null || !text.startsWith('=>', key.end)) return null;
    at = key.end + 2;
    if (text.startsWith('NULL', at)) {
      pairs.push([key.text, null]);
      at += 4;
    } else {
      const value = text[at] === '"' ? readQuoted(text, at, false) : null;
      if (value === null) return null;
      pairs.push([key.text, value.text]);
      at = value.end;
    }
    if (at === text.length) break;
    if (!text.startsWith(', ', at)) return null;
    at += 2;
  }
  return Object.fromEntries(pairs);
}
