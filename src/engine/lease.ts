// The lease: who may run a pipeline. A second process is a standby until the first gives it back or its time runs out; a
// process whose own time has run out writes nothing more where it cannot be fenced.

import { CdcError, type Clock, type Logger } from '../sdk/index.ts';
import type { StateStore } from '../state/store.ts';

export interface LeaseOptions {
  readonly pipeline: string;
  readonly owner: string;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseMs: number;
  /** Is the process that holds the lease known to be gone? Then nobody needs to wait for its time to run out. */
  isGone(owner: string): boolean;
}

export class LeaseKeeper {
  readonly #o: LeaseOptions;
  #untilMs = 0;

  constructor(options: LeaseOptions) {
    this.#o = options;
  }

  /** When the lease ends if it is not renewed. Every save of state renews it: see `renewed`. */
  get untilMs(): number {
    return this.#untilMs;
  }

  /** Tries once. Returns the other owner when there is one. */
  async acquire(): Promise<string | null> {
    const { pipeline, owner, state, clock, leaseMs } = this.#o;
    const now = clock.now();
    let held = await state.acquire(pipeline, owner, now, now + leaseMs);
    if (held.owner !== owner && this.#o.isGone(held.owner))
      held = await state.acquire(pipeline, owner, Math.max(now, held.untilMs), now + leaseMs);
    if (held.owner !== owner) return held.owner;
    this.#untilMs = now + leaseMs;
    return null;
  }

  /** Waits as a standby until the lease is ours. `false`: asked to stop before. */
  async await(signal: AbortSignal, onStandby: (owner: string) => void): Promise<boolean> {
    for (let told = false; !signal.aborted; ) {
      const other = await this.acquire();
      if (other === null) return true;
      if (!told) {
        onStandby(other);
        told = true;
      }
      await this.#o.clock.sleep(Math.max(250, this.#o.leaseMs / 3), signal);
    }
    return false;
  }

  /** Renews in time until aborted. Throws `STATE_FENCED` when somebody else has it. */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#o.clock.sleep(this.#o.leaseMs / 3, signal);
      if (signal.aborted) return;
      this.assertValid();
      const before = this.#untilMs;
      try {
        const other = await this.acquire();
        if (other !== null) throw fenced(`another process (${other}) has taken over`);
        // Granted too late it says nothing: somebody may have had it in between, and given it back.
        if (this.#o.clock.now() >= before) throw fenced('its lease ran out before it was renewed');
      } catch (error) {
        if (!(error instanceof CdcError) || !error.retriable) throw error;
        this.#o.logger.warn('the lease could not be renewed, trying again', { code: error.code, error: error.message });
      }
    }
  }

  /** For a save: the time the lease is extended to. */
  extension(): number {
    return this.#o.clock.now() + this.#o.leaseMs;
  }

  renewed(untilMs: number): void {
    this.#untilMs = Math.max(this.#untilMs, untilMs);
  }

  /** Where nothing fences a zombie, the lease must. */
  assertValid(): void {
    if (this.#o.clock.now() >= this.#untilMs) throw fenced('its lease has run out');
  }

  async release(): Promise<void> {
    await this.#o.state.release(this.#o.pipeline, this.#o.owner);
  }
}

function fenced(what: string): CdcError {
  return new CdcError('STATE_FENCED', `this process no longer runs the pipeline: ${what}`, {
    where: 'state',
    fix: 'Nothing, if the pipeline goes on elsewhere; else start it again.',
  });
}
