// What the engine needs from outside, and what it shows of a running pipeline. The engine imports no adapter and no
// catalog: descriptors, state, dead letters and time are handed in, which is also how the simulator drives it.

import type { LogStore } from '../log/change-log.ts';
import type { CdcError, ChangeEvent, Clock, Descriptor, Lag, Logger, PluginStore, Random, ResumePoint, RunSummary } from '../sdk/index.ts';
import type { StateStore } from '../state/store.ts';
import type { PausedLane } from './errands.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import type { ReplayAsk, ReplayPlan } from './replay-plan.ts';
import type { SnapshotAsk, SnapshotTaken } from './snapshot-ask.ts';

/** An event that could not be delivered, as it was before the failing step. Kept until an operator decides. */
export interface DeadLetter {
  /** Key of the letter: the same failure of the same event replaces itself. */
  readonly id: string;
  readonly pipeline: string;
  /** The lane that gave up, or `null` when the event failed before the log. */
  readonly lane: string | null;
  readonly stage: DeadLetterStage;
  /** Name of the plugin, source or destination that refused it. */
  readonly component: string;
  readonly error: CdcError;
  readonly attempts: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** `null` when the input could not be decoded: then `input` holds it. */
  readonly event: ChangeEvent | null;
  readonly input: string | Uint8Array | null;
  /** Where it was, for people: `line 12 of orders.ndjson`. */
  readonly at: string;
  /**
   * Columns of `event` that a step from the failing one on hides; `all`: whatever `input` holds. The queue keeps neither in
   * clear: see dead-letters/protection.ts.
   */
  readonly sensitive?: readonly string[] | 'all';
  /** What the queue did with them; only on letters that were read. */
  readonly protection?: Protection | null;
  /** A replay has begun and not ended; only on letters that were read. */
  readonly replay?: ReplayMark | null;
}

/** `lane_transform`: in a transformer of the destination's own. */
export type DeadLetterStage = 'decode' | 'transform' | 'lane_transform' | 'write';

export type Protection =
  | { readonly kind: 'removed'; readonly columns: readonly string[] | 'all' }
  | { readonly kind: 'encrypted'; readonly columns: readonly string[] | 'all'; readonly sealed: SealedText };

/** AES-256-GCM. All but `alg` in base64; `salt` when the key comes from a passphrase. */
export interface SealedText {
  readonly alg: 'aes-256-gcm';
  readonly salt: string | null;
  readonly iv: string;
  readonly tag: string;
  readonly data: string;
}

export interface ReplayMark {
  readonly startedMs: number;
  /** Destinations that have confirmed it. */
  readonly delivered: readonly string[];
}

export interface DeadLetterQueue {
  /**
   * Resolves when the letters are durable. Throws `DLQ_UNAVAILABLE`. A letter whose id is there already is not doubled: its
   * attempts are added, its error and last time replaced.
   */
  put(letters: readonly DeadLetter[]): Promise<void>;
  /** At the start: throws `DLQ_UNAVAILABLE` when letters can surely not be written. Leaves nothing behind. */
  check?(): Promise<void>;
  close(): Promise<void>;
}

export interface EngineDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Unique per process start: host, process id, random part. Owner of leases. */
  readonly owner: string;
  readonly state: StateStore;
  /** Where a destination's letters go; `null`: those of the pipeline, from before the log. Several may share a queue. */
  deadLettersOf(lane: string | null): DeadLetterQueue;
  /** For `log: {type: disk}`. */
  readonly logStore: LogStore | null;
  /** The descriptor of a configured component. Throws `CONFIG_TYPE_NOT_AVAILABLE` for planned types. */
  resolve(kind: Descriptor['kind'], type: string): Promise<Descriptor>;
  store(plugin: string): PluginStore;
  /** Is the process behind this lease owner known to be gone? When in doubt `false`: then its lease must run out. */
  isGone(owner: string): boolean;
  /** Of cdc-run, for envelopes that carry it. */
  readonly version: string;
  /** Told when transformers run on the main thread; `null` = nobody watches. */
  readonly monitor: { enter(plugin: number): void; leave(): void } | null;
}

export interface RunOptions {
  /** Stop once what existed at the start is delivered, whatever `sync.mode` says. */
  readonly untilCaughtUp: boolean;
  /** Stop after about this many events; `null` = no limit. */
  readonly limit: number | null;
  /** Give up at once when a destination is unreachable at the start, instead of waiting for it. */
  readonly failFast: boolean;
  /** Detached or lost destinations that shall join anew by their `start`. */
  readonly rejoin: readonly string[];
  /** For a run by cron: the time it stands for, stored so that it is not run twice. */
  readonly scheduledMs: number | null;
}

export const DEFAULT_RUN_OPTIONS: RunOptions = { untilCaughtUp: false, limit: null, failFast: false, rejoin: [], scheduledMs: null };

export interface LaneStatus {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly state: 'starting' | 'running' | 'retrying' | 'detached' | 'stopped' | 'failed';
  readonly delivered: number;
  readonly deadLetters: number;
  /** Values that were left out because the target has no column for them (`schema_evolution: discard`). */
  readonly discardedValues: number;
  /** Events in the log that this lane has not confirmed. */
  readonly queued: number;
  /** Of the sources' logs, not yet delivered; `null` where no source can tell. */
  readonly lagBytes: number | null;
  /** Commit time at the source → delivered, of the last event; `null` before the first. */
  readonly lagMs: number | null;
  readonly point: ResumePoint | null;
  readonly lastError: CdcError | null;
  /** `open`: it has failed so often that nothing is sent for a while. */
  readonly breaker: 'closed' | 'open' | 'half_open';
  /** Events of one write at most; moves with adaptive batching. */
  readonly batchSize: number;
  /** Keys whose events wait in the dead letter queue. */
  readonly parkedKeys: number;
  /** How many share the work. */
  readonly workers: number;
  /** Records of the log that are sent again before it goes on; `null`: none. */
  readonly replay: { readonly done: number; readonly total: number } | null;
}

export interface SnapshotStatus {
  readonly table: string;
  readonly state: 'running' | 'paused' | 'stopped' | 'done' | 'failed' | 'skipped';
  readonly rows: number;
  /** Rows in all, as far as the source knows; `null`: it cannot tell. */
  readonly estimate: number | null;
  /** How long it may still take; `null`: it cannot be told, or nothing is left. */
  readonly etaMs: number | null;
  readonly error: string | null;
}

export interface SourceStatus {
  readonly name: string;
  readonly type: string;
  readonly state: 'starting' | 'snapshot' | 'streaming' | 'retrying' | 'ended' | 'stopped' | 'failed';
  readonly read: number;
  /** Partition → position, described for people. */
  readonly positions: { readonly [partition: string]: string };
  readonly snapshots: readonly SnapshotStatus[];
  readonly lastEventMs: number | null;
  /** Commit at the source → read, of the last change; `null` before the first. */
  readonly lagMs: number | null;
  /** What the source said last of how far it is behind; `null`: nothing yet. */
  readonly lag: SourceLag | null;
}

export interface SourceLag extends Lag {
  readonly atMs: number;
}

/** Of the change log. */
export interface LogStatus {
  readonly type: 'memory' | 'disk';
  /** What it holds. */
  readonly events: number;
  readonly bytes: number;
  /** What destinations still need of it, on disk as whole segments: the rest goes when its room is needed. */
  readonly neededEvents: number;
  readonly neededBytes: number;
  /** `null`: no bound. */
  readonly maxEvents: number | null;
  readonly maxBytes: number | null;
}

export interface PipelineStatus {
  readonly name: string;
  readonly file: string;
  readonly mode: 'one_time' | 'continuous' | 'cron';
  readonly state: 'starting' | 'standby' | 'running' | 'waiting' | 'stopping' | 'stopped' | 'failed';
  readonly epoch: number;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  readonly run: RunSummary;
  readonly sources: readonly SourceStatus[];
  readonly lanes: readonly LaneStatus[];
  readonly log: LogStatus;
  readonly lastCheckpointMs: number | null;
  /** Last time anything moved: an event, a keepalive, a confirmed write. Liveness is judged by this. */
  readonly lastProgressMs: number;
  /** For mode cron: when the next run starts. */
  readonly nextRunMs: number | null;
  readonly error: CdcError | null;
}

/** A started pipeline. */
export interface PipelineHandle {
  readonly name: string;
  readonly config: PipelineConfig;
  /** Resolves when the pipeline has ended; never rejects: see `outcome` and `error` of the summary. */
  readonly done: Promise<RunSummary>;
  /** Drains, checkpoints and ends. Idempotent; resolves with `done`. */
  stop(): Promise<RunSummary>;
  status(): PipelineStatus;
  /** Has a destination get a stretch of the log again. Resolves when that is stored. Throws `LOG_REPLAY_REFUSED`. */
  replay(ask: ReplayAsk): Promise<ReplayPlan>;
  /** Has a source read tables again, or pauses, resumes or skips their snapshot. Resolves when that is stored. Throws `SOURCE_SNAPSHOT_REFUSED`. */
  snapshot(ask: SnapshotAsk): Promise<SnapshotTaken>;
  /** Runs `work` at a destination between two batches of its lane. Rejects with `DLQ_BUSY` when that does not come soon. */
  pause<T>(destination: string, work: (lane: PausedLane) => Promise<T>): Promise<T>;
}
