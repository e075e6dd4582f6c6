// Rows to JSON objects. Everything about a column that does not change is prepared once per table; per event there is one
// loop without closures, lookups or intermediate objects.

import type { Row, Value } from '../sdk/index.ts';
import { jsonObject, jsonString } from './json.ts';
import type { JsonWriter } from './json-writer.ts';

/** How one column is written. */
export interface ColumnWriter {
  readonly name: string;
  /** The JSON text of a value that is not null; `null`: by its JS type. */
  readonly write: ((value: Value) => string) | null;
  /** For SQL NULL. */
  readonly nullText: string;
  /** For a column that `before` or a complete `after` lacks; `null`: left out. */
  readonly absentText: string | null;
  /** For a column that an incomplete `after` lacks (unchanged TOAST); `null`: left out. */
  readonly unavailableText: string | null;
}

/** A column written by the JS type of its values, left out when absent. */
export function plainColumn(name: string): ColumnWriter {
  return { name, write: null, nullText: 'null', absentText: null, unavailableText: null };
}

interface PreparedColumn extends ColumnWriter {
  /** `{"id":`: as first member … */
  readonly first: Uint8Array;
  /** … and as a later one: `,"id":` */
  readonly next: Uint8Array;
}

/** Writes rows of one table. A row may lack columns, and may have more: those are written last, by their JS type. */
export class RowEncoder {
  readonly #columns: readonly PreparedColumn[];
  readonly #names: ReadonlySet<string>;
  readonly #schemaless: boolean;
  /** Names that are never written. */
  readonly #dropped: ReadonlySet<string>;

  constructor(columns: readonly ColumnWriter[], dropped: readonly string[] = []) {
    this.#columns = columns.map((c) => ({
      ...c,
      first: Buffer.from(`{${jsonString(c.name)}:`),
      next: Buffer.from(`,${jsonString(c.name)}:`),
    }));
    this.#names = new Set(columns.map((c) => c.name));
    this.#dropped = new Set(dropped);
    this.#schemaless = columns.length === 0 && dropped.length === 0;
  }

  /** `incomplete`: missing columns exist in the table's row, the source just did not send them. */
  row(json: JsonWriter, row: Row, incomplete: boolean): void {
    if (this.#schemaless) json.text(jsonObject(row));
    else if (this.#isOrdered(row)) this.#ordered(json, row, incomplete);
    else this.#disordered(json, row, incomplete);
  }

  /** Only known columns, in the table's order, as sources make them. */
  #isOrdered(row: Row): boolean {
    const columns = this.#columns;
    let at = 0;
    for (const name in row) {
      // Columns that the row lacks are passed over.
      while (at < columns.length && (columns[at] as PreparedColumn).name !== name) at++;
      if (at++ === columns.length) return false;
    }
    return true;
  }

  #ordered(json: JsonWriter, row: Row, incomplete: boolean): void {
    const columns = this.#columns;
    let at = 0,
      empty = true;
    // Name and column go hand in hand; V8 reads a member of a for-in loop by its index.
    for (const name in row) {
      const value = row[name];
      let column = columns[at++] as PreparedColumn;
      for (; column.name !== name; column = columns[at++] as PreparedColumn) empty = writeGap(json, column, incomplete, empty);
      empty = value === undefined ? writeGap(json, column, incomplete, empty) : writeColumn(json, column, value, empty);
    }
    while (at < columns.length) empty = writeGap(json, columns[at++] as PreparedColumn, incomplete, empty);
    json.text(empty ? '{}' : '}');
  }

  /** The same for rows in another order or with columns that a transformer added. */
  #disordered(json: JsonWriter, row: Row, incomplete: boolean): void {
    let empty = true;
    for (const column of this.#columns) {
      const value = Object.hasOwn(row, column.name) ? row[column.name] : undefined;
      empty = value === undefined ? writeGap(json, column, incomplete, empty) : writeColumn(json, column, value, empty);
    }
    for (const name of Object.keys(row)) {
      const value = row[name];
      if (value === undefined || this.#names.has(name) || this.#dropped.has(name)) continue;
      json.text(`${empty ? '{' : ','}${jsonString(name)}:`);
      json.value(value);
      empty = false;
    }
    json.text(empty ? '{}' : '}');
  }
}

/** Both return whether the object is still empty. */
function writeColumn(json: JsonWriter, column: PreparedColumn, value: Value, empty: boolean): boolean {
  json.raw(empty ? column.first : column.next);
  if (value === null) json.text(column.nullText);
  else if (column.write === null) json.value(value);
  else json.text(column.write(value));
  return false;
}

function writeGap(json: JsonWriter, column: PreparedColumn, incomplete: boolean, empty: boolean): boolean {
  const text = incomplete ? column.unavailableText : column.absentText;
  if (text === null) return empty;
  json.raw(empty ? column.first : column.next);
  json.text(text);
  return false;
}
