// A pipeline from start to end, in the order of the picture in docs/architecture.md:
// lease → plugins → destinations → sources → where to resume → read | deliver | checkpoint → drain → end.

import type { ChangeLog } from '../log/change-log.ts';
import { MemoryLog } from '../log/memory-log.ts';
import {
  CdcError, type ChangeBatch, type ChangeEvent, type Committed, type ReadContext, type ResumePoint, type RunSummary, toCdcError,
} from '../sdk/index.ts';
import type { LaneState, PipelineState, StateChange } from '../state/store.ts';
import { Notifier } from '../util/signal.ts';
import type { DeadLetter, EngineDeps, PipelineHandle, PipelineStatus, RunOptions } from './api.ts';
import { Checkpointer } from './checkpointer.ts';
import { Encoders, Hooks, type OpenDestination, openDestination, openMiddleware, type OpenSource, openSource, openTransformer, pointHolder } from './components.ts';
import type { SharedEncoder } from './encoding.ts';
import { aroundNext } from './guard.ts';
import { Lane, type NamedMiddleware, putDeadLetters } from './lane.ts';
import { LeaseKeeper } from './lease.ts';
import type { PipelineConfig } from './pipeline-config.ts';
import { type Codecs, forgetPartition, movePlace } from './places.ts';
import { planResume, type ResumePlan } from './resume.ts';
import { waitBeforeRetry } from './retry.ts';
import { SourceReader, type Spine } from './source-reader.ts';
import { restoreChain, saveChain } from './stateful.ts';
import { TransformChain } from './transform-chain.ts';

/** Starts a pipeline for one run. What it needs from outside comes in `deps`; nothing is thrown, see `done`. */
export function startPipeline(config: PipelineConfig, deps: EngineDeps, options: RunOptions): PipelineHandle {
  return new PipelineRun(config, deps, options);
}

/** Asked to stop while waiting for something at the start: not a failure. */
class StoppedEarly extends Error {}

class PipelineRun implements PipelineHandle, Spine {
  readonly name: string;
  readonly config: PipelineConfig;
  readonly done: Promise<RunSummary>;
  readonly #deps: EngineDeps;
  readonly #options: RunOptions;
  readonly #lease: LeaseKeeper;

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
  #log: ChangeLog | null = null;
  #tail: Spine['tail'] = { sources: {}, snapshots: [] };
  #codecs: Codecs = {};
  #laneStates = new Map<string, LaneState>();
  #lanes = new Map<string, { lane: Lane; abort: AbortController }>();
  #readers: SourceReader[] = [];
  #checkpointer: Checkpointer | null = null;
  /** The stateful chain is saved with the next batch. */
  #captureDue = true;
  /** Notified when a lane has confirmed or released something. */
  readonly #moved = new Notifier();
  /** Batches of several sources pass the chain one at a time. */
  #ingesting: Promise<void> = Promise.resolve();

  readonly #startedMs: number;
  #run: RunSummary;
  #filtered = 0;
  #parked = 0;
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
    this.#lease = new LeaseKeeper({ pipeline: config.name, owner, state, clock, logger, leaseMs: config.state.leaseMs, isGone: (o) => deps.isGone(o) });
    this.#run = {
      pipeline: config.name, runId: 0, startedAtMs: this.#startedMs, endedAtMs: null, outcome: 'running', eventsRead: 0, eventsFiltered: 0,
      deadLetters: 0, delivered: {}, resumedFrom: {}, error: null,
    };
    this.done = this.#main();
  }

  stop(): Promise<RunSummary> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.#reading.abort();
      // Bounded: what is not drained by then is given up and repeated at the next start.
      void this.#deps.clock.sleep(this.config.sync.shutdownTimeoutMs, this.#hard.signal).then(() => this.#hard.abort());
    }
    return this.done;
  }

  // ---- the whole run ---------------------------------------------------------------------------------------------------

  async #main(): Promise<RunSummary> {
    await Promise.resolve();   // the caller has its handle before anything happens
    try {
      if (await this.#takeLease()) {
        const keeping = this.#lease.keep(this.#hard.signal).catch((error: unknown) => this.#fail(error));
        await this.#open();
        this.#stage = 'running';
        await this.#flow();
        void keeping;
      }
    } catch (error) {
      if (!(error instanceof StoppedEarly)) this.#fail(error);
    }
    return this.#end();
  }

  /** Standby until the lease is ours; `false` when asked to stop before. */
  async #takeLease(): Promise<boolean> {
    if (this.#options.failFast) {
      const other = await this.#lease.acquire();
      if (other === null) return true;
      throw new CdcError('STATE_LOCKED', `pipeline "${this.name}" is run by another process (${other})`, { where: 'state', fix: 'Stop the other process, or leave out --fail-fast to wait as a standby.' });
    }
    return this.#lease.await(this.#reading.signal, (other) => {
      this.#stage = 'standby';
      this.#deps.logger.warn('another process runs this pipeline; waiting as a standby', { owner: other });
    });
  }

  async #open(): Promise<void> {
    const { config, deps } = { config: this.config, deps: this.#deps };
    this.#stage = 'starting';
    const state = await deps.state.load(this.name);
    const runId = await deps.state.beginRun(this.name, deps.owner, this.#startedMs);
    this.#run = { ...this.#run, runId };
    this.#hooks = await Hooks.open(config, deps);
    const steps = [];
    for (const plugin of config.transformers) steps.push(await openTransformer(config, plugin, deps));
    this.#chain = new TransformChain(steps, deps.clock, deps.monitor);
    for (const plugin of config.middleware) this.#middleware.push(await openMiddleware(config, plugin, deps));
    await this.#hooks.tell({ event: 'before_run', run: this.#run });

    for (const destination of config.destinations) this.#destinations.push(await openDestination(config, destination, deps));
    for (const source of config.sources) this.#sources.push(await openSource(config, source, deps));
    this.#codecs = Object.fromEntries(this.#sources.filter((s) => s.source.ordering === 'log').map((s) => [s.config.name, s.source.positions]));
    const committed = await this.#claim(state);
    const plan = await this.#plan(state, committed);
    await this.#openLanes(state, plan, committed);
    await this.#openReaders(plan);
  }

  /** Reads every destination's point, takes an epoch above all, and claims with it before anything is read or written. */
  async #claim(state: PipelineState): Promise<Map<string, Committed | CdcError>> {
    const found = new Map<string, Committed | CdcError>();
    let highest = state.epoch;
    for (const open of this.#destinations) {
      const committed = await this.#patiently(`destination "${open.config.name}"`, open.config.required, () => open.destination.committed(this.#laneId(open)));
      found.set(open.config.name, committed);
      if (!(committed instanceof CdcError) && committed.kind !== 'untracked') highest = Math.max(highest, committed.epoch);
    }
    this.#epoch = highest + 1;
    await this.#save({ epoch: this.#epoch, ...(this.#options.scheduledMs === null ? {} : { lastScheduledMs: this.#options.scheduledMs }) });
    for (const open of this.#destinations) {
      if (found.get(open.config.name) instanceof CdcError) continue;
      const claimed = await this.#patiently(`destination "${open.config.name}"`, open.config.required, async () => { await pointHolder(open)?.claim(this.#laneId(open), this.#epoch); });
      if (claimed instanceof CdcError) found.set(open.config.name, claimed);
    }
    return found;
  }

  async #plan(state: PipelineState, committed: ReadonlyMap<string, Committed | CdcError>): Promise<ResumePlan> {
    const sources = [];
    for (const { config: { name }, source, capabilities } of this.#sources) {
      const acknowledged = await this.#patiently(`source "${name}"`, true, () => source.acknowledged());
      sources.push({ name, ordering: source.ordering, snapshots: capabilities.snapshot, acknowledged: acknowledged as Exclude<typeof acknowledged, CdcError> });
    }
    const lanes = this.#destinations.map(({ config: { name, required, start } }) => {
      const c = committed.get(name);
      return { name, required, start, committed: c === undefined || c instanceof CdcError ? ({ kind: 'untracked' } as const) : c };
    });
    return planResume({ state, epoch: this.#epoch, codecs: this.#codecs, sources, lanes, stateful: this.#chain.stateful.length > 0, rejoin: this.#options.rejoin });
  }

  async #openLanes(state: PipelineState, plan: ResumePlan, committed: ReadonlyMap<string, Committed | CdcError>): Promise<void> {
    this.#tail = plan.start;
    this.#log = new MemoryLog({ id: `memory-${this.#deps.owner}`, start: plan.start, maxEvents: this.config.log.maxEvents, maxBytes: this.config.log.maxBytes });
    const encoders = new Encoders(this.config, this.#sources, this.#deps);
    for (const open of this.#destinations) {
      const { name } = open.config, known = state.lanes[name], decision = plan.lanes.get(name), failed = committed.get(name);
      if (decision === undefined) throw new CdcError('INTERNAL_UNEXPECTED', `no decision for lane "${name}"`);
      if (decision.kind === 'detached' || failed instanceof CdcError) {
        const from = decision.kind === 'detached' ? decision.from : decision.point;
        const reason = decision.kind === 'detached' ? decision.reason : `it was unreachable at the start: ${(failed as CdcError).message}`;
        await this.#recordDetached(name, known, from, reason);
        continue;
      }
      // A lane's first point is saved before its first event: at the destination, then in state (model: "join not saved first").
      if (decision.isNew) await pointHolder(open)?.setPoints(this.#laneId(open), this.#epoch, [decision.point]);
      this.#laneStates.set(name, { points: [decision.point], joinedAt: decision.isNew || known === undefined ? decision.point : known.joinedAt, detached: null, behindQueue: false });
      this.#addLane(open, decision.point, plan, await encoders.for(open));
    }
    if (![...this.#lanes.values()].some(({ lane }) => lane.required)) {
      throw new CdcError('CONFIG_INVALID_VALUE', 'no destination is required: nothing would hold back what the source may forget', { where: 'destinations', fix: 'Leave out `required: false` at one of them.' });
    }
    await this.#save({ used: true, lanes: Object.fromEntries(this.#laneStates) });
    await this.#openStateful(state, plan);
  }

  #addLane(open: OpenDestination, point: ResumePoint, plan: ResumePlan, encoder: SharedEncoder | null): void {
    const { config, deps } = { config: this.config, deps: this.#deps };
    const lane = new Lane({
      pipeline: this.name, config: open.config, destination: open.destination, holdsPoint: open.capabilities.holdsPoint, epoch: this.#epoch,
      log: this.#log as ChangeLog, codecs: this.#codecs, queues: new Set(this.#sources.filter((s) => s.source.ordering === 'queue').map((s) => s.config.name)),
      point, start: plan.start, encoder, middleware: this.#middleware, retry: config.retry, failFast: this.#options.failFast,
      deadLetters: deps.deadLetters, clock: deps.clock, random: deps.random, logger: deps.logger,
      assertLease: () => this.#lease.assertValid(), onProgress: () => this.#onProgress(), onError: (error) => this.#onError(open.config.name, error),
    });
    this.#lanes.set(lane.name, { lane, abort: new AbortController() });
  }

  /** The first pair of state and place is saved before the first event, or a restart would begin at the lanes' points. */
  async #openStateful(state: PipelineState, plan: ResumePlan): Promise<void> {
    const stateful = this.#chain.stateful;
    let savedAt: ResumePoint | null = null;
    if (stateful.length > 0) {
      if (state.transformer !== null) restoreChain(stateful, state.transformer.state);
      savedAt = state.transformer?.point ?? this.#pointAt(0, plan.start);
      if (state.transformer === null) await this.#save({ transformer: { point: savedAt, state: saveChain(stateful) } });
    }
    this.#checkpointer = new Checkpointer({
      log: this.#log as ChangeLog, codecs: this.#codecs, sources: new Map(this.#sources.map((s) => [s.config.name, s.source])),
      lanes: () => [...this.#lanes.values()].map(({ lane }) => lane), laneState: (name) => this.#laneStates.get(name) as LaneState,
      save: (change) => this.#save(change),
      onCheckpoint: async (point) => { this.#lastCheckpointMs = this.#deps.clock.now(); await this.#hooks?.tell({ event: 'on_checkpoint', run: this.#summary(), point }); },
    }, savedAt);
  }

  async #openReaders(plan: ResumePlan): Promise<void> {
    const ends = this.config.sync.mode !== 'continuous' || this.#options.untilCaughtUp;
    const resumedFrom: { [source: string]: { [partition: string]: string } } = {};
    for (const { config: { name, type }, source } of this.#sources) {
      const end = ends ? await this.#patiently(`source "${name}"`, true, () => source.end()) : null;
      const until: ReadContext['until'] = end === null || end instanceof CdcError ? null : { partitions: end, snapshots: [] };
      resumedFrom[name] = Object.fromEntries(Object.entries(plan.start.sources[name] ?? {}).map(([p, at]) => [p, source.positions.describe(at)]));
      this.#readers.push(new SourceReader({
        name, type, source, spine: this, until, snapshots: plan.start.snapshots.filter((s) => s.source === name), boundaries: plan.boundaries.filter((b) => b.source === name),
        maxBatchEvents: this.config.sync.batch.maxEvents, maxBatchBytes: this.config.sync.batch.maxBytes, retry: this.config.retry, failFast: this.#options.failFast,
        clock: this.#deps.clock, random: this.#deps.random, logger: this.#deps.logger,
        onError: (error) => this.#onError(name, error), goOn: () => this.#options.limit === null || this.#read() < this.#options.limit,
      }));
    }
    this.#run = { ...this.#run, resumedFrom };
  }

  /** Sources, lanes and checkpoints run side by side; then what was read is drained. */
  async #flow(): Promise<void> {
    const lanes = [...this.#lanes.values()].map((l) => this.#runLane(l.lane, l.abort.signal));
    const checkpoints = this.#keepCheckpointing();
    await Promise.all(this.#readers.map((r) => r.run(AbortSignal.any([this.#reading.signal, this.#hard.signal])).catch((error: unknown) => this.#fail(error))));
    if (this.#stopping) this.#stage = 'stopping';
    if (!this.#stopping && !this.#hard.signal.aborted) await this.#flushChain();
    this.#reading.abort();
    for (const { lane } of this.#lanes.values()) lane.drain();
    await Promise.all(lanes);
    this.#checkpointing.abort();
    await checkpoints;
    await this.#lastCheckpoint();
  }

  async #runLane(lane: Lane, signal: AbortSignal): Promise<void> {
    try {
      await lane.run(AbortSignal.any([signal, this.#hard.signal]));
    } catch (error) {
      if (lane.required || toCdcError(error).code.endsWith('_FENCED')) this.#fail(error);
      else await this.#detach(lane, toCdcError(error).message).catch((e: unknown) => this.#fail(e));
    }
  }

  async #keepCheckpointing(): Promise<void> {
    while (!this.#checkpointing.signal.aborted) {
      await this.#deps.clock.sleep(this.config.sync.checkpointIntervalMs, this.#checkpointing.signal);
      if (this.#checkpointing.signal.aborted) return;
      this.#captureDue = true;
      for (const { lane } of this.#lanes.values()) lane.requestProgress();
      try {
        await this.#checkpointer?.checkpoint();
      } catch (cause) {
        const error = toCdcError(cause);
        if (!error.retriable) { this.#fail(error); return; }
        this.#deps.logger.warn('the checkpoint failed, trying again at the next', { code: error.code, error: error.message });
      }
    }
  }

  /** Also after a failure: what was confirmed need not be repeated. Not after being fenced: the points are another's now. */
  async #lastCheckpoint(): Promise<void> {
    if (this.#failure?.code.endsWith('_FENCED')) return;
    try {
      await this.#checkpointer?.checkpoint();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #end(): Promise<RunSummary> {
    for (const c of [this.#hard, this.#reading, this.#checkpointing]) c.abort();
    const outcome = this.#failure !== null ? 'failed' : this.#stopping ? 'stopped' : 'done';
    this.#run = { ...this.#summary(), endedAtMs: this.#deps.clock.now(), outcome, error: this.#failure };
    const closing: (() => Promise<void> | undefined)[] = [
      ...this.#sources.map(({ source }) => () => source.close()),
      ...this.#destinations.map(({ destination }) => () => destination.close()),
      () => this.#chain.close(),
      ...this.#middleware.map(({ middleware }) => () => middleware.close?.()),
      () => (this.#failure === null ? undefined : this.#hooks?.tell({ event: 'on_error', run: this.#run, error: this.#failure })),
      () => this.#hooks?.tell({ event: 'after_run', run: this.#run }),
      () => this.#hooks?.close(),
      () => (this.#run.runId > 0 && !this.#failure?.code.endsWith('_FENCED') ? this.#deps.state.endRun(this.name, this.#deps.owner, this.#run) : undefined),
      () => this.#lease.release(),
    ];
    for (const close of closing) {
      try { await close(); } catch (error) {
        this.#deps.logger.warn('closing failed', { error: toCdcError(error).message });
      }
    }
    this.#stage = this.#failure === null ? 'stopped' : 'failed';
    return this.#run;
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

  // ---- source → chain → log (Spine) -------------------------------------------------------------------------------------

  get tail(): Spine['tail'] { return this.#tail; }

  async ingest(batch: ChangeBatch, signal: AbortSignal): Promise<void> {
    if (this.#chain.isEmpty && this.#middleware.length === 0) this.#append(batch, batch.events);
    else {
      const turn = this.#ingesting.then(() => this.#transform(batch, signal));
      this.#ingesting = turn.catch(() => {});
      await turn;
    }
    await this.#makeRoom(signal);
  }

  async #transform(batch: ChangeBatch, signal: AbortSignal): Promise<void> {
    const result = await this.#chain.run(batch.events);
    this.#filtered += result.filtered;
    // Invariant 3: parked before the batch is appended, since from then on it may be acknowledged.
    await this.#park(result.failures.map(({ event, component, error }) => this.#letter('transform', component, error, event)), signal);
    if (signal.aborted) return;
    let next = async (): Promise<void> => { this.#append(batch, result.events); };
    for (const { name, timeoutMs, middleware } of [...this.#middleware].reverse()) {
      const around = middleware.aroundBatch?.bind(middleware);
      if (around === undefined) continue;
      const inner = next;
      next = () => aroundNext(this.#deps.clock, name, timeoutMs, (n) => around({ source: batch.source, events: result.events }, n), inner);
    }
    await next();
  }

  #append(batch: ChangeBatch, events: ChangeEvent[]): void {
    const log = this.#log as ChangeLog, isLog = batch.source in this.#codecs;
    const whole = isSnapshot(batch.events[0]) || isSnapshot(batch.events.at(-1));
    const after = movePlace(this.#tail, batch.source, batch.partition, isLog ? batch.resume : null, batch.snapshots);
    const { endSeq } = log.append({ source: batch.source, partition: batch.partition, events, bytes: batch.bytes, after, whole });
    this.#tail = after;
    if (!isLog && batch.resume !== null) this.#checkpointer?.addReceipt({ endSeq, source: batch.source, partition: batch.partition, position: batch.resume });
    this.#captureState(endSeq);
    this.#wakeLanes();
    if (this.#hooks?.wants('on_schema_change')) for (const event of events) if (event.op === 's') void this.#hooks.tell({ event: 'on_schema_change', run: this.#summary(), change: event });
  }

  #captureState(seq: number): void {
    const stateful = this.#chain.stateful;
    if (stateful.length === 0 || !this.#captureDue) return;
    this.#captureDue = false;
    this.#checkpointer?.addState(seq, { point: this.#pointAt(seq, this.#tail), state: saveChain(stateful) });
  }

  #wakeLanes(): void {
    this.#lastProgressMs = this.#deps.clock.now();
    for (const { lane } of this.#lanes.values()) lane.wake();
  }

  /** At the end of a finite run stateful transformers give out what they hold. */
  async #flushChain(): Promise<void> {
    if (this.#chain.stateful.length === 0) return;
    const { events, failures } = await this.#chain.flush('end');
    await this.#park(failures.map(({ event, component, error }) => this.#letter('transform', component, error, event)), this.#hard.signal);
    const [first] = events;
    // Whole: these events carry positions of held inputs, at which no lane may stand.
    if (first !== undefined) (this.#log as ChangeLog).append({ source: first.source, partition: first.partition, events, bytes: 0, after: this.#tail, whole: true });
    this.#captureDue = true;
    this.#captureState((this.#log as ChangeLog).lastSeq);
    this.#wakeLanes();
  }

  /** Waits while the log is full. Optional lanes that alone hold it back are detached (invariant 5). */
  async #makeRoom(signal: AbortSignal): Promise<void> {
    const log = this.#log as ChangeLog;
    while (log.full && !signal.aborted) {
      const laggards = this.#laggards(log);
      for (const lane of laggards) await this.#detach(lane, 'it fell behind by more than the log may hold');
      if (laggards.length === 0) await this.#moved.wait(signal);
    }
  }

  #laggards(log: ChangeLog): Lane[] {
    const lanes = [...this.#lanes.values()].map(({ lane }) => lane);
    const required = Math.min(...lanes.filter((l) => l.required).map((l) => l.releasedSeq));
    return lanes.filter((l) => !l.required && log.lastSeq - required < (log.lastSeq - l.releasedSeq) / 2);
  }

  forget(source: string, partition: string): void {
    const after = forgetPartition(this.#tail, source, partition);
    (this.#log as ChangeLog).append({ source, partition, events: [], bytes: 0, after, whole: false });
    this.#tail = after;
    this.#wakeLanes();
  }

  async settled(signal: AbortSignal): Promise<void> {
    const seq = (this.#log as ChangeLog).lastSeq;
    const behind = (): boolean => [...this.#lanes.values()].some(({ lane }) => lane.required && lane.doneSeq < seq);
    while (behind() && !signal.aborted) await this.#moved.wait(signal);
    for (const { lane } of this.#lanes.values()) lane.requestProgress();
    if (!signal.aborted) await this.#checkpointer?.checkpoint();
  }

  async reject(source: string, input: string | Uint8Array, at: string, error: Error, signal: AbortSignal): Promise<void> {
    const reason = toCdcError(error, 'SOURCE_DATA_INVALID', { where: `source "${source}"` });
    const nowMs = this.#deps.clock.now();
    await this.#park([{
      id: `${this.name}/${source}/${at}`, pipeline: this.name, lane: null, stage: 'decode', component: source, error: reason, attempts: 1, firstMs: nowMs, lastMs: nowMs, event: null, input, at,
    }], signal);
  }

  #letter(stage: 'transform', component: string, error: CdcError, event: ChangeEvent): DeadLetter {
    const nowMs = this.#deps.clock.now(), at = this.#codecs[event.source]?.describe(event.position) ?? event.position;
    return { id: `${this.name}/${component}/${event.id}`, pipeline: this.name, lane: null, stage, component, error, attempts: 1, firstMs: nowMs, lastMs: nowMs, event, input: null, at };
  }

  async #park(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const [first] = letters;
    if (first === undefined) return;
    await putDeadLetters({ deadLetters: this.#deps.deadLetters, retry: this.config.retry, random: this.#deps.random, clock: this.#deps.clock, logger: this.#deps.logger }, letters, signal);
    this.#parked += letters.length;
    this.#onError(first.component, first.error);
    this.#deps.logger.warn(`${letters.length} event(s) went to the dead letter queue`, { stage: first.stage, component: first.component, code: first.error.code, error: first.error.message, first: first.at });
  }

  // ---- lanes -----------------------------------------------------------------------------------------------------------

  /** The gap is stored before the lane stops holding the log: nothing is skipped unnoticed. */
  async #detach(lane: Lane, reason: string): Promise<void> {
    const entry = this.#lanes.get(lane.name);
    if (entry === undefined) return;
    entry.abort.abort();
    await this.#recordDetached(lane.name, this.#laneStates.get(lane.name), lane.durablePoint, reason);
    this.#lanes.delete(lane.name);
    lane.release();
    this.#onProgress();
  }

  async #recordDetached(name: string, known: LaneState | undefined, from: ResumePoint, reason: string): Promise<void> {
    const detached = known?.detached ?? { from, sinceMs: this.#deps.clock.now(), reason };
    const state: LaneState = { points: known?.points ?? [from], joinedAt: known?.joinedAt ?? from, detached, behindQueue: known?.behindQueue ?? false };
    this.#laneStates.set(name, state);
    await this.#save({ lanes: { [name]: state } });
    this.#deps.logger.warn(`destination "${name}" is detached: it gets nothing until you decide about its gap`, { reason: detached.reason, fix: `run with --rejoin ${name}` });
  }

  #onProgress(): void {
    this.#lastProgressMs = this.#deps.clock.now();
    this.#moved.notify();
    if (this.#sources.length !== Object.keys(this.#codecs).length) void this.#checkpointer?.acknowledgeSoon().catch((error: unknown) => this.#fail(error));
  }

  #onError(component: string, error: CdcError): void {
    this.#deps.state.recordError(this.name, this.#deps.owner, component, error, this.#deps.clock.now()).catch(() => {
      // The error itself is reported by whoever met it; a state that cannot take the note fails at the next save.
    });
  }

  // ---- state and status --------------------------------------------------------------------------------------------------

  async #save(change: StateChange): Promise<void> {
    const untilMs = this.#lease.extension();
    await this.#deps.state.save(this.name, this.#deps.owner, untilMs, change);
    this.#lease.renewed(untilMs);
    for (const [name, lane] of Object.entries(change.lanes ?? {})) if (lane !== null) this.#laneStates.set(name, lane);
  }

  /** Waits for what is unreachable at the start, and says so. An optional destination is not waited for. */
  async #patiently<T>(what: string, required: boolean, call: () => Promise<T>): Promise<T | CdcError> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (cause) {
        const error = toCdcError(cause);
        if (!error.retriable && required) throw error;
        if (!required) return error;
        if (this.#reading.signal.aborted) throw new StoppedEarly();
        if (this.#options.failFast) throw error;
        this.#deps.logger.warn(`${what} cannot be reached, waiting for it`, { code: error.code, error: error.message });
        await waitBeforeRetry(this.config.retry, attempt, this.#deps.random, this.#deps.clock, this.#reading.signal);
      }
    }
  }

  #laneId(open: OpenDestination): { pipeline: string; lane: string } { return { pipeline: this.name, lane: open.config.name }; }
  #pointAt(seq: number, place: Spine['tail']): ResumePoint { return { epoch: this.#epoch, log: { id: (this.#log as ChangeLog).id, seq }, ...place }; }
  #read(): number { return this.#readers.reduce((n, r) => n + r.read, 0); }

  #summary(): RunSummary {
    const lanes = [...this.#lanes.values()].map(({ lane }) => lane);
    return {
      ...this.#run, eventsRead: this.#read(), eventsFiltered: this.#filtered, deadLetters: this.#parked + lanes.reduce((n, l) => n + l.parked, 0),
      delivered: Object.fromEntries(lanes.map((l) => [l.name, l.delivered])),
    };
  }

  status(): PipelineStatus {
    const { maxEvents, maxBytes } = this.config.log;
    const detached = [...this.#laneStates].filter(([name]) => !this.#lanes.has(name)).map(([name, state]) => ({
      name, type: this.config.destinations.find((d) => d.name === name)?.type ?? '', required: false, state: 'detached' as const, delivered: 0, deadLetters: 0, queued: 0,
      lagMs: null, point: state.detached?.from ?? null, lastError: null,
    }));
    return {
      name: this.name, file: this.config.file, mode: this.config.sync.mode, state: this.#stage, epoch: this.#epoch, startedMs: this.#startedMs,
      run: this.#run.endedAtMs === null ? this.#summary() : this.#run, sources: this.#readers.map((r) => r.status()),
      lanes: [...[...this.#lanes.values()].map(({ lane }) => lane.status()), ...detached],
      log: { ...(this.#log?.held() ?? { events: 0, bytes: 0 }), maxEvents, maxBytes },
      lastCheckpointMs: this.#lastCheckpointMs, lastProgressMs: this.#lastProgressMs, nextRunMs: null, error: this.#failure,
    };
  }
}

function isSnapshot(event: ChangeEvent | undefined): boolean { return event !== undefined && event.snapshot !== false; }
