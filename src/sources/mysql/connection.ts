// Connections of the driver: one that is taken over by the dump, and a pool for everything else. Values come as the bytes that the
// server sent: the driver's own types would lose digits.

import type { Socket } from 'node:net';
import type { Connection, ConnectionOptions, ResultSetHeader, RowDataPacket } from 'mysql2';
import type { Clock, Logger } from '../../sdk/index.ts';
import { isFatal } from '../../systems/mysql/driver-errors.ts';
import type { Endpoint } from '../../systems/mysql/endpoint.ts';
import { begin, connected } from '../../systems/mysql/open.ts';
import { Pool } from '../../systems/mysql/pool.ts';
import { unlessAborted } from '../../util/signal.ts';
import type { QueryField } from './query-columns.ts';

/** Texts as UTF-8 with all characters, times in UTC, names in back quotes or in double ones whatever the server's default is. */
const SESSION = `SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = ''`;

/** Who logs in where. */
export interface Login {
  readonly endpoint: Endpoint;
  readonly connectionTimeoutMs: number;
}

const OPTIONS: ConnectionOptions = {
  // A socket that was taken over must not come compressed.
  compress: false,
  multipleStatements: false,
  // A server may ask for any file of ours otherwise.
  flags: ['-LOCAL_FILES'],
};

const connectionOf = ({ endpoint, connectionTimeoutMs }: Login): Promise<Connection> => begin(endpoint, connectionTimeoutMs, OPTIONS);

/** A connection for the binary log. */
export interface DriverConnection {
  query(sql: string): Promise<void>;
  /** From now on the driver sees nothing of what comes. */
  takeOver(): Socket;
  onError(listener: (error: Error) => void): void;
  destroy(): void;
}

export async function openDriverConnection(login: Login, signal: AbortSignal): Promise<DriverConnection> {
  const connection = await connectionOf(login);
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
  readonly #connection: Connection;
  /** A result is not read to its end, or a transaction is open: the connection is of no use to the next one. */
  isBroken = false;

  constructor(connection: Connection) {
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
}

/** The sessions of one source. Opened on first use. */
export class SourceConnections {
  readonly #login: Login;
  readonly #limits: SessionLimits;
  readonly #logger: Logger;
  readonly #pool: Pool<Connection>;

  constructor(login: Login, limits: SessionLimits, clock: Clock, logger: Logger) {
    this.#login = login;
    this.#limits = limits;
    this.#logger = logger;
    const { maxConnections: max, idleTimeoutMs: idleMs } = limits,
      destroy = (connection: Connection): void => connection.destroy();
    this.#pool = new Pool({ max, min: 0, idleMs, waitMs: login.connectionTimeoutMs, open: () => this.#open(), destroy }, clock);
  }

  /** Lends a session. When `signal` aborts the connection is cut. Throws errors of the driver. */
  async use<T>(signal: AbortSignal | null, work: (session: Session) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const connection = await this.#pool.take(signal),
      session = new Session(connection);
    const cut = (): void => {
      session.isBroken = true;
      connection.destroy();
    };
    signal?.addEventListener('abort', cut, { once: true });
    try {
      signal?.throwIfAborted();
      // The driver never answers on a connection that was destroyed.
      return await (signal === null ? work(session) : unlessAborted(work(session), signal));
    } catch (error) {
      if (isFatal(error)) session.isBroken = true;
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', cut);
      this.#pool.give(connection, !session.isBroken);
    }
  }

  async #open(): Promise<Connection> {
    const connection = await connectionOf(this.#login);
    connection.on('error', (error: Error) => {
      this.#logger.debug('a connection was lost', { error: error.message });
      this.#pool.drop(connection);
    });
    try {
      await connected(connection);
      await this.#prepare(new Session(connection));
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  async #prepare(session: Session): Promise<void> {
    const { lockTimeoutMs, statementTimeoutMs } = this.#limits;
    await session.query(SESSION);
    if (lockTimeoutMs > 0) await session.query(`SET SESSION lock_wait_timeout = ${Math.max(1, Math.round(lockTimeoutMs / 1000))}`);
    if (statementTimeoutMs === 0) return;
    // MySQL counts milliseconds, MariaDB seconds under another name.
    await session
      .query(`SET SESSION max_execution_time = ${statementTimeoutMs}`)
      .catch(() => session.query(`SET SESSION max_statement_time = ${statementTimeoutMs / 1000}`));
  }

  /** Waits for sessions that are lent. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}
