// Waiting at the start for what is unreachable, and saying so.

import { type CdcError, toCdcError } from '../sdk/index.ts';
import { unlessAborted } from '../util/signal.ts';
import type { EngineDeps } from './api.ts';
import type { RetryConfig } from './pipeline-config.ts';
import { FailureStreak, waitBeforeRetry } from './retry.ts';

/** Asked to stop while waiting for something at the start: not a failure. */
export class StoppedEarly extends Error {}

export interface PatienceOptions {
  readonly deps: EngineDeps;
  readonly retry: RetryConfig;
  /** Throw at once instead of waiting. */
  readonly failFast: boolean;
  readonly signal: AbortSignal;
}

export class Patience {
  readonly #o: PatienceOptions;

  constructor(options: PatienceOptions) {
    this.#o = options;
  }

  /**
   * Calls until it works, or for as long as `retry` allows (without it: for ever). Throws what trying again cannot help. When asked to stop it does not
   * wait for a call that hangs: none of those made here does harm when it comes late.
   */
  async need<T>(what: string, call: () => Promise<T>, retry: RetryConfig = { ...this.#o.retry, maxElapsedMs: null }): Promise<T> {
    const { deps, failFast, signal } = this.#o,
      streak = new FailureStreak(retry);
    for (let attempt = 1; ; attempt++) {
      try {
        return await unlessAborted(call(), signal);
      } catch (cause) {
        if (signal.aborted) throw new StoppedEarly();
        const error = toCdcError(cause);
        if (!error.retriable || failFast) throw error;
        streak.failed(error, deps.clock.now());
        deps.logger.warn(`${what} cannot be reached, waiting for it`, { code: error.code, error: error.message });
        await waitBeforeRetry(retry, attempt, deps.random, deps.clock, signal);
      }
    }
  }

  /** For what others must not wait for: one try, and its error as the result. */
  async try<T>(call: () => Promise<T>): Promise<T | CdcError> {
    const { signal } = this.#o;
    try {
      return await unlessAborted(call(), signal);
    } catch (cause) {
      if (signal.aborted) throw new StoppedEarly();
      return toCdcError(cause);
    }
  }
}
