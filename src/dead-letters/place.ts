// Where the letters of a pipeline are, for people. Pure.

import type { DeadLetterQueueConfig, PipelineConfig } from '../engine/pipeline-config.ts';

/** `dlq/orders.ndjson`, `destination dead (postgresql)` */
export function placeOf(queue: DeadLetterQueueConfig): string {
  return queue.type === 'destination' ? `destination ${queue.destination.name} (${queue.destination.type})` : queue.path;
}

/** Of one destination's letters. */
export function placeOfLane(config: PipelineConfig, lane: string): string {
  return placeOf(config.destinations.find((d) => d.name === lane)?.deadLetterQueue ?? config.deadLetterQueue);
}
