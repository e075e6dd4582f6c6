// The contract of a destination. It writes batches durably, says which events it refuses, and, where it can, keeps the
// lane's point in the same transaction as the data: that is what makes delivery effectively-once.

import type { ChangeEvent } from './change-event.ts';
import type { CdcError, Finding } from './errors.ts';
import type { ResumePoint } from './position.ts';
import type { BatchEnvelope } from './record-context.ts';
import type { TableSchema } from './table-schema.ts';

/** A destination's own way through the change log. */
export interface LaneId {
  readonly pipeline: string;
  readonly lane: string;
}

/**
 * Values one behind the other: value `i` is `buffers[buffer[i]]` from `start[i]` to before `end[i]`, with a line feed as its last
 * byte; `buffer[i]` is -1 where there is none. Values in the same buffer follow each other without a gap. The lists may be longer
 * than there are records.
 */
export interface EncodedLines {
  readonly buffers: readonly Uint8Array[];
  readonly buffer: Int32Array;
  readonly start: Int32Array;
  readonly end: Int32Array;
}

/**
 * Records ready for the wire, encoded once per log batch and envelope configuration. All arrays have the same length;
 * record `i` came from `events[event[i]]`. One event may give several records (delete + tombstone) or none.
 *
 * The bytes belong to the batch and may be written again once its `write` has resolved: copy what you keep.
 */
export interface EncodedBatch {
  readonly event: Uint32Array;
  readonly topic: readonly string[];
  readonly key: readonly (Uint8Array | null)[];
  readonly value: readonly (Uint8Array | null)[];
  readonly headers: readonly (Readonly<Record<string, string>> | null)[];
  /** Milliseconds since the epoch. */
  readonly timestampMs: Float64Array;
  /** The values once more, for those who write many at once; absent where they lie elsewhere. */
  readonly lines?: EncodedLines;
  /** Gives the memory back. For the engine, once the batch is stored and nobody else has the records. */
  release?(): void;
}

export interface LaneBatch {
  /** In log order. May be empty: then only the point moves. */
  readonly events: readonly ChangeEvent[];
  /** Indices that must not be written: they are in the dead letter queue, or were written by an earlier call. */
  readonly skip: ReadonlySet<number>;
  /** The records of all events, those in `skip` included. Computed on first use. */
  encoded(): EncodedBatch;
  /**
   * How the lane's records are shaped, for destinations with `input: 'bytes'` that write another format than JSON. Absent in suites, and
   * where only JSON is written.
   */
  readonly envelope?: BatchEnvelope;
  /** The lane's point once this batch is stored. */
  readonly through: ResumePoint;
  /** The point the destination must still hold when the batch is stored; else another process has written. */
  readonly previous: ResumePoint;
  /** Worker slot, 0-based; each has its own point. */
  readonly worker: number;
}

export interface WriteFailure {
  /** Index into `batch.events`. */
  readonly index: number;
  readonly error: CdcError;
}

/**
 * - `stored`: every event that is not in `skip` is durable, and the point with them where the destination holds it. `discarded`: how
 *   many values were left out because the table has no column for them and `schema_evolution` says so.
 * - `refused`: nothing was stored; these events can never be. The engine parks them and calls again with them in `skip`.
 * - `partial`: only for destinations that cannot undo: `written` are durable, `failed` can never be, no point was stored.
 *   The engine parks the failed ones and calls again with both in `skip` if anything is left.
 */
export type WriteResult =
  | { readonly kind: 'stored'; readonly discarded?: number }
  | { readonly kind: 'refused'; readonly failed: readonly WriteFailure[] }
  | { readonly kind: 'partial'; readonly written: readonly number[]; readonly failed: readonly WriteFailure[] };

/**
 * What a destination knows of a lane. `epoch`: the highest it has been claimed with, 0 when never.
 * - `points`: one per worker slot.
 * - `empty`: it can hold a point and holds none.
 * - `untracked`: it cannot tell.
 */
export type Committed =
  | { readonly kind: 'points'; readonly epoch: number; readonly points: readonly ResumePoint[] }
  | { readonly kind: 'empty'; readonly epoch: number }
  | { readonly kind: 'untracked' };

/** Calls for one worker never overlap. Errors are `CdcError`s; retriable ones are tried again by the engine only. */
export interface Destination {
  /** Reachable? Privileges? Tables? Yields all findings, each with a fix, and never throws for what it can name. */
  check(): AsyncIterable<Finding>;
  /** Reads what is stored, opening the connection if need be. */
  committed(lane: LaneId): Promise<Committed>;
  /**
   * Writes a batch; resolves when it is durable. Rejects with a retriable `CdcError` (nothing stored, try again), with
   * `DESTINATION_OUTCOME_UNKNOWN` (the engine reads the point back), with `DESTINATION_FENCED`, or with any other: the lane stops. One that knows
   * that the data is at fault but not which event throws `DESTINATION_EVENT_REJECTED`: the engine finds out with smaller parts.
   * When `signal` aborts it ends what it does: a call that neither answers nor ends stops the pipeline.
   */
  write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult>;
  /** Waits for what is under way. Idempotent. */
  close(): Promise<void>;
  /**
   * What it would do to its tables, given these of a source as they are now, and why. Reads catalogs, changes nothing. Only for
   * destinations that make tables.
   */
  previewSchema?(source: string, tables: readonly TableSchema[]): AsyncIterable<SchemaPreview>;
}

/** A statement about a target table. */
export interface SchemaPreview {
  /** The source's table. */
  readonly table: string;
  /** `null`: a difference that no statement mends. */
  readonly sql: string | null;
  /** Why, and what it means for others: locks, a table that is written anew. */
  readonly note: string;
  /** false: the mode forbids it; it is yours to run. */
  readonly runs: boolean;
}

/** A destination that keeps the lane's point with the data. Implement these two if `capabilities.holdsPoint`. */
export interface PointHoldingDestination extends Destination {
  /**
   * Raises the epoch, in an empty destination too: from here on an older process is fenced. Throws `DESTINATION_FENCED`
   * when a higher one is there.
   */
  claim(lane: LaneId, epoch: number): Promise<void>;
  /** Replaces all points of the lane in one step, under the epoch it was claimed with. */
  setPoints(lane: LaneId, epoch: number, points: readonly ResumePoint[]): Promise<void>;
}

/** What a destination can do. */
export interface DestinationCapabilities {
  /** Keeps the lane's point with the data, fenced by epoch: effectively-once for log sources. */
  readonly holdsPoint: boolean;
  /** The same batch written twice leaves the same state: a repeat after a crash is harmless. */
  readonly idempotent: boolean;
  /** `bytes`: reads `batch.encoded()`; `rows`: reads the events. */
  readonly input: 'bytes' | 'rows';
  /** An event of a table without a key can be stored. */
  readonly keyless: boolean;
  /** Calls of `write` that may overlap for one worker. */
  readonly maxInFlight: number;
  /** Sentences for `plan` about what is created there. */
  readonly creates: readonly string[];
}
