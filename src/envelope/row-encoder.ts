// Rows to JSON objects. Everything about a column that does not change is prepared once per table; per event there is one
// loop without closures, lookups or intermediate objects.

import { type ChangeEvent, type Row, TextImage } from '../sdk/index.ts';
import { type ColumnWriter, type PreparedColumn, prepareColumn, writeColumn, writeGap } from './column-writer.ts';
import { jsonObject, jsonString } from './json.ts';
import type { JsonWriter } from './json-writer.ts';
import { TextRows } from './text-rows.ts';

/** Writes rows of one table. A row may lack columns, and may have more: those are written last, by their JS type. */
export class RowEncoder {
  readonly #columns: readonly PreparedColumn[];
  readonly #names: ReadonlySet<string>;
  readonly #schemaless: boolean;
  /** Names that are never written. */
  readonly #dropped: ReadonlySet<string>;
  readonly #text: TextRows;

  constructor(columns: readonly ColumnWriter[], dropped: readonly string[] = []) {
    this.#columns = columns.map(prepareColumn);
    this.#names = new Set(columns.map((c) => c.name));
    this.#dropped = new Set(dropped);
    this.#schemaless = columns.length === 0 && dropped.length === 0;
    // Columns that are not ours are written last, by their JS type: rows that have some are decoded.
    const isKnown = (name: string): boolean => this.#names.has(name) || this.#dropped.has(name);
    this.#text = new TextRows(this.#columns, (layout) => !this.#schemaless && layout.names.every(isKnown));
  }

  /** One side of an event, which has it: from its bytes while nobody has looked at it. `incomplete`: as for `row`. */
  side(json: JsonWriter, event: ChangeEvent, side: 'before' | 'after', incomplete: boolean): void {
    const image = event.image(side);
    if (image instanceof TextImage && this.#text.isFit(image.layout)) this.#text.write(json, image, incomplete);
    else this.row(json, event[side] as Row, incomplete);
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
