// The shop behind pipelines/orders.yaml: makes a small SQLite database on the first run, and lets some shop life happen on
// each later one, so that there is something to capture. A hook like any of yours: it imports only the SDK and its driver.

import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { type ConfigOf, Default, defineHook, Keys, Type } from 'cdc-run/sdk';

const config = Keys({
  path: Type.String({ description: 'Where the shop database is made.' }),
  seed: Default(Type.Integer({ description: 'Another seed gives another shop.' }), 1),
});

const FIRST = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Frances', 'Ken', 'Margaret', 'Niklaus', 'Radia'];
const LAST = ['Hill', 'Brook', 'Wood', 'Field', 'Stone', 'Lake'];
const GOODS = ['Mug', 'Teapot', 'Lamp', 'Chair', 'Notebook', 'Clock', 'Blanket', 'Basket', 'Kettle', 'Vase'];
const STATUS = ['new', 'paid', 'shipped', 'delivered'];

export const descriptor = defineHook({
  type: 'make_shop',
  title: 'Makes the example shop, or lets it trade',
  config,
  create: (c: ConfigOf<typeof config>) => ({
    handle: () => {
      if (existsSync(c.path)) trade(c.path, c.seed);
      else build(c.path, c.seed);
    },
  }),
});

/** mulberry32: the same shop on every machine. */
function dice(seed: number): (n: number) => number {
  let a = seed >>> 0;
  return (n) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n);
  };
}

function build(path: string, seed: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const db = new Database(path),
    roll = dice(seed);
  db.pragma('journal_mode = WAL');
  db.exec(`
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, card_number TEXT NOT NULL);
    CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price_cents INTEGER NOT NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, status TEXT NOT NULL, placed_at TEXT NOT NULL);
    CREATE TABLE order_items (order_id INTEGER NOT NULL REFERENCES orders ON DELETE CASCADE, line INTEGER NOT NULL,
      product_id INTEGER NOT NULL REFERENCES products, quantity INTEGER NOT NULL, PRIMARY KEY (order_id, line));`);
  db.transaction(() => {
    for (const [i, good] of GOODS.entries()) {
      db.prepare('INSERT INTO products VALUES (?, ?, ?)').run(i * 2 + 1, good, 500 + roll(4000));
      db.prepare('INSERT INTO products VALUES (?, ?, ?)').run(i * 2 + 2, `Big ${good.toLowerCase()}`, 1500 + roll(9000));
    }
    for (let id = 1; id <= 50; id++) {
      const name = `${FIRST[roll(FIRST.length)]} ${LAST[roll(LAST.length)]}`;
      const card = Array.from({ length: 4 }, () => String(roll(10_000)).padStart(4, '0')).join('-');
      db.prepare('INSERT INTO customers VALUES (?, ?, ?, ?)').run(
        id,
        name,
        `${name.toLowerCase().replace(' ', '.')}.${id}@example.com`,
        card,
      );
    }
    for (let id = 1; id <= 200; id++) order(db, id, roll, STATUS[roll(STATUS.length)] ?? 'new');
  })();
  db.close();
}

function order(db: Database.Database, id: number, roll: (n: number) => number, status: string): void {
  const placed = new Date(Date.UTC(2026, 0, 1) + id * 3_600_000).toISOString();
  db.prepare('INSERT INTO orders VALUES (?, ?, ?, ?)').run(id, 1 + roll(50), status, placed);
  for (let line = 1; line <= 1 + roll(4); line++)
    db.prepare('INSERT INTO order_items VALUES (?, ?, ?, ?)').run(id, line, 1 + roll(20), 1 + roll(3));
}

/** Five new orders, some that move on, one that is cancelled with its items. */
function trade(path: string, seed: number): void {
  const db = new Database(path);
  db.pragma('foreign_keys = ON');
  const last = Number(db.prepare('SELECT max(id) FROM orders').pluck().get());
  const roll = dice(seed + last);
  db.transaction(() => {
    for (let id = last + 1; id <= last + 5; id++) order(db, id, roll, 'new');
    for (let i = 0; i < 8; i++) db.prepare("UPDATE orders SET status = 'shipped' WHERE id = ? AND status <> 'shipped'").run(1 + roll(last));
    db.prepare('DELETE FROM orders WHERE id = ?').run(last - roll(5));
  })();
  db.close();
}
