// Positions of rows that were read: behind the place of the stream, with run, chunk and number, so that each is another one.
// `00000016b374d848/0000000000000000/000000.r.10b7.5f00.3000.17`

import { LazyPosition, type Position } from '../../sdk/index.ts';
import { logPositions } from './position.ts';

type Fields = ReturnType<LazyPosition['fields']>;

/** Those of one chunk. */
export class RowPlaces {
  readonly start: string;
  readonly bytes: Uint8Array;
  /** Of the stream. */
  readonly place: Position;
  /** The field `lsn`; -1 when it is no exact number. */
  readonly lsn: number;
  #fields: { readonly transactionId: string | null; readonly fields: Fields } | null = null;

  constructor(place: Position, run: string, chunk: number) {
    this.place = place;
    const { lsn } = this.fields(null);
    this.lsn = typeof lsn === 'number' && lsn > 0 && Number.isSafeInteger(lsn) ? lsn : -1;
    this.start = `${place}.r.${run}.${chunk}.`;
    this.bytes = Buffer.from(this.start);
  }

  at(index: number): LazyPosition {
    return new RowPlace(this, index);
  }

  /** All of them are at one place of the log. */
  fields(transactionId: string | null): Fields {
    if (this.#fields === null || this.#fields.transactionId !== transactionId) {
      this.#fields = { transactionId, fields: logPositions.fields?.(this.place, transactionId) ?? {} };
    }
    return this.#fields.fields;
  }
}

const ZERO = 0x30;

class RowPlace extends LazyPosition {
  readonly length: number;
  readonly #places: RowPlaces;
  readonly #index: number;

  constructor(places: RowPlaces, index: number) {
    super();
    let digits = 1;
    for (let limit = 10; index >= limit; limit *= 10) digits++;
    this.length = places.bytes.length + digits;
    this.#places = places;
    this.#index = index;
  }

  override text(): Position {
    return `${this.#places.start}${this.#index}` as Position;
  }

  override put(bytes: Uint8Array, at: number): void {
    const start = this.#places.bytes;
    for (let i = 0; i < start.length; i++) bytes[at + i] = start[i] as number;
    let rest = this.#index;
    for (let i = at + this.length - 1; i >= at + start.length; i--) {
      const quotient = (rest / 10) | 0;
      bytes[i] = ZERO + rest - quotient * 10;
      rest = quotient;
    }
  }

  override fields(transactionId: string | null): Fields {
    return this.#places.fields(transactionId);
  }

  override numberBeside(other: LazyPosition): number {
    return other instanceof RowPlace && other.#places.place === this.#places.place ? this.#places.lsn : -1;
  }
}
