// What the state holds, as text. Pure. Both stores keep these texts, so that what the simulator reads back has gone through
// the same door as what is read from disk.

import { CdcError, type ErrorCode, formatPoint, parsePoint, type RunSummary } from '../sdk/index.ts';
import type { LaneState, PipelineState } from './store.ts';

/** The part of `PipelineState` that belongs to the pipeline itself. */
export type PipelineHead = Pick<PipelineState, 'used' | 'epoch' | 'lastScheduledMs'>;

export const NEW_PIPELINE: PipelineHead = { used: false, epoch: 0, lastScheduledMs: null };

/** Longest message of an error that is kept, in characters: a driver may quote a whole statement. */
const MAX_MESSAGE_CHARS = 2000;

export function formatHead(head: PipelineHead): string {
  return JSON.stringify({ used: head.used, epoch: head.epoch, last_scheduled_ms: head.lastScheduledMs });
}

export function parseHead(text: string): PipelineHead {
  const value = parseObject(text);
  const { used, epoch, last_scheduled_ms: last } = value;
  if (typeof used !== 'boolean' || !Number.isSafeInteger(epoch)) throw new TypeError('not the head of a pipeline');
  if (last !== null && typeof last !== 'number') throw new TypeError('last_scheduled_ms is not a number');
  return { used, epoch: epoch as number, lastScheduledMs: last };
}

export function formatLane(lane: LaneState): string {
  return JSON.stringify({
    points: lane.points.map(formatPoint),
    joined_at: formatPoint(lane.joinedAt),
    detached: lane.detached && { from: formatPoint(lane.detached.from), since_ms: lane.detached.sinceMs, reason: lane.detached.reason },
    behind_queue: lane.behindQueue,
  });
}

export function parseLane(text: string): LaneState {
  const value = parseObject(text);
  if (!Array.isArray(value.points) || typeof value.behind_queue !== 'boolean') throw new TypeError('not the state of a lane');
  return {
    points: value.points.map((point) => parsePoint(asText(point))),
    joinedAt: parsePoint(asText(value.joined_at)),
    detached: value.detached === null ? null : parseDetached(value.detached),
    behindQueue: value.behind_queue,
  };
}

function parseDetached(value: unknown): NonNullable<LaneState['detached']> {
  if (typeof value !== 'object' || value === null) throw new TypeError('detached is not an object');
  const { from, since_ms: sinceMs, reason } = value as Record<string, unknown>;
  if (typeof sinceMs !== 'number') throw new TypeError('since_ms is not a number');
  return { from: parsePoint(asText(from)), sinceMs, reason: asText(reason) };
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

/** What a run looks like that has just begun. */
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
