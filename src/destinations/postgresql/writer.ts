// Writes one batch: point and rows in one transaction. When the data is at fault, finds out which events are.

import {
  CdcError,
  type ChangeEvent,
  formatTableId,
  type LaneBatch,
  type LaneId,
  type TableId,
  type WriteFailure,
  type WriteResult,
} from '../../sdk/index.ts';
import { type ApplyOptions, applySegments, RowMissing } from './apply.ts';
import type { Session } from './connection.ts';
import { type Change, EventEncoder, rejected } from './encode.ts';
import { isDataError, refusal, refusedNull } from './errors.ts';
import type { PointTable } from './points.ts';
import { reduce } from './reduce.ts';
import { describeTarget, type TargetTable } from './target-table.ts';
import type { Targets } from './targets.ts';
import { inTransaction } from './transaction.ts';

export interface WriterOptions extends ApplyOptions {
  readonly points: PointTable;
  readonly targets: Targets;
  /** Inserts leave rows alone that are there. */
  readonly keepExisting: boolean;
  /** Deletes and truncates are left out. */
  readonly keepDeleted: boolean;
  readonly sharedTarget: boolean;
  leavesOut(table: TableId): boolean;
}

/** Who writes, and under which epoch. */
export interface Claim {
  readonly lane: LaneId;
  readonly epoch: number;
}

/** Thrown to leave the transaction of `isolate` without storing anything. */
class Refused extends Error {}

export class Writer {
  readonly #options: WriterOptions;
  readonly #encoder: EventEncoder;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#encoder = new EventEncoder(options);
  }

  /** `batch` is stored whole with its point, or nothing of it is. */
  async write(session: Session, claim: Claim, batch: LaneBatch): Promise<WriteResult> {
    const { changes, failed, leftOut } = await this.#encode(session, batch);
    // What cannot be spelled can never be stored; the rest waits until the engine has parked these.
    if (failed.length > 0) return { kind: 'refused', failed };
    const stored = { kind: 'stored', ...(leftOut === 0 ? {} : { discarded: leftOut }) } as const;
    for (;;) {
      try {
        await this.#store(session, claim, batch, () => this.#apply(session, changes));
        return stored;
      } catch (error) {
        if (!isEventsFault(error)) throw error;
        // Ends: each turn lets one more column take NULLs.
        const missing = refusedNull(error);
        if (missing !== null && (await this.#options.targets.loosen(session, missing))) continue;
        const result = await this.#isolate(session, claim, batch, changes);
        return result.kind === 'stored' ? stored : result;
      }
    }
  }

  async #encode(session: Session, batch: LaneBatch): Promise<{ changes: Change[]; failed: WriteFailure[]; leftOut: number }> {
    const { keepDeleted, targets } = this.#options;
    const events = batch.events
      .map((event, index) => ({ event, index }))
      .filter(({ event, index }) => !batch.skip.has(index) && !(keepDeleted && (event.op === 'd' || event.op === 't')));
    const tables = await targets.prepare(
      session,
      events.map((e) => e.event),
    );
    const changes: Change[] = [],
      failed: WriteFailure[] = [],
      before = this.#encoder.leftOut;
    for (const [i, { event, index }] of events.entries()) {
      const table = tables[i] ?? null;
      if (table === null || event.op === 's' || event.op === 'm') continue;
      try {
        changes.push(this.#encoder.encode(event, index, table, event.incomplete && isBeingRead(batch, event)));
      } catch (error) {
        if (!(error instanceof CdcError)) throw error;
        failed.push({ index, error });
      }
    }
    return { changes, failed, leftOut: this.#encoder.leftOut - before };
  }

  #apply(session: Session, changes: readonly Change[]): Promise<void> {
    return applySegments(session, reduce(changes, this.#options.conflict === 'replace' ? 'replace' : 'merge'), this.#options);
  }

  /** One transaction: the point, then the rows. Invariant 1: it has been committed when this resolves. */
  #store(session: Session, { lane, epoch }: Claim, batch: LaneBatch, rows: () => Promise<void>): Promise<void> {
    return inTransaction(session, async () => {
      await this.#options.points.move(session, lane, batch.worker, epoch, batch.previous, batch.through);
      await rows();
    });
  }

  /**
   * Applies the changes in halves, and halves of halves where one fails, behind savepoints: what is left are the events
   * that fail by themselves. When all pass (the order between tables or keys was at fault, not an event), it is stored.
   */
  async #isolate(session: Session, claim: Claim, batch: LaneBatch, changes: readonly Change[]): Promise<WriteResult> {
    const failed: WriteFailure[] = [];
    try {
      await this.#store(session, claim, batch, async () => {
        await this.#bisect(session, batch, changes, failed);
        if (failed.length > 0) throw new Refused();
      });
      return { kind: 'stored' };
    } catch (error) {
      if (error instanceof Refused) return { kind: 'refused', failed };
      throw error;
    }
  }

  async #bisect(session: Session, batch: LaneBatch, changes: readonly Change[], failed: WriteFailure[]): Promise<void> {
    await session.query('SAVEPOINT part');
    try {
      await this.#apply(session, changes);
      // Deferred constraints speak up here and not at COMMIT, where no event could be named.
      await session.script('SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; RELEASE SAVEPOINT part');
    } catch (error) {
      if (!isEventsFault(error)) throw error;
      await session.script('ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part');
      const [change] = changes;
      if (change === undefined) throw error;
      if (changes.length === 1) {
        failed.push({ index: change.index, error: failureOf(error, batch.events[change.index] as ChangeEvent, change.table) });
        return;
      }
      const middle = changes.length >> 1;
      await this.#bisect(session, batch, changes.slice(0, middle), failed);
      await this.#bisect(session, batch, changes.slice(middle), failed);
    }
  }
}

/** The snapshot of the event's table is under way before or after this batch: rows that are not there will come. */
function isBeingRead(batch: LaneBatch, event: ChangeEvent): boolean {
  const table = formatTableId(event.table.id);
  return [batch.previous, batch.through].some((point) =>
    point.snapshots.some((s) => s.source === event.source && s.table === table && s.state === 'running'),
  );
}

function isEventsFault(error: unknown): boolean {
  return error instanceof RowMissing || isDataError(error);
}

function failureOf(error: unknown, event: ChangeEvent, table: TargetTable): CdcError {
  if (error instanceof RowMissing) {
    return rejected(
      event,
      table,
      'the event has only some of the columns, and its row is not there',
      'Take a snapshot of the table.',
      'DESTINATION_ROW_MISSING',
    );
  }
  return refusal(error, describeTarget(table));
}
