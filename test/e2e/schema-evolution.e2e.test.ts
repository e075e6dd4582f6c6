// A table of a SQLite source that changes between two runs, by the mode of the pipeline.

import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { Workspace } from './process.ts';

const pipeline = (section: string): string =>
  `name: shop\nsource: {type: sqlite, path: shop.db, tables: [orders]}\ndestination: {type: sqlite, path: replica.db}\nsync: {mode: one_time}\n${section}\n`;

/**
 * A replica of a table with one row; then the source gets a column, and a row with it. The next run finds the row as the triggers of
 * before saw it, then the change of the schema, then the rest of the row.
 */
async function changedAtTheSource(work: Workspace, section: string): Promise<void> {
  work.write('shop.yaml', pipeline(section));
  using source = database(work, 'shop.db');
  source.db.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO orders VALUES (1, 'a')");
  expect((await work.run(['run', 'shop.yaml', '--fail-fast'])).code).toBe(0);
  source.db.exec("ALTER TABLE orders ADD COLUMN note TEXT; INSERT INTO orders VALUES (2, 'b', 'new')");
}

function database(work: Workspace, name: string): Disposable & { readonly db: BetterSqlite3.Database } {
  const db = new BetterSqlite3(work.path(name));
  return { db, [Symbol.dispose]: () => db.close() };
}

function replicaRows(work: Workspace): unknown[] {
  using replica = database(work, 'replica.db');
  return replica.db.prepare('SELECT * FROM orders ORDER BY id').all();
}

const OLD = { id: 1, code: 'a' };

describe('schema_evolution', () => {
  it('shows by `plan --connect` what would change, runs none of it, and follows in the run', async () => {
    using work = new Workspace();
    await changedAtTheSource(work, 'schema_evolution: {mode: evolve}');
    const plan = await work.run(['plan', 'shop.yaml', '--connect']);
    expect(plan.code).toBe(0);
    expect(plan.out).toContain('Tables at destinations\n  sqlite → sqlite\n    + ALTER TABLE "orders" ADD COLUMN "note" TEXT;\n');
    expect(replicaRows(work)).toEqual([OLD]);
    expect((await work.run(['plan', 'shop.yaml'])).out).not.toContain('Tables at destinations');

    expect((await work.run(['run', 'shop.yaml', '--fail-fast'])).code).toBe(0);
    expect(replicaRows(work)).toEqual([
      { ...OLD, note: null },
      { id: 2, code: 'b', note: 'new' },
    ]);
    expect((await work.run(['plan', 'shop.yaml', '--connect'])).out).toContain('sqlite → sqlite  nothing to change');
  });

  it('stops by freeze with the statement to run, and goes on after it without a gap', async () => {
    using work = new Workspace();
    await changedAtTheSource(work, 'schema_evolution: {tables: {orders: {mode: freeze}}}');
    const stopped = await work.run(['run', 'shop.yaml']);
    expect(stopped.code).toBe(1);
    expect(stopped.err).toContain('DESTINATION_SCHEMA_FROZEN');
    expect(stopped.err).toContain('ALTER TABLE');
    expect(replicaRows(work)).toEqual([OLD, { id: 2, code: 'b' }]);
    {
      using replica = database(work, 'replica.db');
      replica.db.exec('ALTER TABLE "orders" ADD COLUMN "note" TEXT');
    }
    expect((await work.run(['run', 'shop.yaml', '--fail-fast'])).code).toBe(0);
    expect(replicaRows(work).at(-1)).toEqual({ id: 2, code: 'b', note: 'new' });
  });

  it('leaves out by discard, and parks by dlq', async () => {
    using work = new Workspace();
    await changedAtTheSource(work, 'schema_evolution: {mode: discard}');
    const run = await work.run(['run', 'shop.yaml', '--fail-fast']);
    expect(run.code).toBe(0);
    expect(replicaRows(work)).toEqual([OLD, { id: 2, code: 'b' }]);
    expect(run.err).toContain('a target table does not fit its source table');

    using other = new Workspace();
    await changedAtTheSource(other, 'schema_evolution: {mode: dlq}');
    expect((await other.run(['run', 'shop.yaml', '--fail-fast'])).code).toBe(0);
    expect(replicaRows(other)).toEqual([OLD, { id: 2, code: 'b' }]);
    expect((await other.run(['dlq', 'list', 'shop.yaml'])).out).toContain('DESTINATION_EVENT_REJECTED');
  });
});
