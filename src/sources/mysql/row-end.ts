// System-versioned tables of MariaDB. Their log has rows of the past beside those that a SELECT shows: an UPDATE writes the row as it was
// once more, with the time at which it ended, and a DELETE only sets that time where there is no key. To a reader of rows, the past is
// nothing: its rows would undo the change at whoever keeps the table by key.

import { ColumnType } from './binlog/column-type.ts';
import type { RowsEvent } from './binlog/events.ts';
import type { RowShape } from './binlog/row-shape.ts';
import type { MapColumn } from './binlog/table-map.ts';
import type { ColumnFacts } from './types.ts';

/** Of a table that was made WITH SYSTEM VERSIONING and names no such columns itself. */
export const HIDDEN_TIMES: readonly ColumnFacts[] = [
  { name: 'row_start', columnType: 'timestamp(6)', charset: null, isHidden: true },
  { name: 'row_end', columnType: 'timestamp(6)', charset: null, isHidden: true, isRowEnd: true },
];

const ADDS_VERSIONING = /\b(?:ADD|WITH)\s+SYSTEM\s+VERSIONING\b/i,
  DROPS_VERSIONING = /\bDROP\s+SYSTEM\s+VERSIONING\b/i,
  NAMED_END = /(?:`([^`]+)`|([\w$]+))\s+TIMESTAMP\s*\(\s*6\s*\)\s+(?:GENERATED\s+ALWAYS\s+)?AS\s+ROW\s+END\b/i;

type Marks = { readonly [K in 'isRowEnd' | 'isHidden']?: true | undefined };

export const marksOf = ({ isRowEnd, isHidden }: Marks): Pick<ColumnFacts, keyof Marks> => ({
  ...(isRowEnd === true ? { isRowEnd } : {}),
  ...(isHidden === true ? { isHidden } : {}),
});

export function unmarked({ isRowEnd: _end, isHidden: _hidden, ...rest }: ColumnFacts): ColumnFacts {
  return rest;
}

/** The marked columns of a table after these statements; `null`: nothing was known of it, and nothing is said. */
export function markedAfter(known: readonly (ColumnFacts | null)[], statements: readonly string[]): readonly ColumnFacts[] | null {
  const before = known.filter((fact) => fact !== null && (fact.isRowEnd ?? fact.isHidden ?? false)) as readonly ColumnFacts[];
  let marked: readonly ColumnFacts[] | null = before.length > 0 ? before : null;
  for (const sql of statements) {
    if (DROPS_VERSIONING.test(sql)) marked = [];
    if (!ADDS_VERSIONING.test(sql)) continue;
    const [, quoted, plain] = NAMED_END.exec(sql) ?? [],
      name = quoted ?? plain;
    marked = name === undefined ? HIDDEN_TIMES : [{ name, columnType: 'timestamp(6)', charset: null, isRowEnd: true }];
  }
  return marked;
}

/** The end of rows that have not ended, a TIMESTAMP(6): before and since MariaDB 11.5. */
const NEVER: readonly Buffer[] = [Buffer.from('7fffffff0f423f', 'hex'), Buffer.from('ffffffff0f423f', 'hex')];
const END_BYTES = 7,
  END_DIGITS = 6;

/** The column in the log; -1: there is none. */
export function rowEndOf(columns: readonly MapColumn[], facts: readonly (ColumnFacts | null)[]): number {
  const i = facts.findIndex((fact) => fact?.isRowEnd === true),
    column = columns[i];
  // Tables whose rows end with a transaction's number are logged as statements, and stopped.
  return column?.type === ColumnType.timestamp2 && column.meta === END_DIGITS ? i : -1;
}

/** What becomes of a row to those who see only rows of now; `null`: nothing. */
export function opOfNow({ op, bytes, starts, before, after }: RowsEvent, row: number, rowEnd: number): RowsEvent['op'] | null {
  const first = starts[op === 'u' ? row * 2 : row] as number;
  if (hasEnded(bytes, first, (op === 'c' ? after : before) as RowShape, rowEnd)) return null;
  return op === 'u' && hasEnded(bytes, starts[row * 2 + 1] as number, after as RowShape, rowEnd) ? 'd' : op;
}

/** Has the row in this image ended? `false` where the image does not say. */
function hasEnded(bytes: Buffer, start: number, shape: RowShape, rowEnd: number): boolean {
  const at = shape.find(bytes, start, rowEnd);
  return at >= 0 && !NEVER.some((end) => bytes.compare(end, 0, END_BYTES, at, at + END_BYTES) === 0);
}
