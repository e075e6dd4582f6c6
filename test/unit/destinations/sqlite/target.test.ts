// Tables that were there before the destination, and what the destination keeps its hands off.

import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ChangeEvent,
  type ChangeEventInit,
  type PointHoldingDestination,
  positionOfNumber,
  type TableSchema,
  type WriteResult,
} from '../../../../src/sdk/index.ts';
import { column } from '../../../helpers/columns.ts';
import { batchAt, joinLane, openReplica } from '../../../helpers/sqlite-destination.ts';

const never = new AbortController().signal;
const TABLE: TableSchema = {
  id: { database: null, schema: null, table: 'items' },
  columns: [column('id', 'int64'), column('code', 'string')],
  key: ['id'],
  version: 1,
};

let folder: string;
let db: BetterSqlite3.Database;
let open: PointHoldingDestination[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdc-target-'));
  db = new BetterSqlite3(join(folder, 'target.db'));
  open = [];
});
afterEach(async () => {
  for (const d of open) await d.close();
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

async function write(events: ChangeEvent[], config: object = {}): Promise<WriteResult> {
  const d = await openReplica({ path: join(folder, 'target.db'), ...config });
  open.push(d);
  await joinLane(d);
  return d.write(batchAt(0, events), never);
}

const event = (op: ChangeEventInit['op'], init: Partial<ChangeEventInit>): ChangeEvent =>
  new ChangeEvent({ op, table: TABLE, source: 's', partition: 'p', position: positionOfNumber(1), sourceTsMs: 0, ...init });

describe('a table that is there', () => {
  it('computes its generated columns itself', async () => {
    db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, code TEXT, length INTEGER AS (length(code)) STORED)');
    const table = { ...TABLE, columns: [...TABLE.columns, column('length', 'int64')] };
    expect(await write([event('c', { table, after: { id: 1n, code: 'abc', length: 99n } })])).toEqual({ kind: 'stored' });
    expect(db.prepare('SELECT * FROM items').all()).toEqual([{ id: 1, code: 'abc', length: 3 }]);
  });

  it('does not make other values of those it gets: such events are refused, and name the column', async () => {
    db.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, code INTEGER)');
    const result = await write([event('c', { after: { id: 1n, code: '007' } })]);
    expect(result).toMatchObject({
      kind: 'refused',
      failed: [
        {
          index: 0,
          error: {
            code: 'DESTINATION_EVENT_REJECTED',
            message: expect.stringContaining('Column "code" of table items is declared as a number'),
          },
        },
      ],
    });
  });

  it('may refer to rows that come later', async () => {
    db.exec('CREATE TABLE parents (id INTEGER PRIMARY KEY); CREATE TABLE items (id INTEGER PRIMARY KEY, code TEXT REFERENCES parents)');
    expect(await write([event('r', { after: { id: 1n, code: '5' } })])).toEqual({ kind: 'stored' });
  });

  it('gets new columns with the default that they have at the source', async () => {
    db.exec("CREATE TABLE items (id INTEGER PRIMARY KEY, code TEXT); INSERT INTO items VALUES (1, 'a')");
    const added = [
      column('n', 'int64', { default: 5n }),
      column('t', 'string', { default: "it's" }),
      column('d', 'decimal', { precision: 5, scale: 2, default: '1.50' }),
      column('b', 'bytes', { default: new Uint8Array([255]) }),
      column('o', 'boolean', { default: true }),
      column('j', 'json', { default: null }),
    ];
    const table = { ...TABLE, version: 2, columns: [...TABLE.columns, ...added] };
    expect(await write([event('s', { table, schemaChange: { kind: 'alter', previous: TABLE, ddl: null } })])).toEqual({ kind: 'stored' });
    expect(db.prepare('SELECT n, t, d, hex(b) AS b, o, j FROM items').all()).toEqual([{ n: 5, t: "it's", d: 1.5, b: 'FF', o: 1, j: null }]);
  });
});

describe('names', () => {
  it.each(['_cdc_run_points', '_CDC_RUN_x', 'sqlite_master'])('like %s are not written to', async (name) => {
    await expect(write([event('c', { after: { id: 1n, code: 'a' } })], { table: name })).rejects.toMatchObject({
      code: 'DESTINATION_MISCONFIGURED',
    });
  });
});

describe('a file that was taken away while it is written', () => {
  it('is noticed: the point is lost with it', async () => {
    expect(await write([event('c', { after: { id: 1n, code: 'a' } })])).toEqual({ kind: 'stored' });
    const [first] = open;
    renameSync(join(folder, 'target.db'), join(folder, 'moved.db'));
    const batch = batchAt(1, [event('c', { after: { id: 2n, code: 'b' } })]);
    await expect(first?.write(batch, never)).rejects.toMatchObject({
      code: 'DESTINATION_POSITION_LOST',
      retriable: false,
    });
  });
});

describe('a process that is fenced', () => {
  it('finds that out before it looks at any event', async () => {
    expect(await write([event('c', { after: { id: 1n, code: 'a' } })])).toEqual({ kind: 'stored' });
    const [first] = open,
      bad = event('c', { after: { id: null, code: 'b' } });
    await expect(first?.write(batchAt(7, [bad]), never)).rejects.toMatchObject({ code: 'DESTINATION_FENCED' });
  });
});
