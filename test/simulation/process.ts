// A process of the simulation: every effect it wants is a pending step, and nothing happens until the scheduler lets it. A
// crash forgets the pending steps: whatever waited for them waits for ever, which is what death looks like from inside.

import type { PipelineHandle } from '../../src/engine/api.ts';
import type { Clock, RunSummary } from '../../src/sdk/index.ts';

interface Pending {
  readonly what: string;
  readonly resume: () => void;
}
interface Sleeper {
  readonly untilMs: number;
  readonly resume: () => void;
}

const NEVER: Promise<never> = new Promise(() => {});

export class SimProcess {
  readonly id: number;
  readonly owner: string;
  readonly clock: Clock;
  alive = true;
  /** Does nothing for a while, then goes on without having noticed: a zombie, if another has taken over. */
  frozen = false;
  handle: PipelineHandle | null = null;
  /** Set when the pipeline has ended by itself. */
  ended: RunSummary | null = null;
  /** Set when it was asked to stop, and how things stood then. */
  stopped: { readonly running: boolean; readonly disturbances: number; readonly atMs: number } | null = null;
  /** An operator's command, not a pipeline: what it is, for the trace. */
  command: string | null = null;
  /** It dies after so many effects. */
  stepsLeft = Infinity;
  /** Lanes that the operator let join anew with this start. */
  readonly rejoin: readonly string[];
  /** Closes what the process holds open outside, as the operating system does when it dies. */
  readonly onDeath: (() => void)[] = [];
  /** Cuts its connections to systems that cannot fence it. */
  readonly onFreeze: (() => void)[] = [];
  #pending: Pending[] = [];
  #sleepers: Sleeper[] = [];

  /** `now`: of this machine's clock, which may jump; sleeping does not heed that. */
  constructor(id: number, now: () => number, ticks: () => number, rejoin: readonly string[]) {
    this.id = id;
    this.owner = `process-${id}`;
    this.rejoin = rejoin;
    this.clock = { now, sleep: (ms, signal) => this.#sleep(ticks() + ms, signal) };
  }

  /** Every effect awaits this first. */
  step = (what: string): Promise<void> => {
    if (!this.alive) return NEVER;
    return new Promise((resume) => {
      this.#pending.push({ what, resume });
    });
  };

  get canRun(): boolean {
    return this.alive && !this.frozen;
  }
  get steps(): number {
    return this.canRun ? this.#pending.length : 0;
  }
  /** When the next sleeper wakes; Infinity when nobody sleeps. */
  get wakesAtMs(): number {
    return this.canRun ? this.#sleepers.reduce((least, s) => Math.min(least, s.untilMs), Infinity) : Infinity;
  }

  /** Lets one pending effect happen. */
  run(index: number): string {
    const [pending] = this.#pending.splice(index, 1) as [Pending];
    pending.resume();
    return pending.what;
  }

  wake(nowMs: number): void {
    const due = this.#sleepers.filter((s) => s.untilMs <= nowMs);
    if (due.length === 0) return;
    this.#sleepers = this.#sleepers.filter((s) => s.untilMs > nowMs);
    for (const s of due) s.resume();
  }

  die(): void {
    this.alive = false;
    this.#pending = [];
    this.#sleepers = [];
    for (const close of this.onDeath) close();
  }

  freeze(): void {
    this.frozen = true;
    for (const cut of this.onFreeze) cut();
  }

  waiting(): string {
    return `${this.#pending.map((p) => p.what).join(', ') || 'nothing'}; ${this.#sleepers.length} sleeping`;
  }

  #sleep(untilMs: number, signal?: AbortSignal): Promise<void> {
    if (!this.alive) return NEVER;
    return new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const sleeper: Sleeper = {
        untilMs,
        resume: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#sleepers = this.#sleepers.filter((s) => s !== sleeper);
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.push(sleeper);
    });
  }
}
