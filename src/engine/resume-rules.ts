// What both ways to resume share, with a log that begins now (resume.ts) and with a durable one (resume-durable.ts): the facts,
// the plan, and the rules about a single lane. Pure.

import type { LogPlace } from '../log/change-log.ts';
import { CdcError, type Committed, type PartitionPositions, type ResumePoint, type SnapshotProgress } from '../sdk/index.ts';
import type { LaneState, PipelineState } from '../state/store.ts';
import { type Codecs, coversPlace, newestPlace, oldestPoint } from './places.ts';

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
export function hasMoved({ committed }: LaneFacts): boolean {
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

/** A lane's rows: what its destination holds if it can tell, else the cursors in state; one per worker. */
export function storedPoints({ committed }: LaneFacts, known: LaneState | null): readonly ResumePoint[] {
  return committed.kind === 'points' ? committed.points : committed.kind === 'untracked' ? (known?.points ?? []) : [];
}

/** The oldest place of them. */
export function storedPoint(facts: Facts, lane: LaneFacts, known: LaneState | null): ResumePoint | null {
  const [first, ...rest] = storedPoints(lane, known);
  return first === undefined ? null : oldestPoint(facts.codecs, [first, ...rest]);
}

/**
 * The first worker of the lane that lacks something of what came before this place; `null`: none does. One that was stopped while
 * the lane joined by snapshot, before it got anything of a source, still gets all of it. Each is asked by itself: rows that another
 * one has already may have been changed since, or deleted.
 */
export function firstBehind(facts: Facts, lane: LaneFacts, known: LaneState | null, { sources, snapshots }: LogPlace): ResumePoint | null {
  const isBehind = (row: ResumePoint): boolean => {
    const isUntouched = (name: string): boolean =>
      Object.keys(row.sources[name] ?? {}).length === 0 && !row.snapshots.some((s) => s.source === name);
    const joins = (name: string): boolean => lane.start === 'snapshot' && isUntouched(name) && canBegin(facts, name);
    const must = Object.fromEntries(Object.entries(sources).filter(([name]) => !joins(name)));
    return !coversPlace(facts.codecs, row, { sources: must, snapshots });
  };
  return storedPoints(lane, known).find(isBehind) ?? null;
}

/** Does the source read its rows for a lane that has nothing? What a transformer has taken in does not come again. */
export function canBegin({ sources, stateful, state }: Facts, source: string): boolean {
  return !(stateful && state.transformer !== null) && (sources.find((s) => s.name === source)?.snapshots ?? false);
}

/** For people: `shop: change 27`. */
export function placeText({ codecs }: Facts, { sources }: LogPlace): string {
  return (
    Object.entries(sources)
      .flatMap(([s, ps]) => Object.values(ps).map((p) => `${s}: ${codecs[s]?.describe(p) ?? p}`))
      .join(', ') || 'the beginning'
  );
}

export function positionGone(lane: LaneFacts, facts: Facts, point: ResumePoint): CdcError {
  const at = placeText(facts, point);
  return new CdcError('SOURCE_POSITION_GONE', `destination "${lane.name}" stands at ${at}, which the source no longer holds`, {
    where: `destination "${lane.name}"`,
    fix: `Restore the destination to a later state, or empty it and run with \`--rejoin ${lane.name}\`.`,
  });
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

/** Logs in memory are named so: they end with their process, and what they held was never acknowledged. */
export const MEMORY_LOG = 'memory-';

/** A required lane stops the start; an optional one is detached, its gap recorded. */
export function stop(facts: Facts, lane: LaneFacts, error: CdcError, from: LogPlace): LaneDecision {
  if (lane.required) throw error;
  return {
    kind: 'detached',
    from: { epoch: facts.epoch, log: null, sources: from.sources, snapshots: from.snapshots },
    reason: error.message,
  };
}
