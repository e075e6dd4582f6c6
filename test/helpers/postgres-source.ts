// The complete configuration of a PostgreSQL source, as it is after normalisation: defaults filled in, units resolved.

import type { PostgresqlSourceConfig } from '../../src/sources/postgresql/config.ts';

export const POSTGRESQL_SOURCE_DEFAULTS: PostgresqlSourceConfig = {
  cdc_mode: 'wal',
  columns: { include: ['*'], exclude: [] },
  snapshot_mode: 'initial',
  snapshot: { tables: ['*.*'], where: {}, chunk_rows: 1000, chunk_bytes: 1 << 20, workers: 2, on_error: 'pause' },
  slot_drop_on_stop: false,
  failover: false,
  logical_messages: { include: ['**'], exclude: [] },
  on_truncate: 'emit',
  status_interval: 1000,
  poll_interval: 50,
  statement_timeout: 0,
  lock_timeout: 10_000,
  connection_pool: { min_connections: 0, max_connections: 4, connection_timeout: 5000, idle_timeout: 60_000 },
  application_name: 'cdc-run test',
};
