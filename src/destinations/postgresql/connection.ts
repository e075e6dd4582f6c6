// Connections: how a session is set up, and what happens to it when the writer is stopped.

import { createHash } from 'node:crypto';
import { finished } from 'node:stream/promises';
import type { Pool, PoolClient } from 'pg';
import type { from as CopyFrom } from 'pg-copy-streams';
import type { Logger } from '../../sdk/index.ts';
import type { Endpoint } from '../../systems/postgresql/endpoint.ts';
import { KEEPALIVE_DELAY_MS, lend, RAW_TEXT, surviveLosses } from '../../systems/postgresql/lending.ts';
import { tlsOptions } from '../../systems/tls.ts';
import type { PostgresqlConfig } from './config.ts';

/** A hung process of ours must not hold locks in the target for longer than this. */
const IDLE_IN_TRANSACTION = '60s';

/**
 * The settings that our texts rely on. Never acknowledged before durable: where the server commits asynchronously by
 * default, a crash there could lose a batch that we have reported as stored (invariant 1).
 */
function setUp(statementTimeoutMs: number): string {
  const settings: readonly (readonly [string, string])[] = [
    ['client_encoding', "'UTF8'"],
    ['client_min_messages', "'warning'"],
    ['datestyle', "'ISO, YMD'"],
    ['timezone', "'UTC'"],
    ['standard_conforming_strings', "'on'"],
    ['idle_in_transaction_session_timeout', `'${IDLE_IN_TRANSACTION}'`],
    [
      'synchronous_commit',
      "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'local' ELSE current_setting('synchronous_commit') END",
    ],
    ...(statementTimeoutMs > 0 ? [['statement_timeout', `'${statementTimeoutMs}ms'`] as const] : []),
  ];
  return `SELECT ${settings.map(([name, value]) => `set_config('${name}', ${value}, false)`).join(', ')}, has_database_privilege(current_database(), 'TEMP') AS temp`;
}

export interface Rows {
  readonly rows: readonly { readonly [column: string]: string | null }[];
  readonly count: number;
  readonly command: string;
}

/** One connection while somebody uses it. */
export class Session {
  readonly #client: PoolClient;
  /** Temporary tables are permitted: large batches may go in by COPY. */
  readonly canStage: boolean;
  readonly #copyFrom: typeof CopyFrom;

  constructor(client: PoolClient, canStage: boolean, copyFrom: typeof CopyFrom) {
    this.#client = client;
    this.canStage = canStage;
    this.#copyFrom = copyFrom;
  }

  async query(text: string, values?: readonly unknown[]): Promise<Rows> {
    const { rows, rowCount, command } = await this.#client.query(values === undefined ? { text } : { text, values: [...values] });
    return { rows, count: rowCount ?? 0, command };
  }

  /** Several statements without values; outside of a transaction they are one, which needs no COMMIT. */
  async script(text: string): Promise<void> {
    await this.#client.query(text);
  }

  /** Fills a table from text in COPY's format. */
  async copy(table: string, data: Buffer): Promise<void> {
    const stream = this.#client.query(this.#copyFrom(`COPY ${table} FROM STDIN`));
    stream.end(data);
    await finished(stream);
  }

  /** No transaction is open, so the connection may be used by the next one. */
  get isClean(): boolean {
    return this.#client.getTransactionStatus() === 'I';
  }
}

interface Opened {
  readonly pool: Pool;
  readonly copyFrom: typeof CopyFrom;
}

/** The connections of one destination. Opened on first use. */
export class Connections {
  readonly #config: PostgresqlConfig;
  readonly #endpoint: Endpoint;
  readonly #logger: Logger;
  readonly #temp = new WeakMap<object, boolean>();
  #opened: Promise<Opened> | null = null;
  #closed: Promise<void> | null = null;

  constructor(config: PostgresqlConfig, endpoint: Endpoint, logger: Logger) {
    this.#config = config;
    this.#endpoint = endpoint;
    this.#logger = logger;
  }

  /** Lends a connection. When `signal` aborts, the connection is cut: the server rolls back what was not committed. */
  async use<T>(signal: AbortSignal | null, work: (session: Session) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const { pool, copyFrom } = await this.#open();
    const client = await lend(pool, signal);
    const cut = (): void => {
      client.connection.stream.destroy();
    };
    signal?.addEventListener('abort', cut, { once: true });
    const session = new Session(client, this.#temp.get(client) ?? false, copyFrom);
    let isUsable = false;
    try {
      const result = await work(session);
      isUsable = session.isClean;
      return result;
    } catch (error) {
      isUsable = session.isClean && !signal?.aborted;
      throw error;
    } finally {
      signal?.removeEventListener('abort', cut);
      client.release(!isUsable);
    }
  }

  /** Waits for connections that are lent. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const opened = await this.#opened?.catch(() => null);
    await opened?.pool.end();
  }

  #open(): Promise<Opened> {
    // A failure (a certificate file that is missing) is not remembered: the file may be there at the next try.
    this.#opened ??= this.#openPool().catch((error: unknown) => {
      this.#opened = null;
      throw error;
    });
    return this.#opened;
  }

  async #openPool(): Promise<Opened> {
    const [{ Pool: PgPool }, { from: copyFrom }] = await Promise.all([import('pg'), import('pg-copy-streams')]);
    const { host, port, database, user, password, applicationName, options } = this.#endpoint;
    const limits = this.#config.connection_pool;
    const pool = new PgPool({
      host,
      port,
      database,
      user,
      password,
      options,
      application_name: applicationName,
      ssl: await tlsOptions(this.#endpoint),
      max: limits.max_connections,
      min: limits.min_connections,
      idleTimeoutMillis: limits.idle_timeout,
      connectionTimeoutMillis: limits.connection_timeout,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
      types: RAW_TEXT,
      onConnect: async (client) => {
        const { rows } = await client.query<{ temp: string }>(setUp(this.#config.statement_timeout));
        this.#temp.set(client, rows[0]?.temp === 't');
      },
    });
    surviveLosses(pool, this.#logger);
    return { pool, copyFrom };
  }
}

/** A name for a temporary table that is the same for the same columns. */
export function stageName(columns: string): string {
  return `cdc_run_stage_${createHash('sha1').update(columns).digest('hex').slice(0, 16)}`;
}
