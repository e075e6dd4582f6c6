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

  /**
   * Renews in time until aborted. By a save, which is refused when anybody else has had the lease since, also one who has given it
   * back. So time that ran out (state could not be written, the clock jumped, the machine slept) is no reason to end: nobody has
   * used it. Throws `STATE_FENCED` when somebody has.
   */
  async keep(signal: AbortSignal): Promise<void> {
    const { pipeline, owner, state, clock, leaseMs, logger } = this.#o;
    while (!signal.aborted) {
      await clock.sleep(leaseMs / 3, signal);
      if (signal.aborted) return;
      const untilMs = this.extension();
      try {
        await state.save(pipeline, owner, untilMs, {});
        this.renewed(untilMs);
      } catch (error) {
        if (!(error instanceof CdcError) || !error.retriable) throw error;
        logger.warn('the lease could not be renewed, trying again', { code: error.code, error: error.message });
      }
    }
  }

  /** For a save: the time the lease is extended to. */
  extension(): number {
    return this.#o.clock.now() + this.#o.leaseMs;
  }

  renewed(untilMs: number): void {
    // Not longer than from now: the clock may have been set back.
    this.#untilMs = Math.min(Math.max(this.#untilMs, untilMs), this.extension());
  }

  /** Where nothing fences a zombie, the lease must: nothing is written there until it is known that nobody has taken it. */
  assertValid(): void {
    if (this.#o.clock.now() < this.#untilMs) return;
    throw new CdcError('STATE_UNAVAILABLE', 'the lease of this process has run out and is not renewed yet', {
      where: 'state',
      fix: 'Find out why state cannot be written, or why the process or its clock stood still.',
      retriable: true,
    });
  }

  async release(): Promise<void> {
    await this.#o.state.release(this.#o.pipeline, this.#o.owner);
  }
}
