// Connections of the driver: one that is taken over by the dump, and a pool for everything else. Values come as the bytes that the
// server sent: the driver's own types would lose digits.

import type { Socket } from 'node:net';
import type { Connection, ConnectionOptions, Pool, PoolConnection, ResultSetHeader, RowDataPacket } from 'mysql2';
import type { Logger } from '../../sdk/index.ts';
import { isFatal } from '../../systems/mysql/driver-errors.ts';
import type { Endpoint } from '../../systems/mysql/endpoint.ts';
import { tlsOptions } from '../../systems/tls.ts';
import type { QueryField } from './query-columns.ts';

/** Texts as UTF-8 with all characters, times in UTC, names in back quotes or in double ones whatever the server's default is. */
const SESSION = `SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = ''`;
const KEEPALIVE_DELAY_MS = 10_000;

/** Who logs in where. */
export interface Login {
  readonly endpoint: Endpoint;
  readonly connectionTimeoutMs: number;
}

async function optionsOf({ endpoint, connectionTimeoutMs }: Login): Promise<ConnectionOptions> {
  const { host, port, user, password, database } = endpoint,
    ssl = await sslOptions(endpoint);
  return {
    ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
    user,
    password,
    ...(database === null ? {} : { database }),
    ...(ssl === undefined ? {} : { ssl }),
    connectTimeout: connectionTimeoutMs,
    charset: 'utf8mb4',
    enableKeepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
    // A socket that was taken over must not come compressed.
    compress: false,
    multipleStatements: false,
    // A server may ask for any file of ours otherwise.
    flags: ['-LOCAL_FILES'],
  };
}

/** The driver calls the check of the host name by another word than Node. */
async function sslOptions(endpoint: Endpoint): Promise<ConnectionOptions['ssl']> {
  const tls = await tlsOptions(endpoint);
  if (tls === false) return undefined;
  const { ca, cert, key } = tls as { ca?: string; cert?: string; key?: string };
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: tls.rejectUnauthorized !== false,
    ...(endpoint.sslMode === 'verify-full' ? { verifyIdentity: true } : {}),
  };
}

/** A connection for the binary log. */
export interface DriverConnection {
  query(sql: string): Promise<void>;
  /** From now on the driver sees nothing of what comes. */
  takeOver(): Socket;
  onError(listener: (error: Error) => void): void;
  destroy(): void;
}

export async function openDriverConnection(login: Login, signal: AbortSignal): Promise<DriverConnection> {
  const { createConnection } = await import('mysql2');
  const connection = createConnection(await optionsOf(login));
  // Without a listener the loss of the connection would end the process.
  let listener: (error: Error) => void = () => {};
  connection.on('error', (error: Error) => listener(error));
  const cut = (): void => connection.destroy();
  signal.addEventListener('abort', cut, { once: true });
  try {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      connection.connect((error) => (error === null ? resolve() : reject(error)));
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  } catch (error) {
    connection.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', cut);
  }
  return {
    query: (sql) => new Promise((resolve, reject) => connection.query(sql, (error) => (error === null ? resolve() : reject(error)))),
    takeOver: () => socketOf(connection),
    onError: (l) => {
      listener = l;
    },
    // The driver only ends its side: a socket that is paused would never see the other end, and keep the process alive.
    destroy: () => {
      connection.destroy();
      socketOf(connection).destroy();
    },
  };
}

const socketOf = (connection: Connection): Socket => (connection as Connection & { readonly stream: Socket }).stream;

export interface SessionLimits {
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  /** 0 = no limit. */
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
}

/** A row as the server wrote it, by column. */
export type TextRow = Readonly<Record<string, string | null>>;
/** Values of a row as bytes, in the order of the columns asked for. */
export type RawRow = readonly (Buffer | null)[];

/** What runs queries. */
export interface Queries {
  query(sql: string, values?: readonly unknown[]): Promise<readonly TextRow[]>;
}

/** One connection while somebody uses it. */
export class Session implements Queries {
  readonly #connection: PoolConnection;
  /** A result is not read to its end, or a transaction is open: the connection is of no use to the next one. */
  isBroken = false;

  constructor(connection: PoolConnection) {
    this.#connection = connection;
  }

  query(sql: string, values: readonly unknown[] = []): Promise<readonly TextRow[]> {
    return new Promise((resolve, reject) => {
      this.#connection.query<RowDataPacket[] | ResultSetHeader>(
        { sql, values: [...values], typeCast: (field) => field.string('utf8') },
        (error, rows) => (error === null ? resolve(Array.isArray(rows) ? (rows as unknown as TextRow[]) : []) : reject(error)),
      );
    });
  }

  /** The columns of what a query gives. */
  fields(sql: string): Promise<readonly QueryField[]> {
    return new Promise((resolve, reject) => {
      this.#connection.query({ sql, rowsAsArray: true }, (error, _, fields) =>
        error === null ? resolve(fields as unknown as readonly QueryField[]) : reject(error),
      );
    });
  }

  /** Only as fast as they are taken. Who stops early loses the connection, because the server would go on sending. */
  async *rows(sql: string): AsyncGenerator<RawRow, void, undefined> {
    this.isBroken = true;
    const query = this.#connection.query({ sql, rowsAsArray: true, typeCast: (field) => field.buffer() });
    for await (const row of query.stream({ highWaterMark: 64 })) yield row as RawRow;
    this.isBroken = false;
  }

  destroy(): void {
    this.#connection.destroy();
  }

  release(): void {
    if (this.isBroken) this.#connection.destroy();
    else this.#connection.release();
  }
}

/** The sessions of one source. Opened on first use. */
export class SourceConnections {
  readonly #login: Login;
  readonly #limits: SessionLimits;
  readonly #logger: Logger;
  #pool: Promise<Pool> | null = null;
  readonly #ready = new WeakSet<object>();

  constructor(login: Login, limits: SessionLimits, logger: Logger) {
    this.#login = login;
    this.#limits = limits;
    this.#logger = logger;
  }

  /** Lends a session. When `signal` aborts the connection is cut. Throws errors of the driver. */
  async use<T>(signal: AbortSignal | null, work: (session: Session) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const pool = await this.#open();
    const connection = await new Promise<PoolConnection>((resolve, reject) => {
      pool.getConnection((error, found) => (error ? reject(error) : resolve(found)));
    });
    const session = new Session(connection);
    const cut = (): void => {
      session.isBroken = true;
      session.destroy();
    };
    signal?.addEventListener('abort', cut, { once: true });
    try {
      signal?.throwIfAborted();
      await this.#prepare(connection, session);
      return await work(session);
    } catch (error) {
      if (isFatal(error)) session.isBroken = true;
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', cut);
      session.release();
    }
  }

  async #prepare(connection: PoolConnection, session: Session): Promise<void> {
    if (this.#ready.has(connection)) return;
    const { lockTimeoutMs, statementTimeoutMs } = this.#limits;
    await session.query(SESSION);
    if (lockTimeoutMs > 0) await session.query(`SET SESSION lock_wait_timeout = ${Math.max(1, Math.round(lockTimeoutMs / 1000))}`);
    if (statementTimeoutMs > 0) {
      // MySQL counts milliseconds, MariaDB seconds under another name.
      await session
        .query(`SET SESSION max_execution_time = ${statementTimeoutMs}`)
        .catch(() => session.query(`SET SESSION max_statement_time = ${statementTimeoutMs / 1000}`));
    }
    this.#ready.add(connection);
  }

  async close(): Promise<void> {
    const pool = await this.#pool?.catch(() => null);
    this.#pool = null;
    if (pool) await new Promise<void>((resolve) => pool.end(() => resolve()));
  }

  #open(): Promise<Pool> {
    // A failure (a certificate file that is missing) is not remembered: the file may be there at the next try.
    this.#pool ??= this.#openPool().catch((error: unknown) => {
      this.#pool = null;
      throw error;
    });
    return this.#pool;
  }

  async #openPool(): Promise<Pool> {
    const { createPool } = await import('mysql2');
    const { maxConnections, idleTimeoutMs } = this.#limits;
    const pool = createPool({
      ...(await optionsOf(this.#login)),
      connectionLimit: maxConnections,
      maxIdle: maxConnections,
      idleTimeout: idleTimeoutMs,
    });
    pool.on('connection', (connection) => {
      (connection as unknown as Connection).on('error', (error: Error) =>
        this.#logger.debug('a connection was lost', { error: error.message }),
      );
    });
    return pool;
  }
}
