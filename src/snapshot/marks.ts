// Which rows are the first and the last ones, as `source.snapshot` of a record says: of their table, and of all tables. A mark,
// which may be missing: a table that is empty, or becomes it, says so too late.

import type { SnapshotMark } from '../sdk/index.ts';
import type { OutputChunk, TableStatus } from './types.ts';

export type RowPlace = Exclude<SnapshotMark, false>['place'];

const isOver = (state: TableStatus['state']): boolean => state !== 'running' && state !== 'paused';

export class RowMarks {
  readonly #status: () => readonly TableStatus[];
  /** Tables that had no row when somebody looked. */
  readonly #empty = new Map<string, boolean>();

  constructor(status: () => readonly TableStatus[]) {
    this.#status = status;
  }

  /** The table is read. Are all that come behind it empty? Then its last row is the last of all. */
  async lookAhead(table: string, isEmpty: (table: string) => Promise<boolean>): Promise<void> {
    const tables = this.#status();
    // Those before it begin before it: they have rows to come, and say so when it goes out.
    for (const other of tables.slice(tables.findIndex((t) => t.table === table) + 1)) {
      if (other.rows > 0 || isOver(other.state)) continue;
      const known = this.#empty.get(other.table) ?? (await isEmpty(other.table));
      this.#empty.set(other.table, known);
      if (!known) return;
    }
  }

  /** Of each row of a chunk. */
  of({ table, isFirst, isLast }: OutputChunk, rows: number): (i: number) => RowPlace {
    const all = this.#status(),
      others = all.filter((t) => t.table !== table),
      before = all.slice(
        0,
        all.findIndex((t) => t.table === table),
      );
    // An empty table that was the first takes the mark with it, as Debezium has it.
    const isFirstTable = others.every((t) => t.rows === 0) && !before.some((t) => isOver(t.state)),
      isLastTable = others.every((t) => isOver(t.state) || this.#empty.get(t.table) === true);
    return (i) => placeOf(isFirst && i === 0, isLast && i === rows - 1, isFirstTable, isLastTable);
  }
}

/** Debezium's marks, the first that fits. */
function placeOf(first: boolean, last: boolean, isFirstTable: boolean, isLastTable: boolean): RowPlace {
  if (last && isLastTable) return 'last';
  if (first && isFirstTable) return 'first';
  if (last) return 'last_in_data_collection';
  return first ? 'first_in_data_collection' : 'true';
}
