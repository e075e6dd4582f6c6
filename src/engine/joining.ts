// How destinations join a run: their points are read, an epoch above all is claimed, it is decided where each lane resumes,
// and a first point is stored before the first event. Nothing is read from a source before this is done.

import type { DurableLog, LogPlace } from '../log/change-log.ts';
import { CdcError, type Committed, type LaneId, type ResumePoint } from '../sdk/index.ts';
import type { LaneState, PipelineState, StateChange } from '../state/store.ts';
import type { RunOptions } from './api.ts';
import { placeInside } from './batcher.ts';
import { type OpenDestination, type OpenSource, openSlots, pointHolder } from './components.ts';
import type { Patience } from './patience.ts';
import type { Codecs } from './places.ts';
import { joiningAt, settleJoins } from './rejoining.ts';
import { assertNoMessagesLost, planResume } from './resume.ts';
import { planDurableResume, withinLog } from './resume-durable.ts';
import type { LaneDecision, LogEntry, ResumePlan } from './resume-rules.ts';
import type { Slots } from './slots.ts';
import { parallelismOf, planWorkers, type WorkerPlan } from './workers.ts';

export interface JoiningOptions {
  readonly pipeline: string;
  readonly state: PipelineState;
  readonly sources: readonly OpenSource[];
  readonly destinations: readonly OpenDestination[];
  readonly codecs: Codecs;
  readonly isDurable: boolean;
  /** The transform chain holds events back. */
  readonly stateful: boolean;
  readonly options: RunOptions;
  readonly patience: Patience;
  /**
   * The log that is there already; `null`: a new one begins. Asked behind the claims: a process that this one takes over from may
   * have begun the log until then, and its destinations stand in that.
   */
  openLog(): Promise<DurableLog | null>;
  save(change: StateChange): Promise<void>;
  /** The lane runs with the workers its points were made for, and not with those that are configured. */
  onKept(name: string, count: number, wanted: number): void;
  /** Records the gap of a destination that gets nothing for now. */
  detach(name: string, known: LaneState | undefined, from: ResumePoint, reason: string, logEnd: ResumePoint | null): Promise<void>;
}

/** Behind the claims. */
interface Claimed extends JoiningOptions {
  readonly log: DurableLog | null;
}

export interface Joined {
  readonly epoch: number;
  readonly plan: ResumePlan;
  /** Destinations that take part, with where they stand. */
  readonly lanes: readonly {
    readonly open: OpenDestination;
    readonly slots: Slots;
    /** One per worker. */
    readonly points: readonly ResumePoint[];
    readonly state: LaneState;
  }[];
}

type Found = ReadonlyMap<string, Committed | CdcError>;

export async function joinDestinations(options: JoiningOptions): Promise<Joined> {
  const { epoch, found } = await claim(options);
  const o = { ...options, state: settleJoins(options.state, found), log: await options.openLog() };
  const plan = await planFrom(o, epoch, found);
  const lanes = [];
  for (const open of o.destinations) {
    const joined = await join(o, open, epoch, found, plan);
    if (joined !== null) lanes.push(joined);
  }
  // Without any destination the log on disk is what is consumed.
  if (!lanes.some(({ open }) => open.config.required) && !(o.isDurable && o.destinations.length === 0)) {
    throw new CdcError('CONFIG_INVALID_VALUE', 'no destination is required: nothing would hold back what the source may forget', {
      where: 'destinations',
      fix: 'Leave out `required: false` at one of them.',
    });
  }
  await o.save({ used: true, lanes: Object.fromEntries(lanes.map(({ open, state }) => [open.config.name, state])) });
  return { epoch, plan, lanes };
}

const laneOf = (o: JoiningOptions, open: OpenDestination): LaneId => ({ pipeline: o.pipeline, lane: open.config.name });

/** Required destinations are waited for; of an optional one the error is kept. */
function ask<T>(o: JoiningOptions, { config }: OpenDestination, call: () => Promise<T>): Promise<T | CdcError> {
  return config.required ? o.patience.need(`destination "${config.name}"`, call, config.delivery.retry) : o.patience.try(call);
}

/** Reads every destination's point, takes an epoch above all, and claims with it before anything is read or written. */
async function claim(o: JoiningOptions): Promise<{ epoch: number; found: Found }> {
  const found = new Map<string, Committed | CdcError>();
  let highest = o.state.epoch;
  for (const open of o.destinations) {
    const committed = await ask(o, open, () => open.destination.committed(laneOf(o, open)));
    found.set(open.config.name, committed);
    if (!(committed instanceof CdcError) && committed.kind !== 'untracked') highest = Math.max(highest, committed.epoch);
  }
  const epoch = highest + 1;
  const { scheduledMs } = o.options;
  await o.save({ epoch, ...(scheduledMs === null ? {} : { lastScheduledMs: scheduledMs }) });
  for (const open of o.destinations) {
    const { name } = open.config;
    const holder = pointHolder(open);
    if (holder === null || found.get(name) instanceof CdcError) continue;
    // Read again behind the claim: until then an older process could still move the point.
    const committed = await ask(o, open, async () => {
      await holder.claim(laneOf(o, open), epoch);
      return holder.committed(laneOf(o, open));
    });
    found.set(name, committed);
  }
  return { epoch, found };
}

async function planFrom(o: Claimed, epoch: number, found: Found): Promise<ResumePlan> {
  const sources = [];
  for (const { config, source, capabilities } of o.sources) {
    const acknowledged = await o.patience.need(`source "${config.name}"`, () => source.acknowledged());
    sources.push({ name: config.name, ordering: source.ordering, snapshots: capabilities.snapshot, acknowledged });
  }
  const lanes = o.destinations.map(({ config: { name, required, start } }) => {
    const committed = found.get(name);
    const known: Committed = committed === undefined || committed instanceof CdcError ? { kind: 'untracked' } : committed;
    return { name, required, start, committed: known };
  });
  const { state, codecs, stateful } = o;
  const facts = { state, epoch, codecs, sources, lanes, stateful, rejoin: o.options.rejoin };
  if (o.log === null) assertNoMessagesLost(facts, o.isDurable);
  return o.log === null ? planResume(facts) : withLogPlaces(o, o.log, planDurableResume(facts, o.log));
}

/**
 * Lanes enter the log at a record, and what stands there is read from the log: a lane that had entered by position, and was
 * stopped before the log caught up with it, is still ahead, and what its point covers is still dropped.
 */
async function withLogPlaces(o: Claimed, log: DurableLog, plan: ResumePlan): Promise<ResumePlan> {
  const queues = new Set(o.sources.filter((s) => s.source.ordering === 'queue').map((s) => s.config.name));
  const entries = new Map(plan.entries);
  for (const [name, { seq }] of entries) {
    const place = seq >= log.lastSeq ? log.tail : seq < log.firstSeq ? log.head : await placeBehind(log, seq, queues);
    if (place !== null) entries.set(name, { seq, place });
  }
  return { ...plan, entries };
}

/** `null`: the record cannot be read, which is for the lane to find. */
async function placeBehind(log: DurableLog, seq: number, queues: ReadonlySet<string>): Promise<LogPlace | null> {
  try {
    const batch = await log.read(seq + 1);
    if (batch === null) return null;
    const inside = seq + 1 - batch.firstSeq;
    return inside === 0 ? batch.before : placeInside(batch, inside, queues.has(batch.source));
  } catch {
    return null;
  }
}

/** `null`: the destination is detached. */
async function join(
  o: Claimed,
  open: OpenDestination,
  epoch: number,
  found: Found,
  plan: ResumePlan,
): Promise<Joined['lanes'][number] | null> {
  const { name } = open.config,
    known = o.state.lanes[name],
    decision = plan.lanes.get(name) as LaneDecision,
    logEnd = o.log === null ? null : { epoch, log: { id: o.log.id, seq: o.log.lastSeq }, ...o.log.tail };
  if (decision.kind === 'detached') {
    await o.detach(name, known, decision.from, decision.reason, logEnd);
    return null;
  }
  const { point, isNew, isMoved = false } = decision;
  let failed = found.get(name);
  const stored = isNew ? [point] : rowsOf(failed, known, point),
    rows = o.log === null ? stored : withinLog(stored, o.codecs, o.log, known, plan.entries.get(name) as LogEntry),
    beyond = rows.some((row, i) => row !== stored[i]);
  const { slots, plan: workers } = await workersOf(o, open, rows, isNew ? undefined : known);
  if (isNew && known !== undefined && pointHolder(open) !== null) await o.save({ lanes: { [name]: joiningAt(known, point) } });
  // A lane's first point is saved before its first event: at the destination, then in state (model: "join not saved first").
  if ((isNew || isMoved || beyond || workers.isNew) && !(failed instanceof CdcError)) {
    const set = await ask(o, open, async () => pointHolder(open)?.setPoints(laneOf(o, open), epoch, workers.points));
    if (set instanceof CdcError) failed = set;
  }
  if (failed instanceof CdcError) {
    // It may have been told all the same.
    const before = isNew && known !== undefined ? joiningAt(known, point) : known;
    await o.detach(name, before, point, `it failed at the start: ${failed.message}`, logEnd);
    return null;
  }
  const joinedAt = isNew || known === undefined ? point : known.joinedAt,
    points = workers.points;
  const spread = slots.count === 1 ? {} : { slots: { count: slots.count, expression: slots.expression } };
  // What was asked for before it joined anew is about rows that it no longer has.
  const replay = isNew ? null : (known?.replay ?? null);
  return { open, points, slots, state: { points, joinedAt, detached: null, lacksForgotten: false, replay, ...spread } };
}

function rowsOf(found: Committed | CdcError | undefined, known: LaneState | undefined, point: ResumePoint): readonly ResumePoint[] {
  const rows = found === undefined || found instanceof CdcError ? [] : found.kind === 'points' ? found.points : (known?.points ?? []);
  return rows.length === 0 ? [point] : rows;
}

/** As configured, or as they were until all of them stand at one place. */
async function workersOf(
  o: JoiningOptions,
  { config }: OpenDestination,
  rows: readonly ResumePoint[],
  known: LaneState | undefined,
): Promise<{ slots: Slots; plan: WorkerPlan }> {
  const wanted = await openSlots(config.parallelism),
    plan = planWorkers(config.name, wanted, rows, known?.slots);
  if (plan.kept === null) return { slots: wanted, plan };
  o.onKept(config.name, plan.kept.count, wanted.count);
  return { slots: await openSlots(parallelismOf(plan.kept, config.parallelism)), plan };
}
