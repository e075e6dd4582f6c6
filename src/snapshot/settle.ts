// A chunk meets its place in the stream: which of its rows go out, which keys are to be read once more, and what the table's
// progress is then.

import { CdcError, type SnapshotProgress } from '../sdk/index.ts';
import type { KeysFlight, RangeFlight } from './ranges.ts';
import type { Leavings, SnapshotRules } from './rules.ts';
import type { TableRun } from './table-run.ts';
import type { ChunkRead } from './types.ts';

export type Merge<Row> = (row: Row, parts: readonly unknown[]) => Row;

/** Rows of a range that go out; keys that need another read are put on the list. */
export function settleRange<Row, Id, Seen, Bound>(
  t: TableRun<Row, Id, Seen, Bound>,
  flight: RangeFlight<Row, Seen>,
  since: Leavings,
  rules: SnapshotRules,
): Row[] {
  const read = flight.read as ChunkRead<Row, Seen>,
    { rows: found } = read,
    rows: Row[] = [];
  for (let i = flight.from; i < flight.to; i++) {
    // Nothing is newer than the read: no row can be old, whatever its key is.
    const fate = since.any ? rules.rangeRow(found.isDoubtful(i), since.of(found.key(i)), since) : 'send';
    if (fate === 'send') rows.push(found.row(i));
    else if (fate === 'list') t.list.add(found.key(i));
  }
  advance(t, flight, read);
  t.rows += rows.length;
  return rows;
}

function advance<Row, Id, Seen, Bound>(
  t: TableRun<Row, Id, Seen, Bound>,
  flight: RangeFlight<Row, Seen>,
  read: ChunkRead<Row, Seen>,
): void {
  const { boundary, to } = flight;
  if (boundary !== null && read.end) {
    t.chunk = boundary.chunk;
    t.lastKey = boundary.lastKey;
    return;
  }
  t.step();
  if (t.chunk === boundary?.chunk) throw new CdcError('INTERNAL_UNEXPECTED', `chunk ${t.chunk} of "${t.table}" ends before its boundary`);
  t.lastKey = (boundary === null ? flight.upTo : null) ?? (to > 0 ? read.rows.place(to - 1) : t.lastKey);
  if (boundary === null && flight.upTo === null && read.end) t.isEnd = true;
}

/** Rows that were read once more and go out; what is settled leaves the list. */
export function settleKeys<Row, Id, Seen, Bound>(
  t: TableRun<Row, Id, Seen, Bound>,
  flight: KeysFlight<Row, Seen>,
  since: Leavings,
  rules: SnapshotRules,
  merge: Merge<Row>,
): Row[] {
  const rows: Row[] = [],
    found = new Set<string>(),
    read = (flight.read as ChunkRead<Row, Seen>).rows;
  for (let i = 0; i < read.count; i++) {
    const key = read.key(i),
      left = since.of(key),
      fate = rules.listedRow(read.isDoubtful(i), left, since);
    found.add(key);
    if (fate === 'send') rows.push(read.row(i));
    else if (fate === 'merge' && left?.kind === 'part') rows.push(merge(read.row(i), left.parts ?? []));
    if (fate !== 'stay') t.list.delete(key);
  }
  for (const key of flight.keys) if (!found.has(key) && rules.absentKey(since.of(key)) === 'drop') t.list.delete(key);
  t.step();
  t.rows += rows.length;
  return rows;
}

/**
 * Ends of other lanes' chunks that are reached now get their number. Where our notes are other ones a further number follows in
 * the same batch: two lanes that stand at one number must have one list.
 */
export function passBoundaries<Row, Id, Seen, Bound>(
  t: TableRun<Row, Id, Seen, Bound>,
  newRun: (isJoinable: boolean) => string,
): SnapshotProgress[] {
  const out: SnapshotProgress[] = [];
  for (let b = t.boundary; b !== null && b.lastKey === t.lastKey; b = t.boundary) {
    t.chunk = b.chunk;
    t.boundaries = t.boundaries.slice(1);
    const progress = t.progress();
    out.push(progress);
    if (progress.notes === b.notes) continue;
    if (t.boundary?.chunk === t.chunk + 1) t.fork(newRun(false));
    else t.chunk++;
    out.push(t.progress());
  }
  return out;
}
