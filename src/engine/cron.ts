// Mode cron: the same pipeline run again and again at set times. No overlap; a time that was missed (the process was down, or
// the run before took longer) is caught up once; a failed run is reported and the next still comes.

import { Cron } from 'croner';
import { type CdcError, type RunSummary, toCdcError } from '../sdk/index.ts';
import { newRun } from '../state/codec.ts';
import type { EngineDeps, PipelineHandle, PipelineStatus, RunOptions } from './api.ts';
import { busy, type PausedLane } from './errands.ts';
import { logStatus } from './log-status.ts';
import { startPipeline } from './pipeline.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { type ReplayAsk, type ReplayPlan, refused } from './replay-plan.ts';
import { refusedSnapshot, type SnapshotAsk, type SnapshotTaken } from './snapshot-ask.ts';

/** Longest sleep at a time: the wall clock may be set, or the machine suspended. */
const MAX_SLEEP_MS = 30_000;

/** The first scheduled time after `afterMs`, in milliseconds since the epoch; `null` when the pattern never matches again. */
export function nextRunMs(schedule: string, timezone: string, afterMs: number): number | null {
  return new Cron(schedule, { timezone, paused: true }).nextRun(new Date(afterMs))?.getTime() ?? null;
}

/** Which time is due next: a missed one is due at once, but only the latest of those missed. */
export function dueRunMs(schedule: string, timezone: string, lastMs: number | null, nowMs: number): number | null {
  if (lastMs === null) return nextRunMs(schedule, timezone, nowMs);
  let due = nextRunMs(schedule, timezone, lastMs);
  if (due === null || due > nowMs) return due;
  // Of many missed times only the last counts. Search from a point that is surely before it instead of walking all of them.
  for (let step = 60_000; nowMs - step > due; step *= 4) {
    const later = nextRunMs(schedule, timezone, nowMs - step);
    if (later !== null && later <= nowMs) {
      due = later;
      break;
    }
  }
  for (let next = nextRunMs(schedule, timezone, due); next !== null && next <= nowMs; next = nextRunMs(schedule, timezone, next))
    due = next;
  return due;
}

export function startCron(config: PipelineConfig, deps: EngineDeps, options: RunOptions): PipelineHandle {
  return new CronRun(config, deps, options);
}

class CronRun implements PipelineHandle {
  readonly name: string;
  readonly config: PipelineConfig;
  readonly done: Promise<RunSummary>;
  readonly #deps: EngineDeps;
  readonly #options: RunOptions;
  readonly #stopping = new AbortController();
  readonly #startedMs: number;
  #current: PipelineHandle | null = null;
  #last: RunSummary | null = null;
  #nextMs: number | null = null;
  #error: CdcError | null = null;

  constructor(config: PipelineConfig, deps: EngineDeps, options: RunOptions) {
    this.name = config.name;
    this.config = config;
    this.#deps = deps;
    this.#options = options;
    this.#startedMs = deps.clock.now();
    this.done = this.#main();
  }

  async stop(): Promise<RunSummary> {
    this.#stopping.abort();
    await this.#current?.stop();
    return this.done;
  }

  async replay(ask: ReplayAsk): Promise<ReplayPlan> {
    if (this.#current !== null) return this.#current.replay(ask);
    throw refused({ pipeline: this.name }, 'it waits for its next run', 'Stop it and ask then: the next run begins with the replay.');
  }

  async snapshot(ask: SnapshotAsk): Promise<SnapshotTaken> {
    if (this.#current !== null) return this.#current.snapshot(ask);
    throw refusedSnapshot(this.name, 'it waits for its next run', 'Ask again: between two runs the request is stored for the next one.');
  }

  pause<T>(destination: string, work: (lane: PausedLane) => Promise<T>): Promise<T> {
    return this.#current?.pause(destination, work) ?? Promise.reject(busy(destination, 'waits for the next run of the pipeline'));
  }

  async #main(): Promise<RunSummary> {
    try {
      await this.#loop();
    } catch (error) {
      this.#error = toCdcError(error);
    }
    const nowMs = this.#deps.clock.now();
    return {
      ...(this.#last ?? newRun(this.name, 0, this.#startedMs)),
      endedAtMs: nowMs,
      outcome: this.#error === null ? 'stopped' : 'failed',
      error: this.#error,
    };
  }

  async #loop(): Promise<void> {
    const { schedule, timezone } = this.config.sync;
    if (schedule === null) return;
    let lastMs = (await this.#deps.state.load(this.name)).lastScheduledMs;
    while (!this.#stopping.signal.aborted) {
      const dueMs = dueRunMs(schedule, timezone, lastMs, this.#deps.clock.now());
      if (dueMs === null) return;
      this.#nextMs = dueMs;
      if (!(await this.#sleepUntil(dueMs))) return;
      lastMs = dueMs;
      await this.#runOnce(dueMs);
    }
  }

  async #sleepUntil(dueMs: number): Promise<boolean> {
    const { signal } = this.#stopping;
    for (let wait = dueMs - this.#deps.clock.now(); wait > 0 && !signal.aborted; wait = dueMs - this.#deps.clock.now()) {
      await this.#deps.clock.sleep(Math.min(wait, MAX_SLEEP_MS), signal);
    }
    return !signal.aborted;
  }

  async #runOnce(scheduledMs: number): Promise<void> {
    const config: PipelineConfig = { ...this.config, sync: { ...this.config.sync, mode: 'one_time' } };
    this.#current = startPipeline(config, this.#deps, { ...this.#options, scheduledMs });
    if (this.#stopping.signal.aborted) void this.#current.stop();
    this.#last = await this.#current.done;
    this.#current = null;
    const { outcome, error } = this.#last;
    if (outcome === 'failed')
      this.#deps.logger.error(`the scheduled run failed; the next one still comes`, {
        code: error?.code,
        error: error?.message,
        fix: error?.fix,
      });
    else this.#deps.logger.info('the scheduled run is done', { read: this.#last.eventsRead });
  }

  status(): PipelineStatus {
    const base = this.#current?.status();
    if (base !== undefined) return { ...base, mode: 'cron', nextRunMs: this.#nextMs };
    const nowMs = this.#deps.clock.now();
    return {
      name: this.name,
      file: this.config.file,
      mode: 'cron',
      state: this.#error === null ? (this.#stopping.signal.aborted ? 'stopped' : 'waiting') : 'failed',
      epoch: 0,
      startedMs: this.#startedMs,
      run: this.#last ?? newRun(this.name, 0, this.#startedMs),
      sources: [],
      lanes: [],
      log: logStatus(this.config.log, null),
      lastCheckpointMs: null,
      // Waiting for the next time is what a cron pipeline does when all is well.
      lastProgressMs: nowMs,
      nextRunMs: this.#nextMs,
      error: this.#error ?? this.#last?.error ?? null,
    };
  }
}
