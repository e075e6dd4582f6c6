// Where everything resumes when there is a durable log: the source behind its last record, each lane at its own place in it.
// Pure, as resume.ts, which decides for a log that begins now.

import type { ChangeLog, DurableLog, LogPlace } from '../log/change-log.ts';
import { CdcError, type ResumePoint, type SnapshotProgress } from '../sdk/index.ts';
import type { LaneState } from '../state/store.ts';
import { BEGINNING, type Codecs, coversPlace, coversSources, newestSources, snapshotBoundaries } from './places.ts';
import {
  acknowledgedPlace,
  canBegin,
  firstBehind,
  heldLost,
  type LaneDecision,
  type LaneFacts,
  type LogEntry,
  MEMORY_LOG,
  positionGone,
  type ResumeFacts,
  type ResumePlan,
  rejoinAt,
  stop,
  storedPoint,
} from './resume-rules.ts';

export type LogFacts = Pick<DurableLog, 'id' | 'firstSeq' | 'lastSeq' | 'head' | 'tail' | 'runBegan'>;

interface Entering {
  readonly decision: LaneDecision;
  readonly entry: LogEntry;
}

/** Throws the error of a required lane that cannot be resumed. */
export function planDurableResume(facts: ResumeFacts, log: LogFacts): ResumePlan {
  if (facts.stateful && !facts.state.used && log.lastSeq > 0) throw heldLost();
  const end = endOf(facts, log);
  const entering = new Map(facts.lanes.map((lane) => [lane.name, enter(facts, log, lane, end)]));
  const saved = facts.stateful ? facts.state.transformer : null;
  const lacking = [...entering.values()].flatMap(({ decision, entry }) =>
    decision.kind === 'resume' ? [{ snapshots: decision.point.snapshots, after: entry.seq }] : [],
  );
  const isServed = (progress: SnapshotProgress): boolean => lacking.every((lane) => meets(log, lane, progress));
  const { sources, snapshots } = saved?.point ?? end;
  return {
    lanes: new Map([...entering].map(([name, { decision }]) => [name, decision])),
    entries: new Map([...entering].map(([name, { entry }]) => [name, entry])),
    start: { sources, snapshots: snapshots.filter(isServed) },
    // The log holds each chunk once; only a stateful chain takes some in again.
    boundaries: saved === null ? [] : snapshotBoundaries([log.tail]),
  };
}

/**
 * Where the sources go on: at the end of the log; or behind what they were told to forget, where that is more: then an older copy
 * of the log was put back, or the pipeline has run without it for a while.
 */
function endOf(facts: ResumeFacts, log: LogFacts): LogPlace {
  const forgotten = acknowledgedPlace(facts);
  if (coversSources(facts.codecs, log.tail.sources, forgotten.sources)) return log.tail;
  return { sources: newestSources(facts.codecs, log.tail.sources, forgotten.sources), snapshots: log.tail.snapshots };
}

/** Has the lane the rows of the table, or are they still before it in the log? */
function meets(log: LogFacts, lane: { snapshots: readonly SnapshotProgress[]; after: number }, now: SnapshotProgress): boolean {
  const own = lane.snapshots.find((s) => s.source === now.source && s.table === now.table);
  if (own !== undefined && (own.state !== 'running' || own.run === now.run)) return true;
  return log.runBegan(now.source, now.table) > lane.after;
}

function enter(facts: ResumeFacts, log: LogFacts, lane: LaneFacts, end: LogPlace): Entering {
  const known = facts.state.lanes[lane.name] ?? null,
    atEnd: LogEntry = { seq: log.lastSeq, place: log.tail };
  const stopped = (error: CdcError, from: LogPlace = BEGINNING): Entering => ({ decision: stop(facts, lane, error, from), entry: atEnd });
  const joins = (entry: LogEntry, place: LogPlace): Entering => {
    const first = { epoch: facts.epoch, log: { id: log.id, seq: entry.seq }, ...place };
    const point = facts.rejoin.includes(lane.name) ? rejoinAt(facts, lane, () => first) : first;
    return { decision: { kind: 'resume', point, isNew: true }, entry };
  };
  if (facts.rejoin.includes(lane.name)) return join(facts, log, lane, end, joins, stopped);
  const point = storedPoint(facts, lane, known),
    limit = knownEnd(log, known);
  if (known?.detached && (known.detached.holdsOldPlace || !isHeld(facts, log, point, limit)))
    return { decision: { kind: 'detached', from: known.detached.from, reason: known.detached.reason }, entry: atEnd };
  if (point !== null) {
    const entry = entryAt(facts, log, point, limit);
    if (entry === null) return stopped(gap(lane, log, point), point);
    // What lies between the end of the log and what the sources forgot is nowhere any more.
    const behind = end === log.tail ? null : firstBehind(facts, lane, known, { ...end, snapshots: [] });
    if (behind !== null) return stopped(positionGone(lane, facts, behind), point);
    if (isBeyond(log, point, limit))
      return { decision: { kind: 'resume', point: { ...point, log: { id: log.id, seq: entry.seq } }, isNew: false, isMoved: true }, entry };
    return { decision: { kind: 'resume', point, isNew: false }, entry };
  }
  if (known !== null) return stopped(positionLost(lane));
  if (facts.state.used) return join(facts, log, lane, end, joins, stopped);
  // The state is lost: what an untracked destination lacks is at most the whole log.
  if (lane.required && lane.committed.kind === 'untracked') return joins(headOf(log), log.head);
  return stopped(stateLost(lane));
}

const headOf = (log: LogFacts): LogEntry => ({ seq: log.firstSeq - 1, place: log.head });

/**
 * Up to where the lane's point may speak of numbers: to the end of the log, or to where it ended while the lane was away. The
 * numbers beyond were given out again since then.
 */
function knownEnd(log: LogFacts, known: LaneState | null): LogEntry {
  const end = known?.detached?.logEnd;
  if (end?.log?.id !== log.id || end.log.seq >= log.lastSeq) return { seq: log.lastSeq, place: log.tail };
  return { seq: end.log.seq, place: { sources: end.sources, snapshots: end.snapshots } };
}

function isBeyond(log: Pick<LogFacts, 'id'>, point: ResumePoint, limit: LogEntry): boolean {
  return point.log?.id === log.id && point.log.seq > limit.seq;
}

/**
 * A lane's rows as they are stored at its start. Numbers beyond the end of the log are given out again: no point may be taken for
 * one of those at the next start.
 */
export function withinLog(
  rows: readonly ResumePoint[],
  codecs: Codecs,
  log: LogFacts,
  known: LaneState | undefined,
  entry: LogEntry,
): readonly ResumePoint[] {
  const limit = knownEnd(log, known ?? null);
  return rows.map((row) => {
    if (!isBeyond(log, row, limit)) return row;
    // A worker that lacks something of the log begins where the lane does, and drops by position what it has.
    const hasAll = limit.seq === log.lastSeq && coversPlace(codecs, row, log.tail);
    return { ...row, log: { id: log.id, seq: hasAll ? log.lastSeq : entry.seq } };
  });
}

/** Is all that comes after this point in the log? Then a lane that was detached there has no gap: nobody has to decide about it. */
function isHeld(facts: ResumeFacts, log: LogFacts, point: ResumePoint | null, limit: LogEntry): boolean {
  return point?.log?.id === log.id && entryAt(facts, log, point, limit) !== null;
}

/** Where in the log a lane with this point reads on; `null`: what comes next is no longer there. */
function entryAt(facts: ResumeFacts, log: LogFacts, point: ResumePoint, limit: LogEntry): LogEntry | null {
  const isOurs = point.log?.id === log.id;
  if (isOurs && point.log.seq <= limit.seq) return point.log.seq >= log.firstSeq - 1 ? { seq: point.log.seq, place: point } : null;
  // Of another log, or beyond the end of this one: by position. What the point covers is dropped on the way.
  const canStandAtHead = coversSources(facts.codecs, point.sources, log.head.sources);
  if (!isOurs && facts.sources.some((s) => s.ordering === 'queue')) {
    // Positions say nothing of messages: all that this log ever had may be lacking, and nothing of another one may.
    const lacksNothingElse = point.log === null || point.log.id.startsWith(MEMORY_LOG);
    return lacksNothingElse && log.firstSeq === 1 && canStandAtHead ? headOf(log) : null;
  }
  const { seq, place } = isOurs ? limit : { seq: log.lastSeq, place: log.tail };
  if (seq >= log.firstSeq - 1 && coversPlace(facts.codecs, point, place)) return { seq, place };
  return canStandAtHead ? headOf(log) : null;
}

/** Where one of several workers enters a durable log: at its own record, where its point is of this one. */
export function entryOfWorker(point: ResumePoint, log: Pick<ChangeLog, 'id' | 'lastSeq' | 'tail'>, lane: LogEntry): LogEntry {
  if (point.log?.id !== log.id || point.log.seq <= lane.seq) return lane;
  // What stands there is not the worker's own place: that may be further, when it entered the log by position.
  return { seq: point.log.seq, place: point.log.seq === log.lastSeq ? log.tail : lane.place };
}

/** By its `start`. With `snapshot` the source reads the rows for it, and they come behind the end of the log. */
function join(
  facts: ResumeFacts,
  log: LogFacts,
  lane: LaneFacts,
  end: LogPlace,
  joins: (entry: LogEntry, place: LogPlace) => Entering,
  stopped: (error: CdcError) => Entering,
): Entering {
  const atEnd: LogEntry = { seq: log.lastSeq, place: log.tail },
    logs = facts.sources.filter((s) => s.ordering === 'log');
  if (lane.start === 'now') return joins(atEnd, end);
  if (lane.start === 'log_start') return joins(headOf(log), log.head);
  if (logs.every((s) => canBegin(facts, s.name))) return joins(atEnd, { sources: end.sources, snapshots: [] });
  // A source that has no rows to read: all of it is in a log that was never cut.
  if (logs.every((s) => Object.keys(log.head.sources[s.name] ?? {}).length === 0)) return joins(headOf(log), log.head);
  return stopped(
    new CdcError('SOURCE_POSITION_GONE', `destination "${lane.name}" is new, and neither source nor log can serve its beginning`, {
      where: `destination "${lane.name}"`,
      fix: 'Set `start: log_start` for what the log still has, or `start: now`.',
    }),
  );
}

function gap(lane: LaneFacts, log: LogFacts, point: ResumePoint): CdcError {
  const stands = point.log === null ? 'before the log' : `at record ${point.log.seq}${point.log.id === log.id ? '' : ' of another log'}`;
  return new CdcError('STATE_LOG_GAP', `destination "${lane.name}" stands ${stands}, and the log begins at ${log.firstSeq}`, {
    where: `destination "${lane.name}"`,
    fix: `Empty it and run with \`--rejoin ${lane.name}\`, or set \`start: now\` there to skip the gap.`,
  });
}

function positionLost(lane: LaneFacts): CdcError {
  return new CdcError('DESTINATION_POSITION_LOST', `destination "${lane.name}" held a point before and is empty now`, {
    where: `destination "${lane.name}"`,
    fix: `Restore its data, or run with \`--rejoin ${lane.name}\` to let it join anew.`,
  });
}

function stateLost(lane: LaneFacts): CdcError {
  return new CdcError('STATE_LOST', `the log was used before, but state and destination "${lane.name}" know nothing of it`, {
    where: `destination "${lane.name}"`,
    fix: `Restore the state file, or run with \`--rejoin ${lane.name}\` to let the destination join anew.`,
  });
}
