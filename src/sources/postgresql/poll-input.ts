// What polling reads rows from: a table (poll-table.ts) or a query (poll-query.ts); and up to where rows may be read at all.

import type { OrderKind } from '../../polling/places.ts';
import type { PolledInput, PollRange } from '../../polling/reader.ts';
import { CdcError, type TableId } from '../../sdk/index.ts';
import type { Session } from './connection.ts';
import { DATES, INTEGERS, TEXTS, UUID, XID8 } from './poll-types.ts';
import type { Queries } from './queries.ts';
import type { ReadRow } from './read-rows.ts';
import type { CatalogTable } from './system-catalog.ts';

/** What tells when a row may be read. */
export type Settles = 'by_time' | 'by_xid' | 'by_look';

export interface PollRows {
  readonly rows: readonly ReadRow[];
  readonly bytes: number;
  /** There is nothing more in the range. */
  readonly end: boolean;
}

export interface PollInput extends PolledInput {
  readonly id: TableId;
  readonly order: readonly string[];
  readonly settles: Settles;
  /** As the catalog has it, for its schema. */
  catalogTable(): Promise<CatalogTable>;
  /** Watermark and key of the newest row with a watermark below `before`; `null`: there is none. */
  newest(queries: Queries, before: string | null): Promise<string | null>;
  rows(session: Session, range: PollRange): Promise<PollRows>;
}

export function kindOf(typeOid: number, isBytewise: boolean): OrderKind {
  if (INTEGERS.has(typeOid) || typeOid === XID8) return 'i';
  if (DATES.has(typeOid)) return 't';
  return typeOid === UUID || (TEXTS.has(typeOid) && isBytewise) ? 's' : 'x';
}

/** `null`: no type that grows in an order which is known here. */
export function watermarkType(typeOid: number, kind: OrderKind | undefined): 'timestamp' | 'integer' | 'text' | null {
  if (DATES.has(typeOid)) return 'timestamp';
  if (INTEGERS.has(typeOid) || typeOid === XID8) return 'integer';
  return kind === 's' ? 'text' : null;
}

/** How long a row has been there says nothing where replay may stand still behind it. */
function notAtStandby(where: string): CdcError {
  return new CdcError('SOURCE_MISCONFIGURED', 'A standby can be polled by a time or an xid8 only.', {
    where,
    fix: 'Connect to the primary, or choose such a `watermark.column`.',
  });
}

export function settlesOf(typeOid: number): Settles {
  return typeOid === XID8 ? 'by_xid' : DATES.has(typeOid) ? 'by_time' : 'by_look';
}

/**
 * A standby shows what was committed at its primary until then: replay may stand still between two commits for any time, so its
 * own clock says nothing. With nothing left to replay it is the time at which the primary said so last (every half of wal_sender_timeout); who may not see that
 * (pg_read_all_stats) gets the last rows with the next commit. The oldest writer of the primary is not to be seen.
 */
const REPLAYED = `
  coalesce(greatest(pg_last_xact_replay_timestamp(), (SELECT r.last_msg_send_time FROM pg_catalog.pg_stat_wal_receiver AS r
    WHERE r.status = 'streaming' AND pg_last_wal_replay_lsn() >= r.latest_end_lsn)), '-infinity')`;
/**
 * Whoever writes now has a watermark of its beginning or later, and is not seen yet: nothing from there on may be read. Asked
 * before the snapshot in which rows are read, so that who ends in between is seen there. Transactions of other roles show
 * themselves only to members of pg_read_all_stats; two-phase ones when they were prepared.
 */
const SETTLED_TIME = `
SELECT least(CASE WHEN pg_is_in_recovery() THEN ${REPLAYED} ELSE clock_timestamp() END - $1::float8 * interval '1 millisecond',
  (SELECT min(xact_start) FROM pg_catalog.pg_stat_activity
    WHERE backend_xid IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()))::text AS bound`;
/** All transactions below it have ended, at a standby, too: what it has not heard of yet counts as running. */
const SETTLED_XID = 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS bound';

/** The first watermark that must not be read yet; `null`: it says nothing. Throws at a standby where nothing else does either. */
export async function settledBefore(queries: Queries, settles: Settles, settleMs: number, where: string): Promise<string | null> {
  if (settles === 'by_look') {
    const { rows } = await queries.query('SELECT pg_is_in_recovery() AS standby');
    if (rows[0]?.['standby'] === 't') throw notAtStandby(where);
    return null;
  }
  const { rows } = settles === 'by_time' ? await queries.query(SETTLED_TIME, [String(settleMs)]) : await queries.query(SETTLED_XID);
  return rows[0]?.['bound'] ?? null;
}
