// Up to which watermark rows of a polled table may be read: whoever writes now has one of its beginning or later, and is not seen yet.

import type { Clock } from '../../sdk/index.ts';
import type { Queries } from './connection.ts';
import { lacksPrivilege } from './errors.ts';

/**
 * What a column of times is compared with. A DATETIME has no zone of its own: what sets it by the server's clock does so in the
 * time zone of the server.
 */
export interface TimeColumn {
  readonly zone: 'utc' | 'server';
  /** Letters of the text that the column keeps: of a date 10, of datetime(3) 23. */
  readonly letters: number;
}

/** The server's list of transactions is up to this old, and is renewed only when nobody has looked at it for as long. */
const LIST_MS = 100,
  BETWEEN_LOOKS_MS = 150;

/**
 * Transactions that write, or wait to. The server says when they began in its own zone, without a fraction; a statement has its time
 * (CURRENT_TIMESTAMP) a moment before its transaction begins.
 */
const OLDEST_WRITER = `
SELECT CONVERT_TZ(MIN(trx_started), 'SYSTEM', '+00:00') - INTERVAL 1 SECOND AS began FROM information_schema.INNODB_TRX
WHERE trx_mysql_thread_id <> CONNECTION_ID() AND (trx_rows_modified > 0 OR trx_tables_locked > 0 OR trx_rows_locked > 0 OR trx_state = 'LOCK WAIT')`;

/** In UTC; `null`: none writes. `hidden`: the user may not see it. */
export async function oldestWriter(queries: Queries): Promise<string | null | 'hidden'> {
  try {
    const [row] = await queries.query(OLDEST_WRITER);
    return row?.['began'] ?? null;
  } catch (error) {
    if (lacksPrivilege(error)) return 'hidden';
    throw error;
  }
}

/** By the clock of the server, and of the transactions that it shows. */
export class PollBound {
  readonly #settleMs: number;
  readonly #clock: Clock;
  /** In UTC. A bound holds for ever: what begins behind it has a later watermark. */
  #last: { readonly bound: string; readonly atMs: number } | null = null;

  constructor(settleMs: number, clock: Clock) {
    this.#settleMs = Math.max(settleMs, LIST_MS);
    this.#clock = clock;
  }

  /** The first time that must not be read yet. Asked before the snapshot in which rows are read, so that who ends in between is seen there. */
  async before(queries: Queries, column: TimeColumn): Promise<string> {
    const nowMs = this.#clock.now();
    if (this.#last === null || nowMs - this.#last.atMs >= BETWEEN_LOOKS_MS)
      this.#last = { bound: await settledAt(queries, this.#settleMs), atMs: nowMs };
    return asColumn(queries, this.#last.bound, column);
  }
}

async function settledAt(queries: Queries, settleMs: number): Promise<string> {
  // The clock first: a transaction that begins behind it is not below it.
  const [clock] = await queries.query('SELECT NOW(6) - INTERVAL ? MICROSECOND AS at', [Math.round(settleMs * 1000)]),
    writer = await oldestWriter(queries),
    now = clock?.['at'] ?? '';
  return writer === null || writer === 'hidden' || now < writer ? now : writer;
}

/** The first time behind now, as the column has it: what is at the end of a run. */
export async function afterNow(queries: Queries, column: TimeColumn): Promise<string> {
  const unit = column.letters === DATE_LETTERS ? 'DAY' : 'SECOND';
  const [clock] = await queries.query(`SELECT NOW(6) + INTERVAL 1 ${unit} AS at`);
  return asColumn(queries, clock?.['at'] ?? '', column);
}

export const DATE_LETTERS = 10;

/** A watermark without a fraction stands for its whole second: the text is cut, never rounded up. */
async function asColumn(queries: Queries, bound: string, { zone, letters }: TimeColumn): Promise<string> {
  if (zone === 'utc') return bound.slice(0, letters);
  const [local] = await queries.query(`SELECT CONVERT_TZ(CAST(? AS DATETIME(6)), '+00:00', @@GLOBAL.time_zone) AS at`, [bound]);
  return (local?.['at'] ?? bound).slice(0, letters);
}
