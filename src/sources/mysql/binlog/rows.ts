// The image of one row: a place in the bytes of its event. Where its columns are is found when somebody asks.

import { ABSENT_PLACE, NULL_PLACE, type Row, type TextColumn, TextImage, TextLayout, type Value } from '../../../sdk/index.ts';
import { lengthAt, type RowShape } from './row-shape.ts';

/** The columns of a table and which of them are wanted. One for all its rows, whichever columns they have. */
export class RowLayout extends TextLayout {
  /** For each column of the table: its index in `columns`; -1 for one that is left out. */
  readonly #indexes: Int16Array;
  #lastShape: RowShape | null = null;
  #lastTargets: Int32Array = new Int32Array(0);
  readonly #targets = new WeakMap<RowShape, Int32Array>();

  /** `columns`: one per column of the table, `null` for those left out. */
  constructor(columns: readonly (TextColumn | null)[]) {
    super(columns.filter((c) => c !== null));
    let next = 0;
    this.#indexes = Int16Array.from(columns, (c) => (c === null ? -1 : next++));
  }

  /** For each column of a shape: where its place goes; -1 for none. */
  targetsOf(shape: RowShape): Int32Array {
    if (shape === this.#lastShape) return this.#lastTargets;
    let targets = this.#targets.get(shape);
    if (targets === undefined) {
      targets = Int32Array.from(shape.columns, (column) => {
        const index = this.#indexes[column] ?? -1;
        return index < 0 ? -1 : index * 2;
      });
      this.#targets.set(shape, targets);
    }
    this.#lastShape = shape;
    this.#lastTargets = targets;
    return targets;
  }
}

const NO_OLD = -1;

export class BinlogRow extends TextImage {
  declare layout: RowLayout;
  readonly #start: number;
  readonly #shape: RowShape;
  /** The image before the update, which has the columns that did not change and so were not sent again. */
  readonly #oldStart: number;
  readonly #oldShape: RowShape | null;

  /** `oldStart`, `oldShape`: for the new image of an update whose shape is not whole. */
  constructor(bytes: Buffer, start: number, shape: RowShape, layout: RowLayout, oldStart = NO_OLD, oldShape: RowShape | null = null) {
    super(bytes, layout);
    this.#start = start;
    this.#shape = shape;
    this.#oldStart = oldStart;
    this.#oldShape = oldShape;
  }

  /** Lacks columns that the table has: they were not sent (`binlog_row_image` MINIMAL or NOBLOB). */
  get incomplete(): boolean {
    if (this.#shape.isWhole || this.#oldShape?.isWhole === true) return false;
    const places = this.locate();
    for (let i = 0; i < places.length; i += 2) if (places[i] === ABSENT_PLACE) return true;
    return false;
  }

  override place(places: Int32Array): void {
    if (!this.#shape.isWhole) {
      places.fill(ABSENT_PLACE);
      if (this.#oldShape !== null) this.#placeOne(places, this.#oldStart, this.#oldShape);
    }
    this.#placeOne(places, this.#start, this.#shape);
  }

  #placeOne(places: Int32Array, start: number, shape: RowShape): void {
    const { bytes } = this,
      { widths } = shape,
      targets = this.layout.targetsOf(shape);
    let at = start + shape.nullBytes,
      bits = 0;
    for (let i = 0; i < widths.length; i++) {
      bits = (i & 7) === 0 ? (bytes[start + (i >> 3)] as number) : bits >> 1;
      const target = targets[i] as number;
      if ((bits & 1) === 1) {
        if (target >= 0) places[target] = NULL_PLACE;
        continue;
      }
      const width = widths[i] as number;
      let begin = at;
      if (width >= 0) at += width;
      else {
        begin -= width;
        at = begin + lengthAt(bytes, at, -width);
      }
      if (target >= 0) {
        places[target] = begin;
        places[target + 1] = at;
      }
    }
  }

  /** All columns read themselves from bytes: no text of the whole row is of use. */
  override decode(): Row {
    const places = this.locate(),
      { bytes } = this,
      { columns, isPlain } = this.layout,
      row: Row = {};
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as ReadingColumn,
        start = places[i * 2] as number;
      if (start === ABSENT_PLACE) continue;
      const value = start === NULL_PLACE ? null : column.decodeBytes(bytes, start, places[i * 2 + 1] as number);
      if (isPlain) row[column.name] = value;
      else Object.defineProperty(row, column.name, { value, enumerable: true, writable: true, configurable: true });
    }
    return row;
  }
}

type ReadingColumn = TextColumn & { readonly decodeBytes: (bytes: Buffer, start: number, end: number) => Value };
