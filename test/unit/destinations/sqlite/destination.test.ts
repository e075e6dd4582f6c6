// The sqlite destination on real files: what each op does under each conflict resolution, what is refused, and the fence.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ChangeEvent,
  type ChangeEventInit,
  type Column,
  type LaneBatch,
  type PointHoldingDestination,
  type Position,
  positionOfNumber,
  type Row,
  type TableSchema,
} from '../../../../src/sdk/index.ts';
import { at, batchAt, joinLane, LANE, openReplica } from '../../../helpers/sqlite-destination.ts';

const column = (name: string, type: Column['type'], nullable = true): Column => ({ name, type, nativeType: '', nullable });
const TABLE: TableSchema = {
  id: { database: null, schema: null, table: 'items' },
  columns: [column('id', 'int64', false), column('name', 'string'), column('note', 'string')],
  key: ['id'],
  version: 1,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdc-run-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});
const path = (): string => join(folder, 'replica.db');

const open = (config: object = {}): Promise<PointHoldingDestination> => openReplica({ path: path(), ...config });
async function joined(config: object = {}): Promise<{
  d: PointHoldingDestination;
  write: (events: ChangeEvent[], more?: Partial<LaneBatch>) => ReturnType<PointHoldingDestination['write']>;
}> {
  const d = await joinLane(await open(config));
  let n = 0;
  return {
    d,
    write: async (events, more = {}) => {
      const result = await d.write({ ...batchAt(n, events), ...more }, new AbortController().signal);
      if (result.kind === 'stored') n++;
      return result;
    },
  };
}
let position = 0;
function event(op: ChangeEventInit['op'], after: Row | null, before: Row | null = null, more: Partial<ChangeEventInit> = {}): ChangeEvent {
  return new ChangeEvent({
    op,
    table: TABLE,
    source: 's',
    partition: 'p',
    position: positionOfNumber(++position) as Position,
    sourceTsMs: 0,
    after,
    before,
    ...more,
  });
}
function rows(sql = 'SELECT * FROM items ORDER BY id'): unknown[] {
  const db = new Database(path(), { readonly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

describe('what each op does', () => {
  const before = [event('c', { id: 1n, name: 'a', note: 'n' })];
  it.each<[string, string, ChangeEvent[], unknown[]]>([
    ['an insert meets its row', 'upsert', [event('c', { id: 1n, name: 'b' })], [{ id: 1, name: 'b', note: 'n' }]],
    ['an insert meets its row', 'replace', [event('c', { id: 1n, name: 'b' })], [{ id: 1, name: 'b', note: null }]],
    ['an insert meets its row', 'ignore', [event('c', { id: 1n, name: 'b' })], [{ id: 1, name: 'a', note: 'n' }]],
    ['an update', 'ignore', [event('u', { id: 1n, name: 'b', note: 'm' })], [{ id: 1, name: 'b', note: 'm' }]],
    [
      'an update of a row that is not there',
      'upsert',
      [event('u', { id: 2n, name: 'b', note: 'm' })],
      [
        { id: 1, name: 'a', note: 'n' },
        { id: 2, name: 'b', note: 'm' },
      ],
    ],
    [
      'a change of key',
      'upsert',
      [event('u', { id: 9n, name: 'a', note: 'n' }, { id: 1n, name: 'a', note: 'n' })],
      [{ id: 9, name: 'a', note: 'n' }],
    ],
    ['an incomplete update', 'upsert', [event('u', { id: 1n, name: 'b' }, null, { incomplete: true })], [{ id: 1, name: 'b', note: 'n' }]],
    [
      'an incomplete change of key',
      'upsert',
      [event('u', { id: 9n, name: 'b' }, { id: 1n }, { incomplete: true })],
      [{ id: 9, name: 'b', note: 'n' }],
    ],
    ['a delete', 'upsert', [event('d', null, { id: 1n })], []],
    ['a truncate', 'upsert', [event('t', null)], []],
    [
      'a delete and an insert of the same key',
      'upsert',
      [event('d', null, { id: 1n }), event('c', { id: 1n, name: 'z', note: null })],
      [{ id: 1, name: 'z', note: null }],
    ],
  ])('%s, %s', async (_title, conflict_resolution, events, expected) => {
    const { d, write } = await joined({ conflict_resolution });
    expect(await write(before)).toEqual({ kind: 'stored' });
    expect(await write(events)).toEqual({ kind: 'stored' });
    await d.close();
    expect(rows()).toEqual(expected);
  });

  it('keeps rows that the source deletes when deletes are ignored', async () => {
    const { d, write } = await joined({ deletes: 'ignore' });
    await write([event('c', { id: 1n, name: 'a', note: null }), event('d', null, { id: 1n }), event('t', null)]);
    await d.close();
    expect(rows()).toHaveLength(1);
  });

  it('adds columns that it does not have yet, and tables for new schemas', async () => {
    const { d, write } = await joined();
    await write([event('c', { id: 1n, name: 'a', note: 'n' }), event('c', { id: 2n, name: 'b', note: null, extra: 5n })]);
    const wider = { ...TABLE, version: 2, columns: [...TABLE.columns, column('price', 'decimal')] };
    await write([
      event('s', null, null, { table: wider }),
      event('c', { id: 3n, name: 'c', note: null, price: '1.50' }, null, { table: wider }),
    ]);
    await d.close();
    expect(rows()).toMatchObject([
      { id: 1, extra: null },
      { id: 2, extra: 5, price: null },
      { id: 3, price: '1.50' },
    ]);
  });
});

describe('what is refused', () => {
  it('names the events, stores nothing, and stores the rest when they are skipped', async () => {
    const { d, write } = await joined();
    const other = new Database(path());
    other.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT UNIQUE, note TEXT)');
    other.close();
    const events = [
      event('c', { id: 1n, name: 'a', note: null }),
      event('c', { id: 2n, name: 'a', note: null }),
      event('c', { id: 3n, name: 'c', note: null }),
    ];
    const result = await write(events);
    expect(result).toMatchObject({ kind: 'refused', failed: [{ index: 1, error: { code: 'DESTINATION_EVENT_REJECTED' } }] });
    expect(rows()).toEqual([]);
    expect(await write(events, { skip: new Set([1]) })).toEqual({ kind: 'stored' });
    await d.close();
    expect(rows()).toHaveLength(2);
  });

  it.each<[string, () => ChangeEvent, string]>([
    [
      'an incomplete update of a row that is not there',
      () => event('u', { id: 7n, name: 'x' }, null, { incomplete: true }),
      'DESTINATION_ROW_MISSING',
    ],
    ['a row whose key is NULL', () => event('c', { id: null, name: 'x', note: null }), 'DESTINATION_EVENT_REJECTED'],
    [
      'an update of a table without a key',
      () => event('u', { id: 1n }, null, { table: { ...TABLE, key: [] } }),
      'DESTINATION_EVENT_REJECTED',
    ],
    ['a NaN', () => event('c', { id: 1n, name: Number.NaN, note: null }), 'DESTINATION_EVENT_REJECTED'],
  ])('%s', async (_title, make, code) => {
    const { d, write } = await joined();
    expect(await write([make()])).toMatchObject({ kind: 'refused', failed: [{ index: 0, error: { code } }] });
    await d.close();
  });

  it("an incomplete update of a missing row is skipped while the table's snapshot runs", async () => {
    const { d, write } = await joined();
    const snapshots = [{ source: 's', run: 'r', table: 'items', chunk: 1, lastKey: '1', state: 'running' as const, rows: 1 }];
    expect(await write([event('u', { id: 7n, name: 'x' }, null, { incomplete: true })], { through: { ...at(1), snapshots } })).toEqual({
      kind: 'stored',
    });
    await d.close();
  });
});

describe('values', () => {
  it.each<[Column['type'], Row[string], unknown]>([
    ['int64', 9223372036854775807n, 9223372036854775807n],
    ['uint64', 18446744073709551615n, '18446744073709551615'],
    ['int32', 5, 5n],
    ['float64', 0.1, 0.1],
    ['float64', 5, 5],
    ['decimal', '12345678901234567890.10', '12345678901234567890.10'],
    ['string', '007', '007'],
    ['boolean', true, 1n],
    ['json', { a: [1, 2n] }, '{"a":[1,2]}'],
    ['json', 'x', '"x"'],
    ['array', ['a', null], '["a",null]'],
    ['any', '1.0', '1.0'],
    ['any', 7n, 7n],
    ['any', 1.5, 1.5],
    ['timestamptz', '2024-02-29T12:00:00Z', '2024-02-29T12:00:00Z'],
  ])('%s %s', async (type, value, expected) => {
    const table = { ...TABLE, columns: [column('id', 'int64', false), column('v', type)] };
    const { d, write } = await joined();
    await write([event('c', { id: 1n, v: value }, null, { table })]);
    await d.close();
    const db = new Database(path(), { readonly: true });
    try {
      expect((db.prepare('SELECT v FROM items').safeIntegers().get() as { v: unknown }).v).toEqual(expected);
    } finally {
      db.close();
    }
  });

  it('bytes', async () => {
    const { d, write } = await joined();
    await write([event('c', { id: 1n, name: new Uint8Array([0, 255]), note: null })]);
    await d.close();
    expect(rows('SELECT hex(name) AS h FROM items')).toEqual([{ h: '00FF' }]);
  });
});

describe('points', () => {
  it('are empty first, then what was set, then what was written', async () => {
    const d = await open();
    expect(await d.committed(LANE)).toEqual({ kind: 'empty', epoch: 0 });
    await d.claim(LANE, 3);
    expect(await d.committed(LANE)).toEqual({ kind: 'empty', epoch: 3 });
    await d.setPoints(LANE, 3, [at(0)]);
    await d.write(batchAt(0, []), new AbortController().signal);
    expect(await d.committed(LANE)).toEqual({ kind: 'points', epoch: 3, points: [at(1)] });
    await d.close();
  });

  it('fence a writer whose epoch is older, or whose place is not the one stored', async () => {
    const [first, second] = [await joined(), await open()];
    await first.write([event('c', { id: 1n, name: 'a', note: null })]);
    await expect(first.write([event('c', { id: 2n, name: 'b', note: null })], { previous: at(7) })).rejects.toMatchObject({
      code: 'DESTINATION_FENCED',
    });
    await second.claim(LANE, 2);
    await expect(first.write([event('c', { id: 2n, name: 'b', note: null })])).rejects.toMatchObject({ code: 'DESTINATION_FENCED' });
    await expect(first.d.claim(LANE, 1)).rejects.toMatchObject({ code: 'DESTINATION_FENCED' });
    await first.d.close();
    await second.close();
    expect(rows()).toHaveLength(1);
  });
});

describe('trouble with the file', () => {
  it('a lock of another program is retriable', async () => {
    const { d, write } = await joined({ busy_timeout: 20 });
    const other = new Database(path());
    other.exec('BEGIN IMMEDIATE');
    await expect(write([event('c', { id: 1n, name: 'a', note: null })])).rejects.toMatchObject({
      code: 'DESTINATION_UNREACHABLE',
      retriable: true,
    });
    other.exec('ROLLBACK');
    other.close();
    expect(await write([event('c', { id: 1n, name: 'a', note: null })])).toEqual({ kind: 'stored' });
    await d.close();
  });

  it('a table without a unique key is named as what it is', async () => {
    const { d, write } = await joined();
    const other = new Database(path());
    other.exec('CREATE TABLE items (id INTEGER, name TEXT, note TEXT)');
    other.close();
    await expect(write([event('c', { id: 1n, name: 'a', note: null })])).rejects.toMatchObject({
      code: 'DESTINATION_MISCONFIGURED',
      retriable: false,
    });
    await d.close();
  });

  it('check says that it will be created, and creates nothing', async () => {
    const d = await open();
    const findings = [];
    for await (const finding of d.check()) findings.push(finding);
    expect(findings).toMatchObject([{ level: 'ok', check: 'file' }]);
    expect(() => rows()).toThrow();
  });
});
