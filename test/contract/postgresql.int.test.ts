// The contract suite against a real PostgreSQL, behind a proxy that can go away and lose replies.

import { describe } from 'vitest';
import { descriptor } from '../../src/destinations/postgresql/index.ts';
import type { Column, Row, TableSchema, Value } from '../../src/sdk/index.ts';
import { type DestinationHarness, describeDestination, type Events, item } from '../../src/sdk/testing/index.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { PostgresProxy } from '../helpers/postgres-proxy.ts';

const DEFAULTS = {
  schema: 'public',
  table: '{table}',
  create_tables: true,
  conflict_resolution: 'upsert',
  deletes: 'apply',
  transactions: 'split',
  statement_timeout: 0,
  application_name: 'contract',
  connection_pool: { min_connections: 0, max_connections: 2, connection_timeout: 2000, idle_timeout: 60_000, batch_insert_size: 5000 },
} as const;

/** What the server writes as text, as the column's type wants it. */
function valueIn(column: Column, text: string | null): Value {
  if (text === null) return null;
  switch (column.type) {
    case 'boolean':
      return text === 'true';
    case 'int16':
    case 'int32':
    case 'float32':
    case 'float64':
      return Number(text);
    case 'int64':
    case 'uint64':
      return BigInt(text);
    case 'bytes':
      return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
    case 'json':
      return JSON.parse(text) as Value;
    case 'timestamp':
      return text.replace(' ', 'T');
    case 'timestamptz':
      return text.replace(' ', 'T').replace('+00', 'Z');
    default:
      return text;
  }
}

async function read(db: TestDatabase, table: TableSchema): Promise<Row[]> {
  const found = await db.query('SELECT 1 FROM pg_class WHERE relname = $1', [table.id.table]);
  if (found.length === 0) return [];
  const columns = table.columns.map((c) => `"${c.name}"::text AS "${c.name}"`).join(', ');
  await db.query("SET TimeZone = 'UTC'");
  const rows = await db.query<Record<string, string | null>>(`SELECT ${columns} FROM "${table.id.table}"`);
  return rows.map((row) => Object.fromEntries(table.columns.map((c) => [c.name, valueIn(c, row[c.name] ?? null)])));
}

async function start(): Promise<DestinationHarness> {
  const db = await createDatabase(),
    proxy = await PostgresProxy.start(db.url),
    url = proxy.through(db.url);
  const stranger = new URL(db.url),
    nobody = new URL(url);
  stranger.username = 'no_such_role';
  nobody.port = '1';
  return {
    config: { ...DEFAULTS, url },
    unreachable: { ...DEFAULTS, url: nobody.href },
    forbidden: { ...DEFAULTS, url: stranger.href },
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    rows: (table) => read(db, table),
    // PostgreSQL texts cannot hold a zero character.
    poison: (events: Events) => events.create(item(3, 'poi\u0000son')),
    outage: async () => {
      await proxy.close();
      return () => proxy.open();
    },
    loseReply: async () => {
      proxy.cutNextCommit = 'after';
    },
    close: async () => {
      await proxy.close();
      await db[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf((await skipReason()) !== null)('with a server', () => {
  describeDestination(descriptor, start);
});
