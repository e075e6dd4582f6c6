// Values and rows: what a column holds once decoded. The JS type depends on the column's type, never on the value
// (invariant 6), so a consumer may switch on the schema alone.

/**
 * One decoded column value.
 *
 * | logical type (see `ColumnType`) | JS value |
 * |---|---|
 * | boolean | `boolean` |
 * | int16, int32, float32, float64 | `number` |
 * | int64, uint64 | `bigint` |
 * | decimal | `string`, the database's digits: `"12.30"` |
 * | date, time, timestamp, timestamptz, interval | ISO-8601 `string` |
 * | bytes | `Uint8Array` |
 * | json, array | plain values |
 * | any | whichever of these the database stored in this row (SQLite) |
 */
export type Value = null | boolean | number | bigint | string | Uint8Array | readonly Value[] | { readonly [key: string]: Value };

/** Column name → value. A column that the source did not send is absent, never a placeholder. */
export type Row = { [column: string]: Value };

/**
 * A row still in the form its source sent it (bytes plus a column index, a seed …). Decoded on first access only;
 * a source on the hot path hands these over instead of plain rows.
 */
export abstract class RowImage {
  /** The whole row as a new plain object. Called at most once per image by `ChangeEvent`. */
  abstract decode(): Row;
  /** One column without decoding the others; `undefined` when the source did not send it. */
  abstract column(name: string): Value | undefined;
  /** Names of the columns it has. The same array for images of the same shape, so that callers may cache by it. */
  columns(): readonly string[] {
    return Object.keys(this.decode());
  }
}

/**
 * A JSON document as the source's own text, which keeps spacing and digits that a parsed value would lose. A source may put
 * it where the value of a `json` column stands.
 */
export class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
