// The source database of the chaos tests and the life in it. Each change is noted in a table `history` in its own
// transaction, so that at the end it is known what must have been delivered, and in which order.

import type Database from 'better-sqlite3';
import type { Dice } from '../simulation/random.ts';
import type { AuditedTable } from './audit.ts';

export const TABLES = ['customers', 'orders'] as const;
export type Table = (typeof TABLES)[number];

/** As replicas keep them. */
export const SHOP: readonly AuditedTable[] = TABLES.map((name) => ({
  name,
  columns: 'id bigint PRIMARY KEY, name text, credit double precision, rev bigint',
  rev: 'rev',
}));

/** `rev`: the number of the change that left the row like this; of a delete that of the row before it. */
export interface Change {
  readonly table: string;
  readonly op: string;
  readonly id: number;
  readonly rev: number;
}

export function createShop(db: Database.Database, rows: number): void {
  db.pragma('journal_mode = WAL');
  db.exec(`
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, credit REAL, rev INTEGER NOT NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT NOT NULL, credit REAL, rev INTEGER NOT NULL);
    CREATE TABLE history (n INTEGER PRIMARY KEY, tbl TEXT NOT NULL, op TEXT NOT NULL, id INTEGER NOT NULL, rev INTEGER NOT NULL);`);
  db.transaction(() => {
    for (const table of TABLES) {
      const insert = db.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, 0)`);
      for (let id = 1; id <= rows; id++) insert.run(id, `row ${id}`, id / 4);
    }
  })();
}

export function historyOf(db: Database.Database): Change[] {
  return db.prepare('SELECT tbl AS "table", op, id, rev FROM history ORDER BY n').all() as Change[];
}

/** Inserts, updates, deletes and changes of keys, some in a transaction. */
export class Trade {
  readonly #db: Database.Database;
  readonly #dice: Dice;
  readonly #ids: { readonly [T in Table]: number[] };
  #lastId: number;
  #lastChange: number;

  constructor(db: Database.Database, dice: Dice) {
    this.#db = db;
    this.#dice = dice;
    const idsOf = (table: Table): number[] => db.prepare(`SELECT id FROM ${table}`).pluck().all() as number[];
    this.#ids = { customers: idsOf('customers'), orders: idsOf('orders') };
    this.#lastId = Math.max(0, ...this.#ids.customers, ...this.#ids.orders);
    this.#lastChange = Number(db.prepare('SELECT coalesce(max(n), 0) FROM history').pluck().get());
  }

  /** One transaction. Returns how many changes it made. */
  step(): number {
    const changes = 1 + this.#dice.int(8);
    this.#db
      .transaction(() => {
        for (let i = 0; i < changes; i++) this.#change();
      })
      .immediate();
    return changes;
  }

  #change(): void {
    const table = this.#dice.pick(TABLES),
      ids = this.#ids[table],
      rev = ++this.#lastChange;
    const at = this.#dice.int(ids.length),
      id = ids[at],
      kind = this.#dice.next();
    if (id === undefined || kind < 0.35) this.#insert(table, rev);
    else if (kind < 0.8) this.#update(table, id, rev);
    else if (kind < 0.93) this.#delete(table, at, rev);
    else this.#move(table, at, rev);
  }

  #insert(table: Table, rev: number): void {
    const id = ++this.#lastId;
    this.#run(`INSERT INTO ${table} VALUES (?, ?, ?, ?)`, id, this.#name(), null, rev);
    this.#ids[table].push(id);
    this.#note(table, 'c', id, rev, rev);
  }

  #update(table: Table, id: number, rev: number): void {
    this.#run(`UPDATE ${table} SET name = ?, credit = ?, rev = ? WHERE id = ?`, this.#name(), this.#dice.next() * 100, rev, id);
    this.#note(table, 'u', id, rev, rev);
  }

  #delete(table: Table, at: number, n: number): void {
    const ids = this.#ids[table],
      id = ids[at] as number,
      last = ids.pop() as number;
    if (at < ids.length) ids[at] = last;
    const rev = this.#db.prepare(`SELECT rev FROM ${table} WHERE id = ?`).pluck().get(id) as number;
    this.#run(`DELETE FROM ${table} WHERE id = ?`, id);
    this.#note(table, 'd', id, rev, n);
  }

  /** To a key that was never used, or back to one that was deleted long ago. */
  #move(table: Table, at: number, rev: number): void {
    const ids = this.#ids[table],
      old = ids[at] as number,
      wanted = 1 + this.#dice.int(this.#lastId);
    const id = ids.includes(wanted) ? ++this.#lastId : wanted;
    this.#run(`UPDATE ${table} SET id = ?, rev = ? WHERE id = ?`, id, rev, old);
    ids[at] = id;
    this.#note(table, 'u', id, rev, rev);
  }

  #note(table: Table, op: string, id: number, rev: number, n: number): void {
    this.#run('INSERT INTO history VALUES (?, ?, ?, ?, ?)', n, table, op, id, rev);
  }

  #run(sql: string, ...values: unknown[]): void {
    this.#db.prepare(sql).run(...values);
  }

  #name(): string {
    return `näme ${'x'.repeat(this.#dice.int(60))}`;
  }
}
