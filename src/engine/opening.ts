// From open components to a pipeline that can run: the log, where everything resumes, lanes, spine and readers, in this order.
// What must be closed is kept in `parts` as soon as it is there: a start that fails half way closes it.

import type { ChangeLog, DurableLog, LogListener, LogPlace } from '../log/change-log.ts';
import { MemoryLog } from '../log/memory-log.ts';
import type { ReadContext, ResumePoint } from '../sdk/index.ts';
import type { LaneState, PipelineState } from '../state/store.ts';
import { Checkpointer } from './checkpointer.ts';
import { Encoders, openLaneTransform } from './components.ts';
import { Deduplicator } from './deduplication.ts';
import { finishIntent } from './finish-move.ts';
import { type Joined, joinDestinations } from './joining.ts';
import { createLane } from './lane-factory.ts';
import { LogSpine } from './log-spine.ts';
import type { Flowing } from './parts.ts';
import { BEGINNING } from './places.ts';
import { type LogEntry, MEMORY_LOG, type ResumePlan } from './resume-rules.ts';
import type { RunContext } from './run-context.ts';
import { SourceReader } from './source-reader.ts';
import { restoreChain, saveChain } from './stateful.ts';

/** `stored`: what state held when the run began. */
export async function openFlow(run: RunContext, stored: PipelineState): Promise<void> {
  const { config, deps, options, patience, parts, record } = run;
  const listener: LogListener = { onSynced: () => run.onSynced(), onError: (error) => run.onError('log', error) };
  const store = config.log.type === 'disk' ? deps.logStore : null;
  const open = (start: LogPlace): Promise<DurableLog | null> =>
    store === null ? Promise.resolve(null) : patience.need('the change log', () => store.open(start, listener));
  const existing = async (): Promise<DurableLog | null> => {
    const found = (await store?.exists()) ? await open(BEGINNING) : null;
    parts.log = found;
    return found;
  };
  const state = await finishIntent({
    pipeline: config.name,
    state: stored,
    destinations: parts.destinations,
    rejoin: options.rejoin,
    clock: deps.clock,
    // As at joining: nobody waits for an optional one.
    ask: (destination, call) => (destination.required ? patience.need(`destination "${destination.name}"`, call) : patience.try(call)),
    save: (change) => run.save(change),
  });
  const joined = await join(run, state, existing, store !== null);
  record.epoch = joined.epoch;
  const { plan } = joined;
  const { maxEvents, maxBytes } = config.log;
  const log =
    parts.log ?? (await open(plan.start)) ?? new MemoryLog({ id: `${MEMORY_LOG}${deps.owner}`, start: plan.start, maxEvents, maxBytes });
  parts.log = log;
  await openLanes(run, joined, log);
  const flowing = await openSpine(run, state, plan, log);
  parts.flowing = flowing;
  await openReaders(run, plan, flowing);
}

function join(run: RunContext, state: PipelineState, openLog: () => Promise<DurableLog | null>, isDurable: boolean): Promise<Joined> {
  const { config, deps, options, patience, parts, lanes } = run;
  return joinDestinations({
    pipeline: config.name,
    state,
    openLog,
    isDurable,
    sources: parts.sources,
    destinations: parts.destinations,
    codecs: parts.codecs,
    stateful: parts.chain.stateful.length > 0,
    options,
    patience,
    save: (change) => run.save(change),
    onKept: (name, count, wanted) =>
      deps.logger.warn(`destination "${name}" goes on with ${count} workers: they do not stand at one place`, {
        wanted,
        fix: 'Nothing, if the pipeline is stopped cleanly some time: the next start has the new number.',
      }),
    detach: (...gap) => lanes.recordDetached(...gap),
  });
}

async function openLanes(run: RunContext, { lanes, plan }: Joined, log: ChangeLog): Promise<void> {
  const { config, deps, parts } = run;
  const encoders = new Encoders(config, parts.sources, deps);
  for (const lane of lanes) {
    const transform = await openLaneTransform(config, lane.open.config, deps);
    if (transform !== null) parts.laneTransforms.push(transform);
    const encoder = await encoders.for(lane.open),
      entry = plan.entries.get(lane.open.config.name) as LogEntry;
    run.lanes.add(createLane(run, lane, { log, entry, encoder, transform }));
  }
}

async function openSpine(run: RunContext, state: PipelineState, plan: ResumePlan, log: ChangeLog): Promise<Flowing> {
  const { config, deps, parts, lanes, record } = run;
  const deduplicator = await openDeduplicator(run);
  const checkpointer = new Checkpointer(
    {
      deduplicator,
      deps,
      log,
      isDurable: config.log.type === 'disk',
      codecs: parts.codecs,
      sources: new Map(parts.sources.map((s) => [s.config.name, s.source])),
      lanes: () => lanes.active,
      laneState: (name) => lanes.stateOf(name) as LaneState,
      save: (change) => run.save(change),
      onCheckpoint: (point) => run.onCheckpoint(point),
    },
    await openStateful(run, state, plan, log),
  );
  const { hooks } = parts;
  const spine = new LogSpine({
    config,
    deps,
    log,
    codecs: parts.codecs,
    chain: parts.chain,
    middleware: parts.middleware,
    lanes,
    checkpointer,
    start: plan.start,
    deduplicator,
    hard: run.hard,
    pointAt: (seq, place) => pointAt(run, log, seq, place),
    onProgress: () => record.progressed(),
    onError: (name, error) => run.onError(name, error),
    onSchemaChange: hooks?.wants('on_schema_change')
      ? (change) => {
          void hooks.tell({ event: 'on_schema_change', run: record.summary(), change });
        }
      : null,
  });
  return { log, spine, checkpointer };
}

async function openDeduplicator({ config, deps, parts: { queues } }: RunContext): Promise<Deduplicator | null> {
  const { deduplication } = config;
  if (deduplication === null || queues.size === 0) return null;
  const deduplicator = new Deduplicator({ ...deduplication, clock: deps.clock, sources: queues });
  deduplicator.restore(await deps.state.delivered(config.name));
  return deduplicator;
}

/** The first pair of state and place is saved before the first event, or a restart would begin at the lanes' points. */
async function openStateful(run: RunContext, state: PipelineState, plan: ResumePlan, log: ChangeLog): Promise<ResumePoint | null> {
  const { stateful } = run.parts.chain;
  if (stateful.length === 0) return null;
  if (state.transformer !== null) {
    restoreChain(stateful, state.transformer.state);
    return state.transformer.point;
  }
  const point = pointAt(run, log, 0, plan.start);
  await run.save({ transformer: { point, state: saveChain(stateful) } });
  return point;
}

function pointAt({ record }: RunContext, log: ChangeLog, seq: number, place: LogPlace): ResumePoint {
  return { epoch: record.epoch, log: { id: log.id, seq }, ...place };
}

async function openReaders(run: RunContext, plan: ResumePlan, { spine }: Flowing): Promise<void> {
  const { config, deps, options, patience, parts, record } = run;
  const { clock, random, logger } = deps;
  const ends = config.sync.mode !== 'continuous' || options.untilCaughtUp;
  const resumedFrom: { [source: string]: { [partition: string]: string } } = {};
  for (const {
    config: { name, type },
    source,
  } of parts.sources) {
    const end = ends ? await patience.need(`source "${name}"`, () => source.end()) : null;
    const until: ReadContext['until'] = end === null ? null : { partitions: end, snapshots: [] };
    resumedFrom[name] = Object.fromEntries(
      Object.entries(plan.start.sources[name] ?? {}).map(([p, at]) => [p, source.positions.describe(at)]),
    );
    parts.readers.push(
      new SourceReader({
        name,
        type,
        source,
        spine,
        until,
        snapshots: plan.start.snapshots.filter((s) => s.source === name),
        boundaries: plan.boundaries.filter((b) => b.source === name),
        maxBatchEvents: config.sync.batch.maxEvents,
        maxBatchBytes: config.sync.batch.maxBytes,
        retry: config.retry,
        failFast: options.failFast,
        clock,
        random,
        logger,
        onError: (error) => run.onError(name, error),
        remaining: () => (options.limit === null ? Number.POSITIVE_INFINITY : options.limit - parts.eventsRead),
      }),
    );
  }
  record.run = { ...record.run, resumedFrom };
}
