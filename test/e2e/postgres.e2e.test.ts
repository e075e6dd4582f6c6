// The pipelines with PostgreSQL as they are shipped, on a real server: snapshot, changes while it runs, and a second run.

import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { type Started, Workspace } from './process.ts';

const missing = (await skipReason()) !== null;

const SHOP = `
  CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, tags text[], note text, info jsonb, doc json);
  ALTER TABLE customers ALTER note SET STORAGE EXTERNAL;
  CREATE TABLE items (order_no int, line int, price numeric(12,2), at timestamptz, PRIMARY KEY (order_no, line));
  INSERT INTO customers SELECT n, 'näme ' || n, ARRAY['a', NULL, 'b "c"'], repeat('x', 5000), '{"a": [1, "x"], "n": 12345678901234567890}', '{"b":  1.10}'
    FROM generate_series(1, 500) n;
  INSERT INTO items SELECT n / 3, n % 3, n * 1.25, '2024-02-29 12:00:00.5+02' FROM generate_series(1, 3000) n`;
/** Everything that a change can be, twice run without a conflict. */
const TRADE = (from: number): readonly string[] => [
  `BEGIN; INSERT INTO customers VALUES (${from}, 'new', NULL, repeat('y', 9000), 'null', '[]'); UPDATE customers SET name = 'newer' WHERE id = ${from}; COMMIT`,
  `UPDATE customers SET id = id + ${from * 100} WHERE id BETWEEN 10 AND 19`,
  `UPDATE customers SET tags = '{}' WHERE id BETWEEN 20 AND 40`,
  'DELETE FROM customers WHERE id BETWEEN 50 AND 60',
  'UPDATE items SET line = line + 10 WHERE order_no = 7',
  `BEGIN; TRUNCATE items; INSERT INTO items SELECT n, 0, n, now() FROM generate_series(1, 50) n; COMMIT`,
];

class Shop implements AsyncDisposable {
  readonly source: TestDatabase;
  readonly replica: TestDatabase;
  readonly work = new Workspace();

  private constructor(source: TestDatabase, replica: TestDatabase) {
    this.source = source;
    this.replica = replica;
  }

  static async create(): Promise<Shop> {
    const shop = new Shop(await createDatabase(), await createDatabase());
    await shop.source.query(SHOP);
    return shop;
  }

  start(pipeline: string, ...args: readonly string[]): Started {
    const { source, replica } = this;
    // A name of its own, since slots belong to the server, which other tests use at the same time.
    return this.work.start([resolve('pipelines', pipeline), ...args], {
      SOURCE_URL: source.url,
      REPLICA_URL: replica.url,
      PIPELINE: source.name,
    });
  }

  async trade(from: number): Promise<void> {
    for (const statement of TRADE(from)) await this.source.query(statement);
  }

  rows(of: 'source' | 'replica'): Promise<{ customers: unknown; items: unknown }> {
    return Promise.all([
      this[of].query('SELECT id, name, tags, md5(note) AS note, info::text, doc::jsonb::text AS doc FROM customers ORDER BY id'),
      this[of].query('SELECT * FROM items ORDER BY order_no, line'),
    ]).then(([customers, items]) => ({ customers, items }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.work[Symbol.dispose]();
    await dropSlots(this.source);
    await this.source[Symbol.asyncDispose]();
    await this.replica[Symbol.asyncDispose]();
  }
}

describe.skipIf(missing)('pipelines/postgres-to-postgres.yaml', () => {
  it('keeps a replica that equals its source, also over a column that is added, and goes on after a stop', async () => {
    await using shop = await Shop.create();
    const running = shop.start('postgres-to-postgres.yaml');
    await eventually(async () => {
      const [row] = await shop.replica.query<{ there: boolean }>(`SELECT to_regclass('customers') IS NOT NULL AS there`);
      return row?.there === true;
    });
    await shop.trade(1001);
    await shop.source.query('ALTER TABLE customers ADD COLUMN credit int');
    await shop.source.query('UPDATE customers SET credit = 5 WHERE id < 9');
    await shop.source.query("INSERT INTO customers VALUES (999, 'last', NULL, NULL, NULL, NULL, 7)");
    await eventually(async () => {
      const [row] = await shop.replica.query<{ n: string }>('SELECT count(*) AS n FROM customers WHERE id = 999');
      return row?.n === '1';
    });
    expect(await shop.rows('replica')).toEqual(await shop.rows('source'));
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });

    await shop.trade(2001);
    const second = await shop.start('postgres-to-postgres.yaml', '--until-caught-up').ended;
    expect(second).toMatchObject({ code: 0, out: expect.stringMatching(/continued from LSN [0-9A-F]+\/[0-9A-F]+/) });
    expect(await shop.rows('replica')).toEqual(await shop.rows('source'));
    expect((await shop.start('postgres-to-postgres.yaml', '--until-caught-up').ended).out).toContain('nothing new');
  });
});

describe.skipIf(missing)('pipelines/postgres-to-files.yaml', () => {
  it('writes each row once, then each change once, in the order of the log', async () => {
    await using shop = await Shop.create();
    const first = await shop.start('postgres-to-files.yaml', '--until-caught-up').ended;
    expect(first.code, first.err).toBe(0);
    const linesOf = (table: string) =>
      shop.work.lines(`.cdc/out/${table}.ndjson`).map((line) => JSON.parse(line) as { op: string; source: { lsn: number; table: string } });
    expect([linesOf('customers').length, linesOf('items').length]).toEqual([500, 3000]);

    await shop.source.query("SELECT pg_logical_emit_message(true, 'outbox', 'not for files')");
    await shop.trade(1001);
    const second = await shop.start('postgres-to-files.yaml', '--until-caught-up').ended;
    expect(second.code, second.err).toBe(0);
    const customers = linesOf('customers').slice(500),
      items = linesOf('items').slice(3000);
    const counts = (lines: readonly { op: string }[]): Record<string, number> =>
      Object.fromEntries(['c', 'u', 'd', 't'].map((op) => [op, lines.filter((l) => l.op === op).length]));
    // A change of key is a delete and a create here.
    expect(counts(customers)).toEqual({ c: 1 + 10, u: 1 + 21, d: 10 + 11, t: 0 });
    expect(counts(items)).toEqual({ c: 3 + 50, u: 0, d: 3, t: 1 });
    for (const lines of [customers, items]) {
      const lsns = lines.map((l) => l.source.lsn);
      expect(lsns).toEqual([...lsns].sort((a, b) => a - b));
    }
    expect((await shop.start('postgres-to-files.yaml', '--until-caught-up').ended).out).toContain('nothing new');
  });
});
