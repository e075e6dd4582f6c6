// What a destination does that reduces a batch to one change per key, with the reducer that the SQL destinations use: the rows it
// leaves must be those that the events leave one by one, incomplete ones among them.

import { type RowChange, reduce, type Table } from '../../src/relational/reduce.ts';
import { type ChangeEvent, formatTableId, type ResumePoint, type Row } from '../../src/sdk/index.ts';
import type { HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import { type Rows, rowKey } from '../../src/sdk/testing/fakes/rows.ts';

/** Watches the transactions of a store; `onDifference`: a batch was reduced to something else. */
export class ReducedRows {
  readonly #onDifference: (what: string) => void;
  readonly #onFolded: (count: number) => void;
  #before: Rows;
  #now: Rows;
  #events: ChangeEvent[] = [];

  constructor(store: HoldingStore, onDifference: (what: string) => void, onFolded: (count: number) => void) {
    this.#onDifference = onDifference;
    this.#onFolded = onFolded;
    this.#before = this.#now = store.rows;
    Object.defineProperty(store, 'rows', {
      get: () => this.#now,
      set: (rows: Rows) => {
        this.#before = this.#now;
        this.#now = rows;
      },
    });
  }

  applied(e: ChangeEvent): void {
    this.#events.push(e);
  }

  /** The transaction of these events is over. */
  committed(through: ResumePoint): void {
    const events = this.#events.splice(0);
    if (events.length < 2) return;
    const runs = (e: ChangeEvent): boolean =>
      through.snapshots.some((s) => s.source === e.source && s.table === formatTableId(e.table.id) && s.state === 'running');
    const rows = applyReduced(this.#before, events, runs, this.#onFolded);
    const text = (of: Rows): string => JSON.stringify([...of].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, row]) => [k, sorted(row)]));
    if (text(rows) !== text(this.#now))
      this.#onDifference(`${events.map((e) => `${e.op} ${e.position}`).join(', ')}: ${text(rows)}, one by one ${text(this.#now)}`);
  }
}

const sorted = (row: Row): Row => Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));

function applyReduced(
  before: Rows,
  events: readonly ChangeEvent[],
  isRunning: (e: ChangeEvent) => boolean,
  onFolded: (n: number) => void,
): Rows {
  const tables = new Map<string, Table>(),
    changes = events.flatMap((e, index) => changeOf(e, index, tables, isRunning(e)));
  const rows: Rows = new Map(before),
    parsed = (columns: readonly string[], values: readonly (string | null)[]): Row =>
      Object.fromEntries(columns.map((c, i) => [c, JSON.parse(values[i] as string)]));
  let writes = 0;
  for (const segment of reduce(changes, 'replace')) {
    const at = (key: readonly string[]): string => `${segment.table.place}/${key.join('/')}`;
    if (segment.kind === 'rows') {
      for (const key of segment.deletes) rows.delete(at(key));
      for (const { kind, key, columns, values } of segment.writes) {
        const old = rows.get(at(key));
        writes++;
        if (kind === 'put') rows.set(at(key), parsed(columns, values));
        else if (old !== undefined) rows.set(at(key), { ...old, ...parsed(columns, values) });
      }
    } else if (segment.kind === 'truncate') {
      for (const key of [...rows.keys()]) if (key.startsWith(`${segment.table.place}/`)) rows.delete(key);
    } else {
      const { oldKey = [], key, columns, values, incomplete } = segment.change,
        old = rows.get(at(oldKey));
      rows.delete(at(oldKey));
      if (!incomplete || old !== undefined) rows.set(at(key), { ...(incomplete ? old : {}), ...parsed(columns, values) });
    }
  }
  onFolded(changes.filter((c) => c.incomplete).length > 0 ? changes.length - writes : 0);
  return rows;
}

function changeOf(e: ChangeEvent, index: number, tables: Map<string, Table>, mayBeMissing: boolean): RowChange<Table>[] {
  const place = formatTableId(e.table.id),
    table = tables.get(place) ?? { place };
  tables.set(place, table);
  const base = { index, table, id: '', key: [], columns: [], values: [], incomplete: e.incomplete, mayBeMissing };
  if (e.op === 't') return [{ ...base, kind: 'truncate' }];
  if (e.key === null || e.op === 'm' || e.op === 's') return [];
  const key = Object.values(e.key).map(String),
    after = Object.entries(e.after ?? {});
  const change = {
    ...base,
    id: rowKey(place, e.key),
    key,
    columns: after.map(([c]) => c),
    values: after.map(([, v]) => JSON.stringify(v)),
  };
  if (e.op === 'd') return [{ ...change, kind: 'delete' }];
  if (e.oldKey !== null) return [{ ...change, kind: 'move', oldKey: Object.values(e.oldKey).map(String) }];
  return [{ ...change, kind: e.incomplete ? 'patch' : 'put' }];
}
