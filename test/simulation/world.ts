// The world of one schedule: everything that survives a crash, the processes that run the real engine over it, and the
// virtual clock. It is made from the seed alone, so that a seed is a reproduction.

import { DEFAULT_RUN_OPTIONS, type EngineDeps } from '../../src/engine/api.ts';
import { startPipeline } from '../../src/engine/pipeline.ts';
import { MemoryFiles } from '../../src/log/disk/memory-files.ts';
import {
  type ChangeEvent,
  type Clock,
  type Descriptor,
  type Destination,
  type Random,
  type ResumePoint,
  silentLogger,
} from '../../src/sdk/index.ts';
import { fakeDestination, fakeLogSource, fakeQueueSource, fakeTransformer } from '../../src/sdk/testing/fakes/descriptors.ts';
import { encodeFake } from '../../src/sdk/testing/fakes/envelope.ts';
import { Faults, rejected } from '../../src/sdk/testing/fakes/faults.ts';
import { FakeHoldingDestination, HoldingStore } from '../../src/sdk/testing/fakes/holding-destination.ts';
import { FakeLog } from '../../src/sdk/testing/fakes/log.ts';
import { FakeLogSource } from '../../src/sdk/testing/fakes/log-source.ts';
import { FakeQueue, FakeQueueSource } from '../../src/sdk/testing/fakes/queue-source.ts';
import { FakeRecordsDestination, FakeRowsDestination, UntrackedStore } from '../../src/sdk/testing/fakes/untracked-destination.ts';
import { FakeWindow } from '../../src/sdk/testing/fakes/window.ts';
import { ITEMS, tableNamed } from '../../src/sdk/testing/sample-tables.ts';
import { MemoryStateStore } from '../../src/state/memory-store.ts';
import type { StateStore } from '../../src/state/store.ts';
import { plantDestination, plantQueue, plantSource, plantStore, plantWindow } from './bugs.ts';
import { steppingLogStore } from './disk.ts';
import { Oracle } from './oracle.ts';
import { SimProcess } from './process.ts';
import { type Dice, diceOf } from './random.ts';
import { ReducedRows } from './reducing.ts';
import { configOf, drawShape, type LaneShape, type Shape } from './shape.ts';
import { steppingDeadLetters, steppingState } from './stores.ts';
import { choke, explode, filter, nothing } from './transformers.ts';
import { WindowedDestination, WindowedStore } from './windowed.ts';

export const PIPELINE = 'simulated';
export type LaneStore = HoldingStore | UntrackedStore;
export interface SimLane extends LaneShape {
  readonly store: LaneStore;
}

export class World {
  readonly seed: number;
  readonly dice: Dice;
  readonly shape: Shape;
  readonly oracle: Oracle;
  readonly log: FakeLog;
  readonly queue: FakeQueue;
  readonly lanes: readonly SimLane[];
  state: StateStore = new MemoryStateStore();
  stateDown = false;
  disk = new MemoryFiles();
  diskFull = false;
  deadLettersDown = false;
  /** Time as it passes; what clocks show may have jumped. */
  nowMs = 0;
  skewMs = 1_000_000;
  readonly processes: SimProcess[] = [];
  nextProcess = 1;
  /** Id of the process whose effect is under way. */
  running = 0;
  /** What has been done to the world, as far as it justifies an error. */
  readonly faults = new Set<string>();
  /** Lanes that the operator lets join anew, at every start until they have. */
  readonly rejoined = new Set<string>();
  /** Owner → until when it believes to have the lease. */
  readonly leases = new Map<string, number>();
  /** The state that was lost, for operators who have a copy. */
  backup: StateStore | null = null;
  /** Lane → puts the last copy of its destination back. */
  readonly copies = new Map<string, () => void>();
  /** Keys that rows had before they were changed. */
  readonly moved = new Set<string>();
  /** Messages published, versions of rows made, faults and steps so far. */
  messages = 0;
  versions = 0;
  disturbances = 0;
  steps = 0;
  readonly #ranOut = new Set<string>();
  /** Owner → the lease before the last renewal: of that one it may not have heard yet. */
  readonly #heard = new Map<string, number>();
  readonly #replaced = new Set<string>();
  readonly #bugs: ReadonlySet<string>;
  readonly #print: ((line: string) => void) | null;

  constructor(seed: number, bugs: ReadonlySet<string>, print: ((line: string) => void) | null) {
    this.seed = seed;
    this.#bugs = bugs;
    this.#print = print;
    this.dice = diceOf(seed);
    this.shape = drawShape(this.dice, seed);
    this.oracle = new Oracle(this);
    const { partitions, preloaded } = this.shape;
    const tables = partitions.flatMap((_, i) => ['a', 'b', 'd'].map((kind) => tableNamed(`${kind}${i}`, ITEMS)));
    let isReady = false;
    this.log = new FakeLog({
      partitions,
      tables,
      now: () => this.wallMs,
      observer: {
        committed: (partition, record) => {
          if (isReady) this.oracle.committed(partition, record);
        },
        acknowledging: (upTo) => this.oracle.acknowledging(upTo),
        slotCreated: (partition, at) => this.oracle.slotCreated(partition, at),
      },
    });
    for (let id = 1; id <= preloaded; id++)
      this.log.commit([{ op: 'insert', id, name: `old ${id}`, table: tableNamed(this.dice.pick(['a0', 'a0', 'b0']), ITEMS) }], 'p0');
    isReady = true;
    this.queue = plantQueue(this, new FakeQueue({ acknowledging: (m) => this.oracle.acknowledgingMessage(m) }));
    this.lanes = this.shape.lanes.map((lane) => ({ ...lane, store: this.#store(lane) }));
    if (this.shape.refusals) for (const { name, store } of this.lanes) store.faults.rejects = (e) => this.#refuses(name, e);
    this.trace(JSON.stringify(this.shape));
  }

  has(bug: string): boolean {
    return this.#bugs.has(bug);
  }
  trace(what: string): void {
    this.#print?.(`${String(this.nowMs).padStart(6)} ${what}`);
  }
  get wallMs(): number {
    return this.nowMs + this.skewMs;
  }
  get tracing(): boolean {
    return this.#print !== null;
  }
  storeOf(lane: string): LaneStore {
    return (this.lanes.find((l) => l.name === lane) as SimLane).store;
  }
  gonePartitions(): string[] {
    return ['p0', 'p1', 'p2'].filter((name) => !this.log.partitions.has(name));
  }
  isClosed(partition: string): boolean {
    return this.log.partitions.get(partition)?.closed ?? true;
  }
  /** Was the process that is at work asked to let this lane join anew? */
  isAsked(lane: string): boolean {
    return this.processes.find((p) => p.id === this.running)?.rejoin.includes(lane) ?? false;
  }

  /** The clocks of all machines are set. */
  jump(ms: number): void {
    this.skewMs += ms;
    for (const owner of this.leases.keys()) if (this.leaseRanOut(owner)) this.#ranOut.add(owner);
  }

  /** The store has granted or extended a lease. */
  leased(owner: string, untilMs: number): void {
    const before = this.leases.get(owner);
    // As the process knew it, its lease may have run out before the renewal.
    if (before !== undefined && (before <= this.wallMs || this.leaseRanOut(owner))) this.#ranOut.add(owner);
    this.#heard.set(owner, before ?? untilMs);
    this.leases.set(owner, untilMs);
    for (const other of this.leases.keys()) if (other !== owner) this.#replaced.add(other);
  }
  /** Another process has had the lease since: a zombie. */
  wasReplaced(owner: string): boolean {
    return this.#replaced.has(owner);
  }
  /** Its lease ran out before it heard of the renewal: it may stop itself although nobody has taken over. */
  leaseRanOut(owner: string): boolean {
    return this.#ranOut.has(owner) || this.wallMs >= (this.#heard.get(owner) ?? 0);
  }

  /** Inputs that are in the saved state of the window, or will be read again. */
  heldInWindows(): { has(id: string): boolean } {
    const at = this.oracle.transformerAt,
      saved = this.savedWindows;
    return { has: (id) => saved.has(id) || id > `log/${id.split('/')[1]}/${at?.sources['log']?.[id.split('/')[1] ?? ''] ?? ''}` };
  }
  savedWindows = new Set<string>();

  // ---- processes ---------------------------------------------------------------------------------------------------------

  start(): SimProcess {
    const rejoin = [...this.rejoined];
    const process = this.newProcess(rejoin);
    this.trace(`start ${process.owner}${rejoin.length === 0 ? '' : `, ${rejoin.join(', ')} to join anew`}`);
    process.handle = startPipeline(configOf(PIPELINE, this.shape, process.id), this.#deps(process), { ...DEFAULT_RUN_OPTIONS, rejoin });
    void process.handle.done.then((run) => {
      if (!process.alive) return;
      process.ended = run;
      this.trace(`${process.owner} ended: ${run.outcome} ${run.error?.code ?? ''} ${run.error?.message ?? ''}`);
      this.oracle.ended(process, run);
    });
    return process;
  }

  newProcess(rejoin: readonly string[] = []): SimProcess {
    const process = new SimProcess(
      this.nextProcess++,
      () => this.wallMs,
      () => this.nowMs,
      rejoin,
    );
    this.processes.push(process);
    return process;
  }

  kill(process: SimProcess): void {
    this.processes.splice(this.processes.indexOf(process), 1);
    process.die();
  }

  #deps(process: SimProcess): EngineDeps {
    const clock: Clock = process.clock,
      random: Random = this.dice.next,
      state = steppingState(this, process.step),
      deadLetters = steppingDeadLetters(this, process.step);
    return {
      clock,
      random,
      logger: silentLogger,
      owner: process.owner,
      version: '0.0.0',
      monitor: null,
      state,
      deadLettersOf: () => deadLetters,
      resolve: async (kind, type) => this.descriptor(process, kind, type),
      store: (plugin) => ({
        get: (key) => state.getPluginValue(PIPELINE, plugin, key),
        set: (key, value) => state.setPluginValue(PIPELINE, process.owner, plugin, key, value),
      }),
      logStore: this.shape.disk ? steppingLogStore(this, process) : null,
      isGone: (owner) => this.isGone(owner),
    };
  }

  /** On one machine a dead process is known to be dead. */
  isGone(owner: string): boolean {
    return this.shape.sameHost && !this.processes.some((p) => p.owner === owner);
  }

  descriptor(process: SimProcess, kind: Descriptor['kind'], type: string): Descriptor {
    const { step } = process,
      random = this.dice.next,
      { beforeImages, retains, snapshot } = this.shape,
      silentStart = this.shape.silentStart && !retains;
    if (type === 'fake_log') {
      const source = plantSource(this, new FakeLogSource(this.log, { name: 'log', step, random, beforeImages, silentStart, snapshot }));
      if (retains) source.acknowledged = () => step('ask what is acknowledged').then(() => null);
      process.onDeath.push(() => {
        if (this.log.session === source) this.log.cut();
      });
      return fakeLogSource(this.log, { beforeImages, snapshot }, () => source);
    }
    if (type === 'fake_queue') {
      const source = new FakeQueueSource(this.queue, { name: 'queue', step, random, table: tableNamed('q', ITEMS) });
      process.onDeath.push(() => this.queue.closeSession(source));
      return fakeQueueSource(this.queue, () => source);
    }
    if (kind === 'transformer') {
      if (type === 'window')
        return fakeTransformer(type, () =>
          plantWindow(
            this,
            new FakeWindow({ lengthMs: 60, takes: (e) => e.op !== 'r' && e.table.id.table.startsWith('b'), idOf: (e) => e.id }),
          ),
        );
      return fakeTransformer(type, () => ({ choke, filter, explode, nothing })[type as 'choke']);
    }
    // With an encoder of their own: the engine would load one, and loading takes real time, which a virtual clock does not see.
    const holdsAs = type.slice('fake_'.length) as LaneShape['kind'];
    return fakeDestination(
      holdsAs === 'windowed' ? 'records' : holdsAs,
      (ctx) => this.#watched(ctx.name, this.#connect(process, ctx.name)),
      'rows',
    );
  }

  /** The oracle sees each batch before it is written. */
  #watched(name: string, destination: Destination): Destination {
    const write = destination.write.bind(destination);
    destination.write = (batch, signal) => {
      this.oracle.writing(name, batch);
      return write(batch, signal);
    };
    return destination;
  }

  #connect(process: SimProcess, name: string): Destination {
    const { store, kind } = this.lanes.find((l) => l.name === name) as SimLane,
      { step } = process;
    const named = (what: string): Promise<void> => step(`${name}: ${what}`);
    if (store instanceof HoldingStore)
      return plantDestination(this, store, this.#nameless(store, new FakeHoldingDestination(store, named)));
    if (store instanceof WindowedStore) {
      const windowed = new WindowedDestination(store, {
        step: named,
        drops: () => store.faults.lostReplies.length > 0 && this.dice.chance(0.5) && store.faults.lostReplies.shift() !== undefined,
        onHole: () => this.oracle.note('windowed: stored behind a failure'),
        isBlind: this.has('windowed-point-stored'),
      });
      process.onFreeze.push(() => windowed.cut());
      return plantDestination(this, store, windowed);
    }
    const destination = kind === 'records' ? new FakeRecordsDestination(store, named, encodeFake) : new FakeRowsDestination(store, named);
    // A write in flight of a frozen process fails when it wakes: no client could promise more where nothing fences it.
    process.onFreeze.push(() => destination.cut());
    return plantDestination(this, store, destination);
  }

  /** Refuses the whole batch for one event of it, and does not say which. */
  #nameless(store: HoldingStore, destination: FakeHoldingDestination): FakeHoldingDestination {
    if (!this.shape.nameless) return destination;
    const write = destination.write.bind(destination);
    destination.write = async (batch, signal) => {
      const bad = batch.events.find((e, i) => !batch.skip.has(i) && store.faults.rejects(e));
      if (bad !== undefined) throw rejected(bad);
      return write(batch, signal);
    };
    return destination;
  }

  /** About one in twelve, the same ones at every try. */
  #refuses(lane: string, e: ChangeEvent): boolean {
    if (e.op === 'r' || e.op === 't') return false;
    let hash = 7;
    for (const c of `${lane} ${this.seed} ${this.oracle.idOf(e)}`) hash = (hash * 31 + c.charCodeAt(0)) >>> 0;
    return hash % 12 === 0;
  }

  #store(lane: LaneShape): LaneStore {
    const faults = new Faults();
    let reduced: ReducedRows | null = null;
    const observer = {
      applied: (e: ChangeEvent) => {
        this.oracle.lane(lane.name).apply(e);
        reduced?.applied(e);
      },
      pointsSet: (points: readonly ResumePoint[]) => this.oracle.lane(lane.name).pointsSet(points),
      pointMoved: (_worker: number, from: ResumePoint, to: ResumePoint) => {
        this.oracle.lane(lane.name).pointMoved(from, to);
        reduced?.committed(to);
      },
    };
    if (lane.kind === 'windowed') return new WindowedStore(faults, observer);
    if (lane.kind !== 'holding') return new UntrackedStore(faults, observer);
    const store = new HoldingStore(faults, observer);
    reduced = new ReducedRows(
      store,
      (what) => this.oracle.fail('reduced to something else', `${lane.name}: ${what}`),
      (n) => n > 0 && this.oracle.note('batch with incomplete rows reduced'),
    );
    return plantStore(this, store);
  }
}
