// At the start: a dead letter queue that cannot be written for good is an error before anything is read, not at the first event
// that must be parked.

import { toCdcError } from '../sdk/index.ts';
import type { EngineDeps } from './api.ts';
import type { PipelineConfig } from './pipeline-config.ts';

export async function checkDeadLetters(config: PipelineConfig, deps: Pick<EngineDeps, 'deadLettersOf' | 'logger'>): Promise<void> {
  const queues = new Set([null, ...config.destinations.map(({ name }) => name)].map((lane) => deps.deadLettersOf(lane)));
  for (const queue of queues) {
    try {
      await queue.check?.();
    } catch (cause) {
      const error = toCdcError(cause, 'DLQ_UNAVAILABLE');
      if (!error.retriable) throw error;
      // A full disk may have room again by the time that a letter comes.
      deps.logger.warn('the dead letter queue cannot be written just now', { code: error.code, error: error.message });
    }
  }
}
