// Rule 4 of chunked snapshots for destinations of rows: an event with some of the columns may come before the row it is about.

import type { ChangeEvent } from './change-event.ts';
import type { LaneBatch } from './destination.ts';
import type { ResumePoint, SnapshotProgress } from './position.ts';
import { formatTableId } from './table-schema.ts';

/** Is the event's table being read by a snapshot at some moment of the batch? Rows that are not there yet will come. */
export function isBeingRead(event: ChangeEvent, { previous, through }: Pick<LaneBatch, 'previous' | 'through'>): boolean {
  const before = progressOf(event, previous),
    after = progressOf(event, through);
  if (before?.state === 'running' || after?.state === 'running') return true;
  // A run may begin and end within one batch.
  return after?.state === 'done' && after.run !== before?.run;
}

function progressOf({ source, table }: ChangeEvent, { snapshots }: ResumePoint): SnapshotProgress | undefined {
  if (snapshots.length === 0) return undefined;
  const name = formatTableId(table.origin ?? table.id);
  return snapshots.find((s) => s.source === source && s.table === name);
}
