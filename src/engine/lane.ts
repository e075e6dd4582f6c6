// A lane: a destination's own way through the change log. It collects a batch, writes it with retries, parks what can never
// be stored, and remembers what is confirmed. Nothing here decides about the source.

import type { ChangeLog, LogReader } from '../log/change-log.ts';
import {
  CdcError,
  type Clock,
  type Destination,
  formatPoint,
  type LaneBatch,
  type Logger,
  type Middleware,
  type Random,
  type ResumePoint,
  toCdcError,
  type WriteFailure,
  type WriteResult,
} from '../sdk/index.ts';
import { Notifier } from '../util/signal.ts';
import type { DeadLetter, DeadLetterQueue, LaneStatus } from './api.ts';
import { Batcher, type Collected } from './batcher.ts';
import type { SharedEncoder } from './encoding.ts';
import { aroundNext } from './guard.ts';
import type { DestinationConfig, RetryConfig } from './pipeline-config.ts';
import type { Codecs } from './places.ts';
import type { LogEntry } from './resume.ts';
import { waitBeforeRetry } from './retry.ts';

export interface NamedMiddleware {
  readonly name: string;
  readonly timeoutMs: number;
  readonly middleware: Middleware;
}

export interface LaneOptions {
  readonly pipeline: string;
  readonly config: DestinationConfig;
  readonly destination: Destination;
  readonly holdsPoint: boolean;
  readonly epoch: number;
  readonly log: ChangeLog;
  readonly codecs: Codecs;
  readonly queues: ReadonlySet<string>;
  /** The lane's point when it was opened: what its destination, or else state, holds. */
  readonly point: ResumePoint;
  /** Where it enters the log. */
  readonly entry: LogEntry;
  /** `null`: the destination reads the events themselves. */
  readonly encoder: SharedEncoder | null;
  readonly middleware: readonly NamedMiddleware[];
  readonly retry: RetryConfig;
  readonly failFast: boolean;
  readonly deadLetters: DeadLetterQueue;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Throws `STATE_FENCED` once this process may no longer write to destinations that cannot fence it. */
  assertLease(): void;
  /** Something was confirmed or released. */
  onProgress(): void;
  onError(error: CdcError): void;
}

export class Lane {
  readonly name: string;
  readonly required: boolean;
  readonly #o: LaneOptions;
  readonly #batcher: Batcher;
  readonly #reader: LogReader;
  readonly #wake = new Notifier();
  /** Stop once the log's end is reached. */
  #draining = false;
  /** Stop after what is under way. */
  #finishing = false;
  #progressDue = false;
  #linger: AbortController | null = null;
  #nextSeq: number;
  /** Processed up to here; what the destination holds may be less, by empty batches only. */
  #done: { seq: number; point: ResumePoint };
  /** What would be found after a crash. */
  #durable: { seq: number; point: ResumePoint };
  #state: LaneStatus['state'] = 'starting';
  #delivered = 0;
  #parked = 0;
  #lagMs: number | null = null;
  #lastError: CdcError | null = null;

  constructor(options: LaneOptions) {
    this.#o = options;
    this.name = options.config.name;
    this.required = options.config.required;
    const { log, codecs, queues, config, point, entry } = options;
    this.#batcher = new Batcher({
      log,
      codecs,
      queues,
      maxEvents: config.batch.maxEvents,
      maxBytes: config.batch.maxBytes,
      own: point,
      start: entry.place,
      slot: null,
    });
    this.#reader = log.reader(entry.seq);
    this.#nextSeq = entry.seq + 1;
    this.#done = this.#durable = { seq: entry.seq, point };
  }

  get doneSeq(): number {
    return this.#done.seq;
  }
  /** The point that is durable: at the destination if it holds points, else confirmed by it. */
  get durablePoint(): ResumePoint {
    return this.#durable.point;
  }
  get releasedSeq(): number {
    return this.#reader.releasedSeq;
  }
  get delivered(): number {
    return this.#delivered;
  }
  get parked(): number {
    return this.#parked;
  }

  status(): LaneStatus {
    return {
      name: this.name,
      type: this.#o.config.type,
      required: this.required,
      state: this.#state,
      delivered: this.#delivered,
      deadLetters: this.#parked,
      queued: this.#o.log.lastSeq - this.#done.seq,
      lagMs: this.#lagMs,
      point: this.#durable.point,
      lastError: this.#lastError,
    };
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#linger !== null && this.#waiting() >= this.#o.config.batch.maxEvents) this.#linger.abort();
    this.#wake.notify();
  }

  /** Write a moved point soon, even if no event comes. */
  requestProgress(): void {
    if (this.#done.seq === this.#durable.seq) return;
    this.#progressDue = true;
    this.#wake.notify();
  }

  /** Deliver what is in the log, then end. */
  finish(): void {
    this.#finishing = true;
    this.#linger?.abort();
    this.#wake.notify();
  }
  drain(): void {
    this.#draining = true;
    this.#linger?.abort();
    this.#wake.notify();
  }

  /** The log may forget what only this lane still needed. */
  release(): void {
    this.#reader.close();
  }

  /** Runs until drained or aborted. Throws what cannot be tried again. */
  async run(signal: AbortSignal): Promise<void> {
    this.#state = 'running';
    signal.addEventListener('abort', () => this.#linger?.abort(), { once: true });
    try {
      while (!signal.aborted && !this.#finishing) {
        await this.#gather();
        const batch = await this.#batcher.collect(this.#nextSeq);
        if (batch !== null) await this.#process(batch, signal);
        else if (this.#waiting() > 0)
          continue; // it came while the batch was looked for
        else if (this.#progressDue || (this.#draining && this.#done.seq !== this.#durable.seq)) await this.#writeProgress(signal);
        else if (this.#draining) break;
        else await this.#wake.wait(signal);
      }
      if (this.#finishing && !signal.aborted) await this.#writeProgress(signal);
      this.#state = 'stopped';
    } catch (error) {
      this.#state = 'failed';
      this.#lastError = toCdcError(error);
      throw error;
    }
  }

  #waiting(): number {
    return this.#o.log.readableSeq + 1 - this.#nextSeq;
  }

  /** With a batch timeout: wait for a full batch, but not longer than that after its first event. */
  async #gather(): Promise<void> {
    const { timeoutMs, maxEvents } = this.#o.config.batch;
    if (timeoutMs === 0 || this.#draining || this.#waiting() <= 0 || this.#waiting() >= maxEvents) return;
    this.#linger = new AbortController();
    await this.#o.clock.sleep(timeoutMs, this.#linger.signal);
    this.#linger = null;
  }

  async #process(batch: Collected, signal: AbortSignal): Promise<void> {
    const through = this.#pointAt(batch);
    if (batch.events.length > 0) {
      if (!(await this.#deliver(batch, through, signal))) return;
      this.#durable = { seq: batch.lastSeq, point: through };
    } else if (!this.#o.holdsPoint) {
      this.#durable = { seq: batch.lastSeq, point: through };
    }
    this.#done = { seq: batch.lastSeq, point: through };
    this.#nextSeq = batch.lastSeq + 1;
    this.#reader.release(batch.lastSeq);
    this.#o.onProgress();
  }

  /** Nothing but the point: filtered and idle lanes move too (invariant 2). */
  async #writeProgress(signal: AbortSignal): Promise<void> {
    this.#progressDue = false;
    const { seq, point } = this.#done;
    if (seq === this.#durable.seq) return;
    if (!(await this.#deliver({ events: [], pieces: [], lastSeq: seq, place: point, isBarrier: false }, point, signal))) return;
    this.#durable = { seq, point };
    this.#o.onProgress();
  }

  #pointAt(batch: Collected): ResumePoint {
    return { epoch: this.#o.epoch, log: { id: this.#o.log.id, seq: batch.lastSeq }, ...batch.place };
  }

  // ---- writing ---------------------------------------------------------------------------------------------------------

  /** Writes until stored. `false`: asked to stop before it was. */
  async #deliver(batch: Collected, through: ResumePoint, signal: AbortSignal): Promise<boolean> {
    const skip = new Set<number>();
    const { encoder } = this.#o;
    const laneBatch: LaneBatch = {
      events: batch.events,
      skip,
      through,
      previous: this.#durable.point,
      worker: 0,
      encoded: () => {
        if (encoder === null) throw this.#contractError('asked for bytes, but declares that it reads rows');
        return encoder.encode(batch.events, batch.pieces);
      },
    };
    let attempt = 0,
      parked = 0;
    const firstMs = this.#o.clock.now();
    while (!signal.aborted) {
      const outcome = await this.#try(laneBatch, signal);
      if (outcome instanceof CdcError) {
        if (signal.aborted) return false;
        attempt++;
        await this.#retryLater(outcome, attempt, signal);
        continue;
      }
      if (outcome.kind === 'stored') {
        this.#confirmed(batch, parked);
        return true;
      }
      // Two steps: the dead letters are durable first, then the rest is stored with the point (invariant 3).
      await this.#park(batch, outcome.failed, attempt + 1, firstMs, signal);
      if (signal.aborted) return false;
      for (const { index } of outcome.failed) skip.add(index);
      parked += outcome.failed.length;
      if (outcome.kind === 'partial') {
        for (const index of outcome.written) skip.add(index);
        if (skip.size >= batch.events.length && !this.#o.holdsPoint) {
          this.#confirmed(batch, parked);
          return true;
        }
      }
      if (outcome.failed.length === 0 && outcome.kind === 'refused') throw this.#contractError('refused a batch without naming an event');
    }
    return false;
  }

  /** One try: the result, or the retriable error. Everything else is thrown. */
  async #try(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult | CdcError> {
    try {
      if (!this.#o.holdsPoint) this.#o.assertLease();
      const result = await this.#write(batch, signal);
      this.#state = this.#state === 'retrying' ? 'running' : this.#state;
      return result;
    } catch (cause) {
      const error = toCdcError(cause, 'DESTINATION_FAILED', { where: `destination "${this.name}"` });
      if (error.code === 'DESTINATION_OUTCOME_UNKNOWN') return this.#settle(batch, error, signal);
      if (!error.retriable) throw error;
      return error;
    }
  }

  /** Wrapped in the middleware, the first one outermost. */
  #write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    let next = (): Promise<WriteResult> => this.#o.destination.write(batch, signal);
    for (const { name, timeoutMs, middleware } of [...this.#o.middleware].reverse()) {
      if (middleware.aroundWrite === undefined) continue;
      const inner = next;
      next = () =>
        aroundNext(
          this.#o.clock,
          name,
          timeoutMs,
          (n) => (middleware.aroundWrite as NonNullable<Middleware['aroundWrite']>)(this.name, batch, n),
          inner,
        );
    }
    return next();
  }

  /** Whether a commit whose reply was lost took place is read back: writing again blindly could double it. */
  async #settle(batch: LaneBatch, error: CdcError, signal: AbortSignal): Promise<WriteResult | CdcError> {
    if (!this.#o.holdsPoint) return error;
    const through = formatPoint(batch.through),
      previous = formatPoint(batch.previous);
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const found = await this.#o.destination.committed({ pipeline: this.#o.pipeline, lane: this.name });
        const point = found.kind === 'points' ? found.points[batch.worker] : undefined;
        const text = point === undefined ? null : formatPoint(point);
        if (found.kind === 'untracked' || found.epoch !== this.#o.epoch || (text !== through && text !== previous))
          throw this.#fencedError();
        return text === through ? { kind: 'stored' } : error;
      } catch (cause) {
        const failure = toCdcError(cause, 'DESTINATION_FAILED', { where: `destination "${this.name}"` });
        if (!failure.retriable) throw failure;
        await this.#retryLater(failure, attempt, signal);
      }
    }
    return error;
  }

  async #retryLater(error: CdcError, attempt: number, signal: AbortSignal): Promise<void> {
    this.#lastError = error;
    this.#state = 'retrying';
    this.#o.onError(error);
    if (this.#o.failFast && attempt >= this.#o.retry.maxAttempts) throw error;
    if (attempt === 1 || attempt % 10 === 0)
      this.#o.logger.warn(`destination "${this.name}" failed, trying again`, { code: error.code, error: error.message, attempt });
    await waitBeforeRetry(this.#o.retry, attempt, this.#o.random, this.#o.clock, signal);
  }

  #confirmed(batch: Collected, parked: number): void {
    const last = batch.events.at(-1);
    if (last === undefined) return;
    if (this.#state === 'retrying') this.#state = 'running';
    this.#delivered += batch.events.length - parked;
    this.#lagMs = Math.max(0, this.#o.clock.now() - last.sourceTsMs);
  }

  async #park(batch: Collected, failed: readonly WriteFailure[], attempts: number, firstMs: number, signal: AbortSignal): Promise<void> {
    if (failed.length === 0) return;
    const lastMs = this.#o.clock.now();
    const letters = failed.map(({ index, error }): DeadLetter => {
      const event = batch.events[index];
      if (event === undefined) throw this.#contractError(`named event ${index} of a batch of ${batch.events.length}`);
      return {
        id: `${this.#o.pipeline}/${this.name}/${event.id}`,
        pipeline: this.#o.pipeline,
        lane: this.name,
        stage: 'write',
        component: this.name,
        error,
        attempts,
        firstMs,
        lastMs,
        event,
        input: null,
        at: this.#o.codecs[event.source]?.describe(event.position) ?? event.position,
      };
    });
    await putDeadLetters(this.#o, letters, signal);
    if (signal.aborted) return;
    this.#parked += letters.length;
    const first = letters[0] as DeadLetter;
    this.#lastError = first.error;
    this.#o.onError(first.error);
    this.#o.logger.warn(`${letters.length} event(s) for "${this.name}" went to the dead letter queue`, {
      code: first.error.code,
      error: first.error.message,
      first: first.at,
    });
  }

  #fencedError(): CdcError {
    return new CdcError('DESTINATION_FENCED', `destination "${this.name}" holds a point of another run`, {
      where: `destination "${this.name}"`,
      fix: 'Find the other process that runs this pipeline with the same destination, and stop one.',
    });
  }

  #contractError(what: string): CdcError {
    return new CdcError('PLUGIN_CONTRACT', `destination "${this.name}" ${what}`, {
      where: `destination "${this.name}"`,
      fix: "Report this to the adapter's author.",
    });
  }
}

/** Parks letters; tries again while that can help, since an event that cannot be parked must not be dropped (invariant 3). */
export async function putDeadLetters(
  o: {
    readonly deadLetters: DeadLetterQueue;
    readonly retry: RetryConfig;
    readonly random: Random;
    readonly clock: Clock;
    readonly logger: Logger;
  },
  letters: readonly DeadLetter[],
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await o.deadLetters.put(letters);
      return;
    } catch (cause) {
      const error = toCdcError(cause, 'DLQ_UNAVAILABLE');
      if (!error.retriable) throw error;
      o.logger.error('the dead letter queue cannot be written, trying again', { code: error.code, error: error.message });
      await waitBeforeRetry(o.retry, attempt, o.random, o.clock, signal);
    }
  }
}
