// What a source knows of its server: where it is, who may log in, how it is asked. Shared by check, opening, stream and snapshots.

import type { SourceContext } from '../../sdk/index.ts';
import { describeEndpoint, type Endpoint, endpointOf } from '../../systems/postgresql/endpoint.ts';
import type { PostgresqlSourceConfig } from './config.ts';
import { publicationOf } from './config-wal.ts';
import { type Session, SourceConnections } from './connection.ts';
import { endOfLog } from './end-of-log.ts';
import { type ErrorPlace, sourceError } from './errors.ts';
import { ownName } from './names.ts';
import type { Login } from './replication/socket.ts';
import { Catalog } from './system-catalog.ts';

/** Kept for the catalog, positions and lag, however many read chunks. */
const SPARE_CONNECTIONS = 2;

export class Server {
  readonly endpoint: Endpoint;
  readonly connections: SourceConnections;
  readonly login: Login;
  readonly pipeline: string;
  readonly slot: string;
  readonly publication: { readonly name: string; readonly create: boolean };
  readonly place: ErrorPlace;
  readonly database: string | null;
  readonly catalog: Catalog;

  constructor(config: PostgresqlSourceConfig, ctx: SourceContext, env: NodeJS.ProcessEnv) {
    const pool = config.connection_pool;
    this.endpoint = endpointOf(config, env);
    const { database, user } = this.endpoint;
    this.database = database ?? env['PGDATABASE'] ?? user ?? env['PGUSER'] ?? null;
    this.pipeline = ctx.pipeline;
    this.slot = config.slot_name ?? ownName(ctx.pipeline);
    this.publication = publicationOf(config, ownName(ctx.pipeline));
    this.place = { server: describeEndpoint(this.endpoint, env), where: `source "${ctx.name}"`, slot: this.slot };
    this.login = { endpoint: this.endpoint, connectionTimeoutMs: pool.connection_timeout };
    this.connections = new SourceConnections(
      this.endpoint,
      {
        maxConnections: Math.max(pool.max_connections, config.snapshot.workers + SPARE_CONNECTIONS),
        minConnections: pool.min_connections,
        connectionTimeoutMs: pool.connection_timeout,
        idleTimeoutMs: pool.idle_timeout,
        statementTimeoutMs: config.statement_timeout,
        lockTimeoutMs: config.lock_timeout,
      },
      ctx.logger,
    );
    this.catalog = new Catalog({ query: (text, values) => this.use(null, (session) => session.query(text, values)) });
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

  /** The end of the log, as a place that the stream reaches even if nothing more is written. */
  end(signal: AbortSignal | null = null): Promise<bigint> {
    return this.use(signal, endOfLog);
  }
}
