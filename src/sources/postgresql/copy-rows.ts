// Rows of `COPY … TO STDOUT` in text format → tuples like those of the stream, in one buffer: from there on both are read by the
// same code, so a value is the same from both.
// https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2

import { type RowLayout, type Tuple, TupleReader } from './pgoutput/tuple.ts';

const TAB = 0x09,
  NEWLINE = 0x0a,
  BACKSLASH = 0x5c,
  CAPITAL_N = 0x4e;
const NULL = 0x6e, // n
  TEXT = 0x74; // t
const COUNT_BYTES = 2,
  HEAD_BYTES = 5;
const FIRST_BYTES = 256 << 10;

/** What follows the backslash → the byte it stands for. Others stand for themselves. */
const ESCAPES: ReadonlyMap<number, number> = new Map(
  Object.entries({ b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 }).map(([letter, byte]) => [letter.charCodeAt(0), byte]),
);

export class CopyRows {
  readonly #columns: number;
  #out: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Where the next byte goes; rows that are whole end at `#end`. */
  #at = 0;
  #end = 0;
  readonly #starts: number[] = [];
  #row = 0;
  /** Where the column that is being read begins, its head included; -1: none. */
  #column = -1;
  #isEscaped = false;
  #isNull = false;

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** Whole rows so far. */
  get count(): number {
    return this.#starts.length;
  }
  /** What they take in memory. */
  get bytes(): number {
    return this.#end;
  }

  /** The next bytes, cut anywhere. */
  push(chunk: Buffer): void {
    // A byte takes one byte at most; each field begins with a head, and there is a separator for each.
    this.#reserve(chunk.length + HEAD_BYTES * (count(chunk, TAB) + count(chunk, NEWLINE) + 1) + COUNT_BYTES * (count(chunk, NEWLINE) + 1));
    const out = this.#out;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (this.#column === -1) this.#beginRow();
      if (this.#isEscaped) {
        this.#isEscaped = false;
        // Nothing else in a field begins with it: a backslash in a value is written twice.
        if (byte === CAPITAL_N) this.#isNull = true;
        else out[this.#at++] = ESCAPES.get(byte) ?? byte;
      } else if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === TAB) {
        this.#endColumn();
        this.#beginColumn();
      } else if (byte === NEWLINE) this.#endRow();
      else out[this.#at++] = byte;
    }
  }

  /** The rows, read by a layout. The buffer is theirs: nothing can be pushed any more. */
  tuples(layout: RowLayout): Tuple[] {
    const reader = new TupleReader(),
      bytes = this.#out;
    return this.#starts.map((start) => reader.row(bytes, start, this.#end, start, false).bind(layout));
  }

  /** What is whole, and a new reader that goes on with the row that is not. */
  split(): { done: CopyRows; rest: CopyRows } {
    const rest = new CopyRows(this.#columns);
    const open = this.#column === -1 ? 0 : this.#at - this.#row;
    if (open > 0) {
      rest.#reserve(open);
      this.#out.copy(rest.#out, 0, this.#row, this.#at);
      rest.#at = open;
      rest.#column = this.#column - this.#row;
      rest.#isEscaped = this.#isEscaped;
      rest.#isNull = this.#isNull;
    }
    return { done: this, rest };
  }

  #beginRow(): void {
    this.#row = this.#at;
    this.#out[this.#at++] = this.#columns >> 8;
    this.#out[this.#at++] = this.#columns & 0xff;
    // A table without columns has empty lines.
    this.#beginColumn();
  }

  #beginColumn(): void {
    this.#column = this.#at;
    this.#at += HEAD_BYTES;
  }

  #endColumn(): void {
    const out = this.#out,
      head = this.#column;
    if (this.#isNull) {
      this.#isNull = false;
      out[head] = NULL;
      this.#at = head + 1;
      return;
    }
    out[head] = TEXT;
    out.writeInt32BE(this.#at - head - HEAD_BYTES, head + 1);
  }

  #endRow(): void {
    if (this.#columns > 0) this.#endColumn();
    else this.#at = this.#column;
    this.#column = -1;
    this.#end = this.#at;
    this.#starts.push(this.#row);
  }

  #reserve(more: number): void {
    const wanted = this.#at + more;
    if (wanted <= this.#out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.#out.length * 2));
    this.#out.copy(larger, 0, 0, this.#at);
    this.#out = larger;
  }
}

function count(bytes: Buffer, byte: number): number {
  let n = 0;
  for (let at = bytes.indexOf(byte); at !== -1; at = bytes.indexOf(byte, at + 1)) n++;
  return n;
}
