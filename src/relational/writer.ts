// Writes one batch: point and rows in one transaction. When the data is at fault, finds out which events are.

import {
  CdcError,
  type ChangeEvent,
  isBeingRead,
  type LaneBatch,
  type LaneId,
  type ResumePoint,
  type TableId,
  type WriteFailure,
  type WriteResult,
} from '../sdk/index.ts';
import { EventEncoder, rejected, type Spelling } from './encode.ts';
import { type PutMode, type RowChange, reduce, type Segment } from './reduce.ts';
import { describeTarget, type TargetColumn, type TargetTable } from './table.ts';
import type { RefusedNull } from './targets.ts';

/** How a database does what the writer asks for. */
export interface Engine<S, T extends TargetTable> {
  /** Runs `work` in a transaction. Throws what it throws after the rollback, `DESTINATION_OUTCOME_UNKNOWN` if nobody knows. */
  inTransaction<R>(session: S, work: () => Promise<R>): Promise<R>;
  /** Applies segments in order, inside a transaction. Throws what the server says, or `RowMissing`. */
  apply(session: S, segments: readonly Segment<T>[]): Promise<void>;
  /** Sets a savepoint, lets it go (constraints that wait for the commit speak up before), goes back to it and lets it go. */
  savepoint(session: S): Promise<void>;
  release(session: S): Promise<void>;
  rollBackTo(session: S): Promise<void>;
  /** The data is at fault, not the server or the set-up. */
  isDataError(error: unknown): boolean;
  refusedNull(error: unknown): RefusedNull | null;
  /** An event that the server refuses. The message names the rule, never the value. */
  refusal(error: unknown, what: string): CdcError;
  /** Moves a worker's point inside the transaction of its data. Throws `DESTINATION_FENCED`. */
  movePoint(session: S, lane: LaneId, worker: number, epoch: number, from: ResumePoint, to: ResumePoint): Promise<void>;
}

/** The targets of events, made ready. */
export interface ReadyTargets<S, T> {
  prepare(session: S, events: readonly ChangeEvent[]): Promise<(T | null)[]>;
  loosen(session: S, refused: RefusedNull): Promise<boolean>;
}

export interface WriterOptions {
  readonly conflict: 'upsert' | 'replace';
  /** Inserts leave rows alone that are there. */
  readonly keepExisting: boolean;
  /** Deletes and truncates are left out. */
  readonly keepDeleted: boolean;
  readonly sharedTarget: boolean;
  leavesOut(table: TableId): boolean;
}

/** A patch or an incomplete move met no row, and no running snapshot will bring it. */
export class RowMissing extends Error {
  override readonly name = 'RowMissing';
}

/** Who writes, and under which epoch. */
export interface Claim {
  readonly lane: LaneId;
  readonly epoch: number;
}

/** Thrown to leave the transaction of `isolate` without storing anything. */
class Refused extends Error {}

export class Writer<S, C extends TargetColumn, T extends TargetTable<C>> {
  readonly #engine: Engine<S, T>;
  readonly #targets: ReadyTargets<S, T>;
  readonly #options: WriterOptions;
  readonly #encoder: EventEncoder<C, T>;

  constructor(engine: Engine<S, T>, targets: ReadyTargets<S, T>, spelling: Spelling<C>, options: WriterOptions) {
    this.#engine = engine;
    this.#targets = targets;
    this.#options = options;
    this.#encoder = new EventEncoder(spelling, options);
  }

  /** `batch` is stored whole with its point, or nothing of it is. */
  async write(session: S, claim: Claim, batch: LaneBatch): Promise<WriteResult> {
    const { changes, failed, leftOut } = await this.#encode(session, batch);
    // What cannot be spelled can never be stored; the rest waits until the engine has parked these.
    if (failed.length > 0) return { kind: 'refused', failed };
    const stored = { kind: 'stored', ...(leftOut === 0 ? {} : { discarded: leftOut }) } as const;
    for (;;) {
      try {
        await this.#store(session, claim, batch, () => this.#apply(session, changes));
        return stored;
      } catch (error) {
        if (!this.#isEventsFault(error)) throw error;
        // Ends: each turn lets one more column take NULLs.
        const missing = this.#engine.refusedNull(error);
        if (missing !== null && (await this.#targets.loosen(session, missing))) continue;
        const result = await this.#isolate(session, claim, batch, changes);
        return result.kind === 'stored' ? stored : result;
      }
    }
  }

  async #encode(session: S, batch: LaneBatch): Promise<{ changes: RowChange<T>[]; failed: WriteFailure[]; leftOut: number }> {
    const { keepDeleted } = this.#options;
    const events = batch.events
      .map((event, index) => ({ event, index }))
      .filter(({ event, index }) => !batch.skip.has(index) && !(keepDeleted && (event.op === 'd' || event.op === 't')));
    const tables = await this.#targets.prepare(
      session,
      events.map((e) => e.event),
    );
    const changes: RowChange<T>[] = [],
      failed: WriteFailure[] = [],
      before = this.#encoder.leftOut;
    for (const [i, { event, index }] of events.entries()) {
      const table = tables[i] ?? null;
      if (table === null || event.op === 's' || event.op === 'm') continue;
      try {
        changes.push(this.#encoder.encode(event, index, table, event.incomplete && isBeingRead(event, batch)));
      } catch (error) {
        if (!(error instanceof CdcError)) throw error;
        failed.push({ index, error });
      }
    }
    return { changes, failed, leftOut: this.#encoder.leftOut - before };
  }

  #apply(session: S, changes: readonly RowChange<T>[]): Promise<void> {
    const mode: PutMode = this.#options.conflict === 'replace' ? 'replace' : 'merge';
    return this.#engine.apply(session, reduce(changes, mode));
  }

  /** One transaction: the point, then the rows. Invariant 1: it has been committed when this resolves. */
  #store(session: S, { lane, epoch }: Claim, batch: LaneBatch, rows: () => Promise<void>): Promise<void> {
    return this.#engine.inTransaction(session, async () => {
      await this.#engine.movePoint(session, lane, batch.worker, epoch, batch.previous, batch.through);
      await rows();
    });
  }

  /**
   * Applies the changes in halves, and halves of halves where one fails, behind savepoints: what is left are the events
   * that fail by themselves. When all pass (the order between tables or keys was at fault, not an event), it is stored.
   */
  async #isolate(session: S, claim: Claim, batch: LaneBatch, changes: readonly RowChange<T>[]): Promise<WriteResult> {
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

  async #bisect(session: S, batch: LaneBatch, changes: readonly RowChange<T>[], failed: WriteFailure[]): Promise<void> {
    await this.#engine.savepoint(session);
    try {
      await this.#apply(session, changes);
      await this.#engine.release(session);
    } catch (error) {
      if (!this.#isEventsFault(error)) throw error;
      await this.#engine.rollBackTo(session);
      const [change] = changes;
      if (change === undefined) throw error;
      if (changes.length === 1) {
        failed.push({ index: change.index, error: this.#failureOf(error, batch.events[change.index] as ChangeEvent, change.table) });
        return;
      }
      const middle = changes.length >> 1;
      await this.#bisect(session, batch, changes.slice(0, middle), failed);
      await this.#bisect(session, batch, changes.slice(middle), failed);
    }
  }

  #isEventsFault(error: unknown): boolean {
    return error instanceof RowMissing || this.#engine.isDataError(error);
  }

  #failureOf(error: unknown, event: ChangeEvent, table: T): CdcError {
    if (!(error instanceof RowMissing)) return this.#engine.refusal(error, describeTarget(table));
    const what = 'the event has only some of the columns, and its row is not there';
    return rejected(event, table, what, 'Take a snapshot of the table.', 'DESTINATION_ROW_MISSING');
  }
}
