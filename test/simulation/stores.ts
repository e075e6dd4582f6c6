// State store and dead letter queue of the simulation: what they hold outlives processes; each process reaches them through
// its own steps, so that it can die before an effect and between an effect and its reply.

import type { DeadLetter, DeadLetterQueue } from '../../src/engine/api.ts';
import { laneStore } from '../../src/engine/parked-keys.ts';
import { CdcError, type ResumePoint } from '../../src/sdk/index.ts';
import type { Step } from '../../src/sdk/testing/fakes/step.ts';
import type { PipelineState, StateChange, StateStore } from '../../src/state/store.ts';
import type { World } from './world.ts';

const LOST_REPLY = 0.3;

export function steppingState(world: World, step: Step): StateStore {
  const assertUp = (): void => {
    if (world.stateDown) throw new CdcError('STATE_UNAVAILABLE', 'the state cannot be written', { retriable: true, fix: 'Make space.' });
  };
  return {
    async acquire(pipeline, owner, nowMs, untilMs) {
      await step('take the lease');
      assertUp();
      const lease = await world.state.acquire(pipeline, owner, world.has('lease-ignored') ? Infinity : nowMs, untilMs);
      if (lease.owner === owner) world.leases.granted(owner, untilMs);
      return lease;
    },
    async release(pipeline, owner) {
      await step('give the lease back');
      await world.state.release(pipeline, owner);
    },
    async load(pipeline) {
      await step('load the state');
      assertUp();
      const state = await world.state.load(pipeline);
      if (world.has('replay-before-join')) return withoutPlaces(state);
      return world.has('replay-forgotten') ? withoutReplays(state) : state;
    },
    async save(pipeline, owner, untilMs, change) {
      await step('save the state');
      assertUp();
      if (world.has('state-save-dropped') && change.used === undefined && world.dice.chance(0.3)) return;
      // A renewal asks, too.
      if (world.has('lease-ignored')) await world.state.acquire(pipeline, owner, Infinity, untilMs);
      const stored = plantChange(world, change);
      await world.state.save(pipeline, owner, untilMs, stored);
      world.oracle.saved(world.has('gap-not-recorded') ? change : stored);
      world.leases.granted(owner, untilMs);
      if (world.dice.chance(LOST_REPLY)) await step('hear that the state is saved');
    },
    checkpoints: (pipeline) => world.state.checkpoints(pipeline),
    delivered: (pipeline) => world.state.delivered(pipeline),
    forget: (pipeline, owner) => world.state.forget(pipeline, owner),
    async beginRun(pipeline, owner, startedAtMs) {
      await step('begin the run');
      return world.state.beginRun(pipeline, owner, startedAtMs);
    },
    endRun: (pipeline, owner, run) => world.state.endRun(pipeline, owner, run),
    runs: (pipeline, limit) => world.state.runs(pipeline, limit),
    recordError: async () => {}, // for people only: no step, so that schedules stay short
    errors: (pipeline) => world.state.errors(pipeline),
    async getPluginValue(pipeline, plugin, key) {
      if (world.has('parked-keys-forgotten')) return null;
      return world.state.getPluginValue(pipeline, plugin, key);
    },
    async setPluginValue(pipeline, owner, plugin, key, value) {
      await step('save a value');
      assertUp();
      if (world.tracing)
        world.trace(
          `  ${plugin} ${key}: ${Buffer.from(value ?? [])
            .toString()
            .slice(0, 200)}`,
        );
      await world.state.setPluginValue(pipeline, owner, plugin, key, value);
      const lane = world.lanes.find(({ name }) => laneStore(name) === plugin);
      if (lane !== undefined) world.oracle.lane(lane.name).parkedSaved(key, parkedIn(value));
    },
    pipelines: () => world.state.pipelines(),
    close: async () => {},
  };
}

export function steppingDeadLetters(world: World, step: Step): DeadLetterQueue {
  return {
    async put(letters: readonly DeadLetter[]) {
      await step('park dead letters');
      if (world.deadLettersDown)
        throw new CdcError('DLQ_UNAVAILABLE', 'the dead letter queue cannot be written', { retriable: true, fix: 'Make space.' });
      if (world.has('dlq-write-lost')) return;
      if (world.tracing) world.trace(`  ${letters.map((l) => `${l.event?.id ?? l.input} of ${l.lane ?? 'all'}`).join(', ')}`);
      for (const letter of letters) world.oracle.parked(letter);
      if (world.dice.chance(LOST_REPLY)) await step('hear that they are parked');
    },
    close: async () => {},
  };
}

function parkedIn(value: Uint8Array | null): string[] {
  const keys = JSON.parse(Buffer.from(value ?? Buffer.from('{}')).toString()) as { readonly [key: string]: { readonly id: string } };
  return Object.values(keys).map(({ id }) => id);
}

function withoutPlaces(state: PipelineState): PipelineState {
  const beginning = { epoch: 0, log: null, sources: {}, snapshots: [] };
  const lanes = Object.entries(state.lanes).map(([name, lane]) => [name, lane.replay === null ? lane : { ...lane, joinedAt: beginning }]);
  return { ...state, lanes: Object.fromEntries(lanes) };
}

function withoutReplays(state: PipelineState): PipelineState {
  return { ...state, lanes: Object.fromEntries(Object.entries(state.lanes).map(([name, lane]) => [name, { ...lane, replay: null }])) };
}

function plantChange(world: World, change: StateChange): StateChange {
  if (world.has('gap-not-recorded')) return withoutGaps(change);
  return world.has('move-under-old-epoch') && change.intent === null ? underOldEpoch(change) : change;
}

function underOldEpoch(change: StateChange): StateChange {
  const old = (point: ResumePoint): ResumePoint => ({ ...point, epoch: point.epoch - 1 });
  const lanes = Object.entries(change.lanes ?? {}).map(([name, lane]) => [
    name,
    lane && { ...lane, joinedAt: old(lane.joinedAt), points: lane.points.map(old) },
  ]);
  return { ...change, lanes: Object.fromEntries(lanes) };
}

function withoutGaps(change: StateChange): StateChange {
  const lanes = Object.entries(change.lanes ?? {}).map(([name, lane]) => [name, lane && { ...lane, detached: null }]);
  return lanes.length === 0 ? change : { ...change, lanes: Object.fromEntries(lanes) };
}
