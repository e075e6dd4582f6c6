// Faults and what operators do. Each is something that happens to real pipelines; none of them excuses a loss.

import type { ErrorCode } from '../../src/sdk/index.ts';
import { HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import { MemoryStateStore } from '../../src/state/memory-store.ts';
import type { SimProcess } from './process.ts';
import { LEASE_MS } from './shape.ts';
import type { SimLane, World } from './world.ts';

const MAX_PROCESSES = 3;
/** What a destination cannot recover from by itself: the operator lets it join anew. */
const NEEDS_JOIN: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'STATE_LOST',
  'DESTINATION_POSITION_LOST',
  'SOURCE_POSITION_GONE',
  'STATE_LOG_GAP',
  'DESTINATION_MISCONFIGURED',
]);

function killAll(world: World): void {
  for (const process of [...world.processes]) world.kill(process);
}

function livingOf(world: World): SimProcess | undefined {
  const living = world.processes.filter((p) => p.canRun && p.ended === null);
  return living.length === 0 ? undefined : world.dice.pick(living);
}

const holding = (world: World): SimLane[] => world.lanes.filter((l) => l.store instanceof HoldingStore);

export function empty(world: World, { name, store }: SimLane): void {
  killAll(world);
  (store as HoldingStore).wipe();
  world.oracle.lane(name).wiped();
  world.faults.add(`wiped ${name}`);
}

const FAULTS: { readonly [name: string]: (world: World) => void } = {
  kill(world) {
    const p = livingOf(world);
    if (p !== undefined) world.kill(p);
  },
  powerCut(world) {
    if (!world.shape.disk) return;
    killAll(world);
    world.disk = world.disk.crash('power', world.dice.next);
  },
  diskFull(world) {
    world.diskFull = true;
  },
  killAgain(world) {
    const p = livingOf(world);
    if (p !== undefined) world.kill(p);
  },
  freeze(world) {
    const p = livingOf(world);
    if (p === undefined || world.processes.length >= MAX_PROCESSES) return;
    p.freeze();
    world.nowMs += world.dice.int(2 * LEASE_MS);
  },
  clockJump(world) {
    world.jump(world.dice.pick([-5, -1, 1, 5]) * LEASE_MS);
  },
  standby(world) {
    if (world.processes.length < MAX_PROCESSES) world.start();
  },
  stop(world) {
    const p = livingOf(world);
    if (p?.handle === undefined || p.handle === null) return;
    const { state, lanes } = p.handle.status(),
      // What is known to be away is not waited for.
      isUp = world.lanes.every((l) => !l.store.faults.down) && lanes.every((l) => l.breaker === 'closed');
    p.stopped = { running: state === 'running' && isUp, disturbances: world.disturbances, atMs: world.wallMs };
    void p.handle.stop();
  },
  cutSource(world) {
    world.log.cut();
  },
  sourceDown(world) {
    world.log.down = true;
    world.log.cut();
  },
  redeliver(world) {
    world.queue.dropSessions();
  },
  queueDown(world) {
    world.queue.down = true;
    world.queue.dropSessions();
  },
  outage(world) {
    world.dice.pick(world.lanes).store.faults.down = true;
  },
  loseReply(world) {
    for (const l of holding(world))
      if (world.dice.chance(0.7)) l.store.faults.lostReplies.push(world.dice.pick(['after_commit', 'after_commit', 'before_commit']));
  },
  loseReplyAgain(world) {
    for (const l of holding(world)) l.store.faults.lostReplies.push('after_commit');
  },
  deadLettersDown(world) {
    world.deadLettersDown = true;
  },
  stateDown(world) {
    world.stateDown = true;
    world.faults.add('state down');
  },
  deadOptional(world) {
    for (const l of world.lanes) if (!l.required) l.store.faults.down = true;
  },
  wipe(world) {
    const lanes = holding(world).filter((l) => [...(l.store as HoldingStore).lanes.values()].some((r) => r.points !== null));
    if (lanes.length === 0) return;
    const lane = world.dice.pick(lanes);
    empty(world, lane);
  },
  loseState(world) {
    // Half of a move would be lost with it: nobody could finish it.
    if (world.backup !== null || world.oracle.moves.isPending) return;
    killAll(world);
    world.backup = world.state;
    world.state = new MemoryStateStore();
    world.oracle.stateLost();
    world.faults.add('state lost');
  },
  revoke(world) {
    world.log.revokePartition(world.dice.pick([...world.log.partitions.keys()]));
  },
  closePartition(world) {
    if (world.log.partitions.has('p1')) world.log.closePartition('p1');
  },
  openPartition(world) {
    if (!world.shape.snapshot && !world.log.partitions.has('p2') && !world.faults.has('opened p2')) {
      world.log.openPartition('p2');
      world.faults.add('opened p2');
    }
  },
};

export function disturb(world: World): void {
  const name = world.dice.pick(Object.keys(FAULTS));
  world.trace(`— ${name}`);
  world.oracle.note(`fault: ${name}`);
  world.disturbances++;
  FAULTS[name]?.(world);
}

/** Repairs about half of what is broken; `all`: everything, but an optional destination may stay dead for good. */
export function heal(world: World, all: boolean): void {
  const { dice, log } = world,
    really = (): boolean => all || dice.chance(0.5);
  const deadForGood = all && dice.chance(0.25);
  for (const { store, required } of world.lanes) if (really()) store.faults.down = store.faults.down && !required && deadForGood;
  for (const p of world.processes)
    if (p.frozen && really()) {
      p.frozen = false;
      world.trace(`${p.owner} wakes`);
    }
  for (const p of log.partitions.values()) if (p.assignment === 'away' && really()) log.returnPartition(p.name);
  if (really()) log.down = false;
  if (really()) world.queue.down = false;
  if (really()) world.deadLettersDown = false;
  if (really()) world.stateDown = false;
  if (really()) world.diskFull = false;
}

/** Reads the error that ended a process and answers it, as its fix says. */
export function decide(world: World, process: SimProcess): void {
  const error = process.ended?.error,
    lane = /destination "(\w+)"/.exec(error?.where ?? '')?.[1];
  if (error?.code === 'STATE_LOST' && (lane === undefined || world.dice.chance(0.5)) && world.backup !== null) {
    world.trace('the operator restores the state');
    world.state = world.backup;
    world.backup = null;
    world.oracle.stateRestored();
  } else if (lane !== undefined && error !== null && error !== undefined && NEEDS_JOIN.has(error.code)) letJoin(world, lane);
}

/** To get all rows a destination must be empty. */
function letJoin(world: World, name: string): void {
  const lane = world.lanes.find((l) => l.name === name);
  if (lane?.start === 'snapshot') empty(world, lane);
  world.rejoined.add(name);
}

/** Now and then an operator lets detached lanes join anew. */
export function rejoinDetached(world: World): void {
  for (const { name, store } of world.lanes) if (!store.faults.down && world.oracle.lane(name).isDetached) letJoin(world, name);
}
