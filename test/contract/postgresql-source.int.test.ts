// The contract suite of sources against a real PostgreSQL. Each case has a database, a publication and a slot of its own.

import { describe } from 'vitest';
import type { Row } from '../../src/sdk/index.ts';
import { type Change, describeSource, type SourceHarness } from '../../src/sdk/testing/index.ts';
import type { PostgresqlSourceConfig } from '../../src/sources/postgresql/config.ts';
import { descriptor } from '../../src/sources/postgresql/index.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { dropSlots } from '../helpers/postgres-slots.ts';
import { POSTGRESQL_SOURCE_DEFAULTS } from '../helpers/postgres-source.ts';

const CREATE = `
  CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, note text, v_big int8, v_num numeric(12,2), v_bytes bytea, v_ts timestamptz,
    v_list int[], v_json jsonb, v_float float8);
  CREATE TABLE elsewhere (id int PRIMARY KEY)`;

const TYPED_SQL = `'ü', NULL, 9007199254740993, 1.50, '\\x00ff', '2024-02-29 12:00:00.5+02', '{1,NULL}', '{"a": 1}', 0.1`;
const TYPED: Row = {
  name: 'ü',
  note: null,
  v_big: 9007199254740993n,
  v_num: '1.50',
  v_bytes: new Uint8Array([0, 255]),
  v_ts: '2024-02-29T10:00:00.5Z',
  v_list: [1, null],
  v_float: 0.1,
};

async function apply(db: TestDatabase, change: Change): Promise<void> {
  if (change.op === 'insert')
    await db.query('INSERT INTO items (id, name, note) VALUES ($1, $2, $3)', [change.id, change.name, change.note ?? null]);
  else if (change.op === 'update')
    await db.query('UPDATE items SET id = $1, name = $2 WHERE id = $3', [change.to ?? change.id, change.name, change.id]);
  else if (change.op === 'delete') await db.query('DELETE FROM items WHERE id = $1', [change.id]);
  else await db.query('TRUNCATE items');
}

async function start(more: Partial<PostgresqlSourceConfig>): Promise<SourceHarness> {
  const db = await createDatabase(),
    slot = db.name;
  await db.query(CREATE);
  await db.query('CREATE PUBLICATION cdc FOR TABLE items');
  const newSlot = (): Promise<unknown> => db.query(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
  const config: PostgresqlSourceConfig = {
    ...POSTGRESQL_SOURCE_DEFAULTS,
    url: db.url,
    tables: ['items'],
    slot_name: slot,
    publication: 'cdc',
    ...more,
  };
  const away = new URL(db.url);
  away.port = '1';
  // Without a snapshot only what happens behind the slot's start is seen.
  if (config.snapshot_mode === 'never') await newSlot();
  return {
    config,
    ops: ['insert', 'update', 'delete', 'truncate'],
    unreachable: { ...config, url: away.href },
    misconfigured: { ...config, tables: ['nothing'] },
    commit: async (changes) => {
      await db.query('BEGIN');
      for (const c of changes) await apply(db, c);
      await db.query('COMMIT');
    },
    cut: async () => {
      await db.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1', [slot]);
    },
    loseHistory: async () => {
      await dropSlots(db);
      await newSlot();
    },
    addColumn: async () => {
      await db.query('ALTER TABLE items ADD COLUMN extra text');
    },
    advance: async () => {
      await db.query('INSERT INTO elsewhere VALUES (1)');
    },
    insertTyped: async (id) => {
      await db.query(`INSERT INTO items VALUES (${id}, ${TYPED_SQL})`);
    },
    typed: TYPED,
    close: async () => {
      await dropSlots(db);
      await db[Symbol.asyncDispose]();
    },
  };
}

/** Every change of one transaction has the same watermark; there is neither slot nor publication. */
async function startPolling(type: 'integer' | 'timestamp', query?: string): Promise<SourceHarness> {
  const db = await createDatabase();
  await db.query(CREATE);
  await db.query('CREATE SEQUENCE tick');
  const now = type === 'integer' ? "currval('tick')" : 'now()';
  await db.query(
    type === 'integer'
      ? "SELECT nextval('tick'); ALTER TABLE items ADD COLUMN changed int8 NOT NULL DEFAULT currval('tick')"
      : 'ALTER TABLE items ADD COLUMN changed timestamptz NOT NULL DEFAULT now()',
  );
  const config: PostgresqlSourceConfig = {
    ...POSTGRESQL_SOURCE_DEFAULTS,
    url: db.url,
    tables: ['items'],
    cdc_mode: 'polling',
    watermark: { column: 'changed', type, settle: 0 },
    ...(query !== undefined && { query }),
  };
  const away = new URL(db.url);
  away.port = '1';
  return {
    config,
    ops: ['insert', 'update'],
    insertsLookLikeUpdates: true,
    unreachable: { ...config, url: away.href },
    misconfigured: query === undefined ? { ...config, tables: ['nothing'] } : { ...config, query: 'SELECT * FROM nothing' },
    commit: async (changes) => {
      await db.query("SELECT nextval('tick')");
      await db.query('BEGIN');
      for (const c of changes) {
        await apply(db, c);
        if (c.op === 'update') await db.query(`UPDATE items SET changed = ${now} WHERE id = $1`, [c.to ?? c.id]);
      }
      await db.query('COMMIT');
    },
    addColumn: async () => {
      await db.query('ALTER TABLE items ADD COLUMN extra text');
    },
    // With one watermark: the key tells them apart.
    insertTyped: async (id) => {
      await db.query(`INSERT INTO items VALUES (${id}, ${TYPED_SQL}, ${type === 'integer' ? '5' : "'2026-01-02 03:04:05+00'"})`);
    },
    typed: TYPED,
    close: async () => {
      await db[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf((await skipReason()) !== null)('a real server', () => {
  describeSource(descriptor, () => start({ snapshot_mode: 'never' }), 'wal, changes only');
  describeSource(descriptor, () => start({}), 'wal');
  describeSource(descriptor, () => startPolling('integer'), 'polling by a counter');
  describeSource(descriptor, () => startPolling('timestamp'), 'polling by a time');
  describeSource(descriptor, () => startPolling('integer', 'SELECT * FROM items WHERE changed > :last_sync'), 'polling a query');
});
