// A row as pgoutput sends it: for each column NULL, unchanged, or a length and text. Only its place is kept; where its columns
// are is found again when somebody asks, which is cheaper than to keep it.
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html#PROTOCOL-LOGICALREP-MESSAGE-FORMATS-TUPLEDATA

import { ABSENT_PLACE, NULL_PLACE, type TextColumn, TextImage, TextLayout } from '../../../sdk/index.ts';
import { PgoutputError } from './errors.ts';
import type { Relation } from './relation.ts';

const NULL = 0x6e, // n
  UNCHANGED = 0x75, // u
  TEXT = 0x74; // t
const COUNT_BYTES = 2,
  LENGTH_BYTES = 4;

/** A relation's columns and which of them are wanted. */
export class RowLayout extends TextLayout {
  /** For each column of the relation: its index in `columns`; -1 for one that is left out. */
  readonly indexes: Int16Array;
  /** For each column of the relation: is it in the key that updates and deletes send? */
  readonly isKey: readonly boolean[];
  /** Asked for last, and the answer. */
  #key: readonly string[] | null = null;
  #upTo = 0;

  /** `columns`: one per column of the relation, `null` for those left out. */
  constructor(columns: readonly (TextColumn | null)[], relation: Pick<Relation, 'columns'>) {
    super(columns.filter((c) => c !== null));
    let next = 0;
    this.indexes = Int16Array.from(columns, (c) => (c === null ? -1 : next++));
    this.isKey = relation.columns.map((c) => c.isKey);
  }

  /** So many columns of the relation, from the first on, hold all of `key`; one that is left out makes it all of them. */
  columnsUpTo(key: readonly string[]): number {
    if (key !== this.#key) {
      this.#key = key;
      const names = key.map((name) => this.indexOf(name)),
        places = names.map((index) => (index < 0 ? 0 : this.indexes.indexOf(index) + 1));
      this.#upTo = places.includes(0) ? this.indexes.length : Math.max(0, ...places);
    }
    return this.#upTo;
  }
}

const UNBOUND = new RowLayout([], { columns: [] });
const NO_TUPLE = -1;

export class Tuple extends TextImage {
  declare layout: RowLayout;
  readonly #start: number;
  /** Where the row stood before is: for values that are unchanged and so were not sent again. */
  readonly #old: number;
  /** Only the columns of the key were sent, the others look like NULL. */
  readonly #isKey: boolean;
  /** Lacks columns that the row has: unchanged values stored out of line, which nobody sent. */
  readonly incomplete: boolean;

  constructor(bytes: Buffer, start: number, old: number, isKey: boolean, incomplete: boolean) {
    super(bytes, UNBOUND);
    this.#start = start;
    this.#old = old;
    this.#isKey = isKey;
    this.incomplete = incomplete;
  }

  /** Says what the columns are. Throws when the row has another number of them than its relation. */
  bind(layout: RowLayout): this {
    const count = this.width;
    if (count !== layout.indexes.length) throw new PgoutputError(`a row of ${count} columns for a relation of ${layout.indexes.length}`, 0);
    this.layout = layout;
    return this;
  }

  /** How many columns were sent. */
  get width(): number {
    return ((this.bytes[this.#start] as number) << 8) | (this.bytes[this.#start + 1] as number);
  }

  /** Are the first `count` columns the same, byte by byte? */
  startsLike(other: Tuple, count: number): boolean {
    const { bytes } = this,
      theirs = other.bytes;
    let at = this.#start + COUNT_BYTES,
      there = other.#start + COUNT_BYTES;
    for (let i = 0; i < count; i++) {
      const kind = bytes[at];
      if (kind !== theirs[there]) return false;
      let length = 1;
      if (kind === TEXT) length += LENGTH_BYTES + lengthAt(bytes, at + 1);
      for (let k = 1; k < length; k++) if (bytes[at + k] !== theirs[there + k]) return false;
      at += length;
      there += length;
    }
    return true;
  }

  override place(places: Int32Array): void {
    if (this.#old !== NO_TUPLE) {
      // What the old row has is overwritten by what the new one sent.
      this.#placeOne(places, this.#old, false);
      this.#placeOne(places, this.#start, true);
    } else this.#placeOne(places, this.#start, false);
  }

  #placeOne(places: Int32Array, start: number, merge: boolean): void {
    const { bytes } = this,
      { indexes, isKey } = this.layout;
    let at = start + COUNT_BYTES;
    for (let i = 0; i < indexes.length; i++) {
      const kind = bytes[at++],
        index = (indexes[i] as number) * 2;
      if (kind === TEXT) {
        const begin = at + LENGTH_BYTES;
        at = begin + lengthAt(bytes, at);
        if (index >= 0) {
          places[index] = begin;
          places[index + 1] = at;
        }
      } else if (index >= 0 && !(merge && kind === UNCHANGED)) {
        places[index] = kind === UNCHANGED || (this.#isKey && !isKey[i]) ? ABSENT_PLACE : NULL_PLACE;
      }
    }
  }
}

function lengthAt(bytes: Buffer, at: number): number {
  return ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
}

/** The tuple that ended last: does it lack unchanged values? */
let sawUnchanged = false;

/** Goes through the tuple at `start` and gives the place behind it. All that is read later is checked here. `from`: of the message. */
function skipTuple(bytes: Buffer, start: number, end: number, from: number): number {
  if (end - start < COUNT_BYTES) throw new PgoutputError('the number of columns is cut off', start - from);
  let at = start + COUNT_BYTES,
    unchanged = false;
  for (let left = ((bytes[start] as number) << 8) | (bytes[start + 1] as number); left > 0; left--) {
    if (at >= end) throw new PgoutputError(`${left} columns are missing`, at - from);
    const kind = bytes[at++];
    if (kind === TEXT) {
      if (end - at < LENGTH_BYTES) throw new PgoutputError('the length of a value is cut off', at - from);
      const length = lengthAt(bytes, at);
      at += LENGTH_BYTES;
      if (length < 0 || length > end - at) throw new PgoutputError(`a value of ${length} bytes where ${end - at} are left`, at - from);
      at += length;
    } else if (kind === UNCHANGED) unchanged = true;
    else if (kind !== NULL) throw new PgoutputError(`a column of unknown kind ${kind}`, at - 1 - from);
  }
  sawUnchanged = unchanged;
  return at;
}

/** Reads tuples one after another; `at` is where it stands. One for all messages. */
export class TupleReader {
  at = 0;

  row(bytes: Buffer, at: number, end: number, from: number, isKey: boolean): Tuple {
    this.at = skipTuple(bytes, at, end, from);
    return new Tuple(bytes, at, NO_TUPLE, isKey, sawUnchanged);
  }

  /** The new row of an update, with what did not change taken from the whole old row, which is in the same message at `old`. */
  merged(bytes: Buffer, at: number, end: number, from: number, old: number, oldIncomplete: boolean, oldWidth: number): Tuple {
    this.at = skipTuple(bytes, at, end, from);
    const width = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    if (width !== oldWidth) throw new PgoutputError(`an old row of ${oldWidth} columns and a new one of ${width}`, at - from);
    return new Tuple(bytes, at, sawUnchanged ? old : NO_TUPLE, false, sawUnchanged && oldIncomplete);
  }
}
