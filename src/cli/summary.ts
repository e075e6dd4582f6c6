// What a run tells at its end: how long, what was read and from where to where, what each destination got, what was left. Pure.

import { placeOf, placeOfLane } from '../dead-letters/place.ts';
import type { LaneStatus, PipelineStatus, SourceStatus } from '../engine/api.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import { formatCount, formatDuration, formatRate, plural, table } from './format.ts';
import type { Colors } from './output.ts';

/** Positions of more partitions than this are counted, not listed. */
const MAX_POSITIONS = 3;
/** In a shorter run a rate says nothing. */
const MIN_RATED_MS = 1_000;

/**
 * ```
 * ✔ orders  done in 1.3 s · continued from change 700
 *   from  shop     12 events (9.2/s), now at change 712
 *   to    replica  12 delivered
 *   to    files    11 delivered, 1 dead letter → dlq/orders.ndjson
 * ```
 */
export function summaryLines(p: PipelineStatus, config: PipelineConfig, nowMs: number, c: Colors): string[] {
  const { run } = p;
  const tookMs = (run.endedAtMs ?? nowMs) - run.startedAtMs;
  const mark = run.outcome === 'failed' ? c.red('✖') : run.outcome === 'stopped' ? c.yellow('■') : c.green('✔');
  const head = `${mark} ${c.bold(p.name)}  ${run.outcome} ${run.outcome === 'done' ? 'in' : 'after'} ${formatDuration(tookMs)} ${c.dim('·')} ${startedFrom(p)}`;
  const continued = new Set(resumed(p).map(([name]) => name));
  const rows = [
    ...p.sources.map((s) => [c.dim('from'), s.name, sourceText(s, tookMs, !continued.has(s.name))]),
    ...(run.eventsFiltered > 0 ? [[c.dim('left'), 'filters', `${formatCount(run.eventsFiltered)} filtered out`]] : []),
    ...p.lanes.map((l) => [c.dim('to'), l.name, laneText(l, run.detached?.[l.name] ?? null, placeOfLane(config, l.name), c)]),
  ];
  const unassigned = run.deadLetters - p.lanes.reduce((sum, l) => sum + l.deadLetters, 0);
  if (unassigned > 0)
    rows.push([c.dim('left'), 'dead letters', c.yellow(`${formatCount(unassigned)} before delivery → ${placeOf(config.deadLetterQueue)}`)]);
  return [head, ...table(rows)];
}

/** `first run`, `continued from change 700`; `, nothing new` when there was nothing to do. */
export function startedFrom(p: PipelineStatus): string {
  // It failed before its sources were opened, so nobody knows where it would have begun.
  if (p.sources.length === 0) return 'nothing was read';
  const sources = resumed(p);
  const nothing = p.run.eventsRead === 0 && p.run.outcome === 'done' ? ', nothing new' : '';
  if (sources.length === 0) return `first run${nothing}`;
  const texts = sources.map(([name, partitions]) => `${p.sources.length > 1 ? `${name}: ` : ''}${positionsText(partitions)}`);
  return `continued from ${texts.join(', ')}${nothing}`;
}

/** The sources that had a position at the start. */
function resumed(p: PipelineStatus): [string, { readonly [partition: string]: string }][] {
  return Object.entries(p.run.resumedFrom).filter(([, partitions]) => Object.keys(partitions).length > 0);
}

/** `isNew`: the source had no position at the start, so its snapshot belongs to this run. */
function sourceText(s: SourceStatus, tookMs: number, isNew: boolean): string {
  const rate = s.read > 0 && tookMs >= MIN_RATED_MS ? ` (${formatRate((s.read * 1000) / tookMs)})` : '';
  const at = positionsText(s.positions);
  return `${plural(s.read, 'event')}${rate}${isNew ? snapshotText(s) : ''}${at === '' ? '' : `, now at ${at}`}`;
}

/** `, 708 of them from the snapshot of 4 tables` */
function snapshotText(s: SourceStatus): string {
  const rows = s.snapshots.reduce((sum, t) => sum + t.rows, 0);
  if (rows === 0 || rows > s.read) return '';
  return `, ${rows === s.read ? 'all' : formatCount(rows)} of them from the snapshot of ${plural(s.snapshots.length, 'table')}`;
}

/** `change 700`; with partitions that have names of their own: `0: offset 12, 1: offset 9`. */
export function positionsText(positions: { readonly [partition: string]: string }): string {
  const entries = Object.entries(positions).map(([partition, position]) => [partition, unpadded(position)] as const);
  if (entries.length === 1) return entries[0]?.[1] ?? '';
  const shown = entries
    .slice(0, MAX_POSITIONS)
    .map(([partition, position]) => `${partition}: ${position}`)
    .join(', ');
  return entries.length > MAX_POSITIONS ? `${shown} and ${entries.length - MAX_POSITIONS} more` : shown;
}

/** Positions are padded so that they sort as text: `change 0000000000000700 → change 700`. */
function unpadded(position: string): string {
  return position.replace(/\b\d{16}\b/g, (digits) => BigInt(digits).toString());
}

function laneText(l: LaneStatus, gap: string | null, deadLetterPath: string, c: Colors): string {
  const dead = l.deadLetters > 0 ? `, ${c.yellow(`${plural(l.deadLetters, 'dead letter')} → ${deadLetterPath}`)}` : '';
  const missing = l.queued > 0 ? `, ${plural(l.queued, 'event')} not delivered` : '';
  const state = l.state === 'failed' || l.state === 'detached' ? `, ${c.red(l.state)}${gap === null ? '' : `: ${gap}`}` : '';
  return `${formatCount(l.delivered)} delivered${dead}${missing}${state}`;
}

/** The same for machines: one document per pipeline. */
export function summaryDocument(p: PipelineStatus, config: PipelineConfig, nowMs: number): Readonly<Record<string, unknown>> {
  const { run } = p;
  return {
    kind: 'summary',
    ok: run.outcome !== 'failed',
    ...run,
    file: p.file,
    mode: p.mode,
    durationMs: (run.endedAtMs ?? nowMs) - run.startedAtMs,
    firstRun: resumed(p).length === 0,
    sources: p.sources.map(({ name, type, state, read, positions, snapshots }) => ({ name, type, state, read, positions, snapshots })),
    destinations: p.lanes.map(({ name, type, state, delivered, deadLetters, queued }) => ({
      name,
      type,
      state,
      delivered,
      deadLetters,
      queued,
    })),
    deadLetterQueue: placeOf(config.deadLetterQueue),
  };
}
