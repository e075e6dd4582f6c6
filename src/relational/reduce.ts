// Reduces the changes of a batch to what must be written: one change per key between two barriers, so that a whole batch
// becomes a few statements. Pure; the rules of design.md section 3, "Incomplete events".
//
// Applying the segments in order leaves the same rows as applying the changes one by one (a property test shows it).
// Within a segment: deletes first, then whole rows, then patches; each key occurs once among rows and patches.

/** What stands for a table: two with the same `place` are the same one, found by other keys. */
export interface Table {
  readonly place: string;
}

/** One change of one table, spelled for the database. */
export interface RowChange<T extends Table> {
  /** Place of the event in its batch. */
  readonly index: number;
  /**
   * `put`: a whole row, inserted or written over the one with its key. `add`: a whole row, unless its key is taken.
   * `patch`: some columns of a row that must be there. `move`: a row gets another key. `truncate`: the table is emptied.
   */
  readonly kind: 'put' | 'add' | 'patch' | 'delete' | 'move' | 'truncate';
  readonly table: T;
  /** The same for all spellings of one key; unique per event when the table has none. */
  readonly id: string;
  /** Texts of the key columns; of a `move` the new ones. Empty without a key, and for `truncate`. */
  readonly key: readonly string[];
  readonly columns: readonly string[];
  /** In the order of `columns`. */
  readonly values: readonly (string | null)[];
  /** `move`: the key that the row has until then. */
  readonly oldKey?: readonly string[];
  /** `patch`, `move`: `columns` are some of the row's only. A missing row cannot be made of them. */
  readonly incomplete: boolean;
  /** A row that is not there will be brought by a running snapshot. */
  readonly mayBeMissing: boolean;
}

/** What is to be done to one key. */
export interface RowWrite {
  readonly kind: 'put' | 'add' | 'patch';
  readonly key: readonly string[];
  readonly columns: readonly string[];
  readonly values: readonly (string | null)[];
  readonly mayBeMissing: boolean;
}

export type Segment<T extends Table> =
  | { readonly kind: 'rows'; readonly table: T; readonly deletes: readonly (readonly string[])[]; readonly writes: readonly RowWrite[] }
  | { readonly kind: 'move' | 'truncate'; readonly table: T; readonly change: RowChange<T> };

/** How a whole row meets one that is there: its columns are set (`merge`), or the row becomes the new one (`replace`). */
export type PutMode = 'merge' | 'replace';

/** `gone`: deleted. `clear`: delete the row first, so that columns which the new one lacks start anew. */
interface Pending {
  readonly write: RowWrite | 'gone';
  readonly clear: boolean;
  readonly key: readonly string[];
}

interface Run<T extends Table> {
  readonly table: T;
  readonly pending: Map<string, Pending>;
}

/**
 * Segments come in the order in which their first changes came. Changes of one table keep their order; a move or a truncate
 * ends the run of its table.
 */
export function reduce<T extends Table>(changes: Iterable<RowChange<T>>, mode: PutMode): Segment<T>[] {
  const parts: (Run<T> | Segment<T>)[] = [];
  const open = new Map<string, Run<T>>();
  const begin = (table: T): Run<T> => {
    const run = { table, pending: new Map<string, Pending>() };
    parts.push(run);
    open.set(table.place, run);
    return run;
  };
  for (const change of changes) {
    const { kind, table, id } = change;
    if (kind === 'move' || kind === 'truncate') {
      open.delete(table.place);
      parts.push({ kind, table, change });
      continue;
    }
    const current = open.get(table.place);
    const run = current?.table === table ? current : begin(table);
    const next = follow(run.pending.get(id), change, mode);
    // A change that cannot be folded into what is pending for its key begins the table's next run.
    if (next === null) begin(table).pending.set(id, first(change));
    else run.pending.set(id, next);
  }
  return parts.map((part) => ('pending' in part ? finish(part) : part));
}

function finish<T extends Table>({ table, pending }: Run<T>): Segment<T> {
  const deletes: (readonly string[])[] = [],
    writes: RowWrite[] = [];
  for (const { write, clear, key } of pending.values()) {
    if (clear || write === 'gone') deletes.push(key);
    if (write !== 'gone') writes.push(write);
  }
  return { kind: 'rows', table, deletes, writes };
}

function first<T extends Table>(change: RowChange<T>): Pending {
  return { write: change.kind === 'delete' ? 'gone' : (change as RowWrite), clear: false, key: change.key };
}

/** What is pending for a key after one more change; `null` when that cannot be said in one write. */
function follow<T extends Table>(before: Pending | undefined, change: RowChange<T>, mode: PutMode): Pending | null {
  if (before === undefined || change.kind === 'delete') return first(change);
  const { write, clear } = before;
  switch (change.kind) {
    case 'put':
      return followPut(before, change, mode);
    case 'add':
      // After a delete nothing is in the way.
      if (write === 'gone') return { write: { ...asWrite(change), kind: 'put' }, clear: true, key: change.key };
      // A row is there by now, so it stays. Behind a patch it is not certain.
      return write.kind === 'patch' ? null : before;
    default: {
      // A patch of a deleted row fails on its own; behind an `add` it is open which row it meets.
      if (write === 'gone' || write.kind === 'add') return null;
      return { write: union(write, change), clear, key: before.key };
    }
  }
}

function followPut<T extends Table>({ write, clear }: Pending, change: RowChange<T>, mode: PutMode): Pending | null {
  const { key } = change;
  if (write === 'gone') return { write: asWrite(change), clear: true, key };
  if (mode === 'replace') return { write: asWrite(change), clear, key };
  if (write.kind === 'put') return { write: union(write, change), clear, key };
  return covers(change.columns, write.columns) ? { write: asWrite(change), clear, key } : null;
}

function asWrite<T extends Table>(change: RowChange<T>): RowWrite {
  return change as RowWrite;
}

function covers(columns: readonly string[], others: readonly string[]): boolean {
  return columns === others || others.every((c) => columns.includes(c));
}

/** The last present value of each column. */
function union(
  older: RowWrite,
  newer: { readonly columns: readonly string[]; readonly values: readonly (string | null)[]; readonly mayBeMissing: boolean },
): RowWrite {
  const { kind, key } = older,
    mayBeMissing = older.mayBeMissing && newer.mayBeMissing;
  if (covers(newer.columns, older.columns)) return { kind, key, columns: newer.columns, values: newer.values, mayBeMissing };
  const merged = new Map(older.columns.map((c, i) => [c, older.values[i] ?? null]));
  for (const [i, column] of newer.columns.entries()) merged.set(column, newer.values[i] ?? null);
  return { kind, key, columns: [...merged.keys()], values: [...merged.values()], mayBeMissing };
}
