// How far behind the slot is, what the server keeps for it, and how long that can go on.

import type { Retention } from '../../sdk/index.ts';
import { lsnColumn } from './lsn.ts';
import type { Queries } from './queries.ts';
import { type SlotState, slotState } from './replication/slot.ts';

export interface SlotLag {
  readonly slot: SlotState;
  /** The end of the server's log. */
  readonly currentLsn: bigint;
  /** Log that was written and not confirmed. */
  readonly bytesBehind: bigint;
  /** Log that the server keeps for the slot: at least what is behind, more while a transaction is long. */
  readonly retainedBytes: bigint;
}

const LAG = `
SELECT s.*, pg_is_in_recovery() AS standby, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS current_lsn
FROM pg_catalog.pg_replication_slots AS s WHERE s.slot_name = $1`;

/** `null`: there is no such slot. */
export async function slotLag(queries: Queries, name: string): Promise<SlotLag | null> {
  const row = (await queries.query(LAG, [name])).rows[0];
  if (row === undefined) return null;
  const slot = slotState(row),
    currentLsn = lsnColumn(row['current_lsn']) ?? 0n;
  return {
    slot,
    currentLsn,
    bytesBehind: distance(slot.confirmedLsn, currentLsn),
    retainedBytes: distance(slot.restartLsn, currentLsn),
  };
}

function distance(from: bigint | null, to: bigint): bigint {
  return from === null || from > to ? 0n : to - from;
}

/** One look at a slot. */
export interface SlotSample {
  readonly atMs: number;
  /** Bytes that may still be written before the slot is in danger; `null` = no limit. */
  readonly safeWalSize: bigint | null;
}

/**
 * Milliseconds from the later sample until the slot may be lost, if all goes on as between the two: 0 = it may be now;
 * `null` = never, or it cannot be told. Pure.
 */
export function timeToLossMs(earlier: SlotSample, later: SlotSample): number | null {
  if (later.safeWalSize === null) return null;
  if (later.safeWalSize <= 0n) return 0;
  if (earlier.safeWalSize === null || later.atMs <= earlier.atMs) return null;
  const used = Number(earlier.safeWalSize - later.safeWalSize);
  if (used <= 0) return null;
  return Math.floor(Number(later.safeWalSize) / (used / (later.atMs - earlier.atMs)));
}

/** Rates are taken over about this long: a burst must not look like the end. */
const WINDOW_MS = 5 * 60_000;

/** Looks at a slot now and then, and says what it may come to. */
export class SlotForecast {
  #samples: SlotSample[] = [];

  retention({ slot, retainedBytes }: SlotLag, atMs: number): Retention {
    const sample = { atMs, safeWalSize: slot.safeWalSize };
    this.#samples = [...this.#samples.filter((s) => s.atMs >= atMs - WINDOW_MS), sample];
    const lossInMs = slot.walStatus === 'lost' ? 0 : timeToLossMs(this.#samples[0] as SlotSample, sample);
    return {
      by: `slot ${slot.name}`,
      retainedBytes: Number(retainedBytes),
      status: slot.walStatus,
      safeBytes: slot.safeWalSize === null ? null : Math.max(0, Number(slot.safeWalSize)),
      lossInMs,
    };
  }
}
