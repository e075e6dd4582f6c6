// What operators do to a pipeline that works: send a stretch again, move points, put an older copy of a destination back. None of
// it is a fault, and all of it may be struck by one.

import type { ReplayAsk } from '../../src/engine/replay-plan.ts';
import { CdcError } from '../../src/sdk/index.ts';
import { HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import { empty } from './disturb.ts';
import { attachedLanes, move, placesAt, placesOfCheckpoint, replayStopped } from './operator.ts';
import { LEASE_MS } from './shape.ts';
import type { SimLane, World } from './world.ts';

/** Stops all processes, and waits until nobody holds the lease any more. */
function stopAll(world: World): void {
  for (const process of [...world.processes]) world.kill(process);
  if (!world.shape.sameHost) world.nowMs += LEASE_MS;
}

function replay(world: World): void {
  const { dice, shape } = world;
  if (!shape.disk) return;
  const running = world.processes.find((p) => p.canRun && p.ended === null && p.handle?.status().state === 'running');
  const lane = dice.pick(world.lanes),
    status = running?.handle?.status().lanes.find((l) => l.name === lane.name),
    seq = status?.point?.log?.seq ?? world.oracle.log.lastSeq;
  const from = Math.max(1, seq - dice.int(30)),
    isPart = dice.chance(0.15);
  const ask: ReplayAsk = {
    destination: lane.name,
    from,
    to: isPart ? from + dice.int(Math.max(1, seq - from)) : null,
    tables: dice.chance(0.2) ? [dice.pick(['a0', 'b0'])] : [],
    force: isPart,
  };
  world.trace(`replay ${JSON.stringify(ask)}`);
  if (isPart) world.oracle.lane(lane.name).forced();
  if (running === undefined || dice.chance(0.4)) {
    stopAll(world);
    replayStopped(world, ask);
    return;
  }
  (running.handle as NonNullable<typeof running.handle>).replay(ask).then(
    () => world.oracle.note('replay, running: stored'),
    (error: unknown) => {
      const { code } = error as CdcError;
      if (!(error instanceof CdcError) || (code !== 'LOG_REPLAY_REFUSED' && !code.startsWith('STATE_')))
        world.oracle.fail('command failed', `replay: ${error instanceof Error ? error.stack : String(error)}`);
      world.oracle.note(`replay, running: ${code === 'LOG_REPLAY_REFUSED' ? 'refused' : code}`);
      world.trace(`replay refused: ${String((error as Error).message)}`);
    },
  );
}

function offsetsSet(world: World): void {
  const { dice, log } = world;
  stopAll(world);
  const partition = dice.pick([...log.partitions.values()]),
    begin = world.oracle.slots.get(partition.name) ?? '',
    ends = partition.transactions.flatMap((t) => [t.end, ...t.records.map((r) => r.position)]).filter((p) => p >= begin);
  if (ends.length === 0) return;
  const position = dice.pick(dice.chance(0.5) ? ends.slice(-6) : ends);
  move(world, 'offsets set', async (facts) => {
    const lanes = attachedLanes(facts);
    if (lanes.length === 0) return new Map();
    return placesAt(facts, dice.chance(0.6) ? lanes : [dice.pick(lanes)], partition.name, position);
  });
}

function rollback(world: World): void {
  stopAll(world);
  move(world, 'rollback', (facts, store) => placesOfCheckpoint(world, facts, store));
}

const holders = (world: World): SimLane[] => world.lanes.filter((l) => l.store instanceof HoldingStore);

/** Of what a destination holds: rows and points, as a backup of a database has both. */
function copy(world: World): void {
  for (const { name, store } of holders(world)) {
    const { rows, lanes } = store as HoldingStore,
      audit = world.oracle.lane(name);
    if (audit.isDetached || ![...lanes.values()].some((l) => l.points !== null)) continue;
    const kept = { rows: new Map(rows), lanes: [...lanes].map(([id, l]) => [id, { ...l, points: l.points?.slice() ?? null }] as const) },
      audited = audit.copied([...lanes.values()].flatMap((l) => l.points ?? []));
    world.oracle.note('copy made');
    world.copies.set(name, () => {
      (store as HoldingStore).rows = new Map(kept.rows);
      lanes.clear();
      for (const [id, l] of kept.lanes) lanes.set(id, { ...l, points: l.points?.slice() ?? null });
      audited();
    });
  }
}

function putBack(world: World): void {
  // With a queue and the log in memory nothing shows it: what it lacks was acknowledged.
  const may = holders(world).filter((l) => world.copies.has(l.name) && !world.oracle.lane(l.name).isDetached);
  if (may.length === 0) {
    copy(world);
    return;
  }
  if (world.shape.queue && !world.shape.disk) return;
  stopAll(world);
  const lane = world.dice.pick(may),
    { name } = lane;
  // What its points are moved from is no longer there: it is emptied first, and joins anew.
  if (world.oracle.moves.isPending) {
    empty(world, lane);
    return;
  }
  world.trace(`${name} is put back`);
  world.faults.add(`restored ${name}`);
  world.oracle.note('copy put back');
  world.copies.get(name)?.();
  // Who has put a copy back does not let it join anew, unless the next start asks for that.
  world.rejoined.delete(name);
}

const ACTIONS: { readonly [name: string]: (world: World) => void } = { replay, replayAgain: replay, offsetsSet, rollback, copy, putBack };

export function operate(world: World): void {
  const name = world.dice.pick(Object.keys(ACTIONS));
  world.trace(`— ${name}`);
  world.oracle.note(`action: ${name}`);
  world.disturbances++;
  ACTIONS[name]?.(world);
}
