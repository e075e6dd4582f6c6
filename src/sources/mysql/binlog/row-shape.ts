// Which columns of a table the images of rows have, and how long each is: enough to find the borders of rows without looking at
// their values. One per table and set of columns.

import { BinlogError } from './errors.ts';
import type { TableMap } from './table-map.ts';

export class RowShape {
  readonly table: TableMap;
  /** Indexes in the table of the columns that are there. */
  readonly columns: Uint16Array;
  /** Bytes of each: `-n` for a length of `n` bytes and what it says. */
  readonly widths: Int32Array;
  /** Bytes with a bit for each column that is NULL, before its values. */
  readonly nullBytes: number;
  /** All columns of the table are there. */
  readonly isWhole: boolean;

  /** `present`: a bit per column of a table that is readable, the lowest first. */
  constructor(table: TableMap, present: Uint8Array) {
    const indexes = table.columns.flatMap((_, i) => ((((present[i >> 3] as number) >> (i & 7)) & 1) === 1 ? [i] : []));
    this.table = table;
    this.columns = Uint16Array.from(indexes);
    this.widths = Int32Array.from(indexes, (i) => table.columns[i]?.width ?? 0);
    this.nullBytes = (indexes.length + 7) >> 3;
    this.isWhole = indexes.length === table.columns.length;
  }

  /** Where the bytes of a column of the table begin, in the image that begins at `start`; -1: it is NULL, or not there. */
  find(bytes: Buffer, start: number, column: number): number {
    const { columns, widths } = this;
    let at = start + this.nullBytes;
    for (let i = 0; i < widths.length; i++) {
      const isNull = (((bytes[start + (i >> 3)] as number) >> (i & 7)) & 1) === 1;
      if (columns[i] === column) return isNull ? -1 : at;
      const width = widths[i] as number;
      if (!isNull) at += width >= 0 ? width : lengthAt(bytes, at, -width) - width;
    }
    return -1;
  }

  /** Place behind the image that begins at `start`. All that is read of it later is checked here. */
  skip(bytes: Buffer, start: number, end: number): number {
    const { widths } = this;
    let at = start + this.nullBytes;
    if (at > end) throw cutOff(start);
    for (let i = 0; i < widths.length; i++) {
      if ((((bytes[start + (i >> 3)] as number) >> (i & 7)) & 1) === 1) continue;
      const width = widths[i] as number;
      if (width >= 0) at += width;
      else {
        if (at - width > end) throw cutOff(start);
        at += lengthAt(bytes, at, -width) - width;
      }
      if (at > end) throw cutOff(start);
    }
    return at;
  }
}

function cutOff(start: number): BinlogError {
  return new BinlogError('malformed', `the row at byte ${start} is cut off`);
}

/** An integer of one to four bytes, the lowest first. */
export function lengthAt(bytes: Buffer, at: number, size: number): number {
  let length = bytes[at] as number;
  if (size > 1) length |= (bytes[at + 1] as number) << 8;
  if (size > 2) length |= (bytes[at + 2] as number) << 16;
  return size > 3 ? length + (bytes[at + 3] as number) * 0x1000000 : length;
}
