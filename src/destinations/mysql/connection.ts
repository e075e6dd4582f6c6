// Sessions: how they are lent, and what happens to one when its writer is stopped.

import type { Connection } from 'mysql2';
import type { Clock, Logger } from '../../sdk/index.ts';
import { isFatal, isTimeout } from '../../systems/mysql/driver-errors.ts';
import type { Endpoint } from '../../systems/mysql/endpoint.ts';
import { type Opened, openConnection, run } from '../../systems/mysql/open.ts';
import { Pool } from '../../systems/mysql/pool.ts';
import type { ServerFacts } from '../../systems/mysql/server.ts';
import { unlessAborted } from '../../util/signal.ts';
import type { MysqlConfig } from './config.ts';

/** Beyond the time that we keep idle connections: a hung process of ours must not hold locks in the target for ever. */
const IDLE_MARGIN_SECONDS = 60;
/** Others change tables now and then; a statement waits this long for them. Seconds. */
const METADATA_LOCK_SECONDS = 60;

export type Row = Readonly<Record<string, string | null>>;

export interface Result {
  readonly rows: readonly Row[];
  /** Rows that a statement met, changed or not. */
  readonly count: number;
}

/** One connection while somebody uses it. */
export class Session {
  readonly server: ServerFacts;
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  #isLost = false;
  #isLate = false;
  /** A transaction is open, or nobody knows. */
  isBusy = false;

  constructor({ connection, server }: Opened, timeoutMs: number) {
    this.#connection = connection;
    this.server = server;
    this.#timeoutMs = timeoutMs;
  }

  /** One statement. */
  async query(sql: string): Promise<Result> {
    const [result] = await this.script([sql]);
    return result as Result;
  }

  /** Several statements in one message; the first that fails ends them. */
  async script(statements: readonly string[]): Promise<Result[]> {
    // The driver would queue it behind the answer that never comes.
    if (this.#isLost) throw new Error('the connection is lost');
    try {
      const answer = await run(this.#connection, statements.join('; '), this.#timeoutMs);
      return statements.length === 1 ? [resultOf(answer)] : (answer as unknown[]).map(resultOf);
    } catch (error) {
      this.#isLost ||= isFatal(error);
      this.#isLate ||= isTimeout(error);
      throw error;
    }
  }

  /** The server still runs a statement that we do not wait for any more. */
  get isLate(): boolean {
    return this.#isLate;
  }

  /** May be used by the next one. */
  get isClean(): boolean {
    return !this.isBusy && !this.#isLost;
  }
}

function resultOf(answer: unknown): Result {
  if (Array.isArray(answer)) return { rows: answer as Row[], count: answer.length };
  return { rows: [], count: (answer as { affectedRows?: number }).affectedRows ?? 0 };
}

/** The connections of one destination. Opened on first use. */
export class Connections {
  readonly #config: MysqlConfig;
  readonly #endpoint: Endpoint;
  readonly #pool: Pool<Opened>;
  readonly #ending = new Set<Promise<void>>();

  constructor(config: MysqlConfig, endpoint: Endpoint, clock: Clock, logger: Logger) {
    const { max_connections: max, min_connections: min, idle_timeout: idleMs, connection_timeout: waitMs } = config.connection_pool;
    this.#config = config;
    this.#endpoint = endpoint;
    const open = async (): Promise<Opened> => {
      const opened = await this.#open();
      opened.connection.on('error', (error: Error) => {
        logger.debug('a connection was lost', { error: error.message });
        this.#pool.drop(opened);
      });
      return opened;
    };
    this.#pool = new Pool({ max, min, idleMs, waitMs, open, destroy: ({ connection }) => connection.destroy() }, clock);
  }

  /** Lends a connection. When `signal` aborts, the connection is cut and the server told to roll back what was not committed. */
  async use<T>(signal: AbortSignal | null, work: (session: Session) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const opened = await this.#pool.take(signal);
    const cut = (): void => {
      opened.connection.destroy();
      this.#endAtServer(opened.connection.threadId ?? null);
    };
    const session = new Session(opened, this.#config.statement_timeout);
    signal?.addEventListener('abort', cut, { once: true });
    let isUsable = false;
    try {
      if (signal?.aborted) cut();
      // The driver never answers on a connection that was destroyed.
      const result = await (signal === null ? work(session) : unlessAborted(work(session), signal));
      isUsable = session.isClean;
      return result;
    } catch (error) {
      isUsable = session.isClean && !signal?.aborted;
      throw error;
    } finally {
      signal?.removeEventListener('abort', cut);
      if (session.isLate) cut();
      this.#pool.give(opened, isUsable);
    }
  }

  /** Waits for connections that are lent. */
  async close(): Promise<void> {
    await this.#pool.close();
    await Promise.all(this.#ending);
  }

  #open(): Promise<Opened> {
    const { idle_timeout: idleMs, connection_timeout: connectTimeoutMs } = this.#config.connection_pool;
    const settings = [
      `wait_timeout=${Math.ceil(idleMs / 1000) + IDLE_MARGIN_SECONDS}`,
      `lock_wait_timeout=${METADATA_LOCK_SECONDS}`,
      'foreign_key_checks=1',
      'unique_checks=1',
    ];
    return openConnection(this.#endpoint, { connectTimeoutMs, settings });
  }

  /**
   * A server looks at its client only between statements: one that waits for a lock would hold its own for as long. Errors say
   * nothing that matters: the session may be gone already, and ends by itself otherwise.
   */
  #endAtServer(threadId: number | null): void {
    if (threadId === null) return;
    const ending = this.#open()
      .then(async ({ connection }) => {
        await run(connection, `KILL ${threadId}`).catch(() => {});
        connection.destroy();
      })
      .catch(() => {});
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
  }
}
