// How long to wait before the next try. Retrying happens in the engine only; adapters say whether it can help.

import type { Clock, Random } from '../sdk/index.ts';
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
