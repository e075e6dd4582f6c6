// How the snapshot of tables is shown to people: in `cdc-run status`, and in the progress line. Pure.

import type { SnapshotStatus } from '../engine/api.ts';
import { formatCount, formatDuration, plural } from './format.ts';

/** Tables that need no look are counted, and more than this are, too. */
const MAX_TABLES = 12;

/** `12,000 of about 50,000 rows (24 %), about 12.0 s left` */
export function snapshotText({ state, rows, estimate, etaMs, error }: SnapshotStatus): string {
  const isOpen = state === 'running' || state === 'paused';
  const read =
    isOpen && estimate !== null && estimate >= rows && estimate > 0
      ? `${formatCount(rows)} of about ${plural(estimate, 'row')} (${Math.floor((rows * 100) / estimate)} %)`
      : plural(rows, 'row');
  return [read, ...(etaMs === null ? [] : [`about ${formatDuration(etaMs)} left`]), ...(error === null ? [] : [error])].join(', ');
}

/** One row per table that is not done: mark, name, state, text. The rest is counted in the last one. */
export function snapshotRows(tables: readonly SnapshotStatus[]): string[][] {
  const open = tables.filter((t) => t.state !== 'done' && t.state !== 'skipped'),
    shown = open.slice(0, MAX_TABLES);
  const rest = [
    ...(open.length > shown.length ? [`${formatCount(open.length - shown.length)} more wait or are read`] : []),
    ...(open.length > 0 && tables.length > open.length ? [`${plural(tables.length - open.length, 'table')} done`] : []),
  ];
  return [...shown.map((t) => ['', t.table, t.state, snapshotText(t)]), ...(rest.length === 0 ? [] : [['', '', '', rest.join(', ')]])];
}

/** `of public.orders, 12,000 of about 50,000 rows, about 12.0 s left`: all tables as one. */
export function snapshotSummary(tables: readonly SnapshotStatus[]): string {
  const running = tables.filter((t) => t.state === 'running'),
    [first, second] = running;
  const name = first === undefined ? '' : second === undefined ? ` of ${first.table}` : ` of ${plural(running.length, 'table')}`;
  const rows = tables.reduce((sum, t) => sum + t.rows, 0),
    isKnown = running.length > 0 && running.every((t) => t.estimate !== null);
  // What is done counts with the rows it had.
  const total = tables.reduce((sum, t) => sum + (t.state === 'running' ? Math.max(t.estimate ?? 0, t.rows) : t.rows), 0);
  const etas = running.map((t) => t.etaMs).filter((ms) => ms !== null);
  const left = etas.length === 0 ? '' : `, about ${formatDuration(Math.max(...etas))} left`;
  return `snapshot${name}, ${isKnown ? `${formatCount(rows)} of about ${plural(total, 'row')}` : plural(rows, 'row')}${left}`;
}
