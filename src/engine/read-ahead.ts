// How far the source is read ahead of the lanes while the log is in memory. What waits there lives long enough for the collector to
// copy it, and is no use before a lane comes to it; so there is enough for the next writes, and the rest of the log's room is
// for destinations that differ in pace.

import type { ChangeLog } from '../log/change-log.ts';
import type { RunningLane } from './lane-options.ts';
import type { DestinationConfig } from './pipeline-config.ts';

/** One that is being written, and the next one. */
const BATCHES = 2;
/** In events, where batches are small. */
const LEAST = 2000;

/** In events: two batches of the lane that takes the most at once. */
export function readAheadOf(destinations: readonly DestinationConfig[]): number {
  const sizes = destinations.map(
    ({ batch, delivery, parallelism }) => Math.max(batch.maxEvents, delivery.adaptive?.maxEvents ?? 0) * parallelism.workers,
  );
  return Math.max(LEAST, BATCHES * Math.max(0, ...sizes));
}

/** No lane is near the end of the log. */
export function isFarAhead(log: ChangeLog, lanes: readonly RunningLane[], readAhead: number): boolean {
  return lanes.length > 0 && lanes.every((lane) => log.lastSeq - lane.doneSeq >= readAhead);
}
