// An operator's move of points (`offsets set`, `rollback`, `import`): what it means for each lane, and what is refused. It is
// carried out in finish-move.ts.

import type { LogPlace } from '../log/change-log.ts';
import { CdcError, type Committed, type Position, type PositionCodec, type ResumePoint } from '../sdk/index.ts';
import type { PipelineState } from '../state/store.ts';
import { type Codecs, coversPlace, coversSources, oldestPlace, oldestPoint } from './places.ts';

export interface MovingLane {
  readonly name: string;
  readonly required: boolean;
  readonly committed: Committed;
}

export interface MoveFacts {
  readonly pipeline: string;
  readonly state: PipelineState;
  readonly codecs: Codecs;
  /** What upstream has been told to forget, per source. */
  readonly acknowledged: LogPlace['sources'];
  /** Sources whose beginning is their rows, as they are when they are read. */
  readonly snapshots: readonly string[];
  /** The configured destinations. */
  readonly lanes: readonly MovingLane[];
  /** The log on disk; `null`: there is none, and what a lane needs again must come from the source. */
  readonly log: MovingLog | null;
}

export interface MovingLog {
  readonly firstSeq: number;
  /** The places before its first record and behind its last. */
  readonly head: LogPlace;
  readonly tail: LogPlace;
  /** Sources whose messages are in it without a position. */
  readonly queues: readonly string[];
}

export interface PartitionMove {
  readonly source: string;
  readonly partition: string;
  /** `null`: the beginning. */
  readonly from: Position | null;
  readonly to: Position | null;
  readonly effect: 'again' | 'skips';
}

export interface LaneMove {
  readonly lane: string;
  readonly to: ResumePoint;
  readonly partitions: readonly PartitionMove[];
  /** Tables whose snapshot goes on from an earlier place, or begins again. */
  readonly tables: readonly string[];
}

export function refused(facts: Pick<MoveFacts, 'pipeline'>, what: string, fix: string): CdcError {
  return new CdcError('STATE_MOVE_REFUSED', what, { where: `pipeline "${facts.pipeline}"`, fix });
}

/** Where a lane stands, by worker: what its destination holds if it can tell, else its cursors in state. Throws when it cannot be moved. */
function movablePoints(facts: MoveFacts, name: string): readonly [ResumePoint, ...ResumePoint[]] {
  const lane = facts.lanes.find((l) => l.name === name),
    known = facts.state.lanes[name] ?? null;
  if (lane === undefined) throw refused(facts, `no destination "${name}" is configured`, 'Name one of the destinations of the file.');
  if (known?.detached)
    throw refused(facts, `destination "${name}" is detached: it has a gap`, `Run the pipeline once with \`--rejoin ${name}\`.`);
  const points = lane.committed.kind === 'points' ? lane.committed.points : lane.committed.kind === 'untracked' ? known?.points : [];
  const [first, ...rest] = points ?? [];
  if (first === undefined)
    throw refused(facts, `destination "${name}" has no point yet`, 'Run the pipeline first: a new destination joins by its `start`.');
  return [first, ...rest];
}

/** The oldest of them: from there nothing is missed. */
export function movablePoint(facts: MoveFacts, name: string): ResumePoint {
  return oldestPoint(facts.codecs, movablePoints(facts, name));
}

/** What moving these lanes to these places means; only lanes that change. Throws what cannot be done. */
export function planMoves(facts: MoveFacts, targets: ReadonlyMap<string, LogPlace>): readonly LaneMove[] {
  if (facts.state.transformer !== null) {
    throw refused(
      facts,
      'a stateful transformer has taken in what was read, and its state cannot be moved with the points',
      'Remove the state with `cdc-run forget`, and empty the destinations, to begin anew.',
    );
  }
  const moves: LaneMove[] = [];
  for (const [lane, place] of targets) {
    const from = movablePoints(facts, lane);
    assertNoReplay(facts, lane);
    const to: ResumePoint = { epoch: facts.state.epoch, log: null, sources: place.sources, snapshots: place.snapshots };
    const partitions = partitionMoves(facts.codecs, from, to);
    const tables = [...new Set(from.flatMap((point) => tablesReadAgain(point, to)))];
    if (partitions.length > 0 || tables.length > 0) moves.push({ lane, to, partitions, tables });
  }
  for (const move of moves) assertServable(facts, move);
  assertOptionalKeepUp(facts, moves);
  return moves;
}

/** Cut off in the midst it would leave rows older than they are. */
function assertNoReplay(facts: MoveFacts, lane: string): void {
  const replay = facts.state.lanes[lane]?.replay ?? null;
  if (replay === null) return;
  throw refused(
    facts,
    `destination "${lane}" has a replay that has come to record ${replay.next}`,
    `Start the pipeline to let it finish, or take it back with \`cdc-run replay ${facts.pipeline} --destination ${lane} --cancel\`.`,
  );
}

/** Workers may stand apart: then what the furthest has is sent again, and what the last one lacks is skipped. */
function partitionMoves(codecs: Codecs, from: readonly LogPlace[], to: LogPlace): PartitionMove[] {
  const moves: PartitionMove[] = [];
  for (const [source, codec] of Object.entries(codecs)) {
    const next = to.sources[source] ?? {};
    for (const partition of new Set([...from.flatMap((p) => Object.keys(p.sources[source] ?? {})), ...Object.keys(next)])) {
      const b = next[partition] ?? null;
      const others = from.map((p) => p.sources[source]?.[partition] ?? null).filter((a) => a !== b);
      const again = others.filter((a) => effectOf(codec, a, b) === 'again'),
        skips = others.filter((a) => effectOf(codec, a, b) === 'skips');
      if (again.length > 0) moves.push({ source, partition, from: furthest(codec, again), to: b, effect: 'again' });
      if (skips.length > 0) moves.push({ source, partition, from: furthest(codec, skips, true), to: b, effect: 'skips' });
    }
  }
  return moves;
}

/** `null` is the beginning. `back`: the one that is furthest back. */
function furthest(codec: PositionCodec, positions: readonly (Position | null)[], back = false): Position | null {
  const covers = (a: Position | null, b: Position | null): boolean => b === null || (a !== null && codec.covers(a, b));
  return positions.reduce((best, a) => ((back ? covers(best, a) : covers(a, best)) ? a : best));
}

function effectOf(codec: PositionCodec, from: Position | null, to: Position | null): PartitionMove['effect'] {
  if (to === null) return 'again';
  return from !== null && codec.covers(from, to) ? 'again' : 'skips';
}

function tablesReadAgain(from: LogPlace, to: LogPlace): string[] {
  const hasLess = ({ source, table, run, chunk, state }: LogPlace['snapshots'][number]): boolean => {
    const next = to.snapshots.find((s) => s.source === source && s.table === table);
    return next === undefined || next.run !== run || next.state !== state || next.chunk !== chunk;
  };
  return from.snapshots.filter(hasLess).map(({ source, table }) => `${source}: ${table}`);
}

/** What a lane needs again must come from the log on disk or else, since a log in memory holds nothing, from the source. */
function assertServable(facts: MoveFacts, { lane, to, partitions }: LaneMove): void {
  const held = inLog(facts);
  if (held !== null && held.queues.length > 0 && held.firstSeq > 1) {
    throw refused(
      facts,
      `source "${held.queues.join('", "')}" is a queue, so the log must be sent from its first record, and that is gone`,
      `Use \`cdc-run replay\` for what the log still holds.`,
    );
  }
  if (held !== null && coversSources(facts.codecs, to.sources, held.head.sources)) return;
  for (const { source, partition, effect, to: position } of partitions) {
    if (effect === 'skips') continue;
    const floor = facts.acknowledged[source]?.[partition];
    if (floor !== undefined && !coversSources(facts.codecs, to.sources, { [source]: { [partition]: floor } }))
      throw positionGone(facts, lane, source, floor, held);
    // Sources go on at the end of the log: what is before its beginning never comes again, even if they have it.
    if (held !== null) throw logGap(facts, lane, source, partition, held);
    // Rows that were deleted meanwhile are not among those that are read: at the destination they would stay.
    if (position === null && facts.snapshots.includes(source))
      throw refused(
        facts,
        `source "${source}" begins with the rows as they are now: what was deleted since would stay at destination "${lane}"`,
        `Empty the destination and run with \`--rejoin ${lane}\`, or choose a later position.`,
      );
  }
}

/** A log that ends before what the source has forgotten says nothing of what lies between. */
function inLog({ log, codecs, acknowledged }: MoveFacts): MovingLog | null {
  return log !== null && coversSources(codecs, log.tail.sources, acknowledged) ? log : null;
}

function positionGone(facts: MoveFacts, lane: string, source: string, floor: Position, held: MovingLog | null): CdcError {
  const at = facts.codecs[source]?.describe(floor) ?? floor,
    log = held === null ? '' : `, and the log begins behind that place with record ${held.firstSeq}`;
  return new CdcError(
    'SOURCE_POSITION_GONE',
    `source "${source}" was told that it may forget everything up to ${at}${log}, so destination "${lane}" cannot go back further`,
    {
      where: `source "${source}"`,
      fix: `Choose ${held === null ? at : 'a place that the log holds'} or a later position; or empty the destination and run with \`--rejoin ${lane}\` to fill it by a snapshot.`,
    },
  );
}

function logGap(facts: MoveFacts, lane: string, source: string, partition: string, { firstSeq, head }: MovingLog): CdcError {
  const place = head.sources[source]?.[partition],
    at = place === undefined ? '' : ` (${source} at ${facts.codecs[source]?.describe(place) ?? place})`;
  return new CdcError('STATE_LOG_GAP', `the log begins with record ${firstSeq}${at}, so destination "${lane}" cannot go back further`, {
    where: `destination "${lane}"`,
    fix: `Choose that place or a later one; or empty the destination and run with \`--rejoin ${lane}\`.`,
  });
}

/** An optional lane behind the others would be detached at the next start instead of getting what was asked for. */
function assertOptionalKeepUp(facts: MoveFacts, moves: readonly LaneMove[]): void {
  // In a log on disk each has a place of its own.
  if (inLog(facts) !== null) return;
  const moved = new Map(moves.map(({ lane, to }) => [lane, to]));
  const required = facts.lanes.filter((l) => l.required && (moved.has(l.name) || facts.state.lanes[l.name]?.detached === null));
  const start = oldestPlace(
    facts.codecs,
    required.map(({ name }) => moved.get(name) ?? movablePoint(facts, name)),
  );
  for (const { lane, to } of moves) {
    if (facts.lanes.some((l) => l.name === lane && l.required) || coversPlace(facts.codecs, to, start)) continue;
    throw refused(
      facts,
      `destination "${lane}" is optional, and would stand behind the required ones: it would be detached at the start`,
      `Move all destinations (leave out --lane), or run with \`--rejoin ${lane}\`.`,
    );
  }
}
