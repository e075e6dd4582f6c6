// One call of a destination: through the middleware, bounded in time, and with an answer also where the reply was lost.

import {
  CdcError,
  type Committed,
  formatPoint,
  type LaneBatch,
  type Middleware,
  type ResumePoint,
  toCdcError,
  type WriteResult,
} from '../sdk/index.ts';
import { unlessAborted } from '../util/signal.ts';
import { aroundNext, withTimeout } from './guard.ts';
import type { LaneOptions } from './lane-options.ts';
import { boundedWrite } from './write-guard.ts';

/** A point is one row: a destination that needs longer to read it back does not answer. */
const READ_TIMEOUT_MS = 60_000;

export class DestinationCaller {
  readonly #o: LaneOptions;

  constructor(options: LaneOptions) {
    this.#o = options;
  }

  get where(): string {
    return `destination "${this.#o.config.name}"`;
  }

  /** Throws a `CdcError`. */
  async write(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    try {
      if (!this.#o.holdsPoint) this.#o.assertLease();
      return await this.#throughMiddleware(batch, signal);
    } catch (cause) {
      throw toCdcError(cause, 'DESTINATION_FAILED', { where: this.where });
    }
  }

  /** The first middleware is the outermost. */
  #throughMiddleware(batch: LaneBatch, signal: AbortSignal): Promise<WriteResult> {
    const { clock, destination, middleware, config } = this.#o;
    const bounds = { clock, name: config.name, timeoutMs: config.delivery.writeTimeoutMs };
    let next = (): Promise<WriteResult> => boundedWrite(bounds, signal, (inner) => destination.write(batch, inner));
    for (const { name, timeoutMs, middleware: one } of [...middleware].reverse()) {
      if (one.aroundWrite === undefined) continue;
      const around = one.aroundWrite.bind(one) as NonNullable<Middleware['aroundWrite']>,
        inner = next;
      next = () => aroundNext(clock, name, timeoutMs, (n) => around(config.name, batch, n), inner);
    }
    return next();
  }

  /**
   * Did a commit whose reply was lost take place? Read back, since writing again blindly could double it. `null`: it cannot be
   * told, and a repeat does no harm that the guarantee excludes.
   */
  async hasStored({ through, previous, worker }: LaneBatch, signal: AbortSignal): Promise<boolean | null> {
    if (!this.#o.holdsPoint || formatPoint(through) === formatPoint(previous)) return null;
    const found = await this.#committed(signal);
    const point: ResumePoint | undefined = found.kind === 'points' ? found.points[worker] : undefined,
      text = point === undefined ? null : formatPoint(point);
    const isThrough = text === formatPoint(through);
    if (found.kind === 'untracked' || found.epoch !== this.#o.epoch || (!isThrough && text !== formatPoint(previous))) throw this.#fenced();
    return isThrough;
  }

  async #committed(signal: AbortSignal): Promise<Committed> {
    const { clock, config, destination, pipeline } = this.#o;
    try {
      const reading = destination.committed({ pipeline, lane: config.name });
      return await withTimeout(clock, config.name, READ_TIMEOUT_MS, unlessAborted(reading, signal));
    } catch (cause) {
      if (!(cause instanceof CdcError) || cause.code !== 'PLUGIN_TIMEOUT')
        throw toCdcError(cause, 'DESTINATION_FAILED', { where: this.where });
      throw new CdcError('DESTINATION_UNREACHABLE', `${this.where} did not answer within ${READ_TIMEOUT_MS / 1000} s`, {
        where: this.where,
        fix: 'Find out what the destination waits for.',
        retriable: true,
        cause,
      });
    }
  }

  #fenced(): CdcError {
    return new CdcError('DESTINATION_FENCED', `${this.where} holds a point of another run`, {
      where: this.where,
      fix: 'Find the other process that runs this pipeline with the same destination, and stop one.',
    });
  }

  contractError(what: string): CdcError {
    return new CdcError('PLUGIN_CONTRACT', `${this.where} ${what}`, { where: this.where, fix: "Report this to the adapter's author." });
  }
}
