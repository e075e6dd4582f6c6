// What a log makes of a batch that is appended: its numbers, the place before it, and what it counts against the bound.

import type { LogAppend, LogBatch, LogPlace } from './change-log.ts';

/** What a batch counts beside its events, so that a stream of empty ones (progress only) is bounded too. */
const EMPTY_BATCH_BYTES = 256;

/** The entry behind `lastSeq`; `before`: the place there. */
export function entryOf(batch: LogAppend, lastSeq: number, before: LogPlace): LogBatch {
  const { source, partition, events, snapshots, after, whole } = batch;
  const firstSeq = lastSeq + 1,
    endSeq = firstSeq + events.length;
  return { source, partition, events, bytes: batch.bytes + EMPTY_BATCH_BYTES, snapshots, after, whole, firstSeq, endSeq, before };
}
