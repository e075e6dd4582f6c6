// Rows of one read, by their index. Sources that can, make a row and its key only when they are asked for: most rows go out
// without anybody having looked at their key.

export interface ChunkRows<Row> {
  readonly count: number;
  /** Memory of a row, about. */
  bytes(i: number): number;
  /** Canonical text of what every event carries of the old row (the replica identity): the same text in stream and chunk. */
  key(i: number): string;
  /** Whether this key equals one of the stream cannot be told for certain. */
  isDoubtful(i: number): boolean;
  /** Of a range: the key by which chunks are read, as the server gave it (a JSON array of texts). Reading goes on behind it. */
  place(i: number): string;
  /** Asked once for each row. */
  row(i: number): Row;
}

/** A row that is there already. */
export interface ChunkRow<Row> {
  readonly key: string;
  readonly place: string;
  readonly row: Row;
  readonly bytes: number;
  readonly doubtful?: true;
}

export function chunkRows<Row>(rows: readonly ChunkRow<Row>[]): ChunkRows<Row> {
  const at = (i: number): ChunkRow<Row> => rows[i] as ChunkRow<Row>;
  return {
    count: rows.length,
    bytes: (i) => at(i).bytes,
    key: (i) => at(i).key,
    isDoubtful: (i) => at(i).doubtful === true,
    place: (i) => at(i).place,
    row: (i) => at(i).row,
  };
}
