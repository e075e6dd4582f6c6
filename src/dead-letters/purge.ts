// Removes letters for good, and lets go of the keys that destinations held back for them.

import type { DeadLetter, EngineDeps } from '../engine/api.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import { KeySet } from './keys.ts';
import type { OpenQueues } from './open.ts';
import { underLease } from './replay.ts';
import type { LaneKeys } from './replay-plan.ts';

export interface PurgeRequest {
  readonly config: PipelineConfig;
  readonly queues: OpenQueues;
  selects(letter: DeadLetter): boolean;
  keysOf?(lane: string): Promise<LaneKeys | null>;
}

/** While the pipeline is stopped. Returns how many were removed. */
export function purgeDeadLetters(request: PurgeRequest & { readonly deps: EngineDeps }): Promise<number> {
  return underLease(request.config, request.deps, () => purgeLetters(request));
}

/** Nobody parks or delivers anything of these destinations meanwhile. */
export async function purgeLetters({ config, queues, selects, keysOf }: PurgeRequest): Promise<number> {
  const chosen: DeadLetter[] = [],
    left = new Map<string, KeySet>();
  for (const { store } of queues.all)
    for await (const letter of store?.letters() ?? [])
      if (letter.pipeline === config.name) {
        if (selects(letter)) chosen.push(letter);
        else if (letter.lane !== null && letter.event !== null) stayingOf(left, letter.lane).add(letter.event);
      }
  // Keys first: after a crash in between the letters are there, and can be purged again.
  for (const lane of new Set(chosen.map((l) => l.lane))) {
    const keys = lane === null ? null : ((await keysOf?.(lane)) ?? null);
    if (lane === null || keys === null) continue;
    const staying = stayingOf(left, lane);
    for (const { lane: own, event } of chosen) if (own === lane && event !== null && !staying.touches(event)) keys.release(event);
    await keys.save();
  }
  const ids = new Set(chosen.map((l) => l.id));
  let removed = 0;
  for (const { store } of queues.all) removed += (await store?.remove(ids)) ?? 0;
  return removed;
}

function stayingOf(left: Map<string, KeySet>, lane: string): KeySet {
  const keys = left.get(lane) ?? new KeySet();
  left.set(lane, keys);
  return keys;
}
