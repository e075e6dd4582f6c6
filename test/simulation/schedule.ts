// One seeded schedule: random steps, faults and changes upstream, then a drain, then the last look. And many of them.

import { isDeepStrictEqual } from 'node:util';
import { decide, disturb, heal, rejoinDetached } from './disturb.ts';
import { plantEngine } from './engine-bugs.ts';
import { operate } from './operate.ts';
import type { SimProcess } from './process.ts';
import { SHUTDOWN_MS } from './shape.ts';
import { commit, publish } from './upstream.ts';
import { PIPELINE, World } from './world.ts';

const DRAIN_STEPS = 6000;
/** How long effects may hang while time goes on. */
const LONGEST_STALL_MS = 60;
/** Between two steps all promises that can settle do. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export interface Found {
  readonly seed: number;
  readonly schedules: number;
  readonly violation: string;
}
export interface SearchOptions {
  readonly bugs?: readonly string[];
  readonly print?: (line: string) => void;
  readonly stats?: Map<string, number>;
  /** Called with the number of schedules done. */
  readonly onSchedule?: (done: number) => void;
  /** Ends the search after the schedule under way. */
  readonly signal?: AbortSignal;
}

/** Runs schedules until one violates an invariant. */
export async function search(first: number, count: number, options: SearchOptions = {}): Promise<Found | null> {
  const unplant = plantEngine(options.bugs ?? []);
  try {
    return await searchFrom(first, count, options);
  } finally {
    unplant();
  }
}

async function searchFrom(first: number, count: number, options: SearchOptions): Promise<Found | null> {
  const { bugs = [], print, stats, onSchedule, signal } = options;
  for (let i = 0; i < count && !signal?.aborted; i++) {
    const world = new World(first + i, new Set(bugs), print ?? null);
    const violation = await runSchedule(world);
    for (const [what, n] of world.oracle.stats) stats?.set(what, (stats.get(what) ?? 0) + n);
    stats?.set('steps', (stats.get('steps') ?? 0) + world.steps);
    if (violation !== null) return { seed: first + i, schedules: i + 1, violation };
    onSchedule?.(i + 1);
  }
  return null;
}

/** The command that runs a failing schedule again. */
export function reproduction({ seed }: Found, bugs: readonly string[] = []): string {
  return `npx tsx --conditions=source test/simulation/run.ts --seed ${seed} --trace${bugs.map((b) => ` --bug ${b}`).join('')}`;
}

async function runSchedule(world: World): Promise<string | null> {
  const { dice, shape, oracle } = world;
  let transactions = shape.transactions,
    messages = shape.queue ? shape.messages : 0,
    { faults, operations } = shape;
  for (let n = 60 + dice.int(140); n > 0 && oracle.violation === null; n--) {
    const roll = dice.int(100);
    if (roll < 8 && transactions > 0) {
      transactions--;
      commit(world);
    } else if (roll < 12 && messages > 0) {
      messages--;
      publish(world);
    } else if (roll < 16 && faults > 0) {
      faults--;
      disturb(world);
    } else if (roll < 19) heal(world, false);
    else if (roll < 22 && operations > 0) {
      operations--;
      operate(world);
    } else await someone(world);
    if (n % 8 === 0) checkMemory(world);
  }
  if (oracle.violation === null) await drain(world);
  for (const process of [...world.processes]) world.kill(process);
  return oracle.violation;
}

/** Lets one process do one step, or time pass. */
async function someone(world: World): Promise<void> {
  const { dice } = world;
  world.steps++;
  world.nowMs += dice.int(3);
  for (const p of [...world.processes]) {
    if (p.ended !== null) await bury(world, p);
    else if (p.stepsLeft <= 0) crash(world, p);
  }
  if (!world.processes.some((p) => p.canRun)) {
    if (dice.chance(0.3)) rejoinDetached(world);
    world.start();
    await settle();
  }
  const steps = world.processes.reduce((n, p) => n + p.steps, 0);
  if (steps === 0) passTime(world, Infinity);
  else if (dice.chance(0.08)) passTime(world, dice.int(LONGEST_STALL_MS));
  else takeStep(world, dice.int(steps));
  await settle();
}

function crash(world: World, process: SimProcess): void {
  world.trace(`${process.owner} dies`);
  world.oracle.note(`${process.command}: dies`);
  world.kill(process);
}

function takeStep(world: World, index: number): void {
  for (const process of world.processes) {
    if (index < process.steps) {
      world.running = process.id;
      const what = process.run(index);
      world.trace(`${process.owner} ${what}`);
      process.stepsLeft--;
      return;
    }
    index -= process.steps;
  }
}

/** To the next sleeper's time, but not longer than `most`. */
function passTime(world: World, most: number): void {
  const wakesAtMs = Math.ceil(Math.min(world.nowMs + most, ...world.processes.map((p) => p.wakesAtMs)));
  world.nowMs = Number.isFinite(wakesAtMs) ? Math.max(world.nowMs, wakesAtMs) : world.nowMs + 5;
  for (const p of world.processes) {
    if (!p.canRun) continue;
    world.running = p.id;
    p.wake(world.nowMs);
  }
}

/** A pipeline that has ended by itself: judged, answered, and its process exits. */
async function bury(world: World, process: SimProcess): Promise<void> {
  const { stopped, ended } = process;
  const calm =
    stopped?.disturbances === world.disturbances &&
    !world.stateDown &&
    world.lanes.every((l) => !l.store.faults.down) &&
    world.processes.length === 1;
  if (stopped?.running === true && calm && ended?.outcome === 'stopped' && (ended.endedAtMs ?? 0) - stopped.atMs < SHUTDOWN_MS) {
    await world.oracle.stoppedCleanly(process.id);
  }
  if (!world.leases.wasReplaced(process.owner)) decide(world, process);
  world.kill(process);
}

function checkMemory(world: World): void {
  for (const p of world.processes) if (p.handle !== null && p.canRun) world.oracle.checkMemory(p.handle.status().log.events);
}

// ---- drain -------------------------------------------------------------------------------------------------------------------

async function drain(world: World): Promise<void> {
  const { oracle, log } = world;
  world.trace('— drain');
  heal(world, true);
  for (const partition of log.partitions.values()) if (!partition.closed) log.commit([], partition.name);
  const head = log.head();
  for (let n = 0; oracle.violation === null; n++) {
    if (n === DRAIN_STEPS) {
      oracle.fail('stuck', `the drain does not end: ${explain(world, head)}`);
      return;
    }
    await someone(world);
    for (const p of log.partitions.values()) if (p.assignment === 'away') log.returnPartition(p.name);
    // An upstream that moves on: held state is saved with the next batch, of which an idle source has none.
    if (n % 100 === 99) for (const p of log.partitions.values()) if (!p.closed) log.commit([], p.name);
    if (n % 20 === 19 && isQuiet(world, head)) break;
  }
  if (oracle.violation !== null) return;
  await stopLast(world);
  await loadWindows(world);
  if (oracle.violation === null) oracle.final();
}

function isQuiet(world: World, head: { readonly [partition: string]: string }): boolean {
  const { log, oracle, queue } = world,
    acknowledged = log.acknowledged();
  const living = world.processes.filter((p) => p.ended === null && p.handle?.status().state === 'running');
  const status = living[0]?.handle?.status();
  const isIdle =
    status?.sources.every((s) => s.snapshots.every((t) => t.state === 'done')) &&
    status.lanes.every((l) => l.state === 'detached' || l.queued === 0 || world.storeOf(l.name).faults.down);
  return (
    living.length === 1 &&
    isIdle === true &&
    oracle.missing().length === 0 &&
    queue.size === 0 &&
    Object.entries(head).every(([p, end]) => !log.partitions.has(p) || (acknowledged[p] ?? '') >= end)
  );
}

function explain(world: World, head: { readonly [partition: string]: string }): string {
  const processes = world.processes.map((p) => `${p.owner} (${p.handle?.status().state}) waits for ${p.waiting()}`);
  return `${processes.join('; ')}; head ${JSON.stringify(head)}, acknowledged ${JSON.stringify(world.log.acknowledged())}, queue ${world.queue.size}, missing ${world.oracle.missing().slice(0, 3).join(', ') || 'nothing'}`;
}

/** Invariant 7: a pipeline that is asked to stop drains, checkpoints and ends without an error. */
async function stopLast(world: World): Promise<void> {
  const last = world.processes.find((p) => p.ended === null && p.handle?.status().state === 'running') as SimProcess;
  for (const p of [...world.processes]) if (p !== last) world.kill(p);
  world.trace('— stop');
  last.stopped = { running: true, disturbances: world.disturbances, atMs: world.wallMs };
  void last.handle?.stop();
  for (let n = 0; last.ended === null && n < DRAIN_STEPS; n++) {
    world.nowMs++;
    if (last.steps > 0) takeStep(world, world.dice.int(last.steps));
    else passTime(world, Infinity);
    await settle();
  }
  if (last.ended?.outcome !== 'stopped') world.oracle.fail('stop', `it ended ${JSON.stringify(last.ended?.outcome)} (${last.waiting()})`);
  if ((last.ended?.endedAtMs ?? 0) - last.stopped.atMs >= SHUTDOWN_MS && world.lanes.every((l) => !l.store.faults.down))
    world.oracle.fail('stop', 'it took the whole time that a stop may take');
  await world.oracle.stoppedCleanly(last.id);
}

async function loadWindows(world: World): Promise<void> {
  const { transformer } = await world.state.load(PIPELINE);
  if (transformer === null) return;
  // One part: its length, then the window's state (see engine/stateful.ts).
  const open = JSON.parse(Buffer.from(transformer.state).subarray(4).toString()) as [string, { ids: string[] }][];
  world.savedWindows = new Set(open.flatMap(([, window]) => window.ids));
}

/** Do two runs of a seed do the same, step by step? A run without a trace is compared by its counts. */
export async function isDeterministic(seed: number): Promise<boolean> {
  const first: string[] = [],
    second: string[] = [];
  await search(seed, 1, { print: (line) => first.push(line) });
  await search(seed, 1, { print: (line) => second.push(line) });
  const traced = new Map<string, number>(),
    untraced = new Map<string, number>();
  await search(seed, 1, { print: () => {}, stats: traced });
  await search(seed, 1, { stats: untraced });
  return isDeepStrictEqual(first, second) && isDeepStrictEqual(traced, untraced);
}
