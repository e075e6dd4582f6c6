// Parking: what a lane can never deliver becomes a dead letter, durable before anything that follows it moves the point
// (invariant 3), and what must wait behind it does, too.

import { CdcError, type ChangeEvent, type Clock, type Logger, type Random, toCdcError } from '../sdk/index.ts';
import { unlessAborted } from '../util/signal.ts';
import type { DeadLetter, DeadLetterQueue } from './api.ts';
import type { Load } from './lane-load.ts';
import { isWholeRow, type ParkedKeys } from './parked-keys.ts';
import type { DeliveryConfig, RetryConfig } from './pipeline-config.ts';
import type { Codecs } from './places.ts';
import { waitBeforeRetry } from './retry.ts';

/** An event of a lane that goes to the dead letter queue. */
export interface Refused {
  readonly event: ChangeEvent;
  readonly error: CdcError;
  /** Columns that must not be in the letter in clear. */
  readonly sensitive?: readonly string[];
}

export interface ParkingOptions {
  readonly pipeline: string;
  readonly lane: string;
  readonly parkedKeys: DeliveryConfig['parkedKeys'];
  readonly deadLetters: DeadLetterQueue;
  readonly keys: ParkedKeys;
  readonly codecs: Codecs;
  readonly retry: RetryConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  onParked(count: number, first: CdcError): void;
}

export class Parking {
  readonly #o: ParkingOptions;
  readonly #keys: ParkedKeys;

  constructor(options: ParkingOptions) {
    this.#o = options;
    this.#keys = options.keys;
  }

  /** How many keys wait. */
  get keys(): number {
    return this.#keys.size;
  }

  load(signal: AbortSignal): Promise<void> {
    return this.#patiently(() => this.#keys.load(), 'the parked keys cannot be read', signal);
  }

  /** What a step of the lane refused: nothing of it is in the batch any more. */
  async park(refused: readonly Refused[], stage: 'write' | 'lane_transform', component: string, signal: AbortSignal): Promise<void> {
    await this.#put(refused, stage, component, { attempts: 1, firstMs: this.#o.clock.now() }, signal);
    if (signal.aborted) return;
    for (const { event } of refused) this.#keys.park(event);
    await this.#saveKeys(signal);
  }

  /** Events of the load that the destination refused. On abort the load is as before. */
  async parkIn(
    load: Load,
    failed: readonly { readonly index: number; readonly error: CdcError }[],
    tries: { readonly attempts: number; readonly firstMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const refused = failed.map(({ index, error }) => ({ event: eventAt(load, index), error }));
    await this.#put(refused, 'write', this.#o.lane, tries, signal);
    if (signal.aborted) return;
    for (const { event } of refused) {
      if (event.op === 't') this.#keys.restoreTable(event, this);
      this.#keys.park(event);
    }
    await this.#saveKeys(signal);
    if (!signal.aborted) done(load, failed);
  }

  /** Their keys are parked already, or have been let go again by a truncate behind them. */
  async #putBehind(
    load: Load,
    waiting: readonly { readonly index: number; readonly error: CdcError }[],
    signal: AbortSignal,
  ): Promise<void> {
    const refused = waiting.map(({ index, error }) => ({ event: eventAt(load, index), error }));
    await this.#put(refused, 'write', this.#o.lane, { attempts: 0, firstMs: this.#o.clock.now() }, signal);
    if (signal.aborted) return;
    await this.#saveKeys(signal);
    if (!signal.aborted) done(load, waiting);
  }

  /** Events of the load that wait behind a parked one of their key: they are parked with it. */
  async parkBehind(load: Load, signal: AbortSignal): Promise<void> {
    if (this.#keys.size === 0) return;
    const failed: { index: number; error: CdcError }[] = [],
      known: { index: number }[] = [];
    for (const [index, event] of load.events.entries()) {
      if (load.skip.has(index)) continue;
      if (event.op === 't') this.#keys.releaseTable(event, this);
      const parked = this.#keys.blocking(event);
      if (parked === null) continue;
      if (this.#o.parkedKeys === 'pass' && isWholeRow(event)) {
        // Refused itself it is parked itself. Until it is stored the key stays parked in the store.
        this.#keys.release(event, this);
        continue;
      }
      if (load.parkedLater.has(parked.id) || load.events.findIndex((e) => e.id === parked.id) > index) continue;
      // The parked event itself, again after a crash: its letter is there.
      if (parked.id === event.id) known.push({ index });
      else failed.push({ index, error: behind(parked.id, this.#o.lane) });
      // A change of key takes its other key along.
      this.#keys.park(event, parked);
    }
    done(load, known);
    if (failed.length > 0) await this.#putBehind(load, failed, signal);
  }

  /** A load is stored: what it has released is no longer parked after a restart. */
  async stored(signal: AbortSignal): Promise<void> {
    this.#keys.settle(this);
    await this.#saveKeys(signal);
  }

  #saveKeys(signal: AbortSignal): Promise<void> {
    return this.#patiently(() => this.#keys.save(), 'the parked keys cannot be saved', signal);
  }

  async #put(
    refused: readonly Refused[],
    stage: 'write' | 'lane_transform',
    component: string,
    { attempts, firstMs }: { readonly attempts: number; readonly firstMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const [first] = refused,
      { pipeline, lane, codecs, clock, logger } = this.#o;
    if (first === undefined) return;
    const lastMs = clock.now();
    const letters = refused.map(
      ({ event, error, sensitive }): DeadLetter => ({
        ...(sensitive === undefined || sensitive.length === 0 ? {} : { sensitive }),
        id: `${pipeline}/${lane}/${event.id}`,
        pipeline,
        lane,
        stage,
        component,
        error,
        attempts,
        firstMs,
        lastMs,
        event,
        input: null,
        at: codecs[event.source]?.describe(event.position) ?? event.position,
      }),
    );
    await putDeadLetters(this.#o, letters, signal);
    if (signal.aborted) return;
    this.#o.onParked(letters.length, first.error);
    logger.warn(`${letters.length} event(s) for "${lane}" went to the dead letter queue`, {
      code: first.error.code,
      error: first.error.message,
      first: letters[0]?.at,
    });
  }

  async #patiently(work: () => Promise<void>, what: string, signal: AbortSignal): Promise<void> {
    const { retry, random, clock, logger } = this.#o;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await work();
        return;
      } catch (cause) {
        const error = toCdcError(cause);
        if (!error.retriable) throw error;
        logger.error(`${what}, trying again`, { code: error.code, error: error.message });
        await waitBeforeRetry(retry, attempt, random, clock, signal);
      }
    }
  }
}

function done(load: Load, failed: readonly { readonly index: number }[]): void {
  for (const { index } of failed) {
    load.skip.add(index);
    load.parked.add(index);
  }
}

function eventAt({ events }: Load, index: number): ChangeEvent {
  const event = events[index];
  if (event !== undefined) return event;
  throw new CdcError('PLUGIN_CONTRACT', `a destination named event ${index} of a batch of ${events.length}`, {
    fix: "Report this to the adapter's author.",
  });
}

function behind(id: string, lane: string): CdcError {
  return new CdcError('DLQ_KEY_PARKED', `behind ${id}`, {
    where: `destination "${lane}"`,
    fix: 'Send the dead letters of the key again, in their order.',
  });
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
      // One that hangs must not keep the process. A letter that comes late does no harm: the next run puts it again, by its id.
      await unlessAborted(o.deadLetters.put(letters), signal);
      return;
    } catch (cause) {
      if (signal.aborted) return;
      const error = toCdcError(cause, 'DLQ_UNAVAILABLE');
      if (!error.retriable) throw error;
      o.logger.error('the dead letter queue cannot be written, trying again', { code: error.code, error: error.message });
      await waitBeforeRetry(o.retry, attempt, o.random, o.clock, signal);
    }
  }
}
