// What the state holds, as text. Pure. All stores keep these texts, so that what the simulator reads back has gone through
// the same door as what is read from disk.

import { CdcError, type ErrorCode, formatPoint, parsePoint, type ResumePoint, type RunSummary } from '../sdk/index.ts';
import {
  CHECKPOINT_SPACING_MS,
  type DetachedState,
  type LaneState,
  type PipelineState,
  type PointIntent,
  type ReplayRequest,
  type StateChange,
} from './store.ts';

/** The part of `PipelineState` that belongs to the pipeline itself. */
export type PipelineHead = Pick<PipelineState, 'used' | 'epoch' | 'lastScheduledMs' | 'intent'>;

export const NEW_PIPELINE: PipelineHead = { used: false, epoch: 0, lastScheduledMs: null, intent: null };

/** Longest message of an error that is kept, in characters: a driver may quote a whole statement. */
const MAX_MESSAGE_CHARS = 2000;

export function formatHead({ used, epoch, lastScheduledMs, intent }: PipelineHead): string {
  return JSON.stringify({ used, epoch, last_scheduled_ms: lastScheduledMs, ...(intent === null ? {} : { intent: textsOfIntent(intent) }) });
}

export function parseHead(text: string): PipelineHead {
  const value = parseObject(text);
  const { used, epoch, last_scheduled_ms: last, intent = null } = value;
  if (typeof used !== 'boolean' || !Number.isSafeInteger(epoch)) throw new TypeError('not the head of a pipeline');
  if (last !== null && typeof last !== 'number') throw new TypeError('last_scheduled_ms is not a number');
  return { used, epoch: epoch as number, lastScheduledMs: last, intent: intent === null ? null : parseIntent(intent) };
}

/** The head after a change. */
export function changedHead(head: PipelineHead, { used, epoch, lastScheduledMs, intent }: StateChange): PipelineHead {
  return {
    used: used ?? head.used,
    epoch: epoch ?? head.epoch,
    lastScheduledMs: lastScheduledMs ?? head.lastScheduledMs,
    intent: intent === undefined ? head.intent : intent,
  };
}

function textsOfIntent({ atMs, what, lanes }: PointIntent): unknown {
  return { at_ms: atMs, what, lanes: Object.entries(lanes).map(([name, point]) => [name, formatPoint(point)]) };
}

function parseIntent(value: unknown): PointIntent {
  const { at_ms: atMs, what, lanes } = value as Record<string, unknown>;
  if (typeof atMs !== 'number' || !Array.isArray(lanes)) throw new TypeError('not an intent');
  const points = lanes.map((lane) => [asText((lane as unknown[])[0]), parsePoint(asText((lane as unknown[])[1]))] as const);
  return { atMs, what: asText(what), lanes: Object.fromEntries(points) };
}

/** Lane → points, as it is kept in the history of checkpoints. */
export type CheckpointLanes = { readonly [lane: string]: readonly ResumePoint[] };

export function formatCheckpoint(lanes: CheckpointLanes): string {
  return JSON.stringify(Object.entries(lanes).map(([name, points]) => [name, ...points.map(formatPoint)]));
}

export function parseCheckpoint(text: string): CheckpointLanes {
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw new TypeError('not a checkpoint');
  return Object.fromEntries(
    value.map((lane) => {
      const [name, ...points] = (lane as unknown[]).map(asText);
      return [asText(name), points.map(parsePoint)];
    }),
  );
}

/** What a checkpoint holds of the lanes' states. */
export function checkpointOf(lanes: Iterable<readonly [string, LaneState]>): CheckpointLanes {
  const joined = [...lanes].filter(([, { detached }]) => detached === null).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(joined.map(([name, { points }]) => [name, points]));
}

/** Is it time to add `lanes` to the history, of which `last` is the newest? */
export function isCheckpointDue(
  lanes: CheckpointLanes,
  last: { readonly atMs: number; readonly lanes: string } | null,
  wanted: NonNullable<StateChange['checkpoint']>,
): boolean {
  if (wanted.keep === 0 || Object.keys(lanes).length === 0) return false;
  if (last === null) return true;
  // Either way: a clock that was set back must not end the history.
  const isFar = Math.abs(wanted.atMs - last.atMs) >= CHECKPOINT_SPACING_MS;
  return (isFar || wanted.always === true) && placesText(lanes) !== placesText(parseCheckpoint(last.lanes));
}

/** Epochs and log numbers change with each start without anything having moved. */
function placesText(lanes: CheckpointLanes): string {
  return formatCheckpoint(
    Object.fromEntries(Object.entries(lanes).map(([name, points]) => [name, points.map((p) => ({ ...p, epoch: 0, log: null }))])),
  );
}

export function formatLane(lane: LaneState): string {
  return JSON.stringify({
    points: lane.points.map(formatPoint),
    joined_at: formatPoint(lane.joinedAt),
    ...(lane.joining === undefined ? {} : { joining: formatPoint(lane.joining) }),
    detached: lane.detached && textsOfDetached(lane.detached),
    lacks_forgotten: lane.lacksForgotten,
    ...(lane.slots === undefined ? {} : { slots: lane.slots }),
    ...(lane.replay === null ? {} : { replay: lane.replay }),
  });
}

export function parseLane(text: string): LaneState {
  const value = parseObject(text);
  if (!Array.isArray(value.points) || typeof value.lacks_forgotten !== 'boolean') throw new TypeError('not the state of a lane');
  return {
    points: value.points.map((point) => parsePoint(asText(point))),
    joinedAt: parsePoint(asText(value.joined_at)),
    ...(value.joining === undefined ? {} : { joining: parsePoint(asText(value.joining)) }),
    detached: value.detached === null ? null : parseDetached(value.detached),
    lacksForgotten: value.lacks_forgotten,
    ...(value.slots === undefined ? {} : { slots: parseSlots(value.slots) }),
    replay: value.replay === undefined ? null : parseReplay(value.replay),
  };
}

function parseSlots(value: unknown): NonNullable<LaneState['slots']> {
  const { count, expression } = (value ?? {}) as Record<string, unknown>;
  if (typeof count !== 'number' || typeof expression !== 'string') throw new TypeError('slots are not numbers and texts');
  return { count, expression };
}

function parseReplay(value: unknown): ReplayRequest {
  const { log, from, to, next, tables } = value as Record<string, unknown>;
  if (!isRecordNumber(from) || !isRecordNumber(next) || !(to === null || isRecordNumber(to)) || !Array.isArray(tables))
    throw new TypeError('not a replay');
  return { log: asText(log), from, to, next, tables: tables.map(asText) };
}

const isRecordNumber = (value: unknown): value is number => Number.isSafeInteger(value);

function textsOfDetached({ from, sinceMs, reason, logEnd, holdsOldPlace }: DetachedState): unknown {
  return {
    from: formatPoint(from),
    since_ms: sinceMs,
    reason,
    ...(logEnd === undefined ? {} : { log_end: formatPoint(logEnd) }),
    ...(holdsOldPlace === undefined ? {} : { holds_old_place: true }),
  };
}

function parseDetached(value: unknown): NonNullable<LaneState['detached']> {
  if (typeof value !== 'object' || value === null) throw new TypeError('detached is not an object');
  const { from, since_ms: sinceMs, reason, log_end: logEnd, holds_old_place: holdsOldPlace } = value as Record<string, unknown>;
  if (typeof sinceMs !== 'number') throw new TypeError('since_ms is not a number');
  return {
    from: parsePoint(asText(from)),
    sinceMs,
    reason: asText(reason),
    ...(logEnd === undefined ? {} : { logEnd: parsePoint(asText(logEnd)) }),
    ...(holdsOldPlace === true ? { holdsOldPlace } : {}),
  };
}

/** The error goes in as its own fields, without its cause: causes of drivers hold connections. */
export function formatRun(run: RunSummary): string {
  return JSON.stringify(run);
}

export function parseRun(text: string): RunSummary {
  const value = parseObject(text) as unknown as RunSummary & { readonly error: StoredError | null };
  if (typeof value.pipeline !== 'string' || typeof value.runId !== 'number') throw new TypeError('not a run');
  return { ...value, error: value.error && reviveError(value.error) };
}

interface StoredError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly where: string | null;
  readonly fix: string | null;
  readonly retriable: boolean;
}

function reviveError(stored: StoredError): CdcError {
  return new CdcError(stored.code, stored.message, {
    ...(stored.where === null ? {} : { where: stored.where }),
    ...(stored.fix === null ? {} : { fix: stored.fix }),
    retriable: stored.retriable,
  });
}

/** What a run looks like that has just begun; `runId` 0: state does not know of it yet. */
export function newRun(pipeline: string, runId: number, startedAtMs: number): RunSummary {
  return {
    pipeline,
    runId,
    startedAtMs,
    endedAtMs: null,
    outcome: 'running',
    eventsRead: 0,
    eventsFiltered: 0,
    deadLetters: 0,
    delivered: {},
    resumedFrom: {},
    error: null,
  };
}

/** A run that was still marked as running when the next one began under the lease: its process was killed. */
export function asInterrupted(run: RunSummary): RunSummary {
  return { ...run, outcome: 'failed' };
}

export function shortMessage(error: CdcError): string {
  return error.message.length <= MAX_MESSAGE_CHARS ? error.message : `${error.message.slice(0, MAX_MESSAGE_CHARS)}…`;
}

function parseObject(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new TypeError('not an object');
  return value as Record<string, unknown>;
}

function asText(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('not a text');
  return value;
}
