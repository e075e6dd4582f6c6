// Sessions for queries and rows: how they are set up, lent and cut. The stream has a connection of its own (replication/).

import type { Pool, PoolClient } from 'pg';
import type { Logger } from '../../sdk/index.ts';
import type { Endpoint } from '../../systems/postgresql/endpoint.ts';
import { KEEPALIVE_DELAY_MS, lend, RAW_TEXT, surviveLosses } from '../../systems/postgresql/lending.ts';
import { tlsOptions } from '../../systems/tls.ts';
import { quoteText } from '../../util/sql-names.ts';
import type { Queries, QueryResult } from './queries.ts';
import type { Frames } from './replication/frames.ts';
import { RowQuery } from './row-query.ts';
import { milliseconds, startupOptions } from './session-settings.ts';

export interface SessionLimits {
  readonly maxConnections: number;
  readonly minConnections: number;
  readonly connectionTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** 0 = no limit. */
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
}

/** What the server says of the columns of a result. */
export type Fields = readonly { readonly name: string; readonly typeOid: number; readonly typmod: number; readonly tableOid: number }[];

/** One connection while somebody uses it. */
export class Session implements Queries {
  readonly #client: PoolClient;
  #isReading = false;

  constructor(client: PoolClient) {
    this.#client = client;
  }

  async query(text: string, values?: readonly unknown[]): Promise<QueryResult> {
    const { rows, rowCount } = await this.#client.query<Record<string, string | null>>(
      values === undefined ? { text } : { text, values: [...values] },
    );
    return { rows, count: rowCount ?? 0 };
  }

  /** Rows as lists of texts, and what their columns are; two may have one name. */
  async select(text: string, values: readonly unknown[] = []): Promise<{ fields: Fields; rows: (string | null)[][] }> {
    const { fields, rows } = await this.#client.query<(string | null)[]>({ text, values: [...values], rowMode: 'array' });
    const columns = fields.map((f) => ({ name: f.name, typeOid: f.dataTypeID, typmod: f.dataTypeModifier, tableOid: f.tableID }));
    return { fields: columns, rows };
  }

  /** Several statements without values; outside of a transaction they are one. */
  async script(text: string): Promise<void> {
    await this.#client.query(text);
  }

  /**
   * A read-only transaction of one snapshot: a new one, or one that another session has exported. It ends with `work`,
   * whatever that does.
   */
  async inSnapshot<T>(snapshot: string | null, work: () => Promise<T>): Promise<T> {
    await this.script('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    try {
      if (snapshot !== null) await this.script(`SET TRANSACTION SNAPSHOT ${quoteText(snapshot)}`);
      return await work();
    } finally {
      // It has written nothing, so there is nothing to keep; a connection that is gone has ended it already.
      if (!this.#isReading) await this.script('ROLLBACK').catch(() => undefined);
    }
  }

  /**
   * The rows of a SELECT as DataRow messages. Only as fast as they are taken. Who stops early loses the connection, because the
   * server would go on sending. The bytes stay valid.
   */
  async *frames(query: string): AsyncGenerator<Frames, void, undefined> {
    this.#isReading = true;
    yield* this.#client.query(new RowQuery(query)).frames();
    this.#isReading = false;
  }

  /** No transaction is open and no rows are left to come, so the next one may use the connection. */
  get isClean(): boolean {
    return !this.#isReading && this.#client.getTransactionStatus() === 'I';
  }
}

/** The sessions of one source. Opened on first use. */
export class SourceConnections {
  readonly #endpoint: Endpoint;
  readonly #limits: SessionLimits;
  readonly #logger: Logger;
  #opened: Promise<Pool> | null = null;
  #closed: Promise<void> | null = null;

  constructor(endpoint: Endpoint, limits: SessionLimits, logger: Logger) {
    this.#endpoint = endpoint;
    this.#limits = limits;
    this.#logger = logger;
  }

  /**
   * Lends a session. When `signal` aborts the connection is cut, and the server ends what it was doing for us. Throws errors
   * of the driver: `errors.ts` says what they mean.
   */
  async use<T>(signal: AbortSignal | null, work: (session: Session) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const pool = await this.#open();
    const client = await lend(pool, signal);
    const cut = (): void => {
      client.connection.stream.destroy();
    };
    signal?.addEventListener('abort', cut, { once: true });
    const session = new Session(client);
    try {
      return await work(session);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', cut);
      const isUsable = session.isClean && signal?.aborted !== true;
      // Ending politely would wait for rows that nobody takes.
      if (!isUsable) cut();
      client.release(!isUsable);
    }
  }

  /** Waits for sessions that are lent. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const pool = await this.#opened?.catch(() => null);
    await pool?.end();
  }

  #open(): Promise<Pool> {
    // A failure (a certificate file that is missing) is not remembered: the file may be there at the next try.
    this.#opened ??= this.#openPool().catch((error: unknown) => {
      this.#opened = null;
      throw error;
    });
    return this.#opened;
  }

  async #openPool(): Promise<Pool> {
    const { Pool: PgPool } = await import('pg');
    const { host, port, database, user, password, applicationName, options } = this.#endpoint;
    const limits = this.#limits;
    const pool = new PgPool({
      host,
      port,
      database,
      user,
      password,
      options: startupOptions(options, [
        ['statement_timeout', milliseconds(limits.statementTimeoutMs)],
        ['lock_timeout', milliseconds(limits.lockTimeoutMs)],
      ]),
      application_name: applicationName,
      ssl: await tlsOptions(this.#endpoint),
      max: limits.maxConnections,
      min: limits.minConnections,
      idleTimeoutMillis: limits.idleTimeoutMs,
      connectionTimeoutMillis: limits.connectionTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
      types: RAW_TEXT,
    });
    surviveLosses(pool, this.#logger);
    return pool;
  }
}
