// How long to wait before the next try, and when to stop trying. Retrying happens in the engine only; adapters say whether it
// can help.

import { CdcError, type Clock, type Random } from '../sdk/index.ts';
import type { RetryConfig } from './pipeline-config.ts';

/** 1, 2, 4, 8 s … up to the maximum; `jitter` takes off a random part so that many lanes do not return at once. `attempt` starts at 1. */
export function retryDelayMs(config: RetryConfig, attempt: number, random: Random): number {
  const factor = config.backoff === 'exponential' ? 2 ** Math.min(attempt - 1, 30) : 1;
  const delay = Math.min(config.initialDelayMs * factor, config.maxDelayMs);
  return Math.round(delay * (1 - config.jitter * random()));
}

export async function waitBeforeRetry(
  config: RetryConfig,
  attempt: number,
  random: Random,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await clock.sleep(retryDelayMs(config, attempt, random), signal);
}

/** Failures in a row of something that is tried again: how many, and for how long. */
export class FailureStreak {
  readonly #config: RetryConfig;
  #attempts = 0;
  #sinceMs = 0;

  constructor(config: RetryConfig) {
    this.#config = config;
  }

  /** Failed tries since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Counts a failure. Throws it for good once `max_elapsed` has passed since the first of them. */
  failed(error: CdcError, nowMs: number): void {
    if (this.#attempts++ === 0) this.#sinceMs = nowMs;
    const { maxElapsedMs } = this.#config,
      elapsedMs = nowMs - this.#sinceMs;
    if (maxElapsedMs !== null && elapsedMs >= maxElapsedMs) throw givenUp(error, this.#attempts, elapsedMs);
  }

  succeeded(): void {
    this.#attempts = 0;
  }
}

/** The same code, so that the operator finds what is wrong and not that we stopped. */
function givenUp(error: CdcError, attempts: number, elapsedMs: number): CdcError {
  const { code, message, where } = error;
  return new CdcError(code, `${message}; given up after ${attempts} tries in ${Math.round(elapsedMs / 1000)} s`, {
    ...(where === null ? {} : { where }),
    fix: `${error.fix ?? 'Mend the destination.'} Or raise error_handling.retry.max_elapsed.`,
    cause: error,
  });
}
