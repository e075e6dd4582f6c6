// What a source knows of its server: where it is, who may log in, how it is asked. Shared by check, opening, stream and snapshots.

import type { SourceContext } from '../../sdk/index.ts';
import { describeEndpoint, type Endpoint, endpointOf } from '../../systems/mysql/endpoint.ts';
import { Catalog } from './catalog.ts';
import type { MysqlSourceConfig } from './config.ts';
import { type Login, type Queries, type Session, SourceConnections } from './connection.ts';
import { type ErrorPlace, sourceError } from './errors.ts';
import { type LogEnd, logEnd, type ServerFacts, serverFacts } from './server-facts.ts';

/** Kept for the catalog, positions and lag, however many read chunks. */
const SPARE_CONNECTIONS = 2;

export class Server implements Queries {
  readonly endpoint: Endpoint;
  readonly connections: SourceConnections;
  readonly login: Login;
  readonly place: ErrorPlace;
  /** Where names of tables without a database belong to. */
  readonly home: string | null;
  readonly catalog: Catalog;
  #facts: Promise<ServerFacts> | null = null;

  constructor(config: MysqlSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv) {
    const pool = config.connection_pool,
      endpoint = endpointOf(config, env);
    this.home = endpoint.database === '*' ? null : endpoint.database;
    this.endpoint = { ...endpoint, database: this.home };
    this.place = { server: describeEndpoint(this.endpoint), where: `source "${ctx.name}"` };
    this.login = { endpoint: this.endpoint, connectionTimeoutMs: pool.connection_timeout };
    this.connections = new SourceConnections(
      this.login,
      {
        maxConnections: Math.max(pool.max_connections, config.snapshot.workers + SPARE_CONNECTIONS),
        idleTimeoutMs: pool.idle_timeout,
        statementTimeoutMs: config.statement_timeout,
        lockTimeoutMs: config.lock_timeout,
      },
      ctx.clock,
      ctx.logger,
    );
    this.catalog = new Catalog(this, async () => (await this.facts()).flavor === 'mariadb');
  }

  query(sql: string, values: readonly unknown[] = []): Promise<readonly Readonly<Record<string, string | null>>[]> {
    return this.use(null, (session) => session.query(sql, values));
  }

  /** Errors come out as `CdcError`s; an abort as the signal's reason. */
  async use<T>(signal: AbortSignal | null, work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await this.connections.use(signal, work);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.error(error);
    }
  }

  error(error: unknown): Error {
    return sourceError(error, this.place);
  }

  /** As they were asked first. */
  facts(): Promise<ServerFacts> {
    this.#facts ??= this.freshFacts().catch((error: unknown) => {
      this.#facts = null;
      throw error;
    });
    return this.#facts;
  }

  /** Another server may answer by now. */
  async freshFacts(signal: AbortSignal | null = null): Promise<ServerFacts> {
    const facts = await this.use(signal, serverFacts);
    this.#facts = Promise.resolve(facts);
    return facts;
  }

  async end(signal: AbortSignal | null = null): Promise<LogEnd | null> {
    const facts = await this.facts();
    return this.use(signal, (session) => logEnd(session, facts));
  }
}
