// The keys of one table's records: from the bytes of a row that nobody has looked at, or from the key itself.

import { type ChangeEvent, TextImage } from '../sdk/index.ts';
import { type ColumnWriter, prepareColumn } from './column-writer.ts';
import type { JsonWriter } from './json-writer.ts';
import { RowEncoder } from './row-encoder.ts';
import { TextRows } from './text-rows.ts';

export class KeyEncoder {
  readonly rows: RowEncoder;
  readonly #text: TextRows;
  readonly #count: number;
  /** What stands around the key. */
  readonly #start: Uint8Array;
  readonly #end: string;

  constructor(columns: readonly ColumnWriter[], start = '', end = '') {
    const prepared = columns.map(prepareColumn);
    this.rows = new RowEncoder(columns);
    this.#text = new TextRows(prepared, (layout) => prepared.every((c) => layout.indexOf(c.name) >= 0));
    this.#count = columns.length;
    this.#start = Buffer.from(start);
    this.#end = end;
  }

  /** The bytes of an event's key; `null` for none. Begins and ends a text of its own. */
  bytes(json: JsonWriter, event: ChangeEvent): Uint8Array | null {
    const image = event.keyImage();
    if (image instanceof TextImage && this.#count === event.table.key.length && this.#count > 0 && this.#text.isFit(image.layout)) {
      json.begin();
      json.raw(this.#start);
      if (this.#text.writeWhole(json, image)) {
        json.text(this.#end);
        return json.end();
      }
    }
    return this.bytesOf(json, event.key);
  }

  /** The same for a key at hand. */
  bytesOf(json: JsonWriter, key: ChangeEvent['key']): Uint8Array | null {
    if (key === null) return null;
    json.begin();
    json.raw(this.#start);
    this.rows.row(json, key, false);
    json.text(this.#end);
    return json.end();
  }
}
