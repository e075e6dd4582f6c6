// The replication slot: made, looked at, judged, dropped. It is what keeps the log for us, and it is only ever moved by
// what we confirm. https://www.postgresql.org/docs/current/view-pg-replication-slots.html

import { CdcError, type Clock } from '../../../sdk/index.ts';
import { sqlState } from '../../../systems/postgresql/driver-errors.ts';
import { quoteName } from '../../../util/sql-names.ts';
import { slotLost } from '../errors.ts';
import { formatLsn, lsnColumn, parseLsn } from '../lsn.ts';
import type { Queries } from '../queries.ts';
import type { ReplicationConnection, TextRow } from './socket.ts';

export interface NewSlot {
  /** From here on all changes come; rows of the snapshot are as of here. */
  readonly consistentPoint: bigint;
  /** For `SET TRANSACTION SNAPSHOT`; valid until the connection that made the slot does anything else, or ends. */
  readonly snapshot: string | null;
}

export interface SlotRequest {
  readonly name: string;
  /** Kept in step on standbys: 17 and later. */
  readonly failover: boolean;
  readonly exportSnapshot: boolean;
}

export interface SlotState {
  readonly name: string;
  /** `null` for a physical slot. */
  readonly plugin: string | null;
  readonly database: string | null;
  readonly temporary: boolean;
  readonly activePid: number | null;
  /** The log is kept from here on. */
  readonly restartLsn: bigint | null;
  /** What was confirmed: commits before it are never sent again. */
  readonly confirmedLsn: bigint | null;
  /** `reserved`, `extended`, `unreserved` (may be lost at the next checkpoint), `lost`. */
  readonly walStatus: string | null;
  /** Bytes that may be written before the slot is in danger of being lost; `null` = no limit. */
  readonly safeWalSize: bigint | null;
  /** 17 and later; 16 tells conflicts only. */
  readonly invalidationReason: string | null;
  /** `null` before 17. */
  readonly failover: boolean | null;
  /** A copy on a standby: cannot be read there, until it is promoted. */
  readonly synced: boolean;
}

export function createSlotCommand({ name, failover, exportSnapshot }: SlotRequest): string {
  const snapshot = exportSnapshot ? 'export' : 'nothing';
  // The form with parentheses came with 15; only failover needs it.
  const options = failover ? `(SNAPSHOT '${snapshot}', FAILOVER true)` : exportSnapshot ? 'EXPORT_SNAPSHOT' : 'NOEXPORT_SNAPSHOT';
  return `CREATE_REPLICATION_SLOT ${quoteName(name)} LOGICAL pgoutput ${options}`;
}

/**
 * Waits for the transactions that run; cut by `signal`. A crash right after it leaves a slot that nobody has read from: the
 * next start finds it, and its consistent point is where it stands.
 */
export async function createSlot(connection: ReplicationConnection, request: SlotRequest, signal: AbortSignal | null): Promise<NewSlot> {
  const [row] = await connection.query(createSlotCommand(request), signal);
  const consistentPoint = parseLsn(row?.['consistent_point'] ?? '');
  if (consistentPoint === null)
    throw new CdcError('SOURCE_FAILED', `The server made the slot "${request.name}" without saying where it begins.`);
  return { consistentPoint, snapshot: row?.['snapshot_name'] ?? null };
}

/** Has the server keep the slot in step on its standbys: 17 and later, at the primary, while nobody reads from it. */
export function keepOnStandbysCommand(name: string): string {
  return `ALTER_REPLICATION_SLOT ${quoteName(name)} (FAILOVER true)`;
}

/** All columns, since each version has more: those that are missing count as unknown. */
export async function lookAtSlot(queries: Queries, name: string): Promise<SlotState | null> {
  const { rows } = await queries.query(
    'SELECT s.*, pg_is_in_recovery() AS standby FROM pg_catalog.pg_replication_slots AS s WHERE s.slot_name = $1',
    [name],
  );
  return rows[0] === undefined ? null : slotState(rows[0]);
}

export function slotState(row: TextRow): SlotState {
  return {
    name: row['slot_name'] ?? '',
    plugin: row['plugin'] ?? null,
    database: row['database'] ?? null,
    temporary: row['temporary'] === 't',
    activePid: row['active_pid'] == null ? null : Number(row['active_pid']),
    restartLsn: lsnColumn(row['restart_lsn']),
    confirmedLsn: lsnColumn(row['confirmed_flush_lsn']),
    walStatus: row['wal_status'] ?? null,
    safeWalSize: row['safe_wal_size'] == null ? null : BigInt(row['safe_wal_size']),
    invalidationReason: row['invalidation_reason'] ?? (row['conflicting'] === 't' ? 'conflict with recovery' : null),
    failover: row['failover'] === undefined ? null : row['failover'] === 't',
    // A standby that was promoted leaves the mark on its slots, where it means nothing any more.
    synced: row['synced'] === 't' && row['standby'] === 't',
  };
}

/** Why the slot cannot serve any more, in words; `null` = it can. */
export function lossOf(slot: SlotState): string | null {
  if (slot.invalidationReason !== null) return `the server invalidated it (${slot.invalidationReason})`;
  if (slot.walStatus === 'lost') return 'the log it needs was removed, because max_slot_wal_keep_size was exceeded';
  return slot.plugin !== null && slot.restartLsn === null ? 'it keeps no log any more' : null;
}

/**
 * What keeps us from reading on from `from` (the first part of the stored position; `null` = no position yet). `slot` is
 * `null` where there is none. Never a silent gap: a slot that has moved on past our position has forgotten something.
 */
export function slotProblem(
  slot: SlotState | null,
  {
    name,
    database,
    from,
    where,
  }: { readonly name: string; readonly database: string; readonly from: bigint | null; readonly where: string },
): CdcError | null {
  if (slot === null) return from === null ? null : slotLost(name, 'there is no slot of this name at the server', where);
  if (slot.plugin !== 'pgoutput') {
    const what = slot.plugin === null ? 'a physical slot' : `made for the plugin ${slot.plugin}`;
    return new CdcError('SOURCE_MISCONFIGURED', `The replication slot "${name}" is ${what}.`, {
      where,
      fix: 'Choose another `slot_name`.',
    });
  }
  if (slot.database !== database) {
    const message = `The replication slot "${name}" belongs to the database "${slot.database}", not to "${database}".`;
    return new CdcError('SOURCE_MISCONFIGURED', message, { where, fix: 'Choose another `slot_name`.' });
  }
  if (slot.synced) {
    const message = `The replication slot "${name}" is a copy of the primary's: it can be read once this standby is promoted.`;
    return new CdcError('SOURCE_UNREACHABLE', message, { where, fix: 'Connect to the primary.', retriable: true });
  }
  const loss = lossOf(slot);
  if (loss !== null) return slotLost(name, loss, where);
  if (from !== null && slot.confirmedLsn !== null && slot.confirmedLsn > from) {
    const why = `it stands at ${formatLsn(slot.confirmedLsn)}, past our position ${formatLsn(from)}; somebody else has read from it, or it was made anew`;
    return slotLost(name, why, where);
  }
  return null;
}

const DROP_ATTEMPTS = 20;
const DROP_PAUSE_MS = 250;

/** Also when it is not there. The walsender of a stream that has just ended may hold it for a moment. */
export async function dropSlot(queries: Queries, name: string, clock: Clock): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await queries.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1', [name]);
      return;
    } catch (error) {
      const state = sqlState(error);
      if (state === '42704') return;
      if (state !== '55006' || attempt === DROP_ATTEMPTS) throw error;
    }
    await clock.sleep(DROP_PAUSE_MS);
  }
}
