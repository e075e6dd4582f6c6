// The configuration of a `mysql` destination as the loader hands it over, a lane on a real server, and a proxy before it.

import type { MysqlConfig } from '../../src/destinations/mysql/config.ts';
import { PostgresProxy, type ProxyOptions } from './postgres-proxy.ts';

export function mysqlConfig(url: string, changes: Partial<MysqlConfig> = {}): MysqlConfig {
  return {
    url,
    table: '{table}',
    create_tables: true,
    conflict_resolution: 'upsert',
    deletes: 'apply',
    transactions: 'split',
    statement_timeout: 0,
    connection_pool: { min_connections: 0, max_connections: 10, connection_timeout: 5000, idle_timeout: 10_000, batch_insert_size: 5000 },
    ...changes,
  } as MysqlConfig;
}

/** Of COM_QUERY; what stands before it depends on the server. */
const COMMIT = 'COMMIT';

export function mysqlProxy(url: string, options: ProxyOptions = {}): Promise<PostgresProxy> {
  return PostgresProxy.start(url, { commit: COMMIT, ...options });
}
