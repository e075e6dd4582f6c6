// Rows of databases without an encoding (SQL_ASCII), whose texts may be any bytes. One that is not UTF-8 has no value here: it
// goes to the dead letters as it is, and never becomes another text.

import { isUtf8 } from 'node:buffer';
import { CdcError, formatTableId, type Position, type TableId, type TextImage } from '../../sdk/index.ts';

export const READ_AS_IT_IS = "SET client_encoding TO 'SQL_ASCII'";

export interface BrokenRow {
  /** The columns as JSON; those that are not UTF-8 in hex, as `bytea` prints. */
  readonly input: string;
  readonly at: string;
  readonly error: CdcError;
}

export function isText(image: TextImage): boolean {
  return brokenColumns(image).length === 0;
}

export function brokenColumns(image: TextImage): string[] {
  const { bytes, layout } = image,
    places = image.locate();
  return layout.names.filter((_, i) => {
    const start = places[i * 2] as number;
    return start >= 0 && !isUtf8(bytes.subarray(start, places[i * 2 + 1]));
  });
}

export function brokenRow(image: TextImage, table: TableId, position: Position, where: string): BrokenRow {
  const { bytes, layout } = image,
    broken = brokenColumns(image),
    places = image.locate();
  const text = (i: number): string | null => {
    const start = places[i * 2] as number,
      end = places[i * 2 + 1];
    if (start < 0) return null;
    return broken.includes(layout.names[i] as string) ? `\\x${bytes.toString('hex', start, end)}` : bytes.toString('utf8', start, end);
  };
  const name = formatTableId(table),
    columns = broken.map((c) => `"${c}"`).join(', ');
  return {
    input: JSON.stringify(Object.fromEntries(layout.names.map((column, i) => [column, text(i)]))),
    at: `${name} at ${position}`,
    error: new CdcError(
      'SOURCE_DATA_INVALID',
      `Columns of ${name} are not UTF-8, and the database has no encoding (SQL_ASCII): ${columns}.`,
      {
        where,
        fix: 'Correct the row at the source, or leave the columns out by `columns.exclude`.',
      },
    ),
  };
}
