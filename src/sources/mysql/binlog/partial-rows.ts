// PARTIAL_UPDATE_ROWS: new images have, for a JSON column, the changes instead of the document. Here they become whole images,
// made of the old ones, so that everybody else knows one form of rows only.

import { ColumnType } from './column-type.ts';
import { BinlogError } from './errors.ts';
import { applyDiffs } from './json-diff.ts';
import { encodeJsonTree, parseJsonTree } from './json-tree.ts';
import { EventReader } from './reader.ts';
import { lengthAt, type RowShape } from './row-shape.ts';

const HAS_DIFFS = 1;

const isBit = (bytes: Uint8Array, start: number, i: number): boolean => (((bytes[start + (i >> 3)] as number) >> (i & 7)) & 1) === 1;

export class RowsWithDiffs {
  /** Why they cannot be made whole; `null`: they are. */
  unreadable: string | null = null;
  whole: Buffer = Buffer.alloc(0);
  starts = new Int32Array(0);
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #before: RowShape;
  readonly #after: RowShape;
  /** Of each column of the table: which of its JSON columns it is; -1 for others. */
  readonly #jsonIndex: readonly number[];
  readonly #jsonCount: number;

  constructor(bytes: Buffer, start: number, end: number, before: RowShape, after: RowShape) {
    this.#bytes = bytes;
    this.#end = end;
    this.#before = before;
    this.#after = after;
    let count = 0;
    this.#jsonIndex = before.table.columns.map((c) => (c.type === ColumnType.json ? count++ : -1));
    this.#jsonCount = count;
    this.#rows(start);
  }

  #rows(start: number): void {
    const parts: Buffer[] = [],
      starts: number[] = [];
    let at = start,
      length = 0;
    const add = (part: Buffer): void => {
      starts.push(length);
      parts.push(part);
      length += part.length;
    };
    while (at < this.#end) {
      const before = at,
        after = this.#before.skip(this.#bytes, before, this.#end);
      add(this.#bytes.subarray(before, after));
      const r = new EventReader(this.#bytes, 0, this.#end, after);
      const options = r.packedInteger('the options of a row'),
        diffs = (options & HAS_DIFFS) === 0 ? null : r.view((this.#jsonCount + 7) >> 3, 'the JSON columns with diffs');
      // Column for column the same as a whole image: a diff has a length before it, as a document.
      at = this.#after.skip(this.#bytes, r.at, this.#end);
      if (at === before) throw new BinlogError('malformed', 'rows without columns');
      const image = diffs === null ? this.#bytes.subarray(r.at, at) : this.#image(before, r.at, diffs);
      if (image === null) return;
      add(image);
    }
    starts.push(length);
    this.whole = Buffer.concat(parts);
    this.starts = Int32Array.from(starts);
  }

  /** `null`: see `unreadable`. */
  #image(before: number, after: number, diffs: Buffer): Buffer | null {
    const { columns, widths, nullBytes, table } = this.#after,
      parts: Buffer[] = [this.#bytes.subarray(after, after + nullBytes)];
    let at = after + nullBytes;
    for (let i = 0; i < widths.length; i++) {
      if (isBit(this.#bytes, after, i)) continue;
      const column = columns[i] as number,
        width = widths[i] as number,
        json = this.#jsonIndex[column] as number;
      const dataAt = width < 0 ? at - width : at,
        next = width < 0 ? dataAt + lengthAt(this.#bytes, at, -width) : at + width;
      if (json < 0 || !isBit(diffs, 0, json)) parts.push(this.#bytes.subarray(at, next));
      else {
        const document = this.#document(before, column);
        if (document === null) {
          const name = table.columns[column]?.name ?? `${column + 1}`;
          this.unreadable = `column "${name}" has changes of a JSON document, and the old document was not sent`;
          return null;
        }
        const whole = encodeJsonTree(applyDiffs(parseJsonTree(document, 0, document.length), this.#bytes.subarray(dataAt, next)));
        parts.push(lengthBytes(whole.length, -width), whole);
      }
      at = next;
    }
    return Buffer.concat(parts);
  }

  /** The old document of a column; `null`: it is missing or NULL. */
  #document(before: number, column: number): Buffer | null {
    const { columns, widths, nullBytes } = this.#before;
    let at = before + nullBytes;
    for (let i = 0; i < widths.length; i++) {
      const isNull = isBit(this.#bytes, before, i),
        width = widths[i] as number;
      if (isNull) {
        if (columns[i] === column) return null;
        continue;
      }
      const dataAt = width < 0 ? at - width : at,
        next = width < 0 ? dataAt + lengthAt(this.#bytes, at, -width) : at + width;
      if (columns[i] === column) return this.#bytes.subarray(dataAt, next);
      at = next;
    }
    return null;
  }
}

function lengthBytes(length: number, size: number): Buffer {
  if (length >= 2 ** (8 * size)) throw new BinlogError('malformed', `a JSON document of ${length} bytes`);
  const bytes = Buffer.alloc(size);
  bytes.writeUIntLE(length, 0, size);
  return bytes;
}
