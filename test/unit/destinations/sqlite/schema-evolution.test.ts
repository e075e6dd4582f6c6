// `schema_evolution` of the `sqlite` destination: what each mode does to tables and rows of a real file.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { columnFit } from '../../../../src/destinations/sqlite/schema.ts';
import {
  ChangeEvent,
  type ChangeEventInit,
  type Column,
  type PointHoldingDestination,
  positionOfNumber,
  type SchemaMode,
  type SchemaPreview,
  systemClock,
  type TableSchema,
  type WriteResult,
} from '../../../../src/sdk/index.ts';
import { column } from '../../../helpers/columns.ts';
import { at, batchAt, joinLane, LANE, openReplica } from '../../../helpers/sqlite-destination.ts';

const never = new AbortController().signal;
const ITEMS: TableSchema = {
  id: { database: null, schema: null, table: 'items' },
  columns: [column('id', 'int64'), column('code', 'int64')],
  key: ['id'],
  version: 1,
};
const WITH_NOTE: TableSchema = { ...ITEMS, version: 2, columns: [...ITEMS.columns, column('note', 'string')] };
const TEXT_CODE: TableSchema = { ...ITEMS, version: 2, columns: [column('id', 'int64'), column('code', 'string')] };

let folder: string;
let db: BetterSqlite3.Database;
let replica: PointHoldingDestination;
let step: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdc-evolution-'));
  db = new BetterSqlite3(join(folder, 'target.db'));
  step = 0;
});
afterEach(async () => {
  await replica.close();
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(mode: SchemaMode, config: object = {}, tables: Readonly<Record<string, SchemaMode>> = {}): Promise<void> {
  replica = await openReplica({ path: join(folder, 'target.db'), ...config }, systemClock, {
    modeOf: ({ table }) => tables[table] ?? mode,
  });
}
async function start(...args: Parameters<typeof open>): Promise<void> {
  await open(...args);
  await joinLane(replica);
}

async function write(...events: ChangeEvent[]): Promise<WriteResult> {
  const result = await replica.write(batchAt(step, events), never);
  if (result.kind === 'stored') step++;
  return result;
}

const event = (op: ChangeEventInit['op'], table: TableSchema, init: Partial<ChangeEventInit> = {}): ChangeEvent =>
  new ChangeEvent({ op, table, source: 's', partition: 'p', position: positionOfNumber(1), sourceTsMs: 0, ...init });
const row = (table: TableSchema, after: ChangeEventInit['after']): ChangeEvent => event('c', table, { after: after ?? null });
const altered = (table: TableSchema): ChangeEvent => event('s', table, { schemaChange: { kind: 'alter', previous: ITEMS, ddl: null } });
const columnsOf = (table = 'items'): unknown[] => db.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(table);
const rows = (): unknown[] => db.prepare('SELECT * FROM items ORDER BY id').all();

describe('schema evolution in sqlite', () => {
  it.each<[SchemaMode]>([['evolve'], ['lenient'], ['freeze'], ['discard'], ['dlq']])(
    'makes a table that is not there under %s',
    async (mode) => {
      await start(mode);
      expect(await write(row(ITEMS, { id: 1n, code: 2n }))).toEqual({ kind: 'stored' });
      expect(columnsOf()).toEqual(['id', 'code']);
    },
  );

  it.each<[SchemaMode]>([['evolve'], ['lenient']])('adds columns under %s, of the schema and of rows', async (mode) => {
    await start(mode);
    await write(row(ITEMS, { id: 1n, code: 2n }));
    expect(await write(altered(WITH_NOTE), row(WITH_NOTE, { id: 2n, code: 2n, note: 'a', more: 'b' }))).toEqual({ kind: 'stored' });
    expect(rows()).toEqual([
      { id: 1, code: 2, note: null, more: null },
      { id: 2, code: 2, note: 'a', more: 'b' },
    ]);
  });

  it('stops under freeze, at the schema change and at rows, and goes on once the column is there', async () => {
    await start('freeze');
    await write(row(ITEMS, { id: 1n, code: 2n }));
    const problem = {
      code: 'DESTINATION_SCHEMA_FROZEN',
      retriable: false,
      where: 'destination "d"',
      message: 'items → "items": column "note" (string at the source) is missing there.',
      fix: 'Run: ALTER TABLE "items" ADD COLUMN "note" TEXT; or give items another mode in `schema_evolution.tables`.',
    };
    await expect(write(altered(WITH_NOTE))).rejects.toMatchObject(problem);
    await expect(write(row(ITEMS, { id: 2n, code: 2n }), row(WITH_NOTE, { id: 3n, code: 2n, note: 'a' }))).rejects.toMatchObject(problem);
    expect(rows()).toEqual([{ id: 1, code: 2 }]);
    db.exec('ALTER TABLE items ADD COLUMN note TEXT');
    expect(await write(altered(WITH_NOTE), row(WITH_NOTE, { id: 3n, code: 2n, note: 'a' }))).toEqual({ kind: 'stored' });
  });

  it('stops under freeze at a type that the column does not keep, and at a NULL that it does not take', async () => {
    db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, code INTEGER NOT NULL)');
    await start('freeze');
    await expect(write(row(TEXT_CODE, { id: 1n, code: 'abc' }))).rejects.toMatchObject({
      code: 'DESTINATION_SCHEMA_FROZEN',
      message: 'items → "items": column "code" is declared INTEGER there, which does not keep every string of the source.',
    });
    await expect(write(row(ITEMS, { id: 1n, code: null }))).rejects.toMatchObject({
      code: 'DESTINATION_SCHEMA_FROZEN',
      message: expect.stringContaining('column "code" is NOT NULL there'),
    });
    expect(await write(row(ITEMS, { id: 1n, code: 2n }))).toEqual({ kind: 'stored' });
  });

  it('leaves out and counts under discard, until the column is there', async () => {
    await start('discard');
    await write(row(ITEMS, { id: 1n, code: 2n }));
    const update = event('u', WITH_NOTE, { after: { id: 2n, note: 'b' }, incomplete: true });
    expect(await write(altered(WITH_NOTE), row(WITH_NOTE, { id: 2n, code: 2n, note: 'a' }), update)).toEqual({
      kind: 'stored',
      discarded: 2,
    });
    expect(rows()).toEqual([
      { id: 1, code: 2 },
      { id: 2, code: 2 },
    ]);
    db.exec('ALTER TABLE items ADD COLUMN note TEXT');
    expect(await write(row(WITH_NOTE, { id: 3n, code: 2n, note: 'seen' }))).toEqual({ kind: 'stored' });
    expect(rows().at(-1)).toEqual({ id: 3, code: 2, note: 'seen' });
  });

  it('refuses rows that do not fit under dlq, and stores the others', async () => {
    await start('dlq');
    await write(row(ITEMS, { id: 1n, code: 2n }));
    const events = [altered(WITH_NOTE), row(WITH_NOTE, { id: 2n, code: 2n, note: 'a' }), row(ITEMS, { id: 3n, code: 2n })];
    expect(await write(...events)).toMatchObject({
      kind: 'refused',
      failed: [{ index: 1, error: { code: 'DESTINATION_EVENT_REJECTED' } }],
    });
    expect(await replica.write({ ...batchAt(step, events), skip: new Set([1]) }, never)).toEqual({ kind: 'stored' });
    expect(rows()).toEqual([
      { id: 1, code: 2 },
      { id: 3, code: 2 },
    ]);
  });

  it('changes nothing where create_tables is off', async () => {
    db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, code INTEGER)');
    await start('evolve', { create_tables: false });
    expect(await write(row(WITH_NOTE, { id: 1n, code: 2n, note: 'a' }))).toMatchObject({ kind: 'refused' });
    expect(columnsOf()).toEqual(['id', 'code']);
  });

  it('takes a mode per table', async () => {
    db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY); CREATE TABLE audit (id INTEGER PRIMARY KEY)');
    await start('evolve', {}, { audit: 'discard' });
    const audit = { ...ITEMS, id: { ...ITEMS.id, table: 'audit' } };
    expect(await write(row(ITEMS, { id: 1n, code: 2n }), row(audit, { id: 1n, code: 2n }))).toEqual({ kind: 'stored', discarded: 1 });
    expect([columnsOf(), columnsOf('audit')]).toEqual([['id', 'code'], ['id']]);
  });

  it('takes back a new column with the rows that did not come through', async () => {
    await start('evolve');
    await write(row(ITEMS, { id: 1n, code: 2n }));
    const bad = row(WITH_NOTE, { id: null, code: 2n, note: 'a' });
    expect(await write(row(WITH_NOTE, { id: 2n, code: 2n, note: 'a' }), bad)).toMatchObject({ kind: 'refused' });
    expect(columnsOf()).toEqual(['id', 'code']);
    expect(await replica.committed(LANE)).toMatchObject({ points: [at(1)] });
    expect(await write(row(WITH_NOTE, { id: 2n, code: 2n, note: 'a' }))).toEqual({ kind: 'stored' });
    expect(columnsOf()).toEqual(['id', 'code', 'note']);
  });
});

describe('previewSchema', () => {
  const preview = async (...tables: TableSchema[]): Promise<SchemaPreview[]> => {
    const found: SchemaPreview[] = [];
    for await (const one of replica.previewSchema?.('s', tables) ?? []) found.push(one);
    return found;
  };

  it('shows what would be made and changed, and runs none of it', async () => {
    db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, code INTEGER)');
    await open('evolve');
    const other = { ...ITEMS, id: { ...ITEMS.id, table: 'others' } };
    expect(await preview(WITH_NOTE, other, ITEMS)).toEqual([
      { table: 'items', sql: 'ALTER TABLE "items" ADD COLUMN "note" TEXT', note: 'in the transaction of the rows', runs: true },
      {
        table: 'others',
        sql: 'CREATE TABLE "others" ("id" INTEGER, "code" INTEGER, PRIMARY KEY ("id"))',
        note: 'the table is not there',
        runs: true,
      },
    ]);
    expect(columnsOf()).toEqual(['id', 'code']);
  });

  it('shows what the mode leaves to the operator', async () => {
    db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, code INTEGER)');
    await open('freeze');
    expect(await preview({ ...TEXT_CODE, columns: [...TEXT_CODE.columns, column('note', 'string')] })).toEqual([
      {
        table: 'items',
        sql: null,
        note: 'column "code" is declared INTEGER there, which does not keep every string of the source; by mode freeze the destination stops at the first such event',
        runs: false,
      },
      {
        table: 'items',
        sql: 'ALTER TABLE "items" ADD COLUMN "note" TEXT',
        note: 'column "note" (string at the source) is missing there; by mode freeze the destination stops at the first such event',
        runs: false,
      },
    ]);
  });
});

describe('a declared type', () => {
  it.each<[string, Column['type'], Partial<Column>, string]>([
    ['INTEGER', 'int64', {}, 'fits'],
    ['INTEGER', 'string', {}, 'unfit'],
    ['INTEGER', 'date', {}, 'fits'],
    ['TEXT', 'string', {}, 'fits'],
    ['', 'string', {}, 'fits'],
    ['REAL', 'int64', {}, 'unfit'],
    ['DECIMAL(10,2)', 'decimal', { precision: 15 }, 'fits'],
    ['DECIMAL(10,2)', 'decimal', { precision: 16 }, 'unfit'],
    ['DECIMAL(10,2)', 'decimal', {}, 'unfit'],
    ['INTEGER', 'any', {}, 'fits'],
  ])('%s for %s %j: %s', (declared, type, more, expected) => {
    expect(columnFit({ declared, generated: false }, column('c', type, more)).kind).toBe(expected);
  });
});
