// The operator's commands that work on a stopped pipeline (`offsets set`, `rollback`, `replay`), as processes of their own: they
// take the lease, use the same code as the command line, and may die between any two effects.

import { type OpenDestination, type OpenSource, openDestination, openSource } from '../../src/engine/components.ts';
import { finishIntent } from '../../src/engine/finish-move.ts';
import { LeaseKeeper } from '../../src/engine/lease.ts';
import { type MoveFacts, movablePoint, planMoves } from '../../src/engine/move-points.ts';
import { oldestPlace } from '../../src/engine/places.ts';
import { planReplay, type ReplayAsk } from '../../src/engine/replay-plan.ts';
import type { LogPlace } from '../../src/log/change-log.ts';
import { hasDiskLog, openDiskLogReader } from '../../src/log/disk/log-reader.ts';
import { CdcError, type ErrorCode, type Position, type ResumePoint, silentLogger } from '../../src/sdk/index.ts';
import type { PipelineState, StateChange, StateStore } from '../../src/state/store.ts';
import { LOG_FOLDER } from './disk.ts';
import type { SimProcess } from './process.ts';
import { configOf, LEASE_MS } from './shape.ts';
import { steppingState } from './stores.ts';
import { PIPELINE, type World } from './world.ts';

/** What a command may answer instead of doing it. Away: try again later. */
const ANSWERS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'STATE_LOCKED',
  'STATE_FENCED',
  'STATE_MOVE_REFUSED',
  'STATE_UNAVAILABLE',
  'SOURCE_POSITION_GONE',
  'STATE_LOG_GAP',
  'SOURCE_UNREACHABLE',
  'DESTINATION_UNREACHABLE',
  'DESTINATION_FENCED',
  'DESTINATION_POSITION_LOST',
  'LOG_REPLAY_REFUSED',
]);

interface Held {
  readonly process: SimProcess;
  readonly store: StateStore;
  save(change: StateChange): Promise<void>;
}

/** Starts a command; it ends, is refused, or dies. */
export function command(world: World, what: string, work: (held: Held) => Promise<string>): void {
  const process = world.newProcess();
  process.command = what;
  if (world.dice.chance(0.35)) process.stepsLeft = 1 + world.dice.int(14);
  world.trace(`${process.owner}: ${what}`);
  void underLease(world, process, work)
    .catch((error: unknown) => {
      if (error instanceof CdcError && ANSWERS.has(error.code))
        return `${error.code === 'LOG_REPLAY_REFUSED' ? 'refused' : error.code}: ${error.message}`;
      world.oracle.fail('command failed', `${what}: ${error instanceof Error ? error.stack : String(error)}`);
      return 'failed';
    })
    .then((outcome) => {
      if (!process.alive) return;
      world.trace(`${process.owner} ended: ${outcome}`);
      world.oracle.note(`${what}: ${outcome.split(':')[0]}`);
      world.kill(process);
    });
}

async function underLease(world: World, process: SimProcess, work: (held: Held) => Promise<string>): Promise<string> {
  const store = steppingState(world, process.step),
    { clock, owner } = process;
  const lease = new LeaseKeeper({
    pipeline: PIPELINE,
    owner,
    state: store,
    clock,
    logger: silentLogger,
    leaseMs: LEASE_MS,
    isGone: (o) => world.isGone(o),
  });
  if ((await lease.acquire()) !== null) throw new CdcError('STATE_LOCKED', 'another process runs the pipeline', { fix: 'Stop it.' });
  try {
    return await work({
      process,
      store,
      async save(change) {
        const untilMs = lease.extension();
        await store.save(PIPELINE, owner, untilMs, change);
        lease.renewed(untilMs);
      },
    });
  } finally {
    await lease.release();
  }
}

async function factsOf(world: World, { process, store }: Held, state: PipelineState) {
  const config = configOf(PIPELINE, world.shape, process.id);
  const deps = {
    clock: process.clock,
    random: world.dice.next,
    logger: silentLogger,
    resolve: async (kind: Parameters<World['descriptor']>[1], type: string) => world.descriptor(process, kind, type),
  };
  const sources: OpenSource[] = [],
    destinations: OpenDestination[] = [];
  for (const source of config.sources) sources.push(await openSource(config, source, deps));
  for (const destination of config.destinations) destinations.push(await openDestination(config, destination, deps));
  const logs = sources.filter(({ source }) => source.ordering === 'log');
  const facts = async (now: PipelineState): Promise<MoveFacts> => {
    const acknowledged: { [source: string]: LogPlace['sources'][string] } = {},
      lanes: MoveFacts['lanes'][number][] = [];
    for (const { config: c, source } of logs) acknowledged[c.name] = (await source.acknowledged()) ?? {};
    for (const { config: c, destination } of destinations)
      lanes.push({ name: c.name, required: c.required, committed: await destination.committed({ pipeline: PIPELINE, lane: c.name }) });
    return {
      pipeline: PIPELINE,
      state: now,
      codecs: Object.fromEntries(logs.map((s) => [s.config.name, s.source.positions])),
      acknowledged,
      snapshots: sources.filter((s) => s.capabilities.snapshot).map((s) => s.config.name),
      lanes,
      log: config.log.type === 'disk' ? await movingLog(world, sources) : null,
    };
  };
  return { state, store, destinations, facts };
}

async function movingLog(world: World, sources: readonly OpenSource[]): Promise<MoveFacts['log']> {
  if (!(await hasDiskLog(LOG_FOLDER, world.disk))) return null;
  const reader = await openDiskLogReader(LOG_FOLDER, world.disk);
  try {
    const queues = sources.filter(({ source }) => source.ordering === 'queue').map((s) => s.config.name);
    return { firstSeq: reader.firstSeq, head: reader.head, tail: reader.tail, queues };
  } finally {
    await reader.close();
  }
}

/** Where to: lane → place. Thrown errors are answers. */
export type Want = (facts: MoveFacts, store: StateStore) => Promise<ReadonlyMap<string, LogPlace>>;

/** `offsets set`, `offsets rollback`: as cli/commands/offsets-move.ts does it. */
export function move(world: World, what: string, want: Want): void {
  command(world, what, async (held) => {
    const { save, store } = held,
      { destinations, facts } = await factsOf(world, held, await store.load(PIPELINE));
    const finish = async (state: PipelineState): Promise<PipelineState> =>
      finishIntent({
        pipeline: PIPELINE,
        state,
        destinations,
        rejoin: [],
        clock: held.process.clock,
        ask: (_destination, call) => call(),
        save,
      });
    const now = await facts(await finish(await store.load(PIPELINE)));
    const moves = planMoves(now, await want(now, store));
    if (moves.length === 0) return 'nothing to do';
    world.oracle.moves.announce(moves);
    for (const { effect } of moves.flatMap((m) => m.partitions)) world.oracle.note(`${what}: ${effect}`);
    const atMs = world.wallMs,
      intent = { atMs, what, lanes: Object.fromEntries(moves.map(({ lane, to }) => [lane, to])) };
    if (world.has('move-without-intent')) {
      world.oracle.moves.begun();
      await finish({ ...(await store.load(PIPELINE)), intent });
      return 'done';
    }
    await save({ intent, checkpoint: { atMs, keep: 20, always: true } });
    await finish(await store.load(PIPELINE));
    return 'done';
  });
}

export function attachedLanes({ lanes, state }: MoveFacts): string[] {
  return lanes.filter(({ name }) => state.lanes[name]?.detached === null).map(({ name }) => name);
}

/** One partition of the source, for these lanes. */
export function placesAt(facts: MoveFacts, names: readonly string[], partition: string, position: Position): ReadonlyMap<string, LogPlace> {
  return new Map(
    names.map((name): [string, LogPlace] => {
      const { snapshots, sources } = movablePoint(facts, name);
      if (snapshots.some((s) => s.state === 'running'))
        throw new CdcError('STATE_MOVE_REFUSED', 'a snapshot is not finished', { fix: 'Let it finish.' });
      return [name, { snapshots, sources: { ...sources, log: { ...sources['log'], [partition]: position } } }];
    }),
  );
}

export async function placesOfCheckpoint(world: World, facts: MoveFacts, store: StateStore): Promise<ReadonlyMap<string, LogPlace>> {
  const history = await store.checkpoints(PIPELINE),
    attached = attachedLanes(facts);
  if (history.length === 0) return new Map();
  const { lanes } = world.dice.pick(history);
  return new Map(
    Object.entries(lanes).flatMap(([lane, points]): [string, LogPlace][] => {
      const [first, ...rest] = points;
      if (first === undefined || !attached.includes(lane)) return [];
      return [[lane, rest.length === 0 ? first : oldestPlace(facts.codecs, points)]];
    }),
  );
}

/** `replay` while the pipeline is stopped: as cli/commands/replay.ts does it. */
export function replayStopped(world: World, ask: ReplayAsk): void {
  command(world, 'replay, stopped', async (held) => {
    const { process, save, store } = held,
      config = configOf(PIPELINE, world.shape, process.id),
      state = await store.load(PIPELINE),
      lane = state.lanes[ask.destination],
      component = config.destinations.find((d) => d.name === ask.destination);
    if (component === undefined || state.intent !== null) return 'refused';
    const descriptor = world.descriptor(process, 'destination', component.type);
    if (descriptor.kind !== 'destination') return 'refused';
    const destination = await descriptor.create(component.config as never, { ...component, pipeline: PIPELINE } as never);
    const committed = await destination.committed({ pipeline: PIPELINE, lane: ask.destination });
    const point: ResumePoint | undefined =
      committed.kind === 'untracked' ? lane?.points[0] : committed.kind === 'points' ? committed.points[0] : undefined;
    const { id, firstSeq } = world.oracle.log;
    const place = point?.log?.id === id ? point.log.seq : null;
    const plan = planReplay({ pipeline: PIPELINE, state: lane, log: { id, firstSeq }, place }, ask);
    if (lane !== undefined) await save({ lanes: { [ask.destination]: { ...lane, replay: plan.request } } });
    return 'stored';
  });
}
