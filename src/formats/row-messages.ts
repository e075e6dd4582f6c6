// Messages that hold a row: what becomes of key and value, whatever format they came in.
//
// | value | key | event |
// |---|---|---|
// | a row | | `c`; the key is taken from `key_fields`, else it is the message's own |
// | none | has the key's fields, or the one field's value | `d` |
// | none | none, or names no field | malformed |

import { CdcError, type Column, type Row, type Value } from '../sdk/index.ts';
import type { MessageFormatConfig } from './config.ts';
import type { FormatContext } from './context.ts';
import { MessageTables } from './message-tables.ts';
import type { DecodedMessage } from './messages.ts';

/** A key as its format has it: a row, one bare value, or nothing. */
export type MessageKey = { readonly row: Row } | { readonly bare: Value } | null;

const NO_COLUMNS: readonly Column[] = [];

export class RowMessages {
  readonly #fields: readonly string[] | null;
  readonly #where: string;
  readonly tables: MessageTables;

  constructor(config: MessageFormatConfig, ctx: FormatContext) {
    this.#fields = config.key_fields ?? null;
    this.#where = ctx.where;
    this.tables = new MessageTables(config);
  }

  /** `columns`: of the schema that the value was written with, where there is one. Throws `SOURCE_DATA_INVALID`. */
  message(topic: string, key: MessageKey, row: Row | null, columns: readonly Column[] = NO_COLUMNS): DecodedMessage {
    if (row === null) return this.#delete(topic, key);
    const fields = this.#fields;
    if (fields !== null) {
      const missing = fields.find((name) => !Object.hasOwn(row, name) || row[name] === null);
      if (missing !== undefined) throw this.#invalid(`has no value for the key field "${missing}"`, 'Correct key_fields, or the producer.');
      return this.#event(topic, 'c', { key: undefined, after: row, columns, names: fields });
    }
    if (key === null || !('row' in key)) return this.#event(topic, 'c', { key: undefined, after: row, columns, names: [] });
    const names = Object.keys(key.row);
    // A row has its key columns, though producers often leave them to the key. It was made for this message: a copy costs 2 µs.
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      if (!Object.hasOwn(row, name)) setColumn(row, name, key.row[name] as Value);
    }
    return this.#event(topic, 'c', { key: key.row, after: row, columns, names });
  }

  #delete(topic: string, key: MessageKey): DecodedMessage {
    const row = this.#keyRow(key);
    if (row === null)
      throw this.#invalid(
        'has no value, which deletes a row, and its key does not say which',
        'Set key_fields, with one name where the key is a bare value.',
      );
    const { columns } = this.tables.known(topic);
    return this.#event(topic, 'd', { key: row, after: null, columns, names: this.#fields ?? Object.keys(row) });
  }

  #keyRow(key: MessageKey): Row | null {
    if (key === null) return null;
    const fields = this.#fields;
    if ('bare' in key) return fields?.length === 1 && key.bare !== null ? { [fields[0] as string]: key.bare } : null;
    if (fields === null) return key.row;
    return fields.every((name) => Object.hasOwn(key.row, name))
      ? Object.fromEntries(fields.map((name) => [name, key.row[name] as Value]))
      : null;
  }

  #event(
    topic: string,
    op: 'c' | 'd',
    { key, after, columns, names }: { key: Row | undefined; after: Row | null; columns: readonly Column[]; names: readonly string[] },
  ): DecodedMessage {
    const table = this.tables.of(topic, columns, names);
    // Written out: a spread for each message costs more than all of the rest here.
    if (key === undefined) return { op, table, before: null, after, sourceTsMs: null, id: null, incomplete: false, message: null };
    const before = op === 'd' ? key : null;
    return { op, table, key, before, after, sourceTsMs: null, id: null, incomplete: false, message: null };
  }

  #invalid(what: string, fix: string): CdcError {
    return new CdcError('SOURCE_DATA_INVALID', `The message ${what}.`, { where: this.#where, fix });
  }
}

/** A plain assignment to `__proto__` would set the prototype. */
function setColumn(row: Row, name: string, value: Value): void {
  if (name === '__proto__') Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
  else row[name] = value;
}

export function isRow(value: Value): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
