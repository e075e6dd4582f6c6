// Rows of `COPY … TO STDOUT` in text format, still in the bytes that came: images like those of the stream, so that encoding
// costs the same and gives the same values.
// https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2

import { ABSENT_PLACE, CdcError, NULL_PLACE, TextImage, type TextLayout } from '../../sdk/index.ts';
import type { ChunkRows } from '../../snapshot/rows.ts';
import type { Tuple } from './pgoutput/tuple.ts';
import type { Frames } from './replication/frames.ts';
import type { CatalogShape } from './schemas.ts';

const TAB = 0x09,
  BACKSLASH = 0x5c,
  CAPITAL_N = 0x4e;
/** A row ends with a line feed. */
const END_BYTES = 1;

/** What follows the backslash → the byte it stands for. Others stand for themselves. */
const ESCAPES = Uint8Array.from({ length: 256 }, (_, byte) => byte);
for (const [letter, byte] of Object.entries({ b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 })) ESCAPES[letter.charCodeAt(0)] = byte;

/** What the rows of one read have in common. */
export interface RowOrigin {
  /** Of the table then. */
  readonly shape: CatalogShape;
  /** Id of the newest transaction that may have written one of them. */
  readonly transaction: string;
}

const NO_PARTS: readonly Tuple[] = [];

export class CopiedRow extends TextImage {
  readonly origin: RowOrigin;
  /** Newer columns, oldest first. */
  parts: readonly Tuple[] = NO_PARTS;
  readonly #start: number;
  readonly #end: number;
  /** Of a row that had escapes: its bytes are not those of COPY any more, and tabs may be part of a value. */
  #places: Int32Array | null = null;

  constructor(bytes: Buffer, start: number, end: number, layout: TextLayout, origin: RowOrigin) {
    super(bytes, layout);
    this.#start = start;
    this.#end = end;
    this.origin = origin;
  }

  override place(places: Int32Array): void {
    if (this.#places !== null) {
      places.set(this.#places);
      return;
    }
    const { bytes } = this,
      end = this.#end;
    let i = 0,
      start = this.#start;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === TAB) {
        places[i] = start;
        places[i + 1] = at;
        i += 2;
        start = at + 1;
      } else if (byte === BACKSLASH) {
        if (bytes[at + 1] !== CAPITAL_N) {
          this.#unescape(places);
          return;
        }
        // Nothing else in a field begins with it, because a backslash in a value is written twice: the field is over.
        places[i] = NULL_PLACE;
        i += 2;
        at += 2;
        start = at + 1;
      }
    }
    if (start <= end) {
      places[i] = start;
      places[i + 1] = end;
      i += 2;
    }
    this.#check(i, places);
  }

  /** In place, since nothing gets longer; once, because what comes out cannot be taken apart again. */
  #unescape(places: Int32Array): void {
    const { bytes } = this,
      end = this.#end;
    let i = 0,
      start = this.#start,
      to = start,
      isNull = false;
    for (let at = start; at <= end; at++) {
      const byte = at === end ? TAB : (bytes[at] as number);
      if (byte === TAB) {
        places[i] = isNull ? NULL_PLACE : start;
        places[i + 1] = to;
        i += 2;
        // What a field has gained is not handed on: the next one begins where it did.
        start = to = at + 1;
        isNull = false;
      } else if (byte === BACKSLASH) {
        const escaped = bytes[++at] as number;
        if (escaped === CAPITAL_N) isNull = true;
        else bytes[to++] = ESCAPES[escaped] as number;
      } else bytes[to++] = byte;
    }
    this.#check(i, places);
    this.#places = places.slice();
  }

  #check(filled: number, places: Int32Array): void {
    if (filled === places.length || places.length === 0) return;
    places.fill(ABSENT_PLACE);
    throw new CdcError('SOURCE_DATA_INVALID', `A row of COPY has ${filled / 2} columns, and ${places.length / 2} were asked for.`, {
      fix: 'Check what stands between here and the server; if nothing does, report it with the version of the server.',
    });
  }
}

/** Rows as frames, made one by one when they are asked for. */
export class CopiedRows implements ChunkRows<CopiedRow> {
  readonly #layout: TextLayout;
  readonly #origin: RowOrigin;
  /** By what rows are ordered and found in the stream. */
  readonly #key: readonly string[];
  readonly #frames: Frames[] = [];
  /** How many rows stand before those of each. */
  readonly #before: number[] = [];
  #current = 0;
  /** Rows that somebody has looked at: made twice, the second would find the escapes gone. */
  readonly #made = new Map<number, CopiedRow>();
  count = 0;
  size = 0;

  constructor(origin: RowOrigin, key: readonly string[]) {
    this.#layout = origin.shape.layout;
    this.#origin = origin;
    this.#key = key;
  }

  push(frames: Frames): void {
    const { starts, ends, count } = frames;
    this.#frames.push(frames);
    this.#before.push(this.count);
    this.count += count;
    for (let i = 0; i < count; i++) this.size += (ends[i] as number) - (starts[i] as number);
  }

  bytes(i: number): number {
    const frames = this.#framesOf(i),
      k = i - (this.#before[this.#current] as number);
    return (frames.ends[k] as number) - (frames.starts[k] as number);
  }

  key(i: number): string {
    return keyOf(this.looked(i), this.#key) ?? '';
  }

  /** The row that `row` will give. */
  looked(i: number): CopiedRow {
    const row = this.row(i);
    this.#made.set(i, row);
    return row;
  }

  place(i: number): string {
    return this.key(i);
  }

  /** Its key is the text that the server gave. */
  isDoubtful(): boolean {
    return false;
  }

  row(i: number): CopiedRow {
    const made = this.#made.size === 0 ? undefined : this.#made.get(i);
    if (made !== undefined) return made;
    const { bytes, starts, ends } = this.#framesOf(i),
      k = i - (this.#before[this.#current] as number);
    return new CopiedRow(bytes, starts[k] as number, (ends[k] as number) - END_BYTES, this.#layout, this.#origin);
  }

  /** Rows are mostly asked for one after another. */
  #framesOf(i: number): Frames {
    let at = this.#current;
    while (i < (this.#before[at] as number)) at--;
    while (at + 1 < this.#before.length && i >= (this.#before[at + 1] as number)) at++;
    this.#current = at;
    return this.#frames[at] as Frames;
  }
}

/** The texts of these columns, as the server gave them: the same in the stream and in a chunk. `null`: one is NULL or missing. */
export function keyOf(image: TextImage, names: readonly string[]): string | null {
  const { layout, bytes } = image,
    places = image.locate(),
    texts: string[] = [];
  for (const name of names) {
    const at = layout.indexOf(name) * 2,
      start = at < 0 ? -1 : (places[at] as number);
    if (start < 0) return null;
    texts.push(bytes.toString('utf8', start, places[at + 1] as number));
  }
  return texts.length === 0 ? null : JSON.stringify(texts);
}
