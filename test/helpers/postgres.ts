// A real PostgreSQL for integration tests: where it is, why it is not there, and a fresh database per test.

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { serviceUrl } from '../../scripts/services/service-url.ts';

/** The server's URL: from the environment, else of what `npm run services up postgres` started, else `null`. */
export function postgresUrl(): Promise<string | null> {
  return serviceUrl('postgres');
}

/**
 * `null` when there is a server. Otherwise the reason to skip, printed once; where `CI` is set a missing server is an error.
 *
 *     describe.skipIf(await skipReason() !== null)('postgresql destination', () => { … });
 */
export async function skipReason(): Promise<string | null> {
  if ((await postgresUrl()) !== null) return null;
  const reason = 'no PostgreSQL for tests: run `npm run services up postgres`, or set CDC_TEST_POSTGRES_URL';
  if (process.env['CI']) throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return reason;
}

/** A database that goes away with its `await using` scope. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  /** With user and password. */
  readonly url: string;
  /** Rows as the driver parses them; int8 and numeric come as text. */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** A connection of one's own, closed with the database. */
  connect(): Promise<pg.Client>;
}

/** Makes an empty database. Its name is unique, so a shared server will do; only what is made here is dropped. */
export async function createDatabase(encoding: 'UTF8' | 'SQL_ASCII' = 'UTF8'): Promise<TestDatabase> {
  const server = await postgresUrl();
  if (server === null) throw new Error('no PostgreSQL for tests');
  const name = `cdc_test_${randomBytes(6).toString('hex')}`;
  await once(server, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}'`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const clients: pg.Client[] = [];
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url.href });
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
    return client;
  };
  const own = await connect();
  return {
    name,
    url: url.href,
    connect,
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) => (await own.query<Row>(text, values)).rows,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(clients.map((client) => client.end()));
      await once(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

async function once(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
