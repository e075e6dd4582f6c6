// The world of one schedule: everything that survives a crash, the processes that run the real engine over it, and the
// virtual clock. It is made from the seed alone, so that a seed is a reproduction.

import { DEFAULT_RUN_OPTIONS, type EngineDeps } from '../../src/engine/api.ts';
import { startPipeline } from '../../src/engine/pipeline.ts';
import { MemoryFiles } from '../../src/log/disk/memory-files.ts';
import { type Clock, type Descriptor, type Random, silentLogger } from '../../src/sdk/index.ts';
import { fakeLogSource, fakeQueueSource, fakeTransformer } from '../../src/sdk/testing/fakes/descriptors.ts';
import { FakeLog } from '../../src/sdk/testing/fakes/log.ts';
import { FakeLogSource } from '../../src/sdk/testing/fakes/log-source.ts';
import { FakeQueue, FakeQueueSource } from '../../src/sdk/testing/fakes/queue-source.ts';
import { FakeWindow } from '../../src/sdk/testing/fakes/window.ts';
import { ITEMS, tableNamed } from '../../src/sdk/testing/sample-tables.ts';
import { MemoryStateStore } from '../../src/state/memory-store.ts';
import type { StateStore } from '../../src/state/store.ts';
import { plantQueue, plantSource, plantWindow } from './bugs.ts';
import { destinationDescriptor, type LaneStore, laneStore } from './destinations.ts';
import { steppingLogStore } from './disk.ts';
import { LeaseAudit } from './lease-audit.ts';
import { Oracle } from './oracle.ts';
import { SimProcess } from './process.ts';
import { type Dice, diceOf } from './random.ts';
import { configOf, drawShape, type LaneShape, type Shape } from './shape.ts';
import { steppingDeadLetters, steppingState } from './stores.ts';
import { choke, explode, filter, nothing } from './transformers.ts';

export const PIPELINE = 'simulated';
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
  readonly leases = new LeaseAudit(() => this.wallMs);
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
    this.lanes = this.shape.lanes.map((lane) => ({ ...lane, store: laneStore(this, lane) }));
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
    if (ms < 0) this.faults.add('clock set back');
    this.leases.look();
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
    return destinationDescriptor(this, process, type.slice('fake_'.length) as LaneShape['kind']);
  }
}
