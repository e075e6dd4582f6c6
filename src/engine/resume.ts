// Where everything resumes after a start: the table of docs/architecture.md ("Resuming") as pure decisions. Each rule closes
// a way to lose or double events that the delivery model found; the simulator runs the real engine against all of them.

import type { ChangeLog, LogPlace } from '../log/change-log.ts';
import { CdcError, type Committed, type PartitionPositions, type ResumePoint, type SnapshotProgress } from '../sdk/index.ts';
import type { LaneState, PipelineState } from '../state/store.ts';
import { BEGINNING, type Codecs, coversPlace, newestPlace, oldestPlace, snapshotBoundaries, withoutForkedRuns } from './places.ts';

export interface LaneFacts {
  readonly name: string;
  readonly required: boolean;
  readonly start: 'snapshot' | 'log_start' | 'now';
  readonly committed: Committed;
}

export interface SourceFacts {
  readonly name: string;
  readonly ordering: 'log' | 'queue';
  /** Reads existing rows: a lane that begins anew gets them, although upstream has forgotten older changes. */
  readonly snapshots: boolean;
  /** What upstream has been told to forget; `null` = nothing. */
  readonly acknowledged: PartitionPositions | null;
}

export type LaneDecision =
  | {
      readonly kind: 'resume';
      /** Saved before the first event when it is not what is stored: of a lane that is new, or was moved in the log. */
      readonly point: ResumePoint;
      readonly isNew: boolean;
      readonly isMoved?: boolean;
    }
  | { readonly kind: 'detached'; readonly from: ResumePoint; readonly reason: string };

/** Where a lane enters the log: it reads what comes after `seq`; `place` is what stands there. */
export interface LogEntry {
  readonly seq: number;
  readonly place: LogPlace;
}

/** Where one of several workers enters a durable log: at its own record, where its point is of this one. */
export function entryOfWorker(point: ResumePoint, log: Pick<ChangeLog, 'id' | 'lastSeq' | 'tail'>, lane: LogEntry): LogEntry {
  if (point.log?.id !== log.id || point.log.seq < lane.seq) return lane;
  // What stands there is not the worker's own place: that may be further, when it entered the log by position.
  return { seq: point.log.seq, place: point.log.seq === log.lastSeq ? log.tail : lane.place };
}

export interface ResumePlan {
  readonly lanes: ReadonlyMap<string, LaneDecision>;
  readonly entries: ReadonlyMap<string, LogEntry>;
  /** Where the sources resume: at the oldest lane that counts, where a new log begins; or behind the durable log's last record. */
  readonly start: LogPlace;
  /** Ends of the snapshot chunks that lanes have. */
  readonly boundaries: readonly SnapshotProgress[];
}

export interface ResumeFacts {
  readonly state: PipelineState;
  readonly epoch: number;
  readonly codecs: Codecs;
  readonly sources: readonly SourceFacts[];
  readonly lanes: readonly LaneFacts[];
  /** The transform chain holds events back: its saved pair says where to resume. */
  readonly stateful: boolean;
  /** Lanes that the operator lets join anew. */
  readonly rejoin: readonly string[];
}
type Facts = ResumeFacts;

/** Decides for a log that begins now. Throws the error of a required lane that cannot be resumed. */
export function planResume(facts: Facts): ResumePlan {
  const acknowledged = acknowledgedPlace(facts);
  const lost = !facts.state.used && Object.keys(acknowledged.sources).length > 0;
  if (facts.stateful && !facts.state.used && (lost || facts.lanes.some(hasMoved))) throw heldLost();
  // What can still be read: with a stateful chain nothing before its saved place, since its state has taken that in.
  const saved = facts.stateful ? facts.state.transformer : null;
  const upstream = saved === null ? acknowledged : newestPlace(facts.codecs, acknowledged, saved.point);
  const decisions = new Map<string, LaneDecision>();
  for (const lane of facts.lanes) decisions.set(lane.name, decideLane(facts, lane, upstream, acknowledged, lost));

  // Upstream's place counts for required lanes, and for those that join now: an optional one never drags the rest back.
  const counted = facts.lanes.filter((lane) => {
    const d = decisions.get(lane.name);
    return d?.kind === 'resume' && (lane.required || d.isNew);
  });
  const start =
    saved !== null
      ? { sources: saved.point.sources, snapshots: saved.point.snapshots }
      : oldestPlace(
          facts.codecs,
          counted.map((lane) => pointOf(decisions, lane.name)),
        );
  for (const lane of facts.lanes) detachIfBehind(facts, lane, decisions, start, acknowledged);

  // Of each worker: what one of them has of a snapshot must not be cut otherwise.
  const places = facts.lanes.flatMap((lane): readonly LogPlace[] => {
    const d = decisions.get(lane.name),
      rows = storedPoints(lane, facts.state.lanes[lane.name] ?? null);
    if (d?.kind !== 'resume') return [];
    return d.isNew || rows.length === 0 ? [d.point] : rows;
  });
  return {
    lanes: decisions,
    entries: new Map([...decisions.keys()].map((name) => [name, { seq: 0, place: start }])),
    start: { ...start, snapshots: withoutForkedRuns(start.snapshots, places) },
    boundaries: withoutForkedRuns(snapshotBoundaries(places), places),
  };
}

export function heldLost(): CdcError {
  return new CdcError(
    'STATE_LOST',
    'the source was used by this pipeline before, and what its transformers held back is lost with the state',
    {
      where: 'state',
      fix: 'Restore the state file, or let the source forget the pipeline (see its page) to begin with a new snapshot.',
    },
  );
}

/** Its destination has got something: more than a first point that was set before the state was saved. */
function hasMoved({ committed }: LaneFacts): boolean {
  return (
    committed.kind === 'points' &&
    committed.points.some((p) => p.snapshots.length > 0 || Object.values(p.sources).some((ps) => Object.keys(ps).length > 0))
  );
}

/** What upstream has been told to forget. */
export function acknowledgedPlace({ sources }: Facts): LogPlace {
  const held = sources.filter((s) => s.ordering === 'log' && s.acknowledged !== null && Object.keys(s.acknowledged).length > 0);
  return { sources: Object.fromEntries(held.map((s) => [s.name, s.acknowledged as PartitionPositions])), snapshots: [] };
}

function decideLane(facts: Facts, lane: LaneFacts, upstream: LogPlace, acknowledged: LogPlace, lost: boolean): LaneDecision {
  const known = facts.state.lanes[lane.name] ?? null;
  if (facts.rejoin.includes(lane.name))
    return { kind: 'resume', point: rejoinAt(facts, lane, () => joinPoint(facts, lane, upstream)), isNew: true };
  if (mayMissMessages(facts, lane)) return whenStateLost(facts, lane, upstream);
  if (known?.detached) return { kind: 'detached', from: known.detached.from, reason: known.detached.reason };
  const point = storedPoint(facts, lane, known);
  if (point !== null) return resumeAt(facts, lane, known, point, acknowledged);
  if (known !== null) {
    return stop(
      facts,
      lane,
      new CdcError('DESTINATION_POSITION_LOST', `destination "${lane.name}" held a point before and is empty now`, {
        where: `destination "${lane.name}"`,
        fix: `Restore its data, or run with \`--rejoin ${lane.name}\` to let it join anew.`,
      }),
      BEGINNING,
    );
  }
  if (lost) return whenStateLost(facts, lane, upstream);
  return { kind: 'resume', point: joinPoint(facts, lane, upstream), isNew: true };
}

/** A lane's rows: what its destination holds if it can tell, else the cursors in state; one per worker. */
export function storedPoints({ committed }: LaneFacts, known: LaneState | null): readonly ResumePoint[] {
  return committed.kind === 'points' ? committed.points : committed.kind === 'untracked' ? (known?.points ?? []) : [];
}

/** The oldest place of them. */
export function storedPoint(facts: Facts, lane: LaneFacts, known: LaneState | null): ResumePoint | null {
  const rows = storedPoints(lane, known),
    [first, ...rest] = rows;
  if (first === undefined || rest.length === 0) return first ?? null;
  const logs = rows.map((row) => row.log),
    isOneLog = logs.every((log) => log !== null && log.id === first.log?.id);
  const log = isOneLog ? { id: first.log?.id as string, seq: Math.min(...logs.map((l) => l?.seq ?? 0)) } : null;
  return { ...first, log, ...oldestPlace(facts.codecs, rows) };
}

function resumeAt(facts: Facts, lane: LaneFacts, known: LaneState | null, point: ResumePoint, upstream: LogPlace): LaneDecision {
  if (!lane.required) return { kind: 'resume', point, isNew: false };
  if (known?.behindQueue || !coversPlace(facts.codecs, point, mustHave(facts, lane, point, upstream)))
    throw positionGone(lane, facts, point);
  if (wasPutBack(facts, known, point)) {
    throw new CdcError(
      'SOURCE_POSITION_GONE',
      `destination "${lane.name}" stands at ${placeText(facts, point)}, before its cursor, and what came since was taken in by the transformers: it is not read again`,
      {
        where: `destination "${lane.name}"`,
        fix: `Restore the destination to a later state, or empty it and run with \`--rejoin ${lane.name}\`.`,
      },
    );
  }
  return { kind: 'resume', point, isNew: false };
}

/**
 * Reading goes on where the transformers' state was saved, when all that had to be written before was written. A destination
 * that stands behind its own cursor has lost some of that: an older copy was put back.
 */
function wasPutBack(facts: Facts, known: LaneState | null, point: ResumePoint): boolean {
  const { transformer } = facts.state;
  if (!facts.stateful || transformer === null || known === null || coversPlace(facts.codecs, point, transformer.point)) return false;
  return !coversPlace(facts.codecs, point, oldestPlace(facts.codecs, known.points));
}

/** A lane that was stopped while it joined by snapshot, before it got anything of a source, still gets all of it. */
export function mustHave(facts: Facts, lane: LaneFacts, point: ResumePoint, { sources, snapshots }: LogPlace): LogPlace {
  const isUntouched = (name: string): boolean =>
    Object.keys(point.sources[name] ?? {}).length === 0 && !point.snapshots.some((s) => s.source === name);
  const joins = (name: string): boolean => lane.start === 'snapshot' && isUntouched(name) && canBegin(facts, name);
  return { sources: Object.fromEntries(Object.entries(sources).filter(([name]) => !joins(name))), snapshots };
}

/** Does the source read its rows for a lane that has nothing? What a transformer has taken in does not come again. */
export function canBegin({ sources, stateful, state }: Facts, source: string): boolean {
  return !(stateful && state.transformer !== null) && (sources.find((s) => s.name === source)?.snapshots ?? false);
}

function placeText({ codecs }: Facts, { sources }: LogPlace): string {
  return (
    Object.entries(sources)
      .flatMap(([s, ps]) => Object.values(ps).map((p) => `${s}: ${codecs[s]?.describe(p) ?? p}`))
      .join(', ') || 'the beginning'
  );
}

export function positionGone(lane: LaneFacts, facts: Facts, point: ResumePoint): CdcError {
  return new CdcError(
    'SOURCE_POSITION_GONE',
    `destination "${lane.name}" stands at ${placeText(facts, point)}, which the source no longer holds`,
    {
      where: `destination "${lane.name}"`,
      fix: `Restore the destination to a later state, or empty it and run with \`--rejoin ${lane.name}\`.`,
    },
  );
}

/** The state knows nothing, but upstream was used: only what the destination itself tells, or upstream's own mark, is not a guess. */
function whenStateLost(facts: Facts, lane: LaneFacts, upstream: LogPlace): LaneDecision {
  if (lane.required && lane.committed.kind === 'untracked') {
    return { kind: 'resume', point: { epoch: facts.epoch, log: null, ...upstream }, isNew: true };
  }
  return stop(
    facts,
    lane,
    new CdcError('STATE_LOST', `the source was used by this pipeline before, but state and destination "${lane.name}" know nothing of it`, {
      where: `destination "${lane.name}"`,
      fix: `Restore the state file, or run with \`--rejoin ${lane.name}\` to let the destination join anew.`,
    }),
    BEGINNING,
  );
}

/** A lane that is new to the pipeline joins by its `start`. */
function joinPoint(facts: Facts, lane: LaneFacts, upstream: LogPlace): ResumePoint {
  const at = (place: LogPlace): ResumePoint => ({ epoch: facts.epoch, log: null, sources: place.sources, snapshots: place.snapshots });
  if (!facts.state.used && Object.keys(upstream.sources).length === 0) return at(BEGINNING);
  if (lane.start !== 'snapshot') {
    // the memory log has no history: its start is now
    const others = Object.entries(facts.state.lanes)
      .filter(([name, l]) => l.detached === null && name !== lane.name)
      .flatMap(([, l]) => l.points);
    // Not before what upstream has forgotten: an optional lane may stand there.
    return at(newestPlace(facts.codecs, oldestPlace(facts.codecs, others), upstream));
  }
  const gone = facts.sources.find(
    (s) => s.ordering === 'log' && !canBegin(facts, s.name) && Object.keys(upstream.sources[s.name] ?? {}).length > 0,
  );
  if (gone === undefined) return at(BEGINNING);
  throw new CdcError(
    'SOURCE_POSITION_GONE',
    `destination "${lane.name}" is new, and source "${gone.name}" can no longer serve its beginning`,
    {
      where: `destination "${lane.name}"`,
      fix: 'Set `start: now` to let it begin with the next event.',
    },
  );
}

/** Joining anew over old rows would keep rows that were deleted in the gap: a snapshot needs an empty destination. */
export function rejoinAt(facts: Facts, lane: LaneFacts, join: () => ResumePoint): ResumePoint {
  if (lane.start === 'snapshot' && hasMoved(lane)) {
    throw new CdcError('DESTINATION_MISCONFIGURED', `destination "${lane.name}" cannot join by snapshot: it still holds rows and a point`, {
      where: `destination "${lane.name}"`,
      fix: 'Empty it, its point table included, or set `start: now` to skip the gap.',
    });
  }
  const point = join();
  if (lane.start === 'snapshot') return point;
  // Skipping a gap never moves a point back, of no worker: what the destination has would come again.
  const rows = storedPoints(lane, facts.state.lanes[lane.name] ?? null);
  return { ...point, ...rows.reduce<LogPlace>((place, row) => newestPlace(facts.codecs, place, row), point) };
}

/** The note that an optional lane missed messages of a queue is lost with the state; its destination shows only that it was used. */
function mayMissMessages({ state, lanes, sources }: Facts, lane: LaneFacts): boolean {
  const isUsed = lanes.some((l) => l.committed.kind === 'points' && l.committed.points.some((p) => p.log !== null));
  return !state.used && isUsed && !lane.required && sources.some((s) => s.ordering === 'queue');
}

/** Logs in memory are named so: they end with their process, and what they held was never acknowledged. */
export const MEMORY_LOG = 'memory-';

/** Messages that a queue has forgotten are in the log alone: a new one in its place cannot tell what a lane lacks. */
export function assertNoMessagesLost(facts: Facts, isDurable: boolean): void {
  if (!facts.sources.some((s) => s.ordering === 'queue')) return;
  for (const lane of facts.lanes) {
    const point = storedPoint(facts, lane, facts.state.lanes[lane.name] ?? null);
    if (point?.log === null || point?.log === undefined || point.log.id.startsWith(MEMORY_LOG) || facts.rejoin.includes(lane.name))
      continue;
    throw new CdcError('STATE_LOG_GAP', `destination "${lane.name}" was served by a log on disk which is gone`, {
      where: `destination "${lane.name}"`,
      fix: `${isDurable ? 'Restore the folder of the log' : 'Set `log: {type: disk}` again'}, or run with \`--rejoin ${lane.name}\` to accept the gap.`,
    });
  }
}

function detachIfBehind(
  facts: Facts,
  lane: LaneFacts,
  decisions: Map<string, LaneDecision>,
  start: LogPlace,
  acknowledged: LogPlace,
): void {
  const d = decisions.get(lane.name);
  if (lane.required || d?.kind !== 'resume' || d.isNew) return;
  const behindQueue = facts.state.lanes[lane.name]?.behindQueue ?? false;
  // Beside a lane that joins by snapshot the start is the beginning, and the source goes on where it was told to forget.
  const must = [start, mustHave(facts, lane, d.point, acknowledged)];
  if (!behindQueue && must.every((place) => coversPlace(facts.codecs, d.point, place))) return;
  decisions.set(lane.name, { kind: 'detached', from: d.point, reason: 'it was behind when the pipeline restarted' });
}

/** A required lane stops the start; an optional one is detached, its gap recorded. */
export function stop(facts: Facts, lane: LaneFacts, error: CdcError, from: LogPlace): LaneDecision {
  if (lane.required) throw error;
  return {
    kind: 'detached',
    from: { epoch: facts.epoch, log: null, sources: from.sources, snapshots: from.snapshots },
    reason: error.message,
  };
}

function pointOf(decisions: ReadonlyMap<string, LaneDecision>, lane: string): ResumePoint {
  const d = decisions.get(lane);
  if (d?.kind !== 'resume') throw new CdcError('INTERNAL_UNEXPECTED', `lane "${lane}" has no point`);
  return d.point;
}
