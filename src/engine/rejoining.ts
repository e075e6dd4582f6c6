// Joining anew takes two steps, at the destination and in state. What a crash between them leaves is told apart here. Pure.

import { CdcError, type Committed, type ResumePoint } from '../sdk/index.ts';
import type { LaneState, PipelineState } from '../state/store.ts';

/** Saved before the destination is told where it joins, so that the next start knows what to make of what it finds there. */
export function joiningAt(known: LaneState, point: ResumePoint): LaneState {
  return { ...known, joining: point };
}

/** The state with what destinations say of joins that were begun: an epoch belongs to one start, so its points are of that join. */
export function settleJoins(state: PipelineState, found: ReadonlyMap<string, Committed | CdcError>): PipelineState {
  const lanes = Object.entries(state.lanes).map(([name, lane]): [string, LaneState] => {
    const committed = found.get(name);
    // Of one that is away, nothing is known yet.
    if (lane.joining === undefined || committed === undefined || committed instanceof CdcError) return [name, lane];
    const { joining, ...before } = lane;
    if (committed.kind !== 'points' || committed.points.some((p) => p.epoch !== joining.epoch)) return [name, before];
    return [name, { points: committed.points, joinedAt: joining, detached: null, lacksForgotten: false, replay: null }];
  });
  return { ...state, lanes: Object.fromEntries(lanes) };
}
