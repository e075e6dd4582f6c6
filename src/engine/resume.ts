// Where everything resumes after a start, for a log that begins now: the table of docs/architecture.md ("Resuming") as pure
// decisions. Each rule closes a way to lose or double events that the delivery model found; the simulator runs the real engine
// against all of them.

import type { LogPlace } from '../log/change-log.ts';
import { CdcError, type ResumePoint } from '../sdk/index.ts';
import type { LaneState } from '../state/store.ts';
import { BEGINNING, coversPlace, newestPlace, oldestPlace, snapshotBoundaries, withoutForkedRuns } from './places.ts';
import {
  acknowledgedPlace,
  canBegin,
  firstBehind,
  hasMoved,
  heldLost,
  type LaneDecision,
  type LaneFacts,
  MEMORY_LOG,
  placeText,
  positionGone,
  type ResumeFacts,
  type ResumePlan,
  rejoinAt,
  stop,
  storedPoint,
  storedPoints,
} from './resume-rules.ts';

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

function resumeAt(facts: Facts, lane: LaneFacts, known: LaneState | null, point: ResumePoint, upstream: LogPlace): LaneDecision {
  if (!lane.required) return { kind: 'resume', point, isNew: false };
  const behind = firstBehind(facts, lane, known, upstream);
  if (known?.lacksForgotten || behind !== null) throw positionGone(lane, facts, behind ?? point);
  if (wasPutBack(facts, lane, known, point)) {
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
 * of which a worker stands behind its own cursor has lost some of that: an older copy was put back. The oldest of them all does
 * not show it: a worker that had nothing to write stays where it was.
 */
function wasPutBack(facts: Facts, lane: LaneFacts, known: LaneState | null, point: ResumePoint): boolean {
  const { transformer } = facts.state,
    { codecs } = facts;
  if (!facts.stateful || transformer === null || known === null || coversPlace(codecs, point, transformer.point)) return false;
  const held = storedPoints(lane, known),
    cursors = known.points;
  // The number of workers changes where all of them stand at one place: no cursor is beyond that.
  const cursorsOf = (i: number): readonly ResumePoint[] => (held.length === cursors.length ? cursors.slice(i, i + 1) : cursors);
  return held.some((row, i) => cursorsOf(i).some((cursor) => !coversPlace(codecs, row, cursor)));
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

/** The note that an optional lane missed messages of a queue is lost with the state; its destination shows only that it was used. */
function mayMissMessages({ state, lanes, sources }: Facts, lane: LaneFacts): boolean {
  const isUsed = lanes.some((l) => l.committed.kind === 'points' && l.committed.points.some((p) => p.log !== null));
  return !state.used && isUsed && !lane.required && sources.some((s) => s.ordering === 'queue');
}

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
  const known = facts.state.lanes[lane.name] ?? null;
  // Beside a lane that joins by snapshot the start is the beginning, and the source goes on where it was told to forget.
  const hasAll = coversPlace(facts.codecs, d.point, start) && firstBehind(facts, lane, known, acknowledged) === null;
  if (hasAll && !known?.lacksForgotten) return;
  decisions.set(lane.name, { kind: 'detached', from: d.point, reason: 'it was behind when the pipeline restarted' });
}

function pointOf(decisions: ReadonlyMap<string, LaneDecision>, lane: string): ResumePoint {
  const d = decisions.get(lane);
  if (d?.kind !== 'resume') throw new CdcError('INTERNAL_UNEXPECTED', `lane "${lane}" has no point`);
  return d.point;
}
