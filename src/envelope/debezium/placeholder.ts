// What stands for an unchanged value that the source left out (TOAST), in the form that Debezium gives it for each type.

import { JsonText, type Row, type Value } from '../../sdk/index.ts';
import { dateOfDays } from '../temporal.ts';

/** `unavailable.value.placeholder` */
export const PLACEHOLDER = '__debezium_unavailable_value';

/** Knows the placeholder in a row that was read: as text, bytes, a document, a map or an array. */
export class Placeholders {
  readonly #text: string;
  /** Of arrays: the codes of the text stand for integers and dates. */
  readonly #arrays: ReadonlySet<string>;
  readonly #documents: ReadonlySet<string>;

  constructor(text = PLACEHOLDER) {
    const codes = [...Buffer.from(text)];
    this.#text = text;
    this.#arrays = new Set([text, codes.join(), codes.map((code) => dateOfDays(code)).join()]);
    this.#documents = new Set([text, JSON.stringify(text), JSON.stringify({ [text]: text })]);
  }

  /** The columns that have a value, and whether that is not all of them. */
  without(row: Row): { readonly row: Row; readonly isIncomplete: boolean } {
    let kept: Row | null = null;
    for (const name of Object.keys(row)) {
      if (!this.#is(row[name] as Value)) continue;
      kept ??= { ...row };
      delete kept[name];
    }
    return { row: kept ?? row, isIncomplete: kept !== null };
  }

  #is(value: Value): boolean {
    if (typeof value === 'string') return value === this.#text;
    if (typeof value !== 'object' || value === null) return false;
    if (value instanceof JsonText) return this.#documents.has(value.text);
    if (value instanceof Uint8Array) return value.length === this.#text.length && Buffer.from(value).toString('latin1') === this.#text;
    if (!Array.isArray(value)) {
      const names = Object.keys(value);
      return names.length === 1 && names[0] === this.#text && (value as Row)[this.#text] === this.#text;
    }
    const [first] = value as readonly Value[];
    if (first instanceof Uint8Array) return value.length === 1 && this.#is(first);
    return (typeof first === 'string' || typeof first === 'number' || typeof first === 'bigint') && this.#arrays.has(value.join());
  }
}
