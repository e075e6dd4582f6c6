// From the pattern and a row to its key. Pure.

import { type ChangeEvent, JsonText, type Row, type Value } from '../../sdk/index.ts';
import type { Part } from '../../systems/redis/template.ts';

/** What a key is made of: the columns of one side of an event. */
export type Columns = (name: string) => Value | undefined;

export class KeyPattern {
  readonly #parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  /** The key; `null` where a value of it is null: such a row has none; or the name of the column that the event lacks. */
  keyOf(event: ChangeEvent, columns: Columns, key: Row | null): string | null | { readonly missing: string } {
    let text = '';
    for (const part of this.#parts) {
      const value = 'text' in part ? part.text : partOf(part.word, event, columns, key);
      if (value === undefined) return { missing: 'word' in part ? part.word : '' };
      if (value === null) return null;
      text += value;
    }
    return text;
  }

  /** Whether the row before an update tells its key. Without, only the table's own key is known to be the same or not. */
  knowsBefore(event: ChangeEvent): boolean {
    return this.#parts.every(
      (p) =>
        'text' in p ||
        event.table.key.includes(p.word) ||
        event.get('before', p.word) !== undefined ||
        event.get('after', p.word) === undefined,
    );
  }
}

function partOf(word: string, event: ChangeEvent, columns: Columns, key: Row | null): string | null | undefined {
  const value = columns(word);
  if (value !== undefined) return value === null ? null : textOf(value);
  switch (word) {
    case 'key':
      return key === null ? undefined : joined(event.table.key.map((name) => key[name] ?? null));
    case 'database':
    case 'schema':
    case 'table':
      return event.table.id[word] ?? '_';
    default:
      return undefined;
  }
}

/** Of several values none may look like two: their `:` and `%` are written in percent form. */
function joined(values: readonly Value[]): string | null {
  if (values.some((v) => v === null)) return null;
  if (values.length === 1) return textOf(values[0] as Value);
  return values.map((v) => textOf(v).replace(/[%:]/g, (c) => (c === ':' ? '%3A' : '%25'))).join(':');
}

function textOf(value: Value): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof JsonText) return value.text;
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
