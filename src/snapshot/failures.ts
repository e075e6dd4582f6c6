// Tables that cannot be read: what the configuration says becomes of them, and why they wait.

import { type Logger, toCdcError } from '../sdk/index.ts';
import type { SnapshotJob } from './types.ts';
import { tablesOf, type Verdict } from './workers.ts';

export class SnapshotFailures {
  readonly #policy: 'pause' | 'skip' | 'stop';
  readonly #logger: Logger;
  /** Of tables that wait for an operator. */
  readonly #errors = new Map<string, string>();
  /** Ends the reading: the configuration says to stop, or no snapshot of this source can go on. */
  fatal: Error | null = null;

  constructor(policy: 'pause' | 'skip' | 'stop', logger: Logger) {
    this.#policy = policy;
    this.#logger = logger;
  }

  errorOf(table: string): string | null {
    return this.#errors.get(table) ?? null;
  }

  /** What can pass is tried again. */
  judge(job: SnapshotJob, cause: unknown): { verdict: Verdict; error: Error } {
    const error = toCdcError(cause),
      tables = tablesOf(job);
    this.#logger.warn('rows could not be read', { tables, attempt: job.attempt, error: error.message });
    return { verdict: error.retriable ? 'again' : this.#verdict(job, tables, error), error };
  }

  #verdict(job: SnapshotJob, tables: readonly string[], error: Error): Verdict {
    if (job.kind === 'bound') {
      this.fatal = error;
      return 'again';
    }
    if (this.#policy === 'skip') return 'fail';
    for (const table of tables) this.#errors.set(table, error.message);
    if (this.#policy === 'stop') this.fatal = error;
    return 'pause';
  }
}
