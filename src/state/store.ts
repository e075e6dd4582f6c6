// What survives a restart: points of lanes, cursors, the lease, run history, errors, plugin state. Every write is one
// transaction and conditional on the lease, so that a process which lost it cannot overwrite its successor (invariant 2).

import type { CdcError, ResumePoint, RunSummary } from '../sdk/index.ts';

/** Runs kept per pipeline; older ones are forgotten. */
export const KEPT_RUNS = 1000;

/** What is known of one lane. */
export interface LaneState {
  /** What its destination had confirmed when it was saved, one per worker slot. */
  readonly points: readonly ResumePoint[];
  /** How events are spread where there are several points; absent with one worker. */
  readonly slots?: { readonly count: number; readonly expression: string };
  /** Where it joined: a replay never starts before. */
  readonly joinedAt: ResumePoint;
  /** Set before its destination is told where it joins anew, until state has it: whether it did, the destination tells. */
  readonly joining?: ResumePoint;
  /** Set while the lane has a gap and waits for the operator. */
  readonly detached: DetachedState | null;
  /** An optional lane lacks what upstream has forgotten, and its points cannot tell: messages of a queue, of a partition that has ended. */
  readonly lacksForgotten: boolean;
  /** A stretch of the log that is to be sent again before the lane goes on, and how far that is. */
  readonly replay: ReplayRequest | null;
}

export interface DetachedState {
  /** Where the gap begins. */
  readonly from: ResumePoint;
  readonly sinceMs: number;
  readonly reason: string;
  /**
   * Where the durable log ended when it was shortest, at starts since then. Numbers beyond were given out again: what the lane's
   * point says of them is of records that a power cut took.
   */
  readonly logEnd?: ResumePoint;
  /** An operator moved the lane while its destination was away: that may still hold the place before, which is not the lane's. */
  readonly holdsOldPlace?: true;
}

/** Numbers are those of records in the log `log`. */
export interface ReplayRequest {
  readonly log: string;
  readonly from: number;
  /** The last one; `null`: up to where the lane stands when it begins, so that nothing newer is undone. */
  readonly to: number | null;
  /** What is before has been sent. */
  readonly next: number;
  /** `orders` or `public.orders`; empty = all. */
  readonly tables: readonly string[];
}

/** The last error of one component, and how often it came. */
export interface ErrorRecord {
  readonly component: string;
  readonly code: string;
  readonly message: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface StatefulPoint {
  readonly point: ResumePoint;
  readonly state: Uint8Array;
}

/**
 * Points that an operator set (`offsets set`, `rollback`, `import`). Written before anything is moved and removed after
 * everything was: whoever finds one finishes it.
 */
export interface PointIntent {
  readonly atMs: number;
  /** For people: what was asked for. */
  readonly what: string;
  /** Lane → the point it is moved to. */
  readonly lanes: { readonly [lane: string]: ResumePoint };
}

/** Where all lanes stood at a time; detached ones are left out. */
export interface Checkpoint {
  /** Grows by one per checkpoint of the pipeline; never used again. */
  readonly id: number;
  readonly atMs: number;
  readonly lanes: { readonly [lane: string]: readonly ResumePoint[] };
}

/** Checkpoints are kept at least this far apart, so that a short history reaches back far enough to be of use. */
export const CHECKPOINT_SPACING_MS = 60_000;

/** Ids of delivered messages, a bucket at a time. `ids`: 16 bytes each. */
export interface DeliveredIds {
  readonly bucket: number;
  /** When the last of them was delivered. */
  readonly lastMs: number;
  readonly ids: Uint8Array;
}

/** Everything stored about one pipeline. */
export interface PipelineState {
  /** The pipeline has started before with this state: its sources may have been acknowledged. */
  readonly used: boolean;
  readonly epoch: number;
  readonly lanes: { readonly [lane: string]: LaneState };
  /** State of the stateful transformer chain and the point up to which it is complete. */
  readonly transformer: StatefulPoint | null;
  /** Milliseconds since the epoch of the last cron time that was started; `null` before the first. */
  readonly lastScheduledMs: number | null;
  /** An operator's move that was begun and not finished. */
  readonly intent: PointIntent | null;
}

/** A change of the state, applied whole or not at all. Only what is present changes. */
export interface StateChange {
  readonly used?: true;
  readonly epoch?: number;
  /** `null` forgets the lane. */
  readonly lanes?: { readonly [lane: string]: LaneState | null };
  readonly transformer?: StatefulPoint;
  readonly lastScheduledMs?: number;
  readonly intent?: PointIntent | null;
  /**
   * Adds where all lanes stand, this change included, to the history of checkpoints, and forgets all but the newest `keep`.
   * Without `always` only when the last one is `CHECKPOINT_SPACING_MS` away and something has moved since.
   */
  readonly checkpoint?: { readonly atMs: number; readonly keep: number; readonly always?: true };
  /** Buckets are replaced; those with `null` are forgotten. */
  readonly delivered?: readonly (DeliveredIds | { readonly bucket: number; readonly ids: null })[];
}

export interface Lease {
  readonly owner: string;
  readonly untilMs: number;
}

/**
 * Storage of all pipelines' state. Writes other than `acquire` throw `STATE_FENCED` when `owner` does not hold the lease of
 * the pipeline; each of them renews it. Damage is `STATE_CORRUPT`, never repaired silently.
 */
export interface StateStore {
  /** Takes or renews the lease until `untilMs`. Returns the lease that is in force: somebody else's when not granted. */
  acquire(pipeline: string, owner: string, nowMs: number, untilMs: number): Promise<Lease>;
  /** Gives the lease back at a clean stop. No error when it is somebody else's by now. */
  release(pipeline: string, owner: string): Promise<void>;
  load(pipeline: string): Promise<PipelineState>;
  save(pipeline: string, owner: string, untilMs: number, change: StateChange): Promise<void>;

  /** Newest first. */
  checkpoints(pipeline: string): Promise<readonly Checkpoint[]>;
  /** In order of their numbers. */
  delivered(pipeline: string): Promise<readonly DeliveredIds[]>;
  /** Removes all that is stored of the pipeline, the lease included. */
  forget(pipeline: string, owner: string): Promise<void>;

  /** Begins a run; returns its number. A run that is still marked as running was killed, and becomes a failed one. */
  beginRun(pipeline: string, owner: string, startedAtMs: number): Promise<number>;
  endRun(pipeline: string, owner: string, run: RunSummary): Promise<void>;
  /** Newest first. */
  runs(pipeline: string, limit: number): Promise<readonly RunSummary[]>;
  recordError(pipeline: string, owner: string, component: string, error: CdcError, nowMs: number): Promise<void>;
  errors(pipeline: string): Promise<readonly ErrorRecord[]>;

  getPluginValue(pipeline: string, plugin: string, key: string): Promise<Uint8Array | null>;
  setPluginValue(pipeline: string, owner: string, plugin: string, key: string, value: Uint8Array): Promise<void>;

  /** Names of the pipelines that have state. */
  pipelines(): Promise<readonly string[]>;
  close(): Promise<void>;
}
