// The filter itself.

import { CdcError, type ChangeEvent, type Logger, type Op, type Transformer } from 'cdc-run/sdk';
import { tableMatcher } from '../../shared/table-pattern.ts';
import type { FilterConfig } from './config.ts';
import { type Condition, compileCondition, ExpressionError } from './expression.ts';

const ROWLESS: ReadonlySet<Op> = new Set(['t', 'm', 's']);

export class Filter implements Transformer {
  readonly #isAbout: (event: ChangeEvent) => boolean;
  readonly #condition: Condition | null;
  readonly #keepMatches: boolean;
  readonly #onError: FilterConfig['on_error'];
  readonly #name: string;
  readonly #logger: Logger;
  #warned = false;

  constructor(config: FilterConfig, name: string, logger: Logger) {
    const isAboutTable = tableMatcher(config.tables),
      ops = new Set<string>(config.ops);
    this.#isAbout = (event) => (ops.size === 0 || ops.has(event.op)) && isAboutTable(event.table);
    this.#condition = config.expression === undefined ? null : compileCondition(config.expression);
    this.#keepMatches = config.mode === 'keep';
    this.#onError = config.on_error;
    this.#name = name;
    this.#logger = logger;
  }

  transform(events: ChangeEvent[]): ChangeEvent[] {
    return events.filter((event) => this.#keeps(event));
  }

  #keeps(event: ChangeEvent): boolean {
    if (!this.#isAbout(event)) return !this.#keepMatches;
    if (this.#condition === null) return this.#keepMatches;
    // An expression speaks of rows. Truncates, messages and schema changes have none, and losing one would leave the
    // destination wrong for good: they pass, unless `ops` or `tables` decide.
    if (ROWLESS.has(event.op)) return true;
    try {
      return this.#condition(event) === this.#keepMatches;
    } catch (error) {
      if (this.#onError === 'fail' || !(error instanceof ExpressionError)) throw this.#failure(event, error);
      this.#warnOnce(event, error);
      return this.#onError === 'keep';
    }
  }

  #failure(event: ChangeEvent, cause: unknown): CdcError {
    const what = cause instanceof Error ? cause.message : 'unknown error';
    return new CdcError('PLUGIN_FAILED', `The expression cannot be evaluated for event ${event.id} (op ${event.op}): ${what}.`, {
      where: `plugin "${this.#name}"`,
      fix: 'Test with has() and != null before a column is used, or set on_error.',
      cause,
    });
  }

  /** One line, not one per event: which columns are missing does not change from event to event. */
  #warnOnce(event: ChangeEvent, error: ExpressionError): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#logger.warn(`the expression cannot be evaluated for some events; on_error: ${this.#onError} decides`, {
      event: event.id,
      reason: error.message,
    });
  }
}
