// The contract of a source. A source captures and hands over; it never decides about delivery, order between partitions,
// retries or what may be forgotten.

import type { ChangeBatch } from './change-event.ts';
import type { Finding } from './errors.ts';
import type { PartitionPositions, Position, PositionCodec, SnapshotProgress, SourcePoint } from './position.ts';
import type { SnapshotReceipt, SnapshotRequest, TableSnapshot } from './snapshot-request.ts';
import type { SourcePlan } from './source-plan.ts';
import type { TableId, TableSchema } from './table-schema.ts';

/** What the engine offers while a source reads. */
export interface ReadContext {
  /** Upper bounds of one batch. A snapshot chunk may be larger only where `boundaries` asks for it. */
  readonly maxBatchEvents: number;
  readonly maxBatchBytes: number;
  /** one_time: read up to here, then return. `null`: read until `signal` aborts. */
  readonly until: SourcePoint | null;
  /** Where the snapshot of each table stands at the slowest lane. Empty at the first start. */
  readonly snapshots: readonly SnapshotProgress[];
  /**
   * Ends of chunks that lanes have in unfinished runs, in chunk order. Of the run that is continued: no chunk goes beyond the
   * next boundary, and the one that reaches it has its number and its `lastKey`; those before have numbers in between, and
   * the last number before a boundary takes all rows up to it. A table that begins anew may join such a run only if that
   * began at the very position where reading resumes.
   */
  readonly boundaries: readonly SnapshotProgress[];
  /** Called before the first batch of a partition: where to resume; `null` = from its beginning. */
  assign(partition: string): Promise<Position | null>;
  /**
   * The partition goes to another process: resolves when everything read so far is delivered and checkpointed, or when the
   * reading is aborted: look at the signal before giving the partition away.
   */
  revoke(partition: string): Promise<void>;
  /**
   * The partition is finished for good (a closed shard): resolves when everything read so far is delivered and checkpointed,
   * or on abort. Its position is kept: a restart finds it finished, not at its beginning.
   */
  end(partition: string): Promise<void>;
  /**
   * An input that cannot be decoded: it goes to the dead letter queue, and reading goes on. Resolves when the dead letter
   * is durable; only then may a later `resume` cover it. `input` is what was read. `at` is its place, for people: the dead letter is
   * known by it, so no two inputs may have the same; an input that is read again should have the one it had.
   */
  reject(input: string | Uint8Array, at: string, error: Error): Promise<void>;
}

/** How far delivery is behind, as far as the source can tell. */
export interface Lag {
  readonly events: number | null;
  readonly bytes: number | null;
  /** Where upstream's log ends, so that it can be told how far each destination is behind (`PositionCodec.bytesBetween`). */
  readonly end?: PartitionPositions;
  readonly retention?: Retention;
}

/** What upstream keeps for us until it is acknowledged, and for how long it can. */
export interface Retention {
  /** By what: `slot cdc_run_orders`. */
  readonly by: string;
  readonly retainedBytes: number | null;
  /** In upstream's words: `reserved`, `lost`. `null`: it does not say. */
  readonly status: string | null;
  /** May still be written before something is lost; `null`: there is no bound, or it is not known. */
  readonly safeBytes: number | null;
  /** Until then, if all goes on as it did; 0: it may be any time. `null`: never, or it cannot be told. */
  readonly lossInMs: number | null;
}

export interface SourceDescription {
  /** The connector name in envelopes: `postgresql`, `mysql`, `sqlite`. */
  readonly connector: string;
  readonly database: string | null;
}

/**
 * Calls never overlap, except that `acknowledge`, `lag`, `schema` and `snapshot` may come while `read` waits. After `close` nothing is
 * called. Errors are `CdcError`s; a retriable one from `read` makes the engine call `read` again after a backoff, with the
 * positions reached by then. Being aborted is not an error: `read` returns.
 */
export interface Source {
  /**
   * `log`: positions grow within a partition and are never reused; after a restart reading resumes at a position.
   * `queue`: a position is a receipt of this session, in growing order; what was not acknowledged is delivered again.
   */
  readonly ordering: 'log' | 'queue';
  /** Only one process may read at a time. */
  readonly exclusive: boolean;
  readonly positions: PositionCodec;
  /** Asked again for each table, when its first event is encoded. */
  describe(): SourceDescription;
  /** Reachable? Privileges? Settings? Risks? Yields all findings, each with a fix, and never throws for what it can name. */
  check(): AsyncIterable<Finding>;
  /** Yields batches until `signal` aborts or `ctx.until` is reached. The next batch is only asked for when there is room. */
  read(ctx: ReadContext, signal: AbortSignal): AsyncIterable<ChangeBatch>;
  /** Where a one_time run stops: asked once, before `read`. A queue source returns no partitions: it ends when it is empty. */
  end(): Promise<PartitionPositions>;
  /** Upstream may forget everything up to here. Idempotent, cumulative, never goes back; receipts of older sessions are ignored. */
  acknowledge(upTo: PartitionPositions): Promise<void>;
  /** Positions that upstream has been told to forget: reading before them is impossible. `null` = everything is still there. */
  acknowledged(): Promise<PartitionPositions | null>;
  lag(): Promise<Lag>;
  schema(table: TableId): Promise<TableSchema>;
  /** The tables that are captured, as things stand: `plan` asks. Without it nobody can tell before they are read. */
  tables?(): Promise<readonly TableId[]>;
  /**
   * Rows of tables are to be read again, or their snapshot paused, resumed or given up. Resolves once the request is durable in the
   * store of the source: a reading that is under way takes it up, else the next one does, and so does the next start after a crash,
   * until destinations have been told (`acknowledge`). A new run begins with a batch that has progress with chunk 0, not `joining`.
   * Throws `SOURCE_SNAPSHOT_REFUSED` before anything is stored. Absent: the source cannot.
   */
  snapshot?(request: SnapshotRequest): Promise<SnapshotReceipt>;
  /** What a start would do, as the server is now. Changes nothing. Absent: only what capabilities say is known. */
  plan?(): Promise<SourcePlan>;
  /** What is known of the tables that are read, beside their progress. Asked often: from memory. */
  snapshots?(): readonly TableSnapshot[];
  close(): Promise<void>;
}

/** What a source can do. Each comes with its consequence. */
export interface SourceCapabilities {
  readonly ordering: 'log' | 'queue';
  /** Deletes are captured. Without: rows deleted at the source stay at the destinations. */
  readonly deletes: boolean;
  /** Updates and deletes carry the whole row before. Without: `before` has the key at most. */
  readonly beforeImage: boolean;
  /** Existing rows are read first, as `r` events. */
  readonly snapshot: boolean;
  /** Changes of a table's schema are noticed and sent as `s` events. */
  readonly schemaChanges: boolean;
  /** Sentences for `plan` about what can be missed by design (polling and late commits). Empty: nothing. */
  readonly risks: readonly string[];
  /** Sentences for `plan` about what is created or written at the source. */
  readonly creates: readonly string[];
  /** What keeps the source's log for the pipeline, also while it does not run: `the replication slot cdc_run_orders`. */
  readonly keepsLog?: string;
}
