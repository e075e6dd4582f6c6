// The destinations of a world: what they hold outlives processes; each process connects to them, and the oracle sees what it writes.

import type { ChangeEvent, Descriptor, Destination, ResumePoint } from '../../src/sdk/index.ts';
import { fakeDestination } from '../../src/sdk/testing/fakes/descriptors.ts';
import { encodeFake } from '../../src/sdk/testing/fakes/envelope.ts';
import { Faults, rejected } from '../../src/sdk/testing/fakes/faults.ts';
import { FakeHoldingDestination, HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import { FakeRecordsDestination, FakeRowsDestination, UntrackedStore } from '../../src/sdk/testing/fakes/untracked-destination.ts';
import { plantDestination, plantStore } from './bugs.ts';
import type { SimProcess } from './process.ts';
import { ReducedRows } from './reducing.ts';
import type { LaneShape } from './shape.ts';
import { WindowedDestination, WindowedStore } from './windowed.ts';
import type { SimLane, World } from './world.ts';

export type LaneStore = HoldingStore | UntrackedStore;

export function destinationDescriptor(world: World, process: SimProcess, holdsAs: LaneShape['kind']): Descriptor {
  // With an encoder of their own: the engine would load one, and loading takes real time, which a virtual clock does not see.
  return fakeDestination(
    holdsAs === 'windowed' ? 'records' : holdsAs,
    (ctx) => watched(world, process, ctx.name, connect(world, process, ctx.name)),
    'rows',
  );
}

/** The oracle sees each batch before it is written, and hears which destination did not do what it was asked at a start. */
function watched({ oracle }: World, { id }: SimProcess, name: string, destination: Destination): Destination {
  const write = destination.write.bind(destination);
  destination.write = (batch, signal) => {
    oracle.writing(name, batch);
    return write(batch, signal);
  };
  if (destination instanceof FakeHoldingDestination) {
    const told = <T>(call: Promise<T>): Promise<T> =>
      call.catch((error: unknown) => {
        oracle.moves.failed(id, name);
        throw error;
      });
    const { committed, claim, setPoints } = destination;
    destination.committed = (lane) => told(committed.call(destination, lane));
    destination.claim = (lane, epoch) => told(claim.call(destination, lane, epoch));
    destination.setPoints = (lane, epoch, points) => told(setPoints.call(destination, lane, epoch, points));
  }
  return destination;
}

function connect(world: World, process: SimProcess, name: string): Destination {
  const { store, kind } = world.lanes.find((l) => l.name === name) as SimLane,
    { step } = process;
  const named = (what: string): Promise<void> => step(`${name}: ${what}`);
  if (store instanceof HoldingStore)
    return plantDestination(world, store, nameless(world, store, new FakeHoldingDestination(store, named)));
  if (store instanceof WindowedStore) {
    const windowed = new WindowedDestination(store, {
      step: named,
      drops: () => store.faults.lostReplies.length > 0 && world.dice.chance(0.5) && store.faults.lostReplies.shift() !== undefined,
      onHole: () => world.oracle.note('windowed: stored behind a failure'),
      isBlind: world.has('windowed-point-stored'),
    });
    process.onFreeze.push(() => windowed.cut());
    return plantDestination(world, store, windowed);
  }
  const destination = kind === 'records' ? new FakeRecordsDestination(store, named, encodeFake) : new FakeRowsDestination(store, named);
  // A write in flight of a frozen process fails when it wakes: no client could promise more where nothing fences it.
  process.onFreeze.push(() => destination.cut());
  return plantDestination(world, store, destination);
}

/** Refuses the whole batch for one event of it, and does not say which. */
function nameless({ shape }: World, store: HoldingStore, destination: FakeHoldingDestination): FakeHoldingDestination {
  if (!shape.nameless) return destination;
  const write = destination.write.bind(destination);
  destination.write = async (batch, signal) => {
    const bad = batch.events.find((e, i) => !batch.skip.has(i) && store.faults.rejects(e));
    if (bad !== undefined) throw rejected(bad);
    return write(batch, signal);
  };
  return destination;
}

/** About one event in twelve, the same ones at every try. */
function refuses({ oracle, seed }: World, lane: string, e: ChangeEvent): boolean {
  if (e.op === 'r' || e.op === 't') return false;
  let hash = 7;
  for (const c of `${lane} ${seed} ${oracle.idOf(e)}`) hash = (hash * 31 + c.charCodeAt(0)) >>> 0;
  return hash % 12 === 0;
}

export function laneStore(world: World, { name, kind }: LaneShape): LaneStore {
  const store = storeOfKind(world, name, kind);
  if (world.shape.refusals) store.faults.rejects = (e) => refuses(world, name, e);
  return store;
}

function storeOfKind(world: World, name: string, kind: LaneShape['kind']): LaneStore {
  const faults = new Faults(),
    { oracle } = world;
  let reduced: ReducedRows | null = null;
  const observer = {
    applied: (e: ChangeEvent) => {
      oracle.lane(name).apply(e);
      reduced?.applied(e);
    },
    pointsSet: (points: readonly ResumePoint[]) => oracle.lane(name).pointsSet(points),
    pointMoved: (_worker: number, from: ResumePoint, to: ResumePoint) => {
      oracle.lane(name).pointMoved(from, to);
      reduced?.committed(to);
    },
  };
  if (kind === 'windowed') return new WindowedStore(faults, observer);
  if (kind !== 'holding') return new UntrackedStore(faults, observer);
  const store = new HoldingStore(faults, observer);
  reduced = new ReducedRows(
    store,
    (what) => oracle.fail('reduced to something else', `${name}: ${what}`),
    (n) => n > 0 && oracle.note('batch with incomplete rows reduced'),
  );
  return plantStore(world, store);
}
