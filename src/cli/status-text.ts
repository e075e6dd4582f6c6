// How `cdc-run status` shows a pipeline to people. Pure.

import type { LaneStatus, LogStatus, SourceStatus } from '../engine/api.ts';
import type { ErrorRecord } from '../state/store.ts';
import type { Running, StoredPipeline } from './commands/status.ts';
import { formatBytes, formatCount, formatDuration, formatTime, plural, table } from './format.ts';
import { retentionText } from './lag-text.ts';
import type { Colors } from './output.ts';
import { snapshotRows } from './snapshot-text.ts';
import { positionsText } from './summary.ts';

/** More errors than this are in `--json`. */
const MAX_ERRORS = 3;

/**
 * ```
 * ● orders  running for 2 h 3 min · continuous · process 4711
 *   from  shop     streaming  1,240 events, at change 700
 *   to    replica  running    1,240 delivered, lag 120 ms
 *   log   on disk             1.2 MiB, 1,240 events (at most 10 GiB)
 * ```
 */
export function runningLines({ pid, status: p }: Running, nowMs: number, c: Colors): string[] {
  const mark = p.state === 'failed' ? c.red('●') : p.state === 'running' ? c.green('●') : c.yellow('●');
  const next = p.nextRunMs === null ? '' : ` · next run ${formatTime(p.nextRunMs)}`;
  const head = `${mark} ${c.bold(p.name)}  ${p.state} for ${formatDuration(nowMs - p.startedMs)} ${c.dim(`· ${p.mode} · process ${pid}${next}`)}`;
  return [
    head,
    ...table([
      ...p.sources.flatMap((s) => [
        [c.dim('from'), s.name, stateText(s.state, c), sourceText(s)],
        ...(s.lag?.retention === undefined ? [] : [['', c.dim(s.lag.retention.by), '', retentionText(s.lag.retention, c)]]),
        ...snapshotRows(s.snapshots).map(([mark = '', name = '', state = '', text = '']) => [
          mark,
          c.dim(name),
          tableState(state, c),
          text,
        ]),
      ]),
      ...p.lanes.map((l) => [c.dim('to'), l.name, stateText(l.state, c), laneText(l)]),
      ...(p.log.type === 'disk' ? [[c.dim('log'), 'on disk', '', logText(p.log)]] : []),
    ]),
  ];
}

function logText({ bytes, events, neededBytes, neededEvents, maxBytes, maxEvents }: LogStatus): string {
  const bounds = [...(maxBytes === null ? [] : [formatBytes(maxBytes)]), ...(maxEvents === null ? [] : [plural(maxEvents, 'event')])];
  const needed = neededEvents === 0 ? '' : `, ${formatBytes(neededBytes)} of it needed by destinations`;
  return `${formatBytes(bytes)}, ${plural(events, 'event')}${bounds.length === 0 ? '' : ` (at most ${bounds.join(', ')})`}${needed}`;
}

function stateText(state: SourceStatus['state'] | LaneStatus['state'], c: Colors): string {
  if (state === 'failed' || state === 'detached') return c.red(state);
  return state === 'retrying' || state === 'starting' ? c.yellow(state) : state;
}

function tableState(state: string, c: Colors): string {
  return state === 'failed' || state === 'stopped' ? c.red(state) : state === 'paused' ? c.yellow(state) : state;
}

function sourceText(s: SourceStatus): string {
  const at = positionsText(s.positions);
  const behind = s.lag?.bytes == null || s.lag.bytes === 0 ? '' : `, ${formatBytes(s.lag.bytes)} behind`;
  return `${plural(s.read, 'event')}${at === '' ? '' : `, at ${at}`}${behind}`;
}

function laneText(l: LaneStatus): string {
  return [
    `${formatCount(l.delivered)} delivered`,
    ...(l.replay === null ? [] : [`replay: ${formatCount(l.replay.done)} of ${plural(l.replay.total, 'record')}`]),
    ...(l.queued > 0 ? [`${formatCount(l.queued)} waiting`] : []),
    ...(l.deadLetters > 0 ? [plural(l.deadLetters, 'dead letter')] : []),
    ...(l.discardedValues > 0 ? [`${plural(l.discardedValues, 'value')} left out`] : []),
    ...(l.parkedKeys > 0 ? [`${plural(l.parkedKeys, 'key')} parked`] : []),
    ...(l.breaker === 'closed' ? [] : [`circuit breaker ${l.breaker.replace('_', ' ')}`]),
    ...(l.lagMs === null ? [] : [`lag ${formatDuration(l.lagMs)}`]),
    ...(l.lastError === null || l.state === 'running' ? [] : [`${l.lastError.code}: ${l.lastError.message}`]),
  ].join(', ');
}

/**
 * ```
 * ○ orders  stopped
 *   last run  #3 done at 2026-01-02 03:04:05 UTC, 12 events
 *   replica   shop at 700
 *   errors    DESTINATION_UNREACHABLE 3 times at replica, last at 2026-01-02 03:04:05 UTC
 * ```
 */
export function storedLines({ name, lanes, detached, lastRun, errors }: StoredPipeline, c: Colors): string[] {
  const places = Object.entries(lanes).map(([lane, sources]) => [
    lane,
    `${
      Object.entries(sources)
        .map(([source, partitions]) => `${source} at ${positionsText(partitions)}`)
        .join(', ') || 'at its beginning'
    }${detached.includes(lane) ? c.red(', detached') : ''}`,
  ]);
  return [
    `${c.dim('○')} ${c.bold(name)}  not running`,
    ...table([
      ...(lastRun === null ? [] : [[c.dim('last run'), lastRunText(lastRun, c)]]),
      ...places,
      ...errors.slice(0, MAX_ERRORS).map((e) => [c.dim('error'), errorText(e)]),
    ]),
  ];
}

function lastRunText(run: NonNullable<StoredPipeline['lastRun']>, c: Colors): string {
  // A run without an end in a file that nobody holds: its process was killed.
  const ended = run.endedAtMs === null ? c.yellow('ended without saying so') : `${run.outcome} at ${formatTime(run.endedAtMs)}`;
  const dead = run.deadLetters > 0 ? `, ${plural(run.deadLetters, 'dead letter')}` : '';
  const error = run.error === null ? '' : `, ${c.red(run.error.code)}: ${run.error.message}`;
  return `#${run.runId} ${ended}, ${plural(run.eventsRead, 'event')}${dead}${error}`;
}

function errorText(e: ErrorRecord): string {
  return `${e.code} ${e.count === 1 ? 'once' : `${formatCount(e.count)} times`} at ${e.component}, last ${formatTime(e.lastMs)}: ${e.message}`;
}
