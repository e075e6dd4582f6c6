// Real servers of MySQL and MariaDB for integration tests: which there are, why one is not there, and a fresh database per test.

import { randomBytes } from 'node:crypto';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { describe } from 'vitest';
import { serviceUrl } from '../../scripts/services/service-url.ts';

/** Every run of the tests has the first, and the second where its download can be had; `npm run services up mysql57` adds others. */
const EXPECTED = ['mariadb', 'mysql'] as const;
const ON_DEMAND = ['mariadb114', 'mysql57', 'mysql56'] as const;
export type ServerName = (typeof EXPECTED)[number] | (typeof ON_DEMAND)[number];

export const isMariadb = (server: ServerName): boolean => server.startsWith('mariadb');

/**
 * The servers that answer. A missing one of those that are expected is said once; where `CI` is set a missing MariaDB is an error.
 *
 *     describeOn(await mysqlServers(), 'mysql destination on %s', (server) => { … });
 */
export async function mysqlServers(): Promise<ServerName[]> {
  const found: ServerName[] = [];
  for (const name of [...EXPECTED, ...ON_DEMAND]) {
    if ((await serviceUrl(name)) !== null) found.push(name);
    else if (EXPECTED.includes(name as 'mysql')) complain(name);
  }
  return found;
}

/** A suite for each server; where there is none, the suite as one that is skipped, since a file without any tests fails. */
export function describeOn(servers: readonly ServerName[], title: string, suite: (server: ServerName) => void): void {
  const isMissing = servers.length === 0;
  describe.skipIf(isMissing).each<ServerName>(isMissing ? ['mysql'] : servers)(title, suite);
}

function complain(name: string): void {
  const reason = `no ${name} for tests: run \`npm run services up ${name}\`, or set CDC_TEST_${name.toUpperCase()}_URL`;
  if (process.env['CI'] && name === 'mariadb') throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
}

/** A database that goes away with its `await using` scope. */
export interface MysqlDatabase extends AsyncDisposable {
  readonly name: string;
  /** With user and password. */
  readonly url: string;
  /** Rows with every value as the text that the server writes. */
  query(text: string): Promise<Record<string, string | null>[]>;
  /** A connection of one's own, closed with the database. */
  connect(): Promise<mysql.Connection>;
}

/** Makes an empty database. Its name is unique, so a shared server will do; only what is made here is dropped. */
export async function createMysqlDatabase(server: ServerName): Promise<MysqlDatabase> {
  const url = new URL((await serviceUrl(server)) ?? '');
  const name = `cdc_test_${randomBytes(6).toString('hex')}`;
  const connections: mysql.Connection[] = [];
  const open = async (database?: string): Promise<mysql.Connection> => {
    const connection = await mysql.createConnection({
      host: url.hostname,
      port: Number(url.port),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      ...(database === undefined ? {} : { database }),
      multipleStatements: true,
      charset: 'utf8mb4',
      typeCast: (field: { string(): string | null }) => field.string(),
    });
    connection.on('error', () => {});
    connections.push(connection);
    return connection;
  };
  await (await open()).query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  const own = await open(name);
  await own.query("SET time_zone = '+00:00'");
  const inside = new URL(url);
  inside.pathname = `/${name}`;
  return {
    name,
    url: inside.href,
    connect: () => open(name),
    query: async (text) => {
      const [rows] = await own.query<RowDataPacket[]>(text);
      return Array.isArray(rows) ? (rows as Record<string, string | null>[]) : [];
    },
    async [Symbol.asyncDispose]() {
      // Transactions that a test left open would hold the drop up.
      for (const connection of connections.slice(1)) connection.destroy();
      await connections[0]?.query(`DROP DATABASE IF EXISTS ${name}`);
      connections[0]?.destroy();
    },
  };
}
