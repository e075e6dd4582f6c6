// `schema_evolution` of the `postgresql` destination on a real server: what each mode does to tables and rows, and that a crash
// between a change of a table and the rows behind it is harmless.

import { describe, expect, it } from 'vitest';
import { isRewrite } from '../../src/destinations/postgresql/fit.ts';
import { readTable } from '../../src/destinations/postgresql/pg-catalog.ts';
import type { TargetColumn } from '../../src/destinations/postgresql/target-table.ts';
import {
  type ChangeEvent,
  type Column,
  type SchemaEvolution,
  type SchemaMode,
  type SchemaPreview,
  silentLogger,
  type TableSchema,
} from '../../src/sdk/index.ts';
import { Events } from '../../src/sdk/testing/index.ts';
import { NOTHING, writeAddedColumns } from '../helpers/added-columns.ts';
import { column } from '../helpers/columns.ts';
import { failureOf } from '../helpers/failure.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { postgresqlConfig } from '../helpers/postgresql-destination.ts';
import { failed, Lane, openReplica, STORED } from '../helpers/postgresql-lane.ts';

const missing = (await skipReason()) !== null;
const ORDERS: TableSchema = {
  id: { database: null, schema: 'shop', table: 'orders' },
  columns: [column('id', 'int32', { nullable: false }), column('amount', 'decimal', { precision: 6, scale: 2 })],
  key: ['id'],
  version: 1,
};
const changed = (columns: readonly Column[], version = 2): TableSchema => ({ ...ORDERS, version, columns });
const WITH_NOTE = changed([...ORDERS.columns, column('note', 'string')]);
const WIDER = changed([column('id', 'int64', { nullable: false }), column('amount', 'decimal', { precision: 12, scale: 2 })]);
const modes = (mode: SchemaMode, tables: Readonly<Record<string, SchemaMode>> = {}): SchemaEvolution => ({
  modeOf: ({ table }) => tables[table] ?? mode,
});

const e = new Events();
const row = (table: TableSchema, after: ChangeEvent['after']): ChangeEvent => e.make({ op: 'c', table, after });
const altered = (table: TableSchema, previous: TableSchema | null = ORDERS): ChangeEvent =>
  e.make({ op: 's', table, schemaChange: { kind: 'alter', previous, ddl: null } });

const typesOf = async (db: TestDatabase, table = 'orders'): Promise<Record<string, string>> =>
  Object.fromEntries(
    (
      await db.query<{ name: string; type: string; required: boolean }>(
        `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS required FROM pg_attribute
         WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
        [table],
      )
    ).map((r) => [r.name, r.required && r.name !== 'id' ? `${r.type} not null` : r.type]),
  );

async function join(db: TestDatabase, mode: SchemaMode | SchemaEvolution, config = {}): Promise<Lane> {
  return Lane.join(postgresqlConfig(db.url, config), { schemaEvolution: typeof mode === 'string' ? modes(mode) : mode });
}

describe.skipIf(missing)('schema evolution in postgresql', () => {
  it.each<[SchemaMode]>([['evolve'], ['lenient'], ['freeze'], ['discard'], ['dlq']])(
    'makes a table that is not there under %s',
    async (mode) => {
      await using db = await createDatabase();
      await using lane = await join(db, mode);
      expect(await lane.write([row(ORDERS, { id: 1, amount: '1.50' })])).toEqual(STORED);
      expect(await typesOf(db)).toEqual({ id: 'integer', amount: 'numeric(6,2)' });
    },
  );

  it('follows under evolve: columns are added, types widened, and what the source drops stays', async () => {
    await using db = await createDatabase();
    await using lane = await join(db, 'evolve');
    await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
    expect(await lane.write([altered(WITH_NOTE), row(WITH_NOTE, { id: 2, amount: '2.00', note: 'a' })])).toEqual(STORED);
    expect(await lane.write([altered(WIDER, WITH_NOTE), row(WIDER, { id: 5_000_000_000n, amount: '1234567890.12' })])).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'bigint', amount: 'numeric(12,2)', note: 'text' });
    expect(await db.query('SELECT * FROM orders ORDER BY id')).toEqual([
      { id: '1', amount: '1.50', note: null },
      { id: '2', amount: '2.00', note: 'a' },
      { id: '5000000000', amount: '1234567890.12', note: null },
    ]);
  });

  it('fills rows that are there with the default of a column that the source has added, and of no other', async () => {
    await using db = await createDatabase();
    await using lane = await join(db, 'evolve');
    await writeAddedColumns(lane);
    const rows = await db.query('SELECT id, flag, n, price, short, long, at, late FROM orders ORDER BY id');
    const there = { flag: true, n: 5, price: '-1.25', short: "it's \\ new", long: 'x', at: null, late: null };
    expect(rows).toEqual([
      { id: 1, ...there },
      { id: 2, ...there },
      { id: 3, ...NOTHING, late: null },
      { id: 4, ...NOTHING, late: 8 },
      { id: 5, ...there },
    ]);
  });

  it('never narrows: rows of an older schema after those of a newer one leave the types alone', async () => {
    await using db = await createDatabase();
    await using lane = await join(db, 'evolve');
    await lane.write([row(WIDER, { id: 1n, amount: '1234567890.12' })]);
    expect(await lane.write([row(ORDERS, { id: 2, amount: '2.00' })])).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'bigint', amount: 'numeric(12,2)' });
  });

  it('does not undo what another session has widened meanwhile, although it remembers the table as it was', async () => {
    await using db = await createDatabase();
    await db.query('CREATE TABLE orders (id int PRIMARY KEY, name varchar(10))');
    const named = (length: number) => changed([column('id', 'int32'), column('name', 'string', { length })]);
    await using lane = await join(db, 'evolve');
    await lane.write([row(named(10), { id: 1, name: 'a' })]);
    await db.query('ALTER TABLE orders ALTER COLUMN name TYPE text');
    expect(await lane.write([row(named(20), { id: 2, name: 'b' })])).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'integer', name: 'text' });
  });

  it('lets a column take NULLs under evolve once one comes, also where the source has dropped the column', async () => {
    await using db = await createDatabase();
    await db.query('CREATE TABLE orders (id int PRIMARY KEY, amount numeric(6,2) NOT NULL, gone text NOT NULL)');
    await using lane = await join(db, 'evolve');
    expect(await lane.write([row(ORDERS, { id: 1, amount: null })])).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'integer', amount: 'numeric(6,2)', gone: 'text' });
    expect(await db.query('SELECT * FROM orders')).toEqual([{ id: 1, amount: null, gone: null }]);
  });

  it('only adds under lenient: values that do not fit are refused, those that do are stored', async () => {
    await using db = await createDatabase();
    await db.query('CREATE TABLE orders (id int PRIMARY KEY, amount numeric(6,2) NOT NULL)');
    await using lane = await join(db, 'lenient');
    const wider = changed([...WIDER.columns, column('note', 'string')]);
    const events = [
      row(wider, { id: 1n, amount: '1.00', note: 'a' }),
      row(wider, { id: 2n, amount: '1234567.00', note: 'b' }),
      row(wider, { id: 3n, amount: null, note: 'c' }),
    ];
    expect(failed(await lane.write(events)).map((f) => f.index)).toEqual([1, 2]);
    expect(await lane.write(events, { skip: [1, 2] })).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'integer', amount: 'numeric(6,2) not null', note: 'text' });
    expect(await db.query('SELECT * FROM orders')).toEqual([{ id: 1, amount: '1.00', note: 'a' }]);
  });

  it('stops under freeze, before anything is written, and goes on once the operator has run the statements', async () => {
    await using db = await createDatabase();
    await using lane = await join(db, 'freeze');
    await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
    const both = changed([...WIDER.columns, column('note', 'string', { nativeType: 'varchar(20)' })]);
    const batch = [row(ORDERS, { id: 2, amount: '2.00' }), row(both, { id: 3n, amount: '3.00', note: 'a' })];
    const error = await failureOf(lane.write(batch));
    expect(error).toMatchObject({
      code: 'DESTINATION_SCHEMA_FROZEN',
      retriable: false,
      where: 'destination "replica"',
      message:
        'shop.orders → public.orders: column "id" is integer there, which does not hold every int64 of the source; column "amount" is numeric(6,2) there, which does not hold every decimal of the source; column "note" (varchar(20) at the source) is missing there.',
    });
    expect(await db.query('SELECT id FROM orders')).toEqual([{ id: 1 }]);
    const [, statements] = /^Run: (.*); or give shop\.orders another mode in `schema_evolution\.tables`\.$/.exec(error.fix ?? '') ?? [];
    await db.query(statements as string);
    expect(await lane.write(batch)).toEqual(STORED);
    expect(await db.query('SELECT id, note FROM orders ORDER BY id')).toEqual([
      { id: '1', note: null },
      { id: '2', note: null },
      { id: '3', note: 'a' },
    ]);
  });

  it('stops under freeze at the schema change itself, and at a NULL that the target does not take', async () => {
    await using db = await createDatabase();
    await db.query('CREATE TABLE orders (id int PRIMARY KEY, amount numeric(6,2) NOT NULL)');
    await using lane = await join(db, 'freeze');
    expect(await failureOf(lane.write([altered(WITH_NOTE)]))).toMatchObject({ code: 'DESTINATION_SCHEMA_FROZEN' });
    const error = await failureOf(lane.write([row(ORDERS, { id: 1, amount: null })]));
    expect(error).toMatchObject({
      code: 'DESTINATION_SCHEMA_FROZEN',
      message: expect.stringContaining('column "amount" is NOT NULL there'),
      fix: expect.stringContaining('ALTER TABLE "public"."orders" ALTER COLUMN "amount" DROP NOT NULL'),
    });
  });

  it('does not mind under freeze what the target takes: a dropped column, a narrower type, a column added there before', async () => {
    await using db = await createDatabase();
    await db.query('CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric(20,2), gone text, note text)');
    await using lane = await join(db, 'freeze');
    expect(await lane.write([altered(WITH_NOTE), row(WITH_NOTE, { id: 1, amount: '1.00', note: 'a' })])).toEqual(STORED);
  });

  it('leaves out and counts under discard, until the column is there', async () => {
    await using db = await createDatabase();
    const warnings: unknown[] = [];
    const logger = { ...silentLogger, warn: (_: string, fields?: object) => warnings.push(fields) };
    await using lane = await Lane.join(postgresqlConfig(db.url), { schemaEvolution: modes('discard'), logger });
    await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
    const rows = [2, 3].map((id) => row(WITH_NOTE, { id, amount: '2.00', note: 'a' }));
    expect(await lane.write([altered(WITH_NOTE), ...rows])).toEqual({ kind: 'stored', discarded: 2 });
    expect(await lane.write([e.make({ op: 'u', table: WITH_NOTE, incomplete: true, after: { id: 2, note: 'b' } })])).toEqual({
      kind: 'stored',
      discarded: 1,
    });
    expect(await db.query('SELECT * FROM orders ORDER BY id')).toEqual([1, 2, 3].map((id) => ({ id, amount: id === 1 ? '1.50' : '2.00' })));
    expect(warnings).toEqual([
      expect.objectContaining({ mode: 'discard', differences: ['column "note" (string at the source) is missing there'] }),
    ]);
    await db.query('ALTER TABLE orders ADD COLUMN note text');
    expect(await lane.write([row(WITH_NOTE, { id: 4, amount: '4.00', note: 'seen' })])).toEqual(STORED);
    expect(await db.query('SELECT note FROM orders WHERE id = 4')).toEqual([{ note: 'seen' }]);
  });

  it('refuses rows that do not fit under dlq, and stores the others', async () => {
    await using db = await createDatabase();
    await using lane = await join(db, 'dlq');
    await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
    const events = [
      altered(WITH_NOTE),
      row(WITH_NOTE, { id: 2, amount: '2.00', note: 'a' }),
      row(ORDERS, { id: 3, amount: '3.00' }),
      row(WIDER, { id: 4n, amount: '1234567.00' }),
    ];
    const refused = failed(await lane.write(events));
    expect(refused).toEqual([{ index: 1, code: 'DESTINATION_EVENT_REJECTED', message: expect.stringContaining('no column "note"') }]);
    expect(failed(await lane.write(events, { skip: [1] })).map((f) => f.index)).toEqual([3]);
    expect(await lane.write(events, { skip: [1, 3] })).toEqual(STORED);
    expect(await typesOf(db)).toEqual({ id: 'integer', amount: 'numeric(6,2)' });
    expect(await db.query('SELECT id FROM orders ORDER BY id')).toEqual([{ id: 1 }, { id: 3 }]);
  });

  it('changes nothing where create_tables is off, whatever the mode', async () => {
    await using db = await createDatabase();
    await db.query('CREATE TABLE orders (id int PRIMARY KEY, amount numeric(6,2))');
    await using lane = await join(db, 'evolve', { create_tables: false });
    expect(failed(await lane.write([row(WITH_NOTE, { id: 1, amount: '1.00', note: 'a' })]))).toHaveLength(1);
    expect(failed(await lane.write([row(WIDER, { id: 1n, amount: '12345678.00' })]))).toHaveLength(1);
    expect(await typesOf(db)).toEqual({ id: 'integer', amount: 'numeric(6,2)' });
  });

  it('takes a mode per table', async () => {
    await using db = await createDatabase();
    await using lane = await join(db, modes('evolve', { audit: 'discard' }));
    const audit = { ...WITH_NOTE, id: { ...ORDERS.id, table: 'audit' } };
    await db.query('CREATE TABLE audit (id int PRIMARY KEY, amount numeric(6,2)); CREATE TABLE orders (id int PRIMARY KEY)');
    const events = [row(audit, { id: 1, amount: '1.00', note: 'a' }), row(WITH_NOTE, { id: 1, amount: '1.00', note: 'a' })];
    expect(await lane.write(events)).toEqual({ kind: 'stored', discarded: 1 });
    expect(await typesOf(db, 'audit')).toEqual({ id: 'integer', amount: 'numeric(6,2)' });
    expect(await typesOf(db)).toEqual({ id: 'integer', amount: 'numeric(6,2)', note: 'text' });
  });

  it('loses and doubles nothing when it dies between the change of the table and the rows', async () => {
    await using db = await createDatabase();
    const batch = [altered(WITH_NOTE), row(WITH_NOTE, { id: 2, amount: '2.00', note: 'a' })];
    {
      await using lane = await join(db, 'evolve');
      await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
      // The data transaction waits for this lock until the writer is cut off; the change of the table needs it not to be there.
      const other = await db.connect();
      await other.query('SELECT pg_advisory_lock(1)');
      await db.query(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$;
        CREATE TRIGGER wait BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION wait()`);
      const abort = new AbortController();
      const write = lane.destination.write(lane.batch(batch), abort.signal);
      while (!('note' in (await typesOf(db)))) await new Promise((resolve) => setTimeout(resolve, 5));
      abort.abort();
      expect((await failureOf(write)).retriable).toBe(true);
      await other.query('SELECT pg_advisory_unlock(1)');
    }
    expect(await db.query('SELECT id FROM orders')).toEqual([{ id: 1 }]);
    await using again = await Lane.join(postgresqlConfig(db.url), { schemaEvolution: modes('evolve'), epoch: 2 });
    expect(await again.write(batch)).toEqual(STORED);
    expect(await db.query('SELECT id, note FROM orders ORDER BY id')).toEqual([
      { id: 1, note: null },
      { id: 2, note: 'a' },
    ]);
  });

  it('gives up waiting for a lock, and comes again', async () => {
    await using db = await createDatabase();
    await using lane = await join(db, 'evolve');
    await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
    const reader = await db.connect();
    await reader.query('BEGIN; SELECT * FROM orders');
    const batch = [row(WITH_NOTE, { id: 2, amount: '2.00', note: 'a' })];
    expect(await failureOf(lane.write(batch))).toMatchObject({ code: 'DESTINATION_FAILED', retriable: true });
    await reader.query('COMMIT');
    expect(await lane.write(batch)).toEqual(STORED);
  }, 15_000);

  it('says what to run where the server does not let it change the table', async () => {
    await using db = await createDatabase();
    await using lane = await join(db, 'evolve');
    await lane.write([row(ORDERS, { id: 1, amount: '1.50' })]);
    await db.query('CREATE VIEW totals AS SELECT sum(amount) FROM orders WHERE id > 0');
    const batch = [row(WIDER, { id: 2n, amount: '2.00' })];
    const errors = [await failureOf(lane.write(batch)), await failureOf(lane.write(batch))];
    expect(errors[1]).toMatchObject({
      code: 'DESTINATION_MISCONFIGURED',
      retriable: false,
      message: expect.stringContaining('used by a view'),
      fix: expect.stringContaining('Run: ALTER TABLE "public"."orders" ALTER COLUMN "id" TYPE bigint'),
    });
  });

  it('widens arrays, dates and floats as they are', async () => {
    await using db = await createDatabase();
    await db.query(`CREATE TABLE orders (id int PRIMARY KEY, list int[], day date, ratio real, at timestamp(0), word varchar(3));
      INSERT INTO orders VALUES (1, '{1,2}', '2024-02-29', 0.5, '2024-01-01 10:00:00', 'abc')`);
    const table = changed([
      column('id', 'int32'),
      column('list', 'array', { element: 'int64' }),
      column('day', 'timestamp', { precision: 3 }),
      column('ratio', 'float64'),
      column('at', 'timestamp'),
      column('word', 'string'),
    ]);
    await using lane = await join(db, 'evolve');
    const after = {
      id: 2,
      list: [5_000_000_000n],
      day: '2024-03-01T12:00:00.5',
      ratio: 0.1,
      at: '2024-01-01T10:00:00.123456',
      word: 'longer',
    };
    expect(await lane.write([row(table, after)])).toEqual(STORED);
    expect(await typesOf(db)).toEqual({
      id: 'integer',
      list: 'bigint[]',
      day: 'timestamp(3) without time zone',
      ratio: 'double precision',
      at: 'timestamp without time zone',
      word: 'text',
    });
    expect(await db.query('SELECT id, list::text, day::text, ratio, "at"::text, word FROM orders ORDER BY id')).toEqual([
      { id: 1, list: '{1,2}', day: '2024-02-29 00:00:00', ratio: 0.5, at: '2024-01-01 10:00:00', word: 'abc' },
      { id: 2, list: '{5000000000}', day: '2024-03-01 12:00:00.5', ratio: 0.1, at: '2024-01-01 10:00:00.123456', word: 'longer' },
    ]);
  });
});

describe.skipIf(missing)('previewSchema of postgresql', () => {
  const preview = async (db: TestDatabase, mode: SchemaMode, ...tables: TableSchema[]): Promise<SchemaPreview[]> => {
    const destination = await openReplica(postgresqlConfig(db.url), { schemaEvolution: modes(mode) });
    try {
      const found: SchemaPreview[] = [];
      for await (const one of destination.previewSchema?.('shop', tables) ?? []) found.push(one);
      return found;
    } finally {
      await destination.close();
    }
  };

  it('shows statements with what they lock, and runs none', async () => {
    await using db = await createDatabase();
    await db.query('CREATE TABLE orders (id int PRIMARY KEY, amount numeric(6,2))');
    const items = { ...ORDERS, id: { ...ORDERS.id, table: 'items' } };
    const both = changed([...WIDER.columns, column('note', 'string')]);
    expect(await preview(db, 'evolve', both, items)).toEqual([
      {
        table: 'shop.orders',
        sql: 'ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "note" text',
        note: 'needs ACCESS EXCLUSIVE for an instant; no rewrite',
        runs: true,
      },
      {
        table: 'shop.orders',
        sql: 'ALTER TABLE "public"."orders" ALTER COLUMN "id" TYPE bigint',
        note: expect.stringContaining('holds ACCESS EXCLUSIVE while the server writes the table and its indexes anew'),
        runs: true,
      },
      {
        table: 'shop.orders',
        sql: 'ALTER TABLE "public"."orders" ALTER COLUMN "amount" TYPE numeric(12,2)',
        note: 'needs ACCESS EXCLUSIVE for an instant; no rewrite',
        runs: true,
      },
      {
        table: 'shop.items',
        sql: 'CREATE TABLE IF NOT EXISTS "public"."items" ("id" integer, "amount" numeric(6,2), PRIMARY KEY ("id"))',
        note: 'the table is not there',
        runs: true,
      },
    ]);
    expect(await typesOf(db)).toEqual({ id: 'integer', amount: 'numeric(6,2)' });
    const left = await preview(db, 'lenient', both);
    expect(left.map(({ runs, sql }) => ({ runs, sql }))).toEqual([
      { runs: true, sql: 'ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "note" text' },
      { runs: false, sql: 'ALTER TABLE "public"."orders" ALTER COLUMN "id" TYPE bigint' },
      { runs: false, sql: 'ALTER TABLE "public"."orders" ALTER COLUMN "amount" TYPE numeric(12,2)' },
    ]);
  });

  it.each<[string, string, string]>([
    ['varchar(10)', 'character varying(20)', 'name'],
    ['numeric(6,2)', 'numeric(12,2)', 'amount'],
    ['timestamp(3)', 'timestamp(6)', 'at'],
    ['bit varying(4)', 'bit varying(8)', 'flags'],
    ['varchar(10)', 'text', 'name'],
    ['integer', 'bigint', 'n'],
    ['numeric(6,2)', 'numeric(12,4)', 'amount'],
    ['date', 'timestamp', 'day'],
    ['real', 'double precision', 'ratio'],
  ])('is right about whether the server writes a table anew: %s → %s', async (from, to, name) => {
    await using db = await createDatabase();
    await db.query(`CREATE TABLE orders (id int PRIMARY KEY, ${name} ${from}); INSERT INTO orders VALUES (1)`);
    const [target] = (await tableColumns(db)).filter((c) => c.name === name);
    const file = async (): Promise<unknown> => (await db.query("SELECT pg_relation_filenode('orders') AS file"))[0];
    const before = await file();
    await db.query(`ALTER TABLE orders ALTER COLUMN ${name} TYPE ${to}`);
    expect(isRewrite(target as TargetColumn, to)).toBe(JSON.stringify(await file()) !== JSON.stringify(before));
  });
});

/** As the destination reads them. */
async function tableColumns(db: TestDatabase): Promise<readonly TargetColumn[]> {
  const session = { query: async (text: string, values: unknown[]) => ({ rows: (await db.query(text, values)).map(asText) }) };
  return (await readTable(session as never, { schema: 'public', name: 'orders' }))?.columns ?? [];
}

/** The destination takes results as text. */
const asText = (row: object): object =>
  Object.fromEntries(
    Object.entries(row).map(([k, v]) => [
      k,
      typeof v === 'object' && v !== null ? JSON.stringify(v) : typeof v === 'boolean' ? (v ? 't' : 'f') : v,
    ]),
  );
