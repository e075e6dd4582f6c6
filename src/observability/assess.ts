// Judges a pipeline from its status: pure functions from snapshot and time to a verdict. Three different questions, because three
// different things follow: is it alive (else restart the process), is it ready (else send nothing), is all well (else call somebody).

import type { LaneStatus, PipelineStatus, SourceStatus } from '../engine/api.ts';

/** One thing that was looked at. `warn`: it runs, but somebody should know. */
export interface Check {
  readonly name: string;
  readonly status: 'pass' | 'warn' | 'fail';
  readonly message: string;
}

/** A running pipeline with work to do that nothing has moved for `stallAfterMs`. Liveness means progress, not an open port. */
export function isStalled(p: PipelineStatus, nowMs: number, stallAfterMs: number): boolean {
  if (p.state !== 'starting' && p.state !== 'running' && p.state !== 'stopping') return false;
  return hasWork(p) && nowMs - p.lastProgressMs > stallAfterMs;
}

/**
 * An idle source leaves nothing to do, and a destination that is being retried is waiting for somebody else: restarting this
 * process would help neither.
 */
function hasWork(p: PipelineStatus): boolean {
  if (p.lanes.some((l) => l.state === 'retrying' && l.required)) return false;
  return (
    p.state !== 'running' ||
    p.sources.some((s) => s.state === 'starting' || s.state === 'snapshot') ||
    p.lanes.some((l) => (l.state === 'running' || l.state === 'starting') && l.queued > 0)
  );
}

/**
 * Does it do its job? A standby and a pipeline that waits for its schedule are ready: an orchestrator that waits for readiness
 * before it stops the old process would otherwise wait forever.
 */
export function isReady(p: PipelineStatus): boolean {
  if (p.state === 'standby' || p.state === 'waiting') return true;
  if (p.state === 'stopped') return p.run.outcome === 'done';
  return (
    p.state === 'running' &&
    p.sources.every((s) => s.state === 'snapshot' || s.state === 'streaming' || s.state === 'ended') &&
    p.lanes.every((l) => !l.required || l.state === 'running' || l.state === 'stopped')
  );
}

/** All checks of a pipeline: itself, its progress, its log, each source, each destination. */
export function checksOf(p: PipelineStatus, nowMs: number, stallAfterMs: number): Check[] {
  return [pipelineCheck(p), progressCheck(p, nowMs, stallAfterMs), logCheck(p), ...p.sources.map(sourceCheck), ...p.lanes.map(laneCheck)];
}

export function worst(checks: readonly { readonly status: Check['status'] }[]): Check['status'] {
  if (checks.some((c) => c.status === 'fail')) return 'fail';
  return checks.some((c) => c.status === 'warn') ? 'warn' : 'pass';
}

function pipelineCheck(p: PipelineStatus): Check {
  if (p.state === 'failed')
    return { name: 'pipeline', status: 'fail', message: p.error === null ? 'failed' : `${p.error.code}: ${p.error.message}` };
  return { name: 'pipeline', status: p.state === 'starting' ? 'warn' : 'pass', message: p.state };
}

function progressCheck(p: PipelineStatus, nowMs: number, stallAfterMs: number): Check {
  const idleMs = Math.max(0, nowMs - p.lastProgressMs);
  const stalled = isStalled(p, nowMs, stallAfterMs);
  return { name: 'progress', status: stalled ? 'fail' : 'pass', message: `last progress ${Math.round(idleMs / 1000)} s ago` };
}

function logCheck(p: PipelineStatus): Check {
  const { events, neededEvents, neededBytes, maxEvents, maxBytes } = p.log;
  const full = neededEvents >= (maxEvents ?? Number.POSITIVE_INFINITY) || neededBytes >= (maxBytes ?? Number.POSITIVE_INFINITY);
  return {
    name: 'log',
    status: full ? 'warn' : 'pass',
    message: full ? 'the change log is full: the source waits for the slowest destination' : `${events} events held`,
  };
}

function sourceCheck(s: SourceStatus): Check {
  const stopped = s.snapshots.filter((t) => t.state === 'stopped').map((t) => t.table),
    isDoubtful = s.state === 'retrying' || s.state === 'starting' || stopped.length > 0,
    message = stopped.length === 0 ? s.state : `${s.state}; not followed any more: ${stopped.join(', ')}`;
  return { name: `source:${s.name}`, status: s.state === 'failed' ? 'fail' : isDoubtful ? 'warn' : 'pass', message };
}

function laneCheck(l: LaneStatus): Check {
  const message = l.lastError === null || l.state === 'running' ? l.state : `${l.state}, ${l.lastError.code}: ${l.lastError.message}`;
  return { name: `destination:${l.name}`, status: laneVerdict(l), message };
}

function laneVerdict(l: LaneStatus): Check['status'] {
  if (l.state === 'failed') return l.required ? 'fail' : 'warn';
  return l.state === 'retrying' || l.state === 'detached' || l.state === 'starting' ? 'warn' : 'pass';
}
