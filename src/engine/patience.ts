// Waiting at the start for what is unreachable, and saying so.

import { type CdcError, toCdcError } from '../sdk/index.ts';
import type { EngineDeps } from './api.ts';
import type { RetryConfig } from './pipeline-config.ts';
import { waitBeforeRetry } from './retry.ts';

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

  /** Calls until it works. Throws what trying again cannot help. */
  async need<T>(what: string, call: () => Promise<T>): Promise<T> {
    const { deps, retry, failFast, signal } = this.#o;
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (cause) {
        const error = toCdcError(cause);
        if (!error.retriable) throw error;
        if (signal.aborted) throw new StoppedEarly();
        if (failFast) throw error;
        deps.logger.warn(`${what} cannot be reached, waiting for it`, { code: error.code, error: error.message });
        await waitBeforeRetry(retry, attempt, deps.random, deps.clock, signal);
      }
    }
  }

  /** For what others must not wait for: one try, and its error as the result. */
  async try<T>(call: () => Promise<T>): Promise<T | CdcError> {
    try {
      return await call();
    } catch (cause) {
      return toCdcError(cause);
    }
  }
}
