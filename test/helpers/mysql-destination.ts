// The configuration of a `mysql` destination as the loader hands it over, a lane on a real server, and a proxy before it.

import type { MysqlConfig } from '../../src/destinations/mysql/config.ts';
import { descriptor } from '../../src/destinations/mysql/index.ts';
import { PostgresProxy, type ProxyOptions } from './postgres-proxy.ts';
import { Lane, type LaneSettings } from './postgresql-lane.ts';

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

/** COM_QUERY: what stands before the statement depends on the server. */
const isCommit = (chunk: Buffer): boolean => chunk.toString('latin1').endsWith('COMMIT');

export function mysqlProxy(url: string, options: ProxyOptions = {}): Promise<PostgresProxy> {
  return PostgresProxy.start(url, { isCommit, ...options });
}

/** A lane that has joined under epoch 1. */
export function joinMysql(url: string, changes: Partial<MysqlConfig> = {}, settings: LaneSettings = {}): Promise<Lane> {
  return Lane.join(mysqlConfig(url, changes), { ...settings, descriptor });
}
