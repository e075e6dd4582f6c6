// Delivery: one load to its destination, try by try, until it is stored, parked, or the lane is asked to stop. What is sent,
// when, and in which portions is decided here; how one call goes is in destination-caller.ts.

import {
  CdcError,
  type EncodedBatch,
  type ErrorCode,
  type LaneBatch,
  type ResumePoint,
  toCdcError,
  type WriteFailure,
  type WriteResult,
} from '../sdk/index.ts';
import { BatchSize } from './batch-size.ts';
import { CircuitBreaker, PROBE_EVENTS } from './circuit-breaker.ts';
import { DestinationCaller } from './destination-caller.ts';
import { bytesOf, type Load, remaining } from './lane-load.ts';
import type { LaneOptions, LaneRecord } from './lane-options.ts';
import { Narrowing } from './narrowing.ts';
import { Parking } from './parking.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { FailureStreak, waitBeforeRetry } from './retry.ts';

/**
 * `stored`: with its point, where the destination holds it · `parked`: nothing of the load was left to write, the point has not
 * moved yet · `again`: not done, the load knows what is · `stopped`: aborted.
 */
export type Attempt = 'stored' | 'parked' | 'again' | 'stopped';

/** Permanent errors by which a destination says that the data is at fault, even if it cannot say which event. */
const OF_THE_DATA: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['DESTINATION_EVENT_REJECTED', 'DESTINATION_ROW_MISSING']);

interface Portion {
  readonly load: Load;
  /** Indices that are written now. */
  readonly indices: readonly number[];
  /** Nothing else of the load is left. */
  readonly isLast: boolean;
  readonly batch: LaneBatch;
  /** Its records, once somebody asked for them. */
  encoded: EncodedBatch | null;
}

const hasChunk = ({ stretches }: Load): boolean => stretches.some(({ batch }) => batch.whole);

export class Delivery {
  readonly #o: LaneOptions;
  readonly #record: LaneRecord;
  readonly #caller: DestinationCaller;
  readonly #streak: FailureStreak;
  readonly #breaker: CircuitBreaker;
  readonly #rate: RateLimiter;
  readonly #narrowing = new Narrowing();
  readonly #size: BatchSize;
  readonly parking: Parking;
  /** What the destination holds in place of a point of an earlier run: the same place under our epoch. */
  #rewritten: { readonly from: ResumePoint; readonly to: ResumePoint } | null = null;
  /** First try of what is being delivered. */
  #firstMs = 0;
  #tries = 0;
  readonly #stop = new AbortController();

  constructor(options: LaneOptions, record: LaneRecord) {
    const { config, clock, logger } = options,
      { batch, delivery, name } = config;
    this.#o = options;
    this.#record = record;
    this.#caller = new DestinationCaller(options);
    this.#streak = new FailureStreak(delivery.retry);
    this.#rate = options.rate;
    this.#size = new BatchSize(batch.maxEvents, delivery.adaptive);
    this.#breaker = new CircuitBreaker({
      config: delivery.circuitBreaker,
      clock,
      onChange: (state, error) =>
        logger[state === 'open' ? 'warn' : 'info'](`circuit breaker of destination "${name}": ${state.replace('_', ' ')}`, {
          ...(error === null ? {} : { code: error.code, error: error.message }),
        }),
    });
    this.parking = new Parking({
      ...options,
      lane: name,
      parkedKeys: delivery.parkedKeys,
      retry: delivery.retry,
      onParked: (count, first) => {
        record.parked += count;
        record.lastError = first;
        options.onError(first);
      },
    });
  }

  get breaker(): CircuitBreaker['state'] {
    return this.#breaker.state;
  }

  /** Events of a batch at most. */
  get batchEvents(): number {
    const { rateLimit } = this.#o.config.delivery;
    return Math.min(this.#size.events, rateLimit === null || rateLimit.eventsPerSecond === null ? Infinity : rateLimit.burst);
  }

  /** Events of one write at most, as things stand. */
  get limit(): number {
    const probe = this.#breaker.state === 'half_open' ? PROBE_EVENTS : Infinity;
    return Math.min(probe, this.#narrowing.limit);
  }

  /** The pipeline is stopping: nothing is waited for that is known to be away. */
  stop(): void {
    this.#stop.abort();
  }

  /** Resolves once a try may be made. `false`: asked to stop while nothing may be sent. */
  async ready(signal: AbortSignal): Promise<boolean> {
    if (this.#breaker.state === 'open') await this.#breaker.wait(AbortSignal.any([signal, this.#stop.signal]));
    return !signal.aborted && this.#breaker.state !== 'open';
  }

  /** One try of what is left of the load. Throws what cannot be tried again. */
  async attempt(load: Load, through: ResumePoint, previous: ResumePoint, signal: AbortSignal): Promise<Attempt> {
    await this.parking.parkBehind(load, signal);
    if (signal.aborted) return 'stopped';
    const left = remaining(load);
    if (left.length === 0 && load.events.length > 0) {
      this.#confirmed(load);
      return 'parked';
    }
    const portion = this.#portion(load, left, through, previous);
    const { indices } = portion;
    const bytes = (bytesOf(load) * indices.length) / Math.max(1, load.events.length);
    if (indices.length > 0 && !(await this.#rate.take(indices.length, bytes, signal))) return 'stopped';
    if (this.#tries++ === 0) this.#firstMs = this.#o.clock.now();
    const outcome = await this.#write(portion, signal);
    if (outcome instanceof CdcError) return signal.aborted ? 'stopped' : this.#failed(portion, outcome, signal);
    this.#answered();
    return this.#result(portion, previous, outcome, signal);
  }

  /**
   * A load that may not be cut (a snapshot chunk) is written in portions all the same while a refused event is looked for, with
   * everything else in `skip`. The point moves with the last one only, so that a crash repeats the others: not allowed where
   * that would double something at a destination that promises it does not; rows of a snapshot may come again.
   */
  #portion(load: Load, left: readonly number[], through: ResumePoint, previous: ResumePoint): Portion {
    const { holdsPoint, idempotent, epoch } = this.#o;
    const limit = holdsPoint && !(idempotent && hasChunk(load)) ? Infinity : this.#narrowing.limit;
    const indices = left.length > limit ? left.slice(0, limit) : left,
      isLast = indices.length === left.length;
    const skip = isLast ? load.skip : new Set([...load.skip, ...left.slice(indices.length)]);
    const encoded = (): EncodedBatch => {
      if (this.#o.encoder === null) throw this.#caller.contractError('asked for bytes, but declares that it reads rows');
      portion.encoded ??= this.#o.encoder.encode(load.events, load.pieces);
      return portion.encoded;
    };
    const { encoder } = this.#o;
    const batch: LaneBatch = {
      events: load.events,
      skip,
      ...(encoder === null ? {} : { envelope: encoder.description }),
      through: isLast || !holdsPoint ? through : { ...previous, epoch },
      previous: this.#rewritten?.from === previous ? this.#rewritten.to : previous,
      worker: this.#o.worker?.index ?? 0,
      encoded,
    };
    const portion: Portion = { load, indices, isLast, batch, encoded: null };
    return portion;
  }

  /** The result, or the error. */
  async #write(portion: Portion, signal: AbortSignal): Promise<WriteResult | CdcError> {
    const startMs = this.#o.clock.now(),
      { batch, indices } = portion;
    try {
      const result = await this.#caller.write(batch, signal);
      if (result.kind === 'stored') {
        this.#size.stored(indices.length, this.#o.clock.now() - startMs);
        // Only of a write that has ended: one that was given up may still be sending them.
        if (portion.encoded !== null) this.#o.encoder?.release(portion.encoded);
        portion.encoded = null;
      }
      return result;
    } catch (cause) {
      const error = cause as CdcError;
      if (error.code === 'DESTINATION_OUTCOME_UNKNOWN') return this.#settle(batch, error, signal);
      return error;
    }
  }

  async #settle(batch: LaneBatch, error: CdcError, signal: AbortSignal): Promise<WriteResult | CdcError> {
    while (!signal.aborted) {
      try {
        return (await this.#caller.hasStored(batch, signal)) ? { kind: 'stored' } : error;
      } catch (cause) {
        const failure = toCdcError(cause);
        if (signal.aborted) break;
        if (!failure.retriable) return failure;
        await this.#retryLater(failure, signal);
      }
    }
    return error;
  }

  async #failed(portion: Portion, error: CdcError, signal: AbortSignal): Promise<Attempt> {
    if (error.retriable || error.code === 'DESTINATION_OUTCOME_UNKNOWN') {
      this.#breaker.failed(error);
      await this.#retryLater(error, signal);
      return signal.aborted ? 'stopped' : 'again';
    }
    const { indices, load } = portion;
    if (!OF_THE_DATA.has(error.code) || indices.length === 0) throw error;
    this.#answered();
    const [only] = indices;
    if (indices.length === 1 && only !== undefined) {
      await this.#park(load, [{ index: only, error }], signal);
      return signal.aborted ? 'stopped' : 'again';
    }
    if (this.#narrowing.limit >= indices.length) {
      this.#narrowing.refused(indices.length);
      return 'again';
    }
    // Smaller than this it cannot get. Events of one position were one event at the source: they go together.
    if (hasChunk(load)) throw error;
    const group = indices.map((index) => ({ index, error }));
    await this.#park(load, group, signal);
    return signal.aborted ? 'stopped' : 'again';
  }

  async #result(portion: Portion, previous: ResumePoint, outcome: WriteResult, signal: AbortSignal): Promise<Attempt> {
    const { load, indices, isLast } = portion;
    if (outcome.kind === 'stored') {
      this.#record.discarded += outcome.discarded ?? 0;
      this.#narrowing.stored(indices.length);
      if (!isLast) {
        for (const i of indices) load.skip.add(i);
        this.#rewritten = { from: previous, to: portion.batch.through };
        return 'again';
      }
      this.#confirmed(load);
      await this.parking.stored(signal);
      return 'stored';
    }
    if (outcome.failed.length === 0 && outcome.kind === 'refused')
      throw this.#caller.contractError('refused a batch without naming an event');
    // Two steps: the dead letters are durable first, then the rest is stored with the point (invariant 3).
    await this.#park(load, outcome.failed, signal);
    if (signal.aborted) return 'stopped';
    if (outcome.kind === 'partial') for (const i of outcome.written) load.skip.add(i);
    return 'again';
  }

  async #park(load: Load, failed: readonly WriteFailure[], signal: AbortSignal): Promise<void> {
    await this.parking.parkIn(load, failed, { attempts: this.#tries, firstMs: this.#firstMs }, signal);
  }

  #answered(): void {
    this.#streak.succeeded();
    this.#breaker.succeeded();
    if (this.#record.state === 'retrying') this.#record.state = 'running';
  }

  #confirmed({ events, parked }: Load): void {
    this.#tries = 0;
    const last = events.at(-1);
    if (last === undefined) return;
    this.#record.delivered += events.length - parked.size;
    this.#record.lagMs = Math.max(0, this.#o.clock.now() - last.sourceTsMs);
  }

  async #retryLater(error: CdcError, signal: AbortSignal): Promise<void> {
    const { config, clock, random, logger, failFast, isWaitedFor, onError } = this.#o,
      { retry } = config.delivery;
    this.#record.lastError = error;
    this.#record.state = 'retrying';
    onError(error);
    this.#streak.failed(error, clock.now());
    const { attempts } = this.#streak;
    if (failFast && attempts >= retry.maxAttempts) throw error;
    // What may be left out must not keep a run open for ever; with `max_elapsed` it was said how long it may.
    if (retry.maxElapsedMs === null && attempts >= retry.maxAttempts && isWaitedFor()) throw leftOut(error, attempts);
    if (this.#breaker.state === 'open') return; // its own wait comes next
    if (attempts === 1 || attempts % 10 === 0)
      logger.warn(`destination "${config.name}" failed, trying again`, { code: error.code, error: error.message, attempt: attempts });
    await waitBeforeRetry(retry, attempts, random, clock, signal);
  }
}

function leftOut(error: CdcError, attempts: number): CdcError {
  const message = `${error.message}; given up after ${attempts} tries, as all others are done`;
  return new CdcError(error.code, message, {
    ...(error.where === null ? {} : { where: error.where }),
    fix: error.fix ?? 'Mend the destination.',
    cause: error,
  });
}
