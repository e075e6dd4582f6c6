// The contract suites against SQLite: source with triggers, source that polls, destination.

import Database from 'better-sqlite3';
import { descriptor as destination } from '../../src/destinations/sqlite/index.ts';
import type { Column, Row, TableSchema, Value } from '../../src/sdk/index.ts';
import {
  type Change,
  type DestinationHarness,
  describeDestination,
  describeSource,
  type Events,
  item,
  type SourceHarness,
} from '../../src/sdk/testing/index.ts';
import { descriptor as source } from '../../src/sources/sqlite/index.ts';
import { SQLITE_DEFAULTS } from '../helpers/sqlite-destination.ts';
import { makeFolder } from './folder.ts';

// ---- source ------------------------------------------------------------------------------------------------------------------

const CREATE =
  'CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, v_int INTEGER, v_real REAL, v_blob BLOB, changed INTEGER)';
const SOURCE_DEFAULTS = {
  cdc_mode: 'trigger',
  tables: ['items'],
  columns: { include: ['*'], exclude: [] },
  types: 'declared',
  install_triggers: true,
  snapshot_mode: 'initial',
  poll_interval: 2,
  busy_timeout: 2000,
} as const;

type Db = Database.Database;

/** `changed` counts up, for polling. */
function apply(db: Db, change: Change, tick: number): void {
  if (change.op === 'insert')
    db.prepare('INSERT INTO items (id, name, note, changed) VALUES (?, ?, ?, ?)').run(change.id, change.name, change.note ?? null, tick);
  else if (change.op === 'update')
    db.prepare('UPDATE items SET id = ?, name = ?, changed = ? WHERE id = ?').run(change.to ?? change.id, change.name, tick, change.id);
  else if (change.op === 'delete') db.prepare('DELETE FROM items WHERE id = ?').run(change.id);
}

async function startSource(more: object, ops: SourceHarness['ops']): Promise<SourceHarness> {
  const folder = await makeFolder(),
    path = folder.at('shop.db'),
    db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.exec(CREATE);
  let tick = 0;
  const config = { ...SOURCE_DEFAULTS, path, ...more };
  return {
    config,
    ops,
    unreachable: { ...config, path: folder.at('missing/shop.db') },
    misconfigured: { ...config, tables: ['nothing'] },
    commit: async (changes) => {
      tick++;
      db.transaction(() => {
        for (const c of changes) apply(db, c, tick);
      })();
    },
    addColumn: async () => {
      db.exec('ALTER TABLE items ADD COLUMN extra TEXT');
    },
    insertTyped: async (id) => {
      tick++;
      db.prepare('INSERT INTO items (id, name, v_int, v_real, v_blob, changed) VALUES (?, ?, ?, ?, ?, 1)').run(
        id,
        'ü',
        9007199254740993n,
        0.1,
        Buffer.from([0, 255]),
      );
    },
    typed: { name: 'ü', note: null, v_int: 9007199254740993n, v_real: 0.1, v_blob: new Uint8Array([0, 255]) },
    close: async () => {
      db.close();
      await folder.remove();
    },
  };
}

describeSource(source, () => startSource({}, ['insert', 'update', 'delete']), 'trigger');
describeSource(
  source,
  async () => ({
    ...(await startSource({ cdc_mode: 'polling', watermark: { column: 'changed', type: 'integer', settle: 0 } }, ['insert', 'update'])),
    insertsLookLikeUpdates: true,
  }),
  'polling',
);

// ---- destination -------------------------------------------------------------------------------------------------------------

/** What SQLite gives back, as the column's type wants it. */
function valueIn(column: Column, stored: unknown): Value {
  if (stored === null) return null;
  if (column.type === 'boolean') return stored === 1n;
  if (column.type === 'int16' || column.type === 'int32') return Number(stored);
  if (column.type === 'json') return JSON.parse(stored as string) as Value;
  return stored instanceof Buffer ? new Uint8Array(stored) : (stored as Value);
}

function read(path: string, table: TableSchema): Row[] {
  const db = new Database(path, { readonly: true });
  try {
    const rows = db.prepare(`SELECT * FROM "${table.id.table}"`).safeIntegers(true).all() as Record<string, unknown>[];
    return rows.map((row) => Object.fromEntries(table.columns.map((c) => [c.name, valueIn(c, row[c.name])])));
  } catch (error) {
    if (String(error).includes('no such table')) return [];
    throw error;
  } finally {
    db.close();
  }
}

describeDestination(destination, async (): Promise<DestinationHarness> => {
  const folder = await makeFolder(),
    path = folder.at('replica.db'),
    config = { ...SQLITE_DEFAULTS, busy_timeout: 200, path };
  return {
    config,
    misconfigured: { ...config, path: folder.at('.') },
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    rows: async (table) => read(path, table),
    poison: (events: Events) => events.create({ ...item(3, 'poison'), id: { not: 'a number' } as unknown as number }),
    outage: async () => {
      const other = new Database(path);
      other.exec('BEGIN IMMEDIATE');
      return async () => {
        other.exec('ROLLBACK');
        other.close();
      };
    },
    close: () => folder.remove(),
  };
});
