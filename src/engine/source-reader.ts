// Source to log: asks a source for batches as long as there is room, sends them through the chain and appends what comes out.
// A source that fails for the moment is read again from where the log ends.

import type { LogPlace } from '../log/change-log.ts';
import {
  type CdcError,
  type ChangeBatch,
  type Clock,
  type Logger,
  type PartitionPositions,
  type Position,
  type PositionCodec,
  type Random,
  type ReadContext,
  type SnapshotProgress,
  type Source,
  toCdcError,
} from '../sdk/index.ts';
import type { SnapshotStatus, SourceLag, SourceStatus } from './api.ts';
import { bytesBehind } from './lag.ts';
import type { RetryConfig } from './pipeline-config.ts';
import { waitBeforeRetry } from './retry.ts';
import { SnapshotPace } from './snapshot-pace.ts';

/** How often the source is asked how far it is behind: a query at most. */
const LAG_MS = 10_000,
  FIRST_LAG_MS = 1_000;

/** What the pipeline does with what was read. */
export interface Spine {
  /** The place at the log's end. */
  readonly tail: LogPlace;
  /** What the chain has taken in: reading goes on behind it. */
  readonly taken: LogPlace;
  /** Transforms and appends; resolves once there is room for another batch. */
  ingest(batch: ChangeBatch, signal: AbortSignal): Promise<void>;
  /** Resolves when everything appended so far is delivered and checkpointed, or on abort. */
  settled(signal: AbortSignal): Promise<void>;
  /** As `settled`; and state tells which lanes still lack some of what upstream drops then. */
  ended(signal: AbortSignal): Promise<void>;
  reject(source: string, input: string | Uint8Array, at: string, error: Error): Promise<void>;
}

/**
 * A source and destinations that never wait for anything outside (a generator, SQLite) would keep signals, the lease and
 * health checks from their turn for as long as there is work.
 */
const MAX_TURN_MS = 20;
/** Nor may it run far ahead of the lanes: events that wait in the ring outlive the young generation, and collecting them costs more than all else. */
const MAX_TURN_EVENTS = 4096;

export interface SourceReaderOptions {
  readonly name: string;
  readonly type: string;
  readonly source: Source;
  readonly spine: Spine;
  readonly until: ReadContext['until'];
  readonly snapshots: readonly SnapshotProgress[];
  readonly boundaries: readonly SnapshotProgress[];
  readonly maxBatchEvents: number;
  readonly maxBatchBytes: number;
  readonly retry: RetryConfig;
  readonly failFast: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  onError(error: CdcError): void;
  /** How many events may still be read; 0 ends the reading. */
  remaining(): number;
}

export class SourceReader {
  readonly name: string;
  readonly #o: SourceReaderOptions;
  readonly #codec: PositionCodec;
  /** Partitions whose first batches may repeat what was taken in already. */
  readonly #checking = new Set<string>();
  #state: SourceStatus['state'] = 'starting';
  readonly #pace = new SnapshotPace();
  #lag: SourceLag | null = null;
  #lagMs: number | null = null;
  #read = 0;
  #lastEventMs: number | null = null;

  constructor(options: SourceReaderOptions) {
    this.#o = options;
    this.name = options.name;
    this.#codec = options.source.positions;
  }

  get read(): number {
    return this.#read;
  }

  status(): SourceStatus {
    const positions = Object.entries(this.#o.spine.tail.sources[this.name] ?? {}),
      snapshots = this.#snapshots();
    return {
      name: this.name,
      type: this.#o.type,
      state: stateWith(this.#state, snapshots),
      read: this.#read,
      lastEventMs: this.#lastEventMs,
      lagMs: this.#lagMs,
      lag: this.#lag,
      positions: Object.fromEntries(positions.map(([partition, p]) => [partition, this.#codec.describe(p)])),
      snapshots,
    };
  }

  #snapshots(): SnapshotStatus[] {
    const nowMs = this.#o.clock.now(),
      known = new Map(this.#o.source.snapshots?.().map((t) => [t.table, t])),
      progress = this.#o.spine.tail.snapshots.filter((s) => s.source === this.name);
    const unread = [...known.values()].filter((t) => t.state === 'stopped' && progress.every((s) => s.table !== t.table));
    return [
      ...progress.map(({ table, state, rows }): SnapshotStatus => {
        const more = known.get(table),
          isOpen = state === 'running',
          isPaused = isOpen && more?.state === 'paused',
          estimate = more?.estimate ?? null;
        const etaMs = isOpen && !isPaused ? this.#pace.etaMs(table, estimate, nowMs) : null,
          shown = more?.state === 'stopped' ? more.state : isPaused ? 'paused' : state;
        return { table, state: shown, rows, estimate, etaMs, error: more?.error ?? null };
      }),
      ...unread.map(({ table, error }): SnapshotStatus => ({ table, state: 'stopped', rows: 0, estimate: null, etaMs: null, error })),
    ];
  }

  /** Of this source's log between the place and its end, as of when the source was last asked; `null`: it cannot be told. */
  bytesBehind(places: PartitionPositions): number | null {
    return bytesBehind(this.#codec, this.#lag, places);
  }

  /** Reads until aborted, ended, or a limit is reached. Throws what cannot be tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    void this.#watchLag(AbortSignal.any([signal, over.signal]));
    try {
      await this.#readAll(signal);
    } finally {
      over.abort();
    }
  }

  /** Only shown: a source that cannot be asked now is asked again. */
  async #watchLag(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#o.clock.sleep(this.#lag === null ? FIRST_LAG_MS : LAG_MS, signal);
      if (signal.aborted) return;
      try {
        this.#lag = { ...(await this.#o.source.lag()), atMs: this.#o.clock.now() };
      } catch (error) {
        this.#o.logger.debug('the source does not say how far it is behind', { error: toCdcError(error).message });
        await this.#o.clock.sleep(LAG_MS, signal);
      }
    }
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt++) {
      const readBefore = this.#read;
      try {
        await this.#readOnce(signal);
        this.#state = signal.aborted ? 'stopped' : 'ended';
        return;
      } catch (cause) {
        if (signal.aborted) {
          this.#state = 'stopped';
          return;
        }
        const error = toCdcError(cause, 'SOURCE_FAILED', { where: `source "${this.name}"` });
        if (this.#read > readBefore) attempt = 1;
        this.#state = error.retriable ? 'retrying' : 'failed';
        if (!error.retriable || (this.#o.failFast && attempt >= this.#o.retry.maxAttempts)) throw error;
        this.#o.onError(error);
        this.#o.logger.warn(`source "${this.name}" failed, reading again`, { code: error.code, error: error.message, attempt });
        await waitBeforeRetry(this.#o.retry, attempt, this.#o.random, this.#o.clock, signal);
      }
    }
  }

  async #readOnce(signal: AbortSignal): Promise<void> {
    if (this.#o.remaining() <= 0) return;
    let turnMs = this.#o.clock.now(),
      turnEnd = this.#read + MAX_TURN_EVENTS;
    for await (const batch of this.#o.source.read(this.#context(signal), signal)) {
      if (signal.aborted) return;
      await this.#take(batch, signal);
      if (this.#o.remaining() <= 0) return;
      if (this.#read < turnEnd && this.#o.clock.now() - turnMs < MAX_TURN_MS) continue;
      await this.#o.clock.sleep(0);
      turnMs = this.#o.clock.now();
      turnEnd = this.#read + MAX_TURN_EVENTS;
    }
  }

  async #take(batch: ChangeBatch, signal: AbortSignal): Promise<void> {
    const fresh = this.#upToLimit(this.#withoutRepeats(batch));
    this.#read += fresh.events.length;
    if (fresh.snapshots !== undefined) this.#pace.follow(fresh.snapshots, this.#o.clock.now());
    const last = fresh.events.at(-1);
    if (last !== undefined) {
      this.#lastEventMs = last.sourceTsMs;
      if (last.snapshot === false) this.#lagMs = Math.max(0, this.#o.clock.now() - last.sourceTsMs);
      this.#state = last.snapshot === false ? 'streaming' : 'snapshot';
    } else if (this.#state !== 'snapshot') this.#state = 'streaming';
    await this.#o.spine.ingest(fresh, signal);
  }

  /** After a reconnect whole transactions may come again. */
  #withoutRepeats(batch: ChangeBatch): ChangeBatch {
    if (!this.#checking.has(batch.partition) || batch.events.length === 0) return batch;
    const end = this.#o.spine.taken.sources[this.name]?.[batch.partition];
    if (end === undefined) return batch;
    const fresh = batch.events.filter((e) => e.snapshot !== false || !this.#codec.covers(end, e.position));
    if (fresh.length > 0) this.#checking.delete(batch.partition);
    if (fresh.length === batch.events.length) return batch;
    const resume = batch.resume !== null && this.#codec.covers(end, batch.resume) ? null : batch.resume;
    return { ...batch, events: fresh, resume, bytes: Math.ceil((batch.bytes * fresh.length) / batch.events.length) };
  }

  /** A chunk is taken whole, and so is a batch of messages, which has one receipt. */
  #upToLimit(batch: ChangeBatch): ChangeBatch {
    const limit = this.#o.remaining(),
      last = batch.events[limit - 1];
    if (batch.events.length <= limit || last === undefined || last.snapshot !== false || this.#o.source.ordering === 'queue') return batch;
    return { ...batch, events: batch.events.slice(0, limit), resume: last.position };
  }

  #context(signal: AbortSignal): ReadContext {
    const { spine, until, maxBatchEvents, maxBatchBytes } = this.#o;
    const isLog = this.#o.source.ordering === 'log';
    const firstRead = this.#read === 0 && this.#state === 'starting';
    return {
      maxBatchEvents,
      maxBatchBytes,
      until,
      // After a reconnect what was taken in says how far snapshots are; at the first read the slowest lane does.
      snapshots: firstRead ? this.#o.snapshots : spine.taken.snapshots.filter((s) => s.source === this.name),
      boundaries: this.#o.boundaries.filter(
        (b) => !spine.taken.snapshots.some((s) => s.source === b.source && s.table === b.table && s.run === b.run && s.chunk >= b.chunk),
      ),
      assign: async (partition): Promise<Position | null> => {
        const at = isLog ? (spine.taken.sources[this.name]?.[partition] ?? null) : null;
        if (at !== null) this.#checking.add(partition);
        return at;
      },
      revoke: () => spine.settled(signal),
      end: () => spine.ended(signal),
      reject: (input, at, error) => spine.reject(this.name, input, at, error),
    };
  }
}

/** Rows go out beside changes: what the last batch was does not say whether tables are missing. */
function stateWith(state: SourceStatus['state'], snapshots: readonly SnapshotStatus[]): SourceStatus['state'] {
  if (snapshots.length === 0 || (state !== 'snapshot' && state !== 'streaming')) return state;
  return snapshots.some((t) => t.state === 'running') ? 'snapshot' : 'streaming';
}
