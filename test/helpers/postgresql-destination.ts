// The configuration of a `postgresql` destination as the loader hands it over.

import type { PostgresqlConfig } from '../../src/destinations/postgresql/config.ts';

export function postgresqlConfig(url: string, changes: Partial<PostgresqlConfig> = {}): PostgresqlConfig {
  return {
    url,
    schema: 'public',
    table: '{table}',
    create_tables: true,
    conflict_resolution: 'upsert',
    deletes: 'apply',
    transactions: 'split',
    statement_timeout: 0,
    application_name: 'cdc-run',
    connection_pool: { min_connections: 0, max_connections: 10, connection_timeout: 5000, idle_timeout: 10_000, batch_insert_size: 5000 },
    ...changes,
  } as PostgresqlConfig;
}
