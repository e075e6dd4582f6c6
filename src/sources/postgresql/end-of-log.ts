// The end of the log as a place that the stream reaches even if nothing more is written.

import { parseLsn } from './lsn.ts';
import type { Queries } from './queries.ts';
import type { TextRow } from './replication/socket.ts';
import { reachableLsn } from './xids.ts';

/** Columns of a SELECT. On a standby what it has replayed, which is all that it can decode. */
export const END_OF_LOG = `
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END AS lsn,
  current_setting('wal_block_size') AS block, pg_size_bytes(current_setting('wal_segment_size')) AS segment`;

export function endOf(row: TextRow | undefined): bigint {
  return reachableLsn(parseLsn(row?.['lsn'] ?? '') ?? 0n, Number(row?.['block']), Number(row?.['segment']));
}

export async function endOfLog(queries: Queries): Promise<bigint> {
  return endOf((await queries.query(`SELECT ${END_OF_LOG}`)).rows[0]);
}
