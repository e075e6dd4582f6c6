// A small database: rows, transactions, locks, a commit log, and visibility that comes later than the log, in another order.
//
// A transaction goes  open → logged (has its place in the log) → flushed (can be streamed) → visible (new snapshots see it, its
// locks are free). Rewrites change rows and send nothing, as in PostgreSQL.

import type { XidSnapshot } from '../../../src/sources/postgresql/xids.ts';
import type { Dice } from '../random.ts';

/** k: chunk key; e: another unique column; s: small; doc: large, absent from images where it is unchanged; v: last writer. */
export interface Row {
  k: number;
  e: string;
  s: number;
  doc: number;
  v: number;
}
export const COLUMNS = ['k', 'e', 's', 'doc'] as const;
export type Image = Partial<Row>;

export interface LogEvent {
  readonly op: 'c' | 'u' | 'd' | 't';
  readonly table: string;
  readonly oldKey: string | null;
  readonly key: string | null;
  readonly columns: Image;
  readonly isComplete: boolean;
}

type Op =
  | { kind: 'put'; table: Table; row: Row }
  | { kind: 'delete'; table: Table; k: number }
  | { kind: 'truncate' | 'rewrite' | 'rewrite values'; table: Table };

export interface Transaction {
  readonly xid: number;
  readonly ops: Op[];
  readonly events: LogEvent[];
  readonly locks: string[];
  readonly tables: Set<Table>;
  isExclusive: boolean;
  readonly isAsync: boolean;
  index: number;
  flushedAt: number;
}

export interface Table {
  readonly name: string;
  readonly identity: 'k' | 'e';
  readonly rows: Map<number, Row>;
  file: number;
  readers: number;
  writers: number;
  isOwned: boolean;
  /** File of the last rewrite that changed values. */
  lastRewrite: number;
}

export interface TableSnapshot {
  readonly seen: XidSnapshot;
  readonly rows: readonly Row[];
  readonly file: number;
}

export interface DatabaseShape {
  readonly identities: { readonly [table: string]: 'k' | 'e' };
  readonly keys: number;
  readonly image: 'toast' | 'full';
  /** Ticks between "can be streamed" and "visible", at most. */
  readonly gap: number;
  readonly asyncCommit: number;
}

const RECORD = 10n; // length of a log record
/** A log page. Behind a full one the insert position points behind the next one's header. */
export const BLOCK = 30n;
export const HEADER = 1n;

export const endOf = (records: number): bigint => BigInt(records) * RECORD;
export const lowBits = (xid: number): number => xid % 2 ** 32;

export class Database {
  readonly #dice: Dice;
  readonly shape: DatabaseShape;
  readonly tables: { readonly [name: string]: Table };
  now = 0;
  #counter = 0;
  nextXid: number;
  #latestCompleted: number;
  readonly open: Transaction[] = [];
  /** Logged, not yet visible. */
  readonly hidden: Transaction[] = [];
  readonly log: Transaction[] = [];
  flushed = 0;
  readonly #locks = new Set<string>();

  constructor(dice: Dice, shape: DatabaseShape) {
    this.#dice = dice;
    this.shape = shape;
    this.nextXid = 3 * 2 ** 32 - 1 - dice.int(20); // close to a wrap of the low bits
    this.#latestCompleted = this.nextXid - 1;
    const tables: { [name: string]: Table } = {};
    for (const [name, identity] of Object.entries(shape.identities)) {
      const rows = new Map<number, Row>();
      for (let k = 0; k < shape.keys; k++) if (dice.chance(0.7)) rows.set(k, this.#newRow(k, `e${k}`));
      tables[name] = { name, identity, rows, file: 1, readers: 0, writers: 0, isOwned: false, lastRewrite: 0 };
    }
    this.tables = tables;
  }

  #newRow(k: number, e: string): Row {
    return { k, e, s: ++this.#counter, doc: ++this.#counter, v: -1 };
  }
  table(name: string): Table {
    return this.tables[name] as Table;
  }

  // -- transactions ----------------------------------------------------------------------------------------------------------

  /** Begins a transaction and runs its statements; `null` when everything it wants is locked. */
  write(): Transaction | null {
    const tx: Transaction = {
      xid: this.nextXid,
      ops: [],
      events: [],
      locks: [],
      tables: new Set(),
      isExclusive: false,
      isAsync: this.#dice.chance(this.shape.asyncCommit),
      index: -1,
      flushedAt: 0,
    };
    const views = new Map<Table, Map<number, Row>>();
    if (this.#dice.chance(0.06)) this.#tableStatement(tx);
    else for (let n = 1 + this.#dice.int(3); n > 0; n--) this.#rowStatement(tx, views);
    if (tx.ops.length === 0) return null;
    this.nextXid++;
    this.open.push(tx);
    return tx;
  }

  #tableStatement(tx: Transaction): void {
    const table = this.#dice.pick(Object.values(this.tables));
    if (table.isOwned || table.readers > 0 || table.writers > 0) return;
    table.isOwned = true;
    tx.isExclusive = true;
    tx.tables.add(table);
    const kind = this.#dice.pick(['truncate', 'rewrite', 'rewrite values'] as const);
    tx.ops.push({ kind, table });
    if (kind === 'truncate') tx.events.push({ op: 't', table: table.name, oldKey: null, key: null, columns: {}, isComplete: true });
  }

  #rowStatement(tx: Transaction, views: Map<Table, Map<number, Row>>): void {
    const dice = this.#dice,
      table = dice.pick(Object.values(this.tables)),
      { name, identity } = table;
    if (table.isOwned) return;
    const rows = views.get(table) ?? new Map(table.rows);
    views.set(table, rows);
    const k = dice.int(this.shape.keys),
      row = rows.get(k);
    const isFree = (column: 'k' | 'e', value: number | string): boolean => ![...rows.values()].some((r) => r[column] === value);
    if (row === undefined) {
      const e = `e${dice.int(this.shape.keys)}`;
      if (!isFree('e', e)) return;
      const created = this.#newRow(k, e);
      if (!this.#take(tx, table, locksOf(name, created))) return;
      rows.set(k, created);
      tx.ops.push({ kind: 'put', table, row: created });
      tx.events.push({
        op: 'c',
        table: name,
        oldKey: null,
        key: String(created[identity]),
        columns: pick(created, COLUMNS),
        isComplete: true,
      });
      return;
    }
    if (dice.chance(0.2)) {
      if (!this.#take(tx, table, locksOf(name, row))) return;
      rows.delete(k);
      tx.ops.push({ kind: 'delete', table, k });
      tx.events.push({ op: 'd', table: name, oldKey: String(row[identity]), key: null, columns: {}, isComplete: true });
      return;
    }
    this.#update(tx, table, rows, row, isFree);
  }

  #update(
    tx: Transaction,
    table: Table,
    rows: Map<number, Row>,
    row: Row,
    isFree: (column: 'k' | 'e', value: number | string) => boolean,
  ): void {
    const dice = this.#dice,
      { name, identity } = table,
      changed = { ...row, s: ++this.#counter };
    if (dice.chance(0.3)) changed.doc = ++this.#counter;
    if (dice.chance(0.3)) changed.k = dice.int(this.shape.keys);
    if (dice.chance(0.15)) changed.e = `e${dice.int(this.shape.keys)}`;
    if ((changed.k !== row.k && rows.has(changed.k)) || (changed.e !== row.e && !isFree('e', changed.e))) return;
    if (!this.#take(tx, table, [...new Set([...locksOf(name, row), ...locksOf(name, changed)])])) return;
    rows.delete(row.k);
    rows.set(changed.k, changed);
    tx.ops.push({ kind: 'delete', table, k: row.k }, { kind: 'put', table, row: changed });
    const present = COLUMNS.filter((c) => changed[c] !== row[c] || this.shape.image === 'full' || c !== 'doc');
    tx.events.push({
      op: 'u',
      table: name,
      oldKey: String(row[identity]),
      key: String(changed[identity]),
      columns: pick(changed, present),
      isComplete: present.length === COLUMNS.length,
    });
  }

  #take(tx: Transaction, table: Table, names: readonly string[]): boolean {
    if (names.some((name) => this.#locks.has(name) && !tx.locks.includes(name))) return false;
    for (const name of names) {
      if (this.#locks.has(name)) continue;
      this.#locks.add(name);
      tx.locks.push(name);
    }
    if (!tx.tables.has(table)) table.writers++;
    tx.tables.add(table);
    return true;
  }

  commit(tx: Transaction): void {
    remove(this.open, tx);
    tx.index = this.log.length;
    for (const op of tx.ops) if (op.kind === 'put') op.row.v = tx.index;
    this.log.push(tx);
    this.hidden.push(tx);
  }

  abort(tx: Transaction): void {
    remove(this.open, tx);
    this.#release(tx);
  }

  flush(): void {
    for (; this.flushed < this.log.length; this.flushed++) (this.log[this.flushed] as Transaction).flushedAt = this.now;
  }

  /** Transactions that may become visible now. */
  showable(): Transaction[] {
    return this.hidden.filter((tx) => tx.isAsync || tx.index < this.flushed);
  }

  show(tx: Transaction): void {
    remove(this.hidden, tx);
    for (const op of tx.ops) {
      const { table } = op;
      if (op.kind === 'put') table.rows.set(op.row.k, op.row);
      else if (op.kind === 'delete') table.rows.delete(op.k);
      else {
        if (op.kind === 'truncate') table.rows.clear();
        if (op.kind === 'rewrite values') for (const [k, r] of table.rows) table.rows.set(k, { ...r, s: ++this.#counter, v: tx.index });
        table.file++;
        if (op.kind === 'rewrite values') table.lastRewrite = table.file;
      }
    }
    this.#release(tx);
  }

  #release(tx: Transaction): void {
    for (const name of tx.locks) this.#locks.delete(name);
    for (const table of tx.tables) {
      if (tx.isExclusive) table.isOwned = false;
      else table.writers--;
    }
    this.#latestCompleted = Math.max(this.#latestCompleted, tx.xid);
  }

  /** The gap is bounded: what was flushed `gap` ticks ago is visible. */
  tick(): void {
    this.now++;
    for (const tx of [...this.hidden]) if (tx.index < this.flushed && tx.flushedAt + this.shape.gap <= this.now) this.show(tx);
  }

  // -- what a client can ask for ---------------------------------------------------------------------------------------------

  /** A snapshot of one table, with what `pg_current_snapshot()` says. */
  snapshot(name: string): TableSnapshot {
    const xmax = this.#latestCompleted + 1; // not nextXid: a running transaction can lie at or above xmax
    const running = [...this.open, ...this.hidden].map((tx) => tx.xid),
      table = this.table(name);
    const seen = {
      xmin: BigInt(Math.min(xmax, ...running)),
      xmax: BigInt(xmax),
      xip: new Set(running.filter((xid) => xid < xmax).map(BigInt)),
    };
    return { seen, rows: [...table.rows.values()].map((r) => ({ ...r })), file: table.file };
  }

  /** SELECT in a snapshot. A table rewritten since has no row that it sees: no rows, no error. */
  select(name: string, { rows, file }: TableSnapshot): Row[] {
    return this.table(name).file === file ? [...rows].sort((a, b) => a.k - b.k) : [];
  }

  insertPosition(): bigint {
    const end = endOf(this.log.length);
    return end % BLOCK === 0n ? end + HEADER : end;
  }
}

const locksOf = (table: string, { k, e }: Row): string[] => [`${table}.k.${k}`, `${table}.e.${e}`];

export function pick(row: Image, columns: readonly (typeof COLUMNS)[number][]): Image {
  return Object.fromEntries(columns.map((c) => [c, row[c]]));
}

function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1);
}
