// Opens a connection and makes its session one that our texts can rely on. The driver is loaded here.

import { isIP } from 'node:net';
import type { Connection, ConnectionOptions, TypeCastField } from 'mysql2';
import { tlsOptions } from '../tls.ts';
import type { Endpoint } from './endpoint.ts';
import { requireAddress } from './identity.ts';
import { type ServerFacts, serverFacts } from './server.ts';

/** A dead peer is noticed by keepalives from this idle time on. */
const KEEPALIVE_DELAY_MS = 10_000;

/**
 * Strict, so that nothing is cut or rounded into a column with a mere warning; zeros stay zeros in AUTO_INCREMENT columns; zero
 * dates of a source are values like others. Neither ANSI_QUOTES nor NO_BACKSLASH_ESCAPES: our literals rely on that.
 */
const SQL_MODE = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION';

export interface OpenOptions {
  readonly connectTimeoutMs: number;
  /** More settings of the session: `wait_timeout=60`. Not of the user's making. */
  readonly settings?: readonly string[];
}

export interface Opened {
  readonly connection: Connection;
  readonly server: ServerFacts;
}

/** What the driver cannot check. */
const isAddress = ({ host, sslMode }: Endpoint): boolean => sslMode === 'verify-full' && isIP(host) !== 0;

/** Begins to connect: `connected` says when that is done. `more`: of the driver. */
export async function begin(endpoint: Endpoint, connectTimeoutMs: number, more: ConnectionOptions): Promise<Connection> {
  const [{ createConnection }, login] = await Promise.all([import('mysql2'), loginOptions(endpoint, connectTimeoutMs)]);
  const connection = createConnection({ ...login, ...more });
  if (isAddress(endpoint)) requireAddress(connection, endpoint.host);
  return connection;
}

/** Where, as whom, how encrypted, as the driver takes it. */
async function loginOptions(endpoint: Endpoint, connectTimeoutMs: number): Promise<ConnectionOptions> {
  const { host, port, user, password, database } = endpoint,
    ssl = await sslOptions(endpoint);
  return {
    ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
    user,
    password,
    ...(database === null ? {} : { database }),
    ...(ssl === undefined ? {} : { ssl }),
    connectTimeout: connectTimeoutMs,
    enableKeepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
    charset: 'utf8mb4',
  };
}

/** Resolves when the session is set up. Rejects with what the driver or the server says. */
export async function openConnection(endpoint: Endpoint, { connectTimeoutMs, settings = [] }: OpenOptions): Promise<Opened> {
  const connection = await begin(endpoint, connectTimeoutMs, {
    // Texts are written by `names.ts`, and several statements may go in one message.
    multipleStatements: true,
    // Results as the server spells them: nothing is parsed into lossy types.
    typeCast: (field: TypeCastField) => field.string(),
  });
  try {
    await connected(connection);
    const all = [`sql_mode='${SQL_MODE}'`, "time_zone='+00:00'", 'autocommit=1', 'sql_safe_updates=0', 'sql_auto_is_null=0', ...settings];
    await run(connection, `SET SESSION ${all.join(', ')}`);
    const [row] = (await run(connection, 'SELECT VERSION() AS version, @@max_allowed_packet AS packet')) as Record<string, string>[];
    return { connection, server: serverFacts(row?.['version'] ?? '', Number(row?.['packet'])) };
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

export function connected(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    // The listener stays: without one, the loss of an idle connection would end the process.
    connection.on('error', reject);
    connection.connect((error) => (error === null ? resolve() : reject(error)));
  });
}

/** The driver's own answer: rows, a header, or an array of these for several statements. */
export function run(connection: Connection, sql: string, timeoutMs = 0): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query(timeoutMs > 0 ? { sql, timeout: timeoutMs } : { sql }, (error, result) =>
      error === null ? resolve(result) : reject(error),
    );
  });
}

/** The driver calls the check of the host name by another word than Node, and would compare an address with `localhost`. */
async function sslOptions(endpoint: Endpoint): Promise<ConnectionOptions['ssl']> {
  const tls = await tlsOptions(endpoint);
  if (tls === false) return undefined;
  const { ca, cert, key } = tls as { ca?: string; cert?: string; key?: string };
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: tls.rejectUnauthorized !== false,
    ...(endpoint.sslMode === 'verify-full' && !isAddress(endpoint) ? { verifyIdentity: true } : {}),
  };
}
