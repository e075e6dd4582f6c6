// The change log: the ordered spine between transform chain and lanes. One interface for the memory ring and the disk log.
//
// Each batch takes `events.length + 1` sequence numbers: one per event and one for its end mark, so that every place a lane
// may stand at, also between events and after an empty batch, has a number. The first number is 1.

import type { CdcError, ChangeEvent, ResumePoint, SnapshotProgress } from '../sdk/index.ts';

/** What stands at a place in the log: positions of all sources and snapshot progress. Never changed after it was made. */
export type LogPlace = Pick<ResumePoint, 'sources' | 'snapshots'>;

/** What the transform chain hands to the log. */
export interface LogAppend {
  readonly source: string;
  readonly partition: string;
  readonly events: readonly ChangeEvent[];
  readonly bytes: number;
  /** Progress of snapshots that came with the batch. */
  readonly snapshots: readonly SnapshotProgress[];
  /** The place once all of the batch is done. */
  readonly after: LogPlace;
  /** Holds snapshot rows: a lane takes it whole or not at all. */
  readonly whole: boolean;
}

export interface LogBatch extends LogAppend {
  /** Sequence number of the first event, or of the end mark if there is none. */
  readonly firstSeq: number;
  /** Sequence number of the end mark. */
  readonly endSeq: number;
  /** The place before the batch. */
  readonly before: LogPlace;
}

/** What the log needs to know of a lane to bound itself. */
export interface LogReader {
  /** What the lane has released so far. */
  readonly releasedSeq: number;
  /** Everything up to this number may be dropped as far as this lane is concerned. */
  release(upTo: number): void;
  close(): void;
}

/** A log wakes nobody: whoever appends wakes the lanes, and a lane that releases wakes the readers. */
export interface ChangeLog {
  /** New with each log: sequence numbers of another one mean nothing here. */
  readonly id: string;
  /** The oldest number that is held; `lastSeq + 1` when nothing is. */
  readonly firstSeq: number;
  /** The place before `firstSeq`: a lane that stands here or further can be served. */
  readonly head: LogPlace;
  /** The number of the last end mark; 0 when nothing was ever appended. */
  readonly lastSeq: number;
  /** The place after the last batch. */
  readonly tail: LogPlace;
  /** The greatest number lanes may read: all of it (memory), what is synced (disk). */
  readonly readableSeq: number;
  /** No further batch may be appended: the bound in events or bytes is reached. An empty log takes any batch (invariant 5). */
  readonly full: boolean;
  /** It is full, and a lane that lets go makes room: not so while it only waits for the disk. */
  readonly heldBack: boolean;
  append(batch: LogAppend): LogBatch;
  /**
   * The batch that holds `seq`, at once when it is in memory; `null` when it is beyond the readable end. Throws `STATE_LOG_GAP`
   * when it was dropped, `LOG_CORRUPT` when it is damaged.
   */
  read(seq: number): LogBatch | Promise<LogBatch> | null;
  /** Resolves once everything appended before the call is durable, as far as this log makes it so; on abort without. */
  synced(signal: AbortSignal): Promise<void>;
  /** Registers a lane that holds everything after `from`. */
  reader(from: number): LogReader;
  /** What is held now, and how much may be. */
  held(): { readonly events: number; readonly bytes: number };
  /** Writes what is left. */
  close(): Promise<void>;
}

/** A log that survives the process. The source may forget what is synced here; lanes resume by sequence number. */
export interface DurableLog extends ChangeLog {
  /** The number at which the snapshot run that `tail` shows of this table first appeared; 0 = before this log. */
  runBegan(source: string, table: string): number;
  usage(): LogUsage;
}

export interface LogUsage {
  readonly bytes: number;
  readonly maxBytes: number;
  readonly events: number;
  readonly maxEvents: number;
  /** Those that a lane still needs, as whole segments: the others go as soon as their room is needed. */
  readonly neededBytes: number;
  readonly neededEvents: number;
  /** When the oldest record was appended, milliseconds since the epoch; `null` when there is none. */
  readonly oldestMs: number | null;
}

/** Where a pipeline's durable log is kept. */
export interface LogStore {
  /** Has it ever been begun? */
  exists(): Promise<boolean>;
  /** `start`: the place a new log begins at. Throws `LOG_UNAVAILABLE` while another process has it open. */
  open(start: LogPlace, listener: LogListener): Promise<DurableLog>;
}

export interface LogListener {
  /** `readableSeq` has grown. */
  onSynced(): void;
  /** A write failed; it is tried again from what is in memory. */
  onError(error: CdcError): void;
}
