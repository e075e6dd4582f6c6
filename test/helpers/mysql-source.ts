// The complete configuration of a MySQL source, as it is after normalisation: defaults filled in, units resolved.

import type { MysqlSourceConfig } from '../../src/sources/mysql/config.ts';

export const MYSQL_SOURCE_DEFAULTS: MysqlSourceConfig = {
  cdc_mode: 'binlog',
  columns: { include: ['*'], exclude: [] },
  snapshot_mode: 'initial',
  snapshot: { tables: ['*.*'], where: {}, chunk_rows: 1000, chunk_bytes: 1 << 20, workers: 2, margin: 1000, on_error: 'pause' },
  binlog_format: 'ROW',
  binlog_row_image: 'FULL',
  heartbeat_interval: 500,
  on_truncate: 'emit',
  poll_interval: 50,
  statement_timeout: 0,
  lock_timeout: 10_000,
  connection_pool: { max_connections: 4, connection_timeout: 5000, idle_timeout: 60_000 },
};
