// Removes letters for good, while the pipeline is stopped, and lets go of the keys that destinations held back for them.

import type { DeadLetter, EngineDeps } from '../engine/api.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import { KeySet } from './keys.ts';
import type { OpenQueues } from './open.ts';
import { underLease } from './replay.ts';
import type { LaneKeys } from './replay-plan.ts';

export interface PurgeRequest {
  readonly config: PipelineConfig;
  readonly deps: EngineDeps;
  readonly queues: OpenQueues;
  selects(letter: DeadLetter): boolean;
  keysOf?(lane: string): Promise<LaneKeys | null>;
}

/** Returns how many were removed. */
export async function purgeDeadLetters(request: PurgeRequest): Promise<number> {
  const { config, deps, queues } = request;
  return underLease(config, deps, async () => {
    const chosen: DeadLetter[] = [],
      left = new Map<string, KeySet>();
    for (const { store } of queues.all)
      for await (const letter of store?.letters() ?? [])
        if (letter.pipeline === config.name) {
          if (request.selects(letter)) chosen.push(letter);
          else if (letter.lane !== null && letter.event !== null) keysOf(left, letter.lane).add(letter.event);
        }
    // Keys first: after a crash in between the letters are there, and can be purged again.
    for (const lane of new Set(chosen.map((l) => l.lane))) {
      const keys = lane === null ? null : ((await request.keysOf?.(lane)) ?? null);
      if (lane === null || keys === null) continue;
      const staying = keysOf(left, lane);
      for (const { lane: own, event } of chosen) if (own === lane && event !== null && !staying.touches(event)) keys.release(event);
      await keys.save();
    }
    const ids = new Set(chosen.map((l) => l.id));
    let removed = 0;
    for (const { store } of queues.all) removed += (await store?.remove(ids)) ?? 0;
    return removed;
  });
}

function keysOf(left: Map<string, KeySet>, lane: string): KeySet {
  const keys = left.get(lane) ?? new KeySet();
  left.set(lane, keys);
  return keys;
}
