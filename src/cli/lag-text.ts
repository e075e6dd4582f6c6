// How `cdc-run lag` shows how far a pipeline is behind. Pure.

import type { LaneStatus, SourceLag, SourceStatus } from '../engine/api.ts';
import type { Retention } from '../sdk/source.ts';
import { formatBytes, formatCount, formatDuration, plural, table } from './format.ts';
import type { Colors } from './output.ts';

export interface LagReport {
  readonly pipeline: string;
  readonly running: boolean;
  readonly sources: readonly (Pick<SourceStatus, 'name' | 'lagMs' | 'lag'> & { readonly error: string | null })[];
  readonly lanes: readonly (Pick<LaneStatus, 'name' | 'lagBytes' | 'lagMs'> & { readonly queued: number | null })[];
}

/**
 * ```
 * orders  running
 *   from  shop                1.2 MiB behind, the last change was read 8 ms after its commit
 *         slot cdc_run_orders  reserved, keeps 16 MiB, 1 GiB may still be written, at this rate for 3 h
 *   to    replica             1.3 MiB behind, 12 events waiting, lag 120 ms
 * ```
 */
export function lagLines({ pipeline, running, sources, lanes }: LagReport, c: Colors): string[] {
  return [
    `${c.bold(pipeline)}  ${running ? 'running' : 'not running'}`,
    ...table([
      ...sources.flatMap(({ name, lag, lagMs, error }) => [
        [c.dim('from'), name, error === null ? sourceText(lag, lagMs) : c.red(error)],
        ...(lag?.retention === undefined ? [] : [['', c.dim(lag.retention.by), retentionText(lag.retention, c)]]),
      ]),
      ...lanes.map((l) => [c.dim('to'), l.name, laneText(l)]),
    ]),
  ];
}

function sourceText(lag: SourceLag | null, lagMs: number | null): string {
  const behind = [
    ...(lag?.bytes == null ? [] : [`${formatBytes(lag.bytes)} behind`]),
    ...(lag?.events == null ? [] : [`${plural(lag.events, 'event')} behind`]),
    ...(lagMs === null ? [] : [`the last change was read ${formatDuration(lagMs)} after its commit`]),
  ];
  return behind.length === 0 ? 'does not say how far it is behind' : behind.join(', ');
}

/** `reserved, keeps 16 MiB, 1 GiB may still be written, at this rate for 3 h` */
export function retentionText({ status, retainedBytes, safeBytes, lossInMs }: Retention, c: Colors): string {
  if (status === 'lost') return c.red('lost: what it kept is gone, the tables must be read anew');
  const state = status === 'unreserved' ? c.red('unreserved: it may be lost any time') : status;
  return [
    ...(state === null ? [] : [state]),
    ...(retainedBytes === null ? [] : [`keeps ${formatBytes(retainedBytes)}`]),
    ...(safeBytes === null ? [] : [`${formatBytes(safeBytes)} may still be written`]),
    ...(safeBytes === null && lossInMs === null ? ['without a limit'] : []),
    ...(lossInMs === null ? [] : [lossText(lossInMs, safeBytes !== null, c)]),
  ].join(', ');
}

/** By bytes it is a forecast; by age the server says it. */
function lossText(ms: number, isForecast: boolean, c: Colors): string {
  if (ms === 0) return c.red('it may be lost any time');
  return isForecast ? `at this rate for ${formatDuration(ms)}` : `for at least ${formatDuration(ms)}`;
}

function laneText({ lagBytes, lagMs, queued }: LagReport['lanes'][number]): string {
  const behind = [
    ...(lagBytes === null ? [] : [`${formatBytes(lagBytes)} behind`]),
    ...(queued === null || queued === 0 ? [] : [`${formatCount(queued)} waiting`]),
    ...(lagMs === null ? [] : [`lag ${formatDuration(lagMs)}`]),
  ];
  return behind.length === 0 ? 'has delivered nothing yet' : behind.join(', ');
}
