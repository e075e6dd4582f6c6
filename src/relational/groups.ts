// Rows cut into what one statement takes. Pure.

import { remembered } from '../util/remembered.ts';
import type { RowWrite } from './reduce.ts';

/** One statement carries at most this much text, so that neither side builds a giant message. Characters. */
const MAX_STATEMENT_TEXT = 16 << 20;

/** Writes of one kind with the same columns. */
export interface Group {
  readonly kind: RowWrite['kind'];
  readonly columns: readonly string[];
  readonly writes: RowWrite[];
}

/** Whole rows before patches, else in the order in which they came. */
export function byShape(writes: readonly RowWrite[]): Group[] {
  const groups = new Map<string, Group>();
  const signatures = new Map<readonly string[], string>();
  for (const write of writes) {
    const columns = remembered(signatures, write.columns, () => write.columns.join('\0'));
    remembered(groups, `${write.kind}\0${columns}`, (): Group => ({ kind: write.kind, columns: write.columns, writes: [] })).writes.push(
      write,
    );
  }
  return [...groups.values()].sort((a, b) => Number(a.kind === 'patch') - Number(b.kind === 'patch'));
}

/** Cuts by number of rows and by size of their texts, in characters. */
export function* chunks<R>(
  rows: readonly R[],
  texts: (row: R) => readonly (string | null)[],
  maxRows: number,
  maxText = MAX_STATEMENT_TEXT,
): Generator<readonly R[]> {
  let from = 0,
    size = 0;
  for (let i = 0; i < rows.length; i++) {
    let length = 0;
    for (const text of texts(rows[i] as R)) length += text?.length ?? 0;
    if (i > from && (i - from >= maxRows || size + length > maxText)) {
      yield rows.slice(from, i);
      from = i;
      size = 0;
    }
    size += length;
  }
  if (from < rows.length) yield rows.slice(from);
}
