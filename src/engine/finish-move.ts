// Carrying out an operator's move of points (see move-points.ts), so that a crash at any moment is finished later, the same way.

import { CdcError, type Clock, type ResumePoint } from '../sdk/index.ts';
import type { DetachedState, LaneState, PipelineState, PointIntent, StateChange } from '../state/store.ts';
import { type OpenDestination, pointHolder } from './components.ts';
import type { DestinationConfig } from './pipeline-config.ts';

export interface FinishOptions {
  readonly pipeline: string;
  readonly state: PipelineState;
  readonly destinations: readonly OpenDestination[];
  /** Lanes that the operator lets join anew: one that was emptied is not moved. */
  readonly rejoin: readonly string[];
  readonly clock: Pick<Clock, 'now'>;
  /** Calls a destination, in the way that suits the caller: trying again, or not. An error as the result: the others do not wait for it. */
  ask<T>(destination: DestinationConfig, call: () => Promise<T>): Promise<T | CdcError>;
  save(change: StateChange): Promise<void>;
}

/**
 * Carries out the intent in state, if there is one, and returns the state after it. Each step may be repeated: a crash leaves the
 * intent, and whoever holds the lease next begins again under an epoch above all that were claimed before.
 */
export async function finishIntent(o: FinishOptions): Promise<PipelineState> {
  const { state } = o,
    { intent } = state;
  if (intent === null) return state;
  const { epoch, emptied, away } = await tellDestinations(o, intent);
  const lanes: { [lane: string]: LaneState } = {};
  for (const [name, to] of Object.entries(intent.lanes)) {
    if (emptied.has(name)) continue;
    const lacksForgotten = state.lanes[name]?.lacksForgotten ?? false,
      error = away.get(name),
      point = at(to, epoch);
    const detached = error === undefined ? null : untold(o, point, intent.what, error);
    // A replay never starts before a place that an operator chose.
    lanes[name] = { points: [point], joinedAt: point, detached, lacksForgotten, replay: null };
  }
  // Last, and in one step with the cursors: until here everything is done again.
  await o.save({ lanes, intent: null });
  return { ...state, epoch, lanes: { ...state.lanes, ...lanes }, intent: null };
}

interface Told {
  readonly epoch: number;
  readonly emptied: ReadonlySet<string>;
  readonly away: ReadonlyMap<string, CdcError>;
}

async function tellDestinations(o: FinishOptions, intent: PointIntent): Promise<Told> {
  const { state, pipeline } = o;
  const holders = o.destinations.flatMap((open) => {
    const { config } = open,
      holder = pointHolder(open),
      point = intent.lanes[config.name];
    return holder === null || point === undefined ? [] : [{ config, holder, point, lane: { pipeline, lane: config.name } }];
  });
  let highest = state.epoch;
  const emptied = new Set<string>(),
    away = new Map<string, CdcError>();
  for (const { config, holder, lane } of holders) {
    const { name, required } = config,
      committed = await o.ask(config, () => holder.committed(lane));
    if (committed instanceof CdcError) {
      away.set(name, committed);
      continue;
    }
    if (committed.kind !== 'untracked') highest = Math.max(highest, committed.epoch);
    if (committed.kind !== 'empty') continue;
    // A point there would say that it has what lies before (invariant 2). An optional one is detached by the start that follows.
    if (required && !o.rejoin.includes(name)) throw emptiedSince(name, intent.what);
    emptied.add(name);
  }
  const epoch = highest + 1;
  await o.save({ epoch });
  for (const { config, holder, point, lane } of holders) {
    if (emptied.has(config.name) || away.has(config.name)) continue;
    const set = await o.ask(config, async () => {
      await holder.claim(lane, epoch);
      await holder.setPoints(lane, epoch, [at(point, epoch)]);
    });
    if (set instanceof CdcError) away.set(config.name, set);
  }
  return { epoch, emptied, away };
}

const at = (point: ResumePoint, epoch: number): ResumePoint => ({ ...point, epoch, log: null });

/** Its gap begins where the operator wanted it to go on; that its destination may stand elsewhere, the next start cannot see from that alone. */
function untold({ clock }: FinishOptions, from: ResumePoint, what: string, error: CdcError): DetachedState {
  return { from, sinceMs: clock.now(), reason: `"${what}" could not move its point: ${error.message}`, holdsOldPlace: true };
}

function emptiedSince(name: string, what: string): CdcError {
  return new CdcError('DESTINATION_POSITION_LOST', `destination "${name}" is empty, and "${what}" is still to move its point`, {
    where: `destination "${name}"`,
    fix: `Restore its data, or run with \`--rejoin ${name}\` to let it join anew.`,
  });
}
