// The contract suite against a real PostgreSQL, behind a proxy that can go away and lose replies: into tables that it makes
// and tables that are there, and with each way to refuse an event.

import { randomBytes } from 'node:crypto';
import { describe } from 'vitest';
import type { PostgresqlConfig } from '../../src/destinations/postgresql/config.ts';
import { descriptor } from '../../src/destinations/postgresql/index.ts';
import type { Column, Row, TableSchema, Value } from '../../src/sdk/index.ts';
import { type DestinationHarness, describeDestination, item } from '../../src/sdk/testing/index.ts';
import { createDatabase, skipReason, type TestDatabase } from '../helpers/postgres.ts';
import { PostgresProxy } from '../helpers/postgres-proxy.ts';
import { postgresqlConfig } from '../helpers/postgresql-destination.ts';

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
      return text.replace(' ', 'T').replace(/\+00$/, 'Z');
    default:
      return text;
  }
}

async function read(db: TestDatabase, table: TableSchema): Promise<Row[]> {
  const found = await db.query('SELECT 1 FROM pg_class WHERE relname = $1', [table.id.table]);
  if (found.length === 0) return [];
  const columns = table.columns.map((c) => `"${c.name}"::text AS "${c.name}"`).join(', ');
  const rows = await db.query<Record<string, string | null>>(`SELECT ${columns} FROM public."${table.id.table}"`);
  return rows.map((row) => Object.fromEntries(table.columns.map((c) => [c.name, valueIn(c, row[c.name] ?? null)])));
}

interface Start {
  readonly changes?: Partial<PostgresqlConfig>;
  /** Statements before the destination is there. */
  readonly setUp?: string;
  readonly poison: NonNullable<DestinationHarness['poison']>;
  /** Who may not come in. */
  readonly stranger?: Partial<Pick<URL, 'username' | 'password'>>;
}

const changed = (url: string, parts: Partial<Pick<URL, 'username' | 'password' | 'pathname' | 'port'>>): string =>
  Object.assign(new URL(url), parts).href;

async function start({ changes, setUp, poison, stranger = { password: 'wrong' } }: Start): Promise<DestinationHarness> {
  const db = await createDatabase(),
    proxy = await PostgresProxy.start(db.url),
    url = proxy.through(db.url);
  await db.query("SET TimeZone = 'UTC'");
  if (setUp !== undefined) await db.query(setUp);
  // Too large for an index, where there is one on `name`; the server keeps it otherwise.
  const oversize: Pick<DestinationHarness, 'oversize'> =
    setUp === undefined ? {} : { oversize: (e) => e.create(item(2, randomBytes(10_000).toString('hex'))) };
  return {
    ...oversize,
    config: postgresqlConfig(url, changes),
    unreachable: postgresqlConfig(changed(url, { port: '1' })),
    forbidden: postgresqlConfig(changed(db.url, stranger)),
    misconfigured: postgresqlConfig(changed(db.url, { pathname: '/cdc_test_there_is_none' })),
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    rows: (table) => read(db, table),
    poison,
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
  // Few connections, and little patience.
  const pool = { min_connections: 0, max_connections: 2, connection_timeout: 2000, idle_timeout: 60_000, batch_insert_size: 5000 };
  describeDestination(
    descriptor,
    () =>
      start({
        changes: { connection_pool: pool },
        // PostgreSQL texts cannot hold a zero character: the event is found before anything is sent.
        poison: (e) => e.create(item(3, 'poi\u0000son')),
        stranger: { username: 'no_such_role' },
      }),
    'tables it makes',
  );
  // The server refuses: the event is found by trying.
  describeDestination(
    descriptor,
    () =>
      start({
        setUp: `CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL UNIQUE CHECK (name <> 'poison'), note text)`,
        poison: (e) => e.create(item(3, 'poison')),
      }),
    'tables that are there',
  );
  describeDestination(
    descriptor,
    () =>
      start({
        changes: { conflict_resolution: 'replace' },
        poison: (e) => e.create(item(3, 'a\0b')),
      }),
    'tables it makes, replace',
  );
});
