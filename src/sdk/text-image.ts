// Rows whose source sent each column as text, still in those bytes. Encoders write them on without a JS string between, where
// the text is what they would write anyway; everybody else sees decoded values.

import { type Row, RowImage, type Value } from './value.ts';

/**
 * What the bytes of a column have to do with its value:
 *
 * | form | value | bytes |
 * |---|---|---|
 * | `digits` | whole number, `number` or `bigint` | its digits |
 * | `float` | `number` | its digits, or what `Number` reads |
 * | `boolean` | `boolean` | `t` or `f` |
 * | `text` | `string` | the same in UTF-8 |
 * | `ascii` | `string` | the same, with nothing that JSON escapes |
 * | `json` | a JSON document as its text | that text |
 * | `jsonLine` | the same | the same without line breaks |
 * | `timestamp` | `2024-02-29T12:34:56.5` | `2024-02-29 12:34:56.5`, or what `decode` reads |
 * | `timestamptz` | `2024-02-29T12:34:56.5Z` | `2024-02-29 12:34:56.5+00`, or what `decode` reads |
 * | `other` | what `decode` makes of it | |
 */
export type TextForm = 'digits' | 'float' | 'boolean' | 'text' | 'ascii' | 'json' | 'jsonLine' | 'timestamp' | 'timestamptz' | 'other';

/** JSON that is being written, for columns that write themselves: bytes from `at` on where `room` was made, or by the functions. */
export interface JsonSink {
  /** Changes when room is made. */
  readonly bytes: Buffer;
  at: number;
  room(length: number): void;
  /** A whole number. */
  integer(n: number): void;
  /** Text that is JSON already. */
  text(text: string): void;
  /** A text with its quotes and escapes. */
  string(text: string): void;
}

export interface TextColumn {
  readonly name: string;
  readonly form: TextForm;
  /** Never called for NULL. `text`: the whole of the column. */
  decode(text: string): Value;
  /** The same from the bytes, where that is faster. */
  readonly decodeBytes: ((bytes: Buffer, start: number, end: number) => Value) | null;
  /**
   * For bytes that are no text: writes the JSON of the value, as `decodeBytes` and the value's JS type would give it. `form` says
   * what the value is then, not what the bytes are; a `timestamptz` has the fractional digits of its column.
   */
  readonly put?: (to: JsonSink, bytes: Buffer, start: number, end: number) => void;
}

/** In the place of a column's start: SQL NULL, and a column that the source did not send. */
export const NULL_PLACE = -1;
export const ABSENT_PLACE = -2;

/** What rows of one shape have in common. Prepared once: by it encoders keep what they prepare for such rows. */
export class TextLayout {
  readonly columns: readonly TextColumn[];
  readonly names: readonly string[];
  /**
   * Where the columns of the two rows located last are: start and end of each, or NULL_PLACE, ABSENT_PLACE as start. Shared by
   * all rows, because an array per row costs as much as all the rest of making it. Two, for the sides of an update.
   */
  #places: Int32Array;
  #otherPlaces: Int32Array;
  /** Whose places they are. */
  #located: TextImage | null = null;
  #otherLocated: TextImage | null = null;
  readonly #indexOf: ReadonlyMap<string, number>;
  /** Of rows that lack columns, by the columns they have. */
  readonly #partial = new Map<string, readonly string[]>();
  /** No column has a name that a plain assignment would lose. */
  readonly isPlain: boolean;

  constructor(columns: readonly TextColumn[]) {
    this.columns = columns;
    this.names = columns.map((c) => c.name);
    this.#places = new Int32Array(columns.length * 2);
    this.#otherPlaces = new Int32Array(columns.length * 2);
    this.#indexOf = new Map(this.names.map((name, i) => [name, i]));
    this.isPlain = !this.#indexOf.has('__proto__');
  }

  /** Of a column by name; -1 for none. */
  indexOf(name: string): number {
    return this.#indexOf.get(name) ?? -1;
  }

  /** See `TextImage.locate`. */
  locate(image: TextImage): Int32Array {
    if (image === this.#located) return this.#places;
    const places = this.#otherPlaces,
      isKnown = image === this.#otherLocated;
    this.#otherPlaces = this.#places;
    this.#otherLocated = this.#located;
    this.#places = places;
    this.#located = null;
    if (!isKnown) image.place(places);
    this.#located = image;
    return places;
  }

  /** The names of the columns that a row has: always the same array for the same columns. */
  namesOf(places: Int32Array): readonly string[] {
    const { names } = this;
    let absent = '';
    for (let i = 0; i < names.length; i++) if (places[i * 2] === ABSENT_PLACE) absent += `${i},`;
    if (absent === '') return names;
    let partial = this.#partial.get(absent);
    if (partial === undefined) {
      partial = names.filter((_, i) => places[i * 2] !== ABSENT_PLACE);
      this.#partial.set(absent, partial);
    }
    return partial;
  }
}

/** A column whose value is another one than its bytes say, and those replaced before it. */
export interface Patch {
  /** In the layout. */
  readonly index: number;
  readonly value: Value;
  readonly next: Patch | null;
}

/** The newest patch of a column; `null`: it has none. */
export function patchOf(patch: Patch | null, index: number): Patch | null {
  for (let at = patch; at !== null; at = at.next) if (at.index === index) return at;
  return null;
}

/** Rows longer than this are decoded column by column: a piece of a text keeps all of it in memory. */
const WHOLE_TEXT_BYTES = 4096;

export abstract class TextImage extends RowImage {
  readonly bytes: Buffer;
  layout: TextLayout;
  /** What does not stand in the bytes: `null` for a row as it came. */
  readonly patch: Patch | null;

  constructor(bytes: Buffer, layout: TextLayout, patch: Patch | null = null) {
    super();
    this.bytes = bytes;
    this.layout = layout;
    this.patch = patch;
  }

  /** The same row with another value in a column that was sent; `null` when it was not. What a transformer replaces costs that column only. */
  with(name: string, value: Value): TextImage | null {
    const index = this.layout.indexOf(name);
    if (index < 0 || this.locate()[index * 2] === ABSENT_PLACE) return null;
    return new PatchedImage(this, { index, value, next: this.patch });
  }

  /** Writes where the columns are: start and end of each, or NULL_PLACE, ABSENT_PLACE as start. */
  abstract place(places: Int32Array): void;

  /** Where the columns are. Holds until two other images of the layout are located. */
  locate(): Int32Array {
    return this.layout.locate(this);
  }

  override decode(): Row {
    const places = this.locate(),
      { bytes } = this,
      { columns, isPlain } = this.layout,
      row: Row = {};
    const whole = wholeText(bytes, places);
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as TextColumn,
        start = places[i * 2] as number;
      if (start === ABSENT_PLACE) continue;
      const patch = this.patch === null ? null : patchOf(this.patch, i);
      const value =
        patch !== null ? patch.value : start === NULL_PLACE ? null : decoded(column, bytes, start, places[i * 2 + 1] as number, whole);
      if (isPlain) row[column.name] = value;
      else Object.defineProperty(row, column.name, { value, enumerable: true, writable: true, configurable: true });
    }
    return row;
  }

  override column(name: string): Value | undefined {
    const i = this.layout.indexOf(name);
    return i < 0 ? undefined : this.columnAt(i);
  }

  /** By its index in the layout. */
  columnAt(i: number): Value | undefined {
    const patch = this.patch === null ? null : patchOf(this.patch, i);
    if (patch !== null) return patch.value;
    const places = this.locate(),
      start = places[i * 2] as number;
    if (start === ABSENT_PLACE) return undefined;
    if (start === NULL_PLACE) return null;
    const column = this.layout.columns[i] as TextColumn,
      end = places[i * 2 + 1] as number;
    return column.decodeBytes === null
      ? column.decode(this.bytes.toString('utf8', start, end))
      : column.decodeBytes(this.bytes, start, end);
  }

  override columns(): readonly string[] {
    return this.layout.namesOf(this.locate());
  }
}

class PatchedImage extends TextImage {
  readonly #row: TextImage;

  constructor(row: TextImage, patch: Patch) {
    super(row.bytes, row.layout, patch);
    this.#row = row;
  }

  override place(places: Int32Array): void {
    this.#row.place(places);
  }
}

let wholeStart = 0;

/** All columns as one text, when each of its characters is one byte: cutting it costs a fifth of decoding each column. */
function wholeText(bytes: Buffer, places: Int32Array): string | null {
  let low = Number.MAX_SAFE_INTEGER,
    high = 0;
  for (let i = 0; i < places.length; i += 2) {
    const start = places[i] as number,
      end = places[i + 1] as number;
    if (start < 0) continue;
    if (start < low) low = start;
    if (end > high) high = end;
  }
  if (high <= low || high - low > WHOLE_TEXT_BYTES) return null;
  const text = bytes.toString('utf8', low, high);
  wholeStart = low;
  return text.length === high - low ? text : null;
}

function decoded(column: TextColumn, bytes: Buffer, start: number, end: number, whole: string | null): Value {
  if (column.decodeBytes !== null) return column.decodeBytes(bytes, start, end);
  return column.decode(whole === null ? bytes.toString('utf8', start, end) : whole.slice(start - wholeStart, end - wholeStart));
}

/** Have two images of one layout the same bytes in these columns? Then they have the same values there. `false`: they may still. */
export function sameTexts(a: TextImage, b: TextImage, names: readonly string[]): boolean {
  const { layout } = a;
  if (b.layout !== layout) return false;
  const placesA = a.locate(),
    placesB = b.locate();
  for (let n = 0; n < names.length; n++) {
    const i = layout.indexOf(names[n] as string) * 2;
    if (i < 0 || patchOf(a.patch, i / 2) !== null || patchOf(b.patch, i / 2) !== null) return false;
    const start = placesA[i] as number,
      otherStart = placesB[i] as number,
      length = (placesA[i + 1] as number) - start;
    if (start < 0 || otherStart < 0 || (placesB[i + 1] as number) - otherStart !== length) return false;
    for (let k = 0; k < length; k++) if (a.bytes[start + k] !== b.bytes[otherStart + k]) return false;
  }
  return true;
}
