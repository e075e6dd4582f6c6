// A pipeline from start to end, in the order of the picture in docs/architecture.md:
// lease → plugins → destinations → sources → where to resume → read | deliver | checkpoint → drain → end.

import type { ChangeLog } from '../log/change-log.ts';
import { CdcError, type ResumePoint, type RunSummary, toCdcError } from '../sdk/index.ts';
import type { StateChange } from '../state/store.ts';
import type { EngineDeps, PipelineHandle, PipelineStatus, RunOptions } from './api.ts';
import { checkDeadLetters } from './dead-letter-check.ts';
import type { PausedLane } from './errands.ts';
import { endsWithin } from './guard.ts';
import type { RunningLane } from './lane-options.ts';
import { LaneSet } from './lane-set.ts';
import { LeaseKeeper } from './lease.ts';
import { slowest, usageOf } from './log-status.ts';
import { LogWatch } from './log-watch.ts';
import { openFlow } from './opening.ts';
import { type Flowing, Parts } from './parts.ts';
import { Patience, StoppedEarly } from './patience.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { type ReplayAsk, type ReplayPlan, refused } from './replay-plan.ts';
import type { RunContext } from './run-context.ts';
import { RunRecord } from './run-record.ts';
import { refusedSnapshot, requestSnapshot, type SnapshotAsk, type SnapshotTaken, sourceAsked } from './snapshot-ask.ts';

/** Starts a pipeline for one run. What it needs from outside comes in `deps`; nothing is thrown, see `done`. */
export function startPipeline(config: PipelineConfig, deps: EngineDeps, options: RunOptions): PipelineHandle {
  return new PipelineRun(config, deps, options);
}

/** Of the time that a stop may take, what is left for giving up what hangs, and for the last checkpoint. At most a quarter. */
const GIVING_UP_MS = 3000;
/** After a failure nobody waits for the end. */
const FAILED_END_MS = 60_000;

class PipelineRun implements PipelineHandle {
  readonly name: string;
  readonly config: PipelineConfig;
  readonly done: Promise<RunSummary>;
  readonly #deps: EngineDeps;
  readonly #options: RunOptions;
  readonly #lease: LeaseKeeper;
  readonly #patience: Patience;

  // Two ways to end: `#reading` stops the sources and lets the lanes drain; `#hard` stops everything.
  readonly #reading = new AbortController();
  readonly #hard = new AbortController();
  readonly #checkpointing = new AbortController();
  #stopping = false;

  readonly #parts: Parts;
  readonly #lanes: LaneSet;
  readonly #record: RunRecord;
  readonly #context: RunContext;
  readonly #logWatch: LogWatch;

  constructor(config: PipelineConfig, deps: EngineDeps, options: RunOptions) {
    this.name = config.name;
    this.config = config;
    this.#deps = deps;
    this.#options = options;
    const { state, clock, owner, logger } = deps;
    this.#lease = new LeaseKeeper({
      pipeline: config.name,
      owner,
      state,
      clock,
      logger,
      leaseMs: config.state.leaseMs,
      isGone: (o) => deps.isGone(o),
    });
    this.#patience = new Patience({ deps, retry: config.retry, failFast: options.failFast, signal: this.#reading.signal });
    this.#parts = new Parts(config, deps);
    this.#lanes = new LaneSet({
      mayDetach: config.log.type === 'memory' || config.log.whenFull === 'detach',
      destinations: config.destinations,
      clock,
      logger,
      save: (change) => this.#save(change),
      exclusive: (change) => this.#parts.flowing?.checkpointer.exclusive(change) ?? change(),
    });
    this.#logWatch = new LogWatch(logger);
    this.#record = new RunRecord({ config, clock, parts: this.#parts, lanes: this.#lanes });
    this.#context = this.#newContext();
    this.done = this.#main();
  }

  stop(): Promise<RunSummary> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.#reading.abort();
      this.#lanes.stop();
      // Bounded: what is not drained by then is given up and repeated at the next start.
      void this.#deps.clock.sleep(this.config.sync.shutdownTimeoutMs - this.#givingUpMs, this.#hard.signal).then(() => this.#hard.abort());
    }
    return this.done;
  }

  /** Stored first: once it is accepted it is done, whatever happens to this process. */
  async replay(ask: ReplayAsk): Promise<ReplayPlan> {
    const flowing = this.#parts.flowing;
    if (this.config.log.type !== 'disk') throw refused({ pipeline: this.name }, 'its log is in memory', 'Set `log: {type: disk}`.');
    if (flowing === null || this.#stopping || this.#hard.signal.aborted || this.#record.stage !== 'running')
      throw refused({ pipeline: this.name }, `it is ${this.#record.stage} just now`, 'Ask again when it runs, or when it has stopped.');
    return this.#lanes.replay(this.name, flowing.log, ask);
  }

  async snapshot(ask: SnapshotAsk): Promise<SnapshotTaken> {
    if (this.#parts.flowing === null || this.#stopping || this.#hard.signal.aborted || this.#record.stage !== 'running')
      throw refusedSnapshot(this.name, `it is ${this.#record.stage} just now`, 'Ask again when it runs, or when it has stopped.');
    return requestSnapshot(this.name, sourceAsked(this.name, this.#parts.sources, ask), ask);
  }

  pause<T>(destination: string, work: (lane: PausedLane) => Promise<T>): Promise<T> {
    return this.#lanes.pause(destination, work);
  }

  status(): PipelineStatus {
    return this.#record.status();
  }

  // ---- the whole run ---------------------------------------------------------------------------------------------------

  async #main(): Promise<RunSummary> {
    await Promise.resolve(); // the caller has its handle before anything happens
    try {
      if (await this.#takeLease()) {
        const keeping = this.#lease.keep(this.#hard.signal).catch((error: unknown) => this.#fail(error));
        await this.#open();
        this.#record.stage = 'running';
        const ms = (): number => (this.#stopping ? this.#givingUpMs * 0.8 : FAILED_END_MS);
        if (!(await endsWithin(this.#deps.clock, ms, this.#hard.signal, this.#flow())))
          this.#deps.logger.warn('something did not end when it was told to, and is left behind; what was confirmed is kept');
        void keeping;
      }
    } catch (error) {
      if (!(error instanceof StoppedEarly)) this.#fail(error);
    }
    return this.#end();
  }

  get #givingUpMs(): number {
    return Math.min(GIVING_UP_MS, this.config.sync.shutdownTimeoutMs / 4);
  }

  /** Standby until the lease is ours; `false` when asked to stop before. */
  async #takeLease(): Promise<boolean> {
    if (this.#options.failFast) {
      const other = await this.#lease.acquire();
      if (other === null) return true;
      throw new CdcError('STATE_LOCKED', `pipeline "${this.name}" is run by another process (${other})`, {
        where: 'state',
        fix: 'Stop the other process, or leave out --fail-fast to wait as a standby.',
      });
    }
    return this.#lease.await(this.#reading.signal, (other) => {
      this.#record.stage = 'standby';
      this.#deps.logger.warn('another process runs this pipeline; waiting as a standby', { owner: other });
    });
  }

  async #open(): Promise<void> {
    const { state, owner } = this.#deps,
      parts = this.#parts,
      record = this.#record;
    record.stage = 'starting';
    const stored = await state.load(this.name);
    const runId = await state.beginRun(this.name, owner, record.startedMs);
    record.run = { ...record.run, runId };
    const hooks = await parts.openPlugins();
    await hooks.tell({ event: 'before_run', run: record.run });
    await checkDeadLetters(this.config, this.#deps);
    await parts.openAdapters();
    await openFlow(this.#context, stored);
  }

  /** Sources, lanes and checkpoints run side by side; then what was read is drained. */
  async #flow(): Promise<void> {
    const { log, spine, checkpointer } = this.#parts.flowing as Flowing;
    const lanes = this.#lanes.active.map((lane) => this.#runLane(lane));
    const { sync, retry } = this.config;
    const checkpoints = checkpointer
      .keep(sync.checkpointIntervalMs, this.#checkpointing.signal, () => {
        spine.requestCapture();
        this.#lanes.requestProgress();
        this.#watchLog(log);
      })
      .catch((error: unknown) => this.#fail(error));
    const stop = AbortSignal.any([this.#reading.signal, this.#hard.signal]);
    await Promise.all(this.#parts.readers.map((r) => r.run(stop).catch((error: unknown) => this.#fail(error))));
    if (this.#stopping) this.#record.stage = 'stopping';
    if (!stop.aborted) await spine.flush();
    this.#reading.abort();
    await log.synced(this.#hard.signal);
    // What is durable need not be delivered before a stop.
    if (this.#stopping && checkpointer.isDurable) this.#lanes.finish();
    else this.#lanes.drain();
    await Promise.all(lanes);
    this.#checkpointing.abort();
    await checkpoints;
    // Also after a failure: what was confirmed need not be repeated. Not after being fenced: the points are another's now.
    if (!this.#record.isFenced) await checkpointer.last(retry);
  }

  #watchLog(log: ChangeLog): void {
    const usage = usageOf(log);
    if (usage !== null) this.#logWatch.check(usage, slowest(this.#lanes.blocking));
  }

  async #runLane(lane: RunningLane): Promise<void> {
    try {
      await lane.run(AbortSignal.any([this.#lanes.signalOf(lane), this.#hard.signal]));
    } catch (cause) {
      const error = toCdcError(cause);
      if (lane.required || error.code.endsWith('_FENCED')) this.#fail(error);
      else await this.#lanes.detach(lane, error.message).catch((e: unknown) => this.#fail(e));
    }
  }

  async #end(): Promise<RunSummary> {
    for (const c of [this.#hard, this.#reading, this.#checkpointing]) c.abort();
    const { hooks } = this.#parts,
      record = this.#record;
    const outcome = record.failure !== null ? 'failed' : this.#stopping ? 'stopped' : 'done';
    record.run = { ...record.summary(), endedAtMs: this.#deps.clock.now(), outcome, error: record.failure };
    const closing = [
      ...this.#parts.closing(),
      () => (record.failure === null ? undefined : hooks?.tell({ event: 'on_error', run: record.run, error: record.failure })),
      () => hooks?.tell({ event: 'after_run', run: record.run }),
      () => hooks?.close(),
      () => (record.run.runId > 0 && !record.isFenced ? this.#deps.state.endRun(this.name, this.#deps.owner, record.run) : undefined),
      () => this.#lease.release(),
    ];
    for (const close of closing) {
      try {
        await close();
      } catch (error) {
        this.#deps.logger.warn('closing failed', { error: toCdcError(error).message });
      }
    }
    record.stage = record.failure === null ? 'stopped' : 'failed';
    return record.run;
  }

  /** The first failure ends the run; whatever follows from it is not reported again. */
  #fail(error: unknown): void {
    if (this.#record.failure === null) {
      const failure = toCdcError(error);
      this.#record.failure = failure;
      if (failure.code !== 'STATE_FENCED') this.#onError(failure.where ?? 'pipeline', failure);
    }
    this.#hard.abort();
    this.#reading.abort();
  }

  // ---- what the parts of the run tell, and state --------------------------------------------------------------------------

  #newContext(): RunContext {
    return {
      config: this.config,
      deps: this.#deps,
      options: this.#options,
      patience: this.#patience,
      parts: this.#parts,
      lanes: this.#lanes,
      record: this.#record,
      hard: this.#hard.signal,
      save: (change) => this.#save(change),
      assertLease: () => this.#lease.assertValid(),
      onSynced: () => this.#onSynced(),
      onLaneProgress: () => this.#onLaneProgress(),
      onCheckpoint: (point) => this.#onCheckpoint(point),
      onError: (component, error) => this.#onError(component, error),
    };
  }

  #onSynced(): void {
    this.#lanes.wake();
    this.#lanes.moved.notify();
  }

  #onLaneProgress(): void {
    this.#record.progressed();
    this.#lanes.moved.notify();
    if (this.#parts.queues.size > 0) this.#parts.flowing?.checkpointer.acknowledgeSoon().catch((error: unknown) => this.#fail(error));
  }

  async #onCheckpoint(point: ResumePoint): Promise<void> {
    this.#record.checkpointed();
    await this.#parts.hooks?.tell({ event: 'on_checkpoint', run: this.#record.summary(), point });
  }

  #onError(component: string, error: CdcError): void {
    this.#deps.state.recordError(this.name, this.#deps.owner, component, error, this.#deps.clock.now()).catch(() => {
      // The error itself is reported by whoever met it; a state that cannot take the note fails at the next save.
    });
  }

  async #save(change: StateChange): Promise<void> {
    const untilMs = this.#lease.extension(),
      { clock, owner, state } = this.#deps;
    const checkpoint = { atMs: clock.now(), keep: this.config.state.checkpoints };
    await state.save(this.name, owner, untilMs, change.lanes === undefined ? change : { ...change, checkpoint });
    this.#lease.renewed(untilMs);
    for (const [name, lane] of Object.entries(change.lanes ?? {})) if (lane !== null) this.#lanes.setState(name, lane);
  }
}
