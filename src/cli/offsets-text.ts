// How `cdc-run offsets` shows points, moves and the history of checkpoints to people. Pure.

import type { LaneMove } from '../engine/move-points.ts';
import type { Codecs } from '../engine/places.ts';
import type { Position, ResumePoint } from '../sdk/position.ts';
import type { Checkpoint } from '../state/store.ts';
import { formatTime, plural, table } from './format.ts';
import type { Colors } from './output.ts';

/** One partition of one source, as one lane has it. */
export interface OffsetRow {
  readonly lane: string;
  readonly source: string;
  readonly partition: string;
  /** Stored text of the cursor in state; `null`: at the beginning, or unknown. */
  readonly position: Position | null;
  /** For people. */
  readonly at: string;
  /** What the destination itself holds; `null` when it was not asked, holds none or cannot tell. */
  readonly held: string | null;
}

export interface OffsetsReport {
  readonly pipeline: string;
  readonly epoch: number;
  readonly rows: readonly OffsetRow[];
  /** Lane → what is special about it: detached, not configured, empty. */
  readonly notes: readonly { readonly lane: string; readonly note: string }[];
  /** A move that was begun and not finished. */
  readonly unfinished: string | null;
  readonly history: readonly Checkpoint[] | null;
}

/** A position in words; stored text where there is no codec for it, or the codec cannot read it. */
export function describePosition(codecs: Codecs, source: string, position: Position | null): string {
  if (position === null) return 'the beginning';
  try {
    return unpadded(codecs[source]?.describe(position) ?? position);
  } catch {
    return position;
  }
}

/** Padded so that it sorts as text: `event 0000000000000700 → event 700`. */
function unpadded(text: string): string {
  return text.replace(/\b\d{16}\b/g, (digits) => BigInt(digits).toString());
}

/**
 * ```
 * orders  epoch 3
 *   lane     source  partition  cursor     holds
 *   replica  shop    main       change 42  change 42
 * ```
 */
export function offsetsLines(report: OffsetsReport, codecs: Codecs, c: Colors): string[] {
  const asked = report.rows.some((r) => r.held !== null);
  const head = ['lane', 'source', 'partition', 'cursor', ...(asked ? ['holds'] : [])].map((text) => c.dim(text));
  const rows = report.rows.map((r) => [r.lane, r.source, r.partition, r.at, ...(asked ? [r.held ?? ''] : [])]);
  return [
    `${c.bold(report.pipeline)}  epoch ${report.epoch}`,
    ...(rows.length === 0 ? ['  no lane has a position yet'] : table([head, ...rows])),
    ...table(report.notes.map(({ lane, note }) => [c.yellow('!'), lane, note])),
    ...(report.unfinished === null ? [] : [`  ${c.yellow('!')} begun and not finished, the next start finishes it: ${report.unfinished}`]),
    ...(report.history === null ? [] : historyLines(report.history, codecs, c)),
  ];
}

function historyLines(history: readonly Checkpoint[], codecs: Codecs, c: Colors): string[] {
  if (history.length === 0) return ['', 'No checkpoint is kept yet.'];
  return [
    '',
    'Checkpoints, newest first',
    ...table(
      history.flatMap(({ id, atMs, lanes }) =>
        Object.entries(lanes).map(([lane, points], i) => [
          i === 0 ? String(id) : '',
          i === 0 ? formatTime(atMs) : '',
          lane,
          points.map((point) => pointText(codecs, point)).join(' | '),
        ]),
      ),
    ),
    c.dim('  go back with: cdc-run offsets rollback <pipeline> --to <number or time>'),
  ];
}

function pointText(codecs: Codecs, { sources }: ResumePoint): string {
  const places = Object.entries(sources).flatMap(([source, partitions]) =>
    Object.entries(partitions).map(([partition, p]) => `${source}/${partition} at ${describePosition(codecs, source, p)}`),
  );
  return places.join(', ') || 'the beginning';
}

/**
 * ```
 * replica  shop/main  change 42 → change 7  what lies between is sent again
 * ```
 */
export function moveLines(moves: readonly LaneMove[], codecs: Codecs, c: Colors): string[] {
  return moves.flatMap(({ lane, partitions, tables }) => [
    ...table(
      partitions.map(({ source, partition, from, to, effect }) => [
        lane,
        `${source}/${partition}`,
        `${describePosition(codecs, source, from)} → ${describePosition(codecs, source, to)}`,
        effect === 'again' ? c.yellow('what lies between is sent again') : c.red('what lies between is skipped for good'),
      ]),
    ),
    ...(tables.length === 0
      ? []
      : [`  ${lane}  the snapshot of ${plural(tables.length, 'table')} goes on from there: ${tables.join(', ')}`]),
  ]);
}
