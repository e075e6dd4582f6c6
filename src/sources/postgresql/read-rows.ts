// Rows of a query, still in the bytes that came: images like those of the stream, so that encoding costs the same and gives the
// same values. https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-DATAROW

import { CdcError, NULL_PLACE, TextImage, type TextLayout } from '../../sdk/index.ts';
import type { ChunkRows } from '../../snapshot/rows.ts';
import type { Tuple } from './pgoutput/tuple.ts';
import type { Frames } from './replication/frames.ts';
import type { CatalogShape } from './schemas.ts';

const COUNT_BYTES = 2,
  LENGTH_BYTES = 4;
const NO_VALUE = -1;

/** What the rows of one read have in common. */
export interface RowOrigin {
  /** Of the table then. */
  readonly shape: CatalogShape;
  /** Id of the newest transaction that may have written one of them. */
  readonly transaction: string;
}

const NO_PARTS: readonly Tuple[] = [];

export class ReadRow extends TextImage {
  readonly origin: RowOrigin;
  /** Newer columns, oldest first. */
  parts: readonly Tuple[] = NO_PARTS;
  readonly #start: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number, layout: TextLayout, origin: RowOrigin) {
    super(bytes, layout);
    this.#start = start;
    this.#end = end;
    this.origin = origin;
  }

  override place(places: Int32Array): void {
    const { bytes } = this,
      count = ((bytes[this.#start] as number) << 8) | (bytes[this.#start + 1] as number);
    if (count * 2 !== places.length) throw this.#invalid(`${count} columns, and ${places.length / 2} were asked for`);
    let at = this.#start + COUNT_BYTES;
    for (let i = 0; i < places.length; i += 2) {
      const length =
        ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
      at += LENGTH_BYTES;
      if (length === NO_VALUE) places[i] = NULL_PLACE;
      else {
        places[i] = at;
        at += length;
        places[i + 1] = at;
        if (length < 0 || at > this.#end) throw this.#invalid(`a value of ${length} bytes in a message of ${this.#end - this.#start}`);
      }
    }
    if (at !== this.#end) throw this.#invalid(`${this.#end - at} bytes too many`);
  }

  #invalid(what: string): CdcError {
    return new CdcError('SOURCE_DATA_INVALID', `A row that was read cannot be understood: ${what}.`, {
      fix: 'Check what stands between here and the server; if nothing does, report it with the version of the server.',
    });
  }
}

/** Rows as frames, made one by one when they are asked for. */
export class ReadRows implements ChunkRows<ReadRow> {
  readonly #layout: TextLayout;
  readonly #origin: RowOrigin;
  /** By what rows are ordered and found in the stream. */
  readonly #key: readonly string[];
  readonly #frames: Frames[] = [];
  /** How many rows stand before those of each. */
  readonly #before: number[] = [];
  #current = 0;
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
    return keyOf(this.row(i), this.#key) ?? '';
  }

  place(i: number): string {
    return this.key(i);
  }

  /** Its key is the text that the server gave. */
  isDoubtful(): boolean {
    return false;
  }

  row(i: number): ReadRow {
    const { bytes, starts, ends } = this.#framesOf(i),
      k = i - (this.#before[this.#current] as number);
    return new ReadRow(bytes, starts[k] as number, ends[k] as number, this.#layout, this.#origin);
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
