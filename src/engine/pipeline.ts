// A pipeline from start to end, in the order of the picture in docs/architecture.md:
// lease → plugins → destinations → sources → where to resume → read | deliver | checkpoint → drain → end.

import type { ChangeLog, DurableLog, LogListener, LogPlace } from '../log/change-log.ts';
import { MemoryLog } from '../log/memory-log.ts';
import { CdcError, type ReadContext, type ResumePoint, type RunSummary, toCdcError } from '../sdk/index.ts';
import type { LaneState, PipelineState, ReplayRequest, StateChange } from '../state/store.ts';
import type { EngineDeps, PipelineHandle, PipelineStatus, RunOptions } from './api.ts';
import { Checkpointer } from './checkpointer.ts';
import {
  Encoders,
  Hooks,
  type OpenDestination,
  type OpenSource,
  openDestination,
  openLaneTransform,
  openMiddleware,
  openSource,
  openTransformer,
} from './components.ts';
import { checkDeadLetters } from './dead-letter-check.ts';
import { Deduplicator } from './deduplication.ts';
import type { SharedEncoder } from './encoding.ts';
import { endsWithin, withTimeout } from './guard.ts';
import { type Joined, joinDestinations } from './joining.ts';
import { Lane } from './lane.ts';
import type { NamedMiddleware, RunningLane } from './lane-options.ts';
import { LaneSet } from './lane-set.ts';
import type { LaneTransform } from './lane-transform.ts';
import { LeaseKeeper } from './lease.ts';
import { LogSpine } from './log-spine.ts';
import { logStatus, slowest, usageOf } from './log-status.ts';
import { LogWatch } from './log-watch.ts';
import { finishIntent } from './move-points.ts';
import { laneStore, ParkedKeys } from './parked-keys.ts';
import { Patience, StoppedEarly } from './patience.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { BEGINNING, type Codecs } from './places.ts';
import { RateLimiter } from './rate-limiter.ts';
import { type ReplayAsk, type ReplayPlan, refused } from './replay-plan.ts';
import { entryOfWorker, type LogEntry, MEMORY_LOG, type ResumePlan } from './resume.ts';
import { newRunSummary } from './run-summary.ts';
import { SourceReader } from './source-reader.ts';
import { restoreChain, saveChain } from './stateful.ts';
import { TransformChain } from './transform-chain.ts';
import { WorkerGroup } from './worker-group.ts';

/** Starts a pipeline for one run. What it needs from outside comes in `deps`; nothing is thrown, see `done`. */
export function startPipeline(config: PipelineConfig, deps: EngineDeps, options: RunOptions): PipelineHandle {
  return new PipelineRun(config, deps, options);
}

const CLOSE_TIMEOUT_MS = 5000;
/** Of the time that a stop may take, what is left for giving up what hangs, and for the last checkpoint. At most a quarter. */
const GIVING_UP_MS = 3000;
/** After a failure nobody waits for the end. */
const FAILED_END_MS = 60_000;

/** What there is once the pipeline runs. */
interface Flowing {
  readonly log: ChangeLog;
  readonly spine: LogSpine;
  readonly checkpointer: Checkpointer;
}

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
  #failure: CdcError | null = null;

  #stage: PipelineStatus['state'] = 'starting';
  #epoch = 0;
  #chain: TransformChain;
  #middleware: NamedMiddleware[] = [];
  #hooks: Hooks | null = null;
  #sources: OpenSource[] = [];
  #destinations: OpenDestination[] = [];
  readonly #laneTransforms: LaneTransform[] = [];
  #codecs: Codecs = {};
  readonly #lanes: LaneSet;
  readonly #logWatch: LogWatch;
  #readers: SourceReader[] = [];
  /** Once it is known where everything resumes. */
  #log: ChangeLog | null = null;
  #flowing: Flowing | null = null;

  readonly #startedMs: number;
  #run: RunSummary;
  #lastProgressMs: number;
  #lastCheckpointMs: number | null = null;

  constructor(config: PipelineConfig, deps: EngineDeps, options: RunOptions) {
    this.name = config.name;
    this.config = config;
    this.#deps = deps;
    this.#options = options;
    this.#startedMs = this.#lastProgressMs = deps.clock.now();
    this.#chain = new TransformChain([], deps.clock, null);
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
    this.#lanes = new LaneSet({
      mayDetach: config.log.type === 'memory' || config.log.whenFull === 'detach',
      destinations: config.destinations,
      clock,
      logger,
      save: (change) => this.#save(change),
      exclusive: (change) => this.#flowing?.checkpointer.exclusive(change) ?? change(),
    });
    this.#logWatch = new LogWatch(logger);
    this.#run = newRunSummary(config.name, this.#startedMs);
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
    const flowing = this.#flowing;
    if (this.config.log.type !== 'disk') throw refused({ pipeline: this.name }, 'its log is in memory', 'Set `log: {type: disk}`.');
    if (flowing === null || this.#stopping || this.#hard.signal.aborted || this.#stage !== 'running')
      throw refused({ pipeline: this.name }, `it is ${this.#stage} just now`, 'Ask again when it runs, or when it has stopped.');
    return this.#lanes.replay(this.name, flowing.log, ask);
  }

  // ---- the whole run ---------------------------------------------------------------------------------------------------

  async #main(): Promise<RunSummary> {
    await Promise.resolve(); // the caller has its handle before anything happens
    try {
      if (await this.#takeLease()) {
        const keeping = this.#lease.keep(this.#hard.signal).catch((error: unknown) => this.#fail(error));
        await this.#open();
        this.#stage = 'running';
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
      this.#stage = 'standby';
      this.#deps.logger.warn('another process runs this pipeline; waiting as a standby', { owner: other });
    });
  }

  async #open(): Promise<void> {
    const { config, deps } = { config: this.config, deps: this.#deps };
    this.#stage = 'starting';
    const stored = await deps.state.load(this.name);
    const runId = await deps.state.beginRun(this.name, deps.owner, this.#startedMs);
    this.#run = { ...this.#run, runId };
    this.#hooks = await Hooks.open(config, deps);
    const steps = [];
    for (const plugin of config.transformers) steps.push(await openTransformer(config, plugin, deps));
    this.#chain = new TransformChain(steps, deps.clock, deps.monitor);
    for (const plugin of config.middleware) this.#middleware.push(await openMiddleware(config, plugin, deps));
    await this.#hooks.tell({ event: 'before_run', run: this.#run });
    await checkDeadLetters(config, deps);

    for (const destination of config.destinations) this.#destinations.push(await openDestination(config, destination, deps));
    for (const source of config.sources) this.#sources.push(await openSource(config, source, deps));
    this.#codecs = Object.fromEntries(
      this.#sources.filter((s) => s.source.ordering === 'log').map((s) => [s.config.name, s.source.positions]),
    );
    const listener: LogListener = { onSynced: () => this.#onSynced(), onError: (error) => this.#onError('log', error) };
    const store = config.log.type === 'disk' ? deps.logStore : null;
    const open = (start: LogPlace): Promise<DurableLog | null> =>
      store === null ? Promise.resolve(null) : this.#patience.need('the change log', () => store.open(start, listener));
    const found = (await store?.exists()) ? await open(BEGINNING) : null;
    this.#log = found;
    const state = await finishIntent({
      pipeline: this.name,
      state: stored,
      destinations: this.#destinations,
      need: (component, call) => this.#patience.need(component, call),
      save: (change) => this.#save(change),
    });
    const joined = await joinDestinations({
      pipeline: this.name,
      state,
      log: found,
      isDurable: store !== null,
      sources: this.#sources,
      destinations: this.#destinations,
      codecs: this.#codecs,
      stateful: this.#chain.stateful.length > 0,
      options: this.#options,
      patience: this.#patience,
      save: (change) => this.#save(change),
      onKept: (name, count, wanted) =>
        this.#deps.logger.warn(`destination "${name}" goes on with ${count} workers: they do not stand at one place`, {
          wanted,
          fix: 'Nothing, if the pipeline is stopped cleanly some time: the next start has the new number.',
        }),
      detach: (...gap) => this.#lanes.recordDetached(...gap),
    });
    this.#epoch = joined.epoch;
    const { plan } = joined;
    const { maxEvents, maxBytes } = config.log;
    const log =
      found ?? (await open(plan.start)) ?? new MemoryLog({ id: `${MEMORY_LOG}${deps.owner}`, start: plan.start, maxEvents, maxBytes });
    this.#log = log;
    const encoders = new Encoders(config, this.#sources, deps);
    for (const lane of joined.lanes) {
      const transform = await openLaneTransform(config, lane.open.config, deps);
      if (transform !== null) this.#laneTransforms.push(transform);
      this.#lanes.add(this.#createLane(lane, plan, log, await encoders.for(lane.open), transform));
    }
    await this.#openSpine(state, plan, log);
    await this.#openReaders(plan);
  }

  #createLane(
    { open, points, slots, state: { joinedAt, replay } }: Joined['lanes'][number],
    plan: ResumePlan,
    log: ChangeLog,
    encoder: SharedEncoder | null,
    transform: LaneTransform | null,
  ): RunningLane {
    const { clock, random, logger } = this.#deps,
      { name, delivery } = open.config,
      entry = plan.entries.get(name) as LogEntry;
    const options = {
      pipeline: this.name,
      config: open.config,
      destination: open.destination,
      holdsPoint: open.capabilities.holdsPoint,
      idempotent: open.capabilities.idempotent,
      epoch: this.#epoch,
      log,
      codecs: this.#codecs,
      queues: new Set(this.#sources.filter((s) => s.source.ordering === 'queue').map((s) => s.config.name)),
      encoder,
      transform,
      middleware: this.#middleware,
      failFast: this.#options.failFast,
      isWaitedFor: () => this.#lanes.waitsFor(name),
      deadLetters: this.#deps.deadLettersOf(name),
      keys: new ParkedKeys(this.#deps.store(laneStore(name)), this.#codecs),
      rate: new RateLimiter(delivery.rateLimit, clock),
      clock,
      random,
      logger,
      assertLease: () => this.#lease.assertValid(),
      joinedAt,
      replay,
      saveReplay: (request: ReplayRequest | null) => this.#lanes.saveReplay(name, request),
      onProgress: () => this.#onLaneProgress(),
      onError: (error: CdcError) => this.#onError(name, error),
    };
    const [point] = points as readonly [ResumePoint];
    if (slots.count === 1) return new Lane({ ...options, point, entry, worker: null });
    const workers = points.map((own) => ({ point: own, entry: this.config.log.type === 'disk' ? entryOfWorker(own, log, entry) : entry }));
    return new WorkerGroup(options, slots, workers);
  }

  async #openSpine(state: PipelineState, plan: ResumePlan, log: ChangeLog): Promise<void> {
    const { config } = this,
      deps = this.#deps;
    const deduplicator = await this.#openDeduplicator();
    const checkpointer = new Checkpointer(
      {
        deduplicator,
        deps,
        log,
        isDurable: this.config.log.type === 'disk',
        codecs: this.#codecs,
        sources: new Map(this.#sources.map((s) => [s.config.name, s.source])),
        lanes: () => this.#lanes.active,
        laneState: (name) => this.#lanes.stateOf(name) as LaneState,
        save: (change) => this.#save(change),
        onCheckpoint: async (point) => {
          this.#lastCheckpointMs = deps.clock.now();
          await this.#hooks?.tell({ event: 'on_checkpoint', run: this.#summary(), point });
        },
      },
      await this.#openStateful(state, plan, log),
    );
    const wantsSchemaChanges = this.#hooks?.wants('on_schema_change') ?? false;
    const spine = new LogSpine({
      config,
      deps,
      log,
      codecs: this.#codecs,
      chain: this.#chain,
      middleware: this.#middleware,
      lanes: this.#lanes,
      checkpointer,
      start: plan.start,
      deduplicator,
      hard: this.#hard.signal,
      pointAt: (seq, place) => this.#pointAt(log, seq, place),
      onProgress: () => {
        this.#lastProgressMs = deps.clock.now();
      },
      onError: (name, error) => this.#onError(name, error),
      onSchemaChange: wantsSchemaChanges
        ? (change) => {
            void this.#hooks?.tell({ event: 'on_schema_change', run: this.#summary(), change });
          }
        : null,
    });
    this.#flowing = { log, spine, checkpointer };
  }

  async #openDeduplicator(): Promise<Deduplicator | null> {
    const { deduplication } = this.config,
      { clock, state } = this.#deps;
    const sources = new Set(this.#sources.filter((s) => s.source.ordering === 'queue').map((s) => s.config.name));
    if (deduplication === null || sources.size === 0) return null;
    const deduplicator = new Deduplicator({ ...deduplication, clock, sources });
    deduplicator.restore(await state.delivered(this.name));
    return deduplicator;
  }

  /** The first pair of state and place is saved before the first event, or a restart would begin at the lanes' points. */
  async #openStateful(state: PipelineState, plan: ResumePlan, log: ChangeLog): Promise<ResumePoint | null> {
    const { stateful } = this.#chain;
    if (stateful.length === 0) return null;
    if (state.transformer !== null) {
      restoreChain(stateful, state.transformer.state);
      return state.transformer.point;
    }
    const point = this.#pointAt(log, 0, plan.start);
    await this.#save({ transformer: { point, state: saveChain(stateful) } });
    return point;
  }

  async #openReaders(plan: ResumePlan): Promise<void> {
    const ends = this.config.sync.mode !== 'continuous' || this.#options.untilCaughtUp;
    const { spine } = this.#flowing as Flowing;
    const resumedFrom: { [source: string]: { [partition: string]: string } } = {};
    for (const {
      config: { name, type },
      source,
    } of this.#sources) {
      const end = ends ? await this.#patience.need(`source "${name}"`, () => source.end()) : null;
      const until: ReadContext['until'] = end === null ? null : { partitions: end, snapshots: [] };
      resumedFrom[name] = Object.fromEntries(
        Object.entries(plan.start.sources[name] ?? {}).map(([p, at]) => [p, source.positions.describe(at)]),
      );
      this.#readers.push(
        new SourceReader({
          name,
          type,
          source,
          spine,
          until,
          snapshots: plan.start.snapshots.filter((s) => s.source === name),
          boundaries: plan.boundaries.filter((b) => b.source === name),
          maxBatchEvents: this.config.sync.batch.maxEvents,
          maxBatchBytes: this.config.sync.batch.maxBytes,
          retry: this.config.retry,
          failFast: this.#options.failFast,
          clock: this.#deps.clock,
          random: this.#deps.random,
          logger: this.#deps.logger,
          onError: (error) => this.#onError(name, error),
          remaining: () => (this.#options.limit === null ? Number.POSITIVE_INFINITY : this.#options.limit - this.#read()),
        }),
      );
    }
    this.#run = { ...this.#run, resumedFrom };
  }

  /** Sources, lanes and checkpoints run side by side; then what was read is drained. */
  async #flow(): Promise<void> {
    const { log, spine, checkpointer } = this.#flowing as Flowing;
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
    await Promise.all(this.#readers.map((r) => r.run(stop).catch((error: unknown) => this.#fail(error))));
    if (this.#stopping) this.#stage = 'stopping';
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
    if (!this.#isFenced) await checkpointer.last(retry);
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
    const outcome = this.#failure !== null ? 'failed' : this.#stopping ? 'stopped' : 'done';
    this.#run = { ...this.#summary(), endedAtMs: this.#deps.clock.now(), outcome, error: this.#failure };
    const closing: (() => Promise<void> | undefined)[] = [
      ...this.#sources.map(
        ({ source }) =>
          () =>
            this.#soon(source.close()),
      ),
      ...this.#destinations.map(
        ({ destination }) =>
          () =>
            this.#soon(destination.close()),
      ),
      () => this.#log?.close(),
      () => this.#chain.close(),
      ...this.#laneTransforms.map((transform) => () => transform.close()),
      ...this.#middleware.map(
        ({ middleware }) =>
          () =>
            middleware.close?.(),
      ),
      () => (this.#failure === null ? undefined : this.#hooks?.tell({ event: 'on_error', run: this.#run, error: this.#failure })),
      () => this.#hooks?.tell({ event: 'after_run', run: this.#run }),
      () => this.#hooks?.close(),
      () => (this.#run.runId > 0 && !this.#isFenced ? this.#deps.state.endRun(this.name, this.#deps.owner, this.#run) : undefined),
      () => this.#lease.release(),
    ];
    for (const close of closing) {
      try {
        await close();
      } catch (error) {
        this.#deps.logger.warn('closing failed', { error: toCdcError(error).message });
      }
    }
    this.#stage = this.#failure === null ? 'stopped' : 'failed';
    return this.#run;
  }

  /** A connection that hangs must not keep the process. */
  #soon(closing: Promise<void>): Promise<void> {
    return withTimeout(this.#deps.clock, this.name, CLOSE_TIMEOUT_MS, closing);
  }

  get #isFenced(): boolean {
    return this.#failure?.code.endsWith('_FENCED') ?? false;
  }

  /** The first failure ends the run; whatever follows from it is not reported again. */
  #fail(error: unknown): void {
    if (this.#failure === null) {
      this.#failure = toCdcError(error);
      if (this.#failure.code !== 'STATE_FENCED') this.#onError(this.#failure.where ?? 'pipeline', this.#failure);
    }
    this.#hard.abort();
    this.#reading.abort();
  }

  // ---- state and status --------------------------------------------------------------------------------------------------

  #onSynced(): void {
    this.#lanes.wake();
    this.#lanes.moved.notify();
  }

  #onLaneProgress(): void {
    this.#lastProgressMs = this.#deps.clock.now();
    this.#lanes.moved.notify();
    const hasQueue = this.#sources.length > Object.keys(this.#codecs).length;
    if (hasQueue) this.#flowing?.checkpointer.acknowledgeSoon().catch((error: unknown) => this.#fail(error));
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

  #pointAt(log: ChangeLog, seq: number, place: LogPlace): ResumePoint {
    return { epoch: this.#epoch, log: { id: log.id, seq }, ...place };
  }
  #read(): number {
    return this.#readers.reduce((n, r) => n + r.read, 0);
  }

  #summary(): RunSummary {
    const { counts: lanes, detached } = this.#lanes,
      spine = this.#flowing?.spine;
    return {
      ...this.#run,
      eventsRead: this.#read(),
      eventsFiltered: spine?.filtered ?? 0,
      deadLetters: (spine?.parked ?? 0) + lanes.reduce((n, l) => n + l.parked, 0),
      delivered: Object.fromEntries(lanes.map((l) => [l.name, l.delivered])),
      ...(detached === undefined ? {} : { detached }),
    };
  }

  status(): PipelineStatus {
    return {
      name: this.name,
      file: this.config.file,
      mode: this.config.sync.mode,
      state: this.#stage,
      epoch: this.#epoch,
      startedMs: this.#startedMs,
      run: this.#run.endedAtMs === null ? this.#summary() : this.#run,
      sources: this.#readers.map((r) => r.status()),
      lanes: this.#lanes.statuses(),
      log: logStatus(this.config.log, this.#flowing?.log ?? null),
      lastCheckpointMs: this.#lastCheckpointMs,
      lastProgressMs: this.#lastProgressMs,
      nextRunMs: null,
      error: this.#failure,
    };
  }
}
