// Visibility by PostgreSQL's transaction ids: exact. https://www.postgresql.org/docs/current/functions-info.html (snapshots)

import type { Visibility } from '../../snapshot/types.ts';

/** What `pg_current_snapshot()` says inside the transaction of a read. Full 64-bit ids. */
export interface XidSnapshot {
  readonly xmin: bigint;
  readonly xmax: bigint;
  readonly xip: ReadonlySet<bigint>;
}

/** `"733:738:733,735"` → xmin 733, xmax 738, xip {733, 735}. */
export function parseXidSnapshot(text: string): XidSnapshot {
  const match = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/.exec(text);
  if (match === null) throw new TypeError(`not a snapshot: ${text.slice(0, 80)}`);
  const [, xmin = '', xmax = '', xip = ''] = match;
  return { xmin: BigInt(xmin), xmax: BigInt(xmax), xip: new Set(xip === '' ? [] : xip.split(',').map(BigInt)) };
}

/** A 32-bit xid near `near` in full: `near + int32(xid − low32(near))`. */
export function widenXid(xid: number, near: bigint): bigint {
  return near + BigInt((xid - Number(near & 0xffffffffn)) | 0);
}

/**
 * `Id`: the xid of Begin. `Bound`: the next xid, `(age('3'::xid)::bigint + 3) & 4294967295`. Not a snapshot's xmax: that is the
 * latest completed + 1, and transactions that were streamed but are not yet visible can lie at or above it.
 */
export const xidVisibility: Visibility<number, XidSnapshot, number> = {
  sees({ xmax, xip }, id) {
    const xid = widenXid(id, xmax);
    return xid < xmax && !xip.has(xid);
  },
  passes: ({ xmin, xmax }, bound) => xmin >= widenXid(bound, xmax),
};

/**
 * `pg_current_wal_insert_lsn()` as a position the stream will reach: behind a full page (or segment) it points behind the next
 * one's header, which an idle server never writes.
 */
export function reachableLsn(lsn: bigint, walBlockBytes: number, walSegmentBytes: number): bigint {
  const LONG_HEADER = 40n,
    SHORT_HEADER = 24n;
  if (lsn % BigInt(walSegmentBytes) === LONG_HEADER) return lsn - LONG_HEADER;
  return lsn % BigInt(walBlockBytes) === SHORT_HEADER ? lsn - SHORT_HEADER : lsn;
}
