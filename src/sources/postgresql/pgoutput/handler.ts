// Who listens to the pgoutput decoder: one call per message, in the order of the stream. Nothing is made per message on the hot
// path but the images of rows; LSNs are two uint32, because a bigint per row would cost more than finding its columns.

import type { Relation } from './relation.ts';
import type { Tuple } from './tuple.ts';

/** Times in microseconds since 2000-01-01 00:00 UTC, as the server counts them. */
export interface PgoutputHandler {
  /** A transaction begins. `final`: the LSN of its commit record. */
  begin(finalHi: number, finalLo: number, commitTsUs: bigint, xid: number): void;
  /** `lsn`: of the commit record; `endLsn`: behind it. */
  commit(flags: number, lsn: bigint, endLsn: bigint, commitTsUs: bigint): void;
  /** Comes before the first row of a relation, and again before the first row after its definition changed. */
  relation(relation: Relation): void;
  /** A type that is not built in, before the relation that has it. */
  type(oid: number, schema: string, name: string): void;
  /** Rows come unbound: `row.bind(layout)` with the layout of the relation before anybody looks into them. */
  insert(lsnHi: number, lsnLo: number, relationOid: number, row: Tuple): void;
  /** `old`: the key (`K`, only when it changed) or the whole row (`O`, REPLICA IDENTITY FULL) as it was. `row` has its unchanged values already. */
  update(lsnHi: number, lsnLo: number, relationOid: number, oldKind: 'K' | 'O' | null, old: Tuple | null, row: Tuple): void;
  delete(lsnHi: number, lsnLo: number, relationOid: number, oldKind: 'K' | 'O', old: Tuple): void;
  truncate(lsnHi: number, lsnLo: number, relationOids: readonly number[], cascade: boolean, restartIdentity: boolean): void;
  /** `pg_logical_emit_message`. */
  message(lsn: bigint, transactional: boolean, prefix: string, content: Uint8Array): void;
  /** The transaction came to the server by replication. */
  origin(name: string, lsn: bigint): void;
  /** A message that protocol version 1 does not have. Servers send some all the same (stream abort, from 18 on): counted, passed over. */
  unknown(tag: number): void;
}
