// The keys of one table's records: from the bytes of a row that nobody has looked at, or from the key itself.

import { type ChangeEvent, TextImage } from '../sdk/index.ts';
import { type ColumnWriter, prepareColumn } from './column-writer.ts';
import { type Fixed, fixedOf } from './fixed.ts';
import type { JsonWriter } from './json-writer.ts';
import { RowEncoder } from './row-encoder.ts';
import { TextRows } from './text-rows.ts';

export class KeyEncoder {
  readonly rows: RowEncoder;
  readonly #text: TextRows;
  readonly #count: number;
  /** What stands around the key. */
  readonly #start: Fixed;
  readonly #end: Fixed;

  /** `dropped`: columns of the key that are never written. */
  constructor(columns: readonly ColumnWriter[], start = '', end = '', dropped: readonly string[] = []) {
    const prepared = columns.map(prepareColumn);
    this.rows = new RowEncoder(columns, dropped);
    this.#text = new TextRows(prepared, (layout) => prepared.every((c) => layout.indexOf(c.name) >= 0));
    this.#count = columns.length;
    this.#start = fixedOf(start);
    this.#end = fixedOf(end);
  }

  /** Writes an event's key as a text of its own. `false`: it has none. */
  write(json: JsonWriter, event: ChangeEvent): boolean {
    const image = event.keyImage();
    if (image instanceof TextImage && this.#count === event.table.key.length && this.#count > 0 && this.#text.isFit(image.layout)) {
      json.begin();
      json.fixed(this.#start);
      if (this.#text.writeWhole(json, image)) {
        json.fixed(this.#end);
        return true;
      }
    }
    return this.writeKey(json, event.key);
  }

  /** The same for a key at hand. */
  writeKey(json: JsonWriter, key: ChangeEvent['key']): boolean {
    if (key === null) return false;
    json.begin();
    json.fixed(this.#start);
    this.rows.row(json, key, false);
    json.fixed(this.#end);
    return true;
  }
}
