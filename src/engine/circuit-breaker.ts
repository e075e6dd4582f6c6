// The circuit breaker of a lane: after many failures in a row nothing is sent for a while, so that a server that struggles is
// not hit by every retry of everybody; then a few small writes try whether it is well again.
// https://martinfowler.com/bliki/CircuitBreaker.html

import type { CdcError, Clock } from '../sdk/index.ts';
import type { CircuitBreakerConfig } from './pipeline-config.ts';

export type BreakerState = 'closed' | 'open' | 'half_open';

/** Events of a write that tries whether the destination is well again: cheap for both if it is not. */
export const PROBE_EVENTS = 10;

export interface CircuitBreakerOptions {
  /** `null`: it never opens. */
  readonly config: CircuitBreakerConfig | null;
  readonly clock: Clock;
  /** `error`: why it has opened. */
  onChange(state: BreakerState, error: CdcError | null): void;
}

export class CircuitBreaker {
  readonly #o: CircuitBreakerOptions;
  #state: BreakerState = 'closed';
  /** In a row: failures while closed, successes while half open. */
  #count = 0;
  #openedMs = 0;

  constructor(options: CircuitBreakerOptions) {
    this.#o = options;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Waits while it is open. On abort it stays open. */
  async wait(signal: AbortSignal): Promise<void> {
    const { config, clock } = this.#o;
    if (this.#state !== 'open' || config === null) return;
    // Never longer than that, also when the clock was set back meanwhile.
    const leftMs = Math.min(this.#openedMs + config.resetTimeoutMs - clock.now(), config.resetTimeoutMs);
    if (leftMs > 0) await clock.sleep(leftMs, signal);
    if (!signal.aborted) this.#become('half_open', null);
  }

  /** A failure that may pass. */
  failed(error: CdcError): void {
    const { config, clock } = this.#o;
    if (config === null) return;
    if (this.#state === 'closed' && ++this.#count < config.failureThreshold) return;
    this.#openedMs = clock.now();
    this.#become('open', error);
  }

  /** The destination has answered, be it that it refuses an event. */
  succeeded(): void {
    if (this.#state === 'closed') this.#count = 0;
    else if (++this.#count >= (this.#o.config?.halfOpenProbes ?? 1)) this.#become('closed', null);
  }

  #become(state: BreakerState, error: CdcError | null): void {
    this.#state = state;
    this.#count = 0;
    this.#o.onChange(state, error);
  }
}
