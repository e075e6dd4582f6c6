// What a pipeline knows of a lane, for one source `s` with one partition `p`.

import type { Position, ResumePoint } from '../../src/sdk/index.ts';
import type { LaneState } from '../../src/state/store.ts';

/** The point at a position; `null`: the beginning. */
export function at(position: string | null, epoch = 1): ResumePoint {
  return { epoch, log: null, sources: position === null ? {} : { s: { p: position as Position } }, snapshots: [] };
}

/** A lane at this point, where it also joined. */
export function laneOf(point: ResumePoint, more: Partial<LaneState> = {}): LaneState {
  return { points: [point], joinedAt: point, detached: null, lacksForgotten: false, replay: null, ...more };
}

/** A lane that joined at the beginning and has come to this position. */
export function known(position: string | null, more: Partial<LaneState> = {}): LaneState {
  return laneOf(at(position), { joinedAt: at(null), ...more });
}
