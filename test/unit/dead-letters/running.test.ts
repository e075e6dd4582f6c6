// Letters sent again and removed while their pipeline runs: over the fakes, with a queue in memory.

import { describe, expect, it } from 'vitest';
import type { OpenQueues } from '../../../src/dead-letters/open.ts';
import type { ReplayReport } from '../../../src/dead-letters/replay.ts';
import { purgeRunning, replayRunning } from '../../../src/dead-letters/running.ts';
import type { DeadLetterStore } from '../../../src/dead-letters/store.ts';
import type { DeadLetter, PipelineHandle, ReplayMark } from '../../../src/engine/api.ts';
import { laneStore, ParkedKeys } from '../../../src/engine/parked-keys.ts';
import type { DeliveryConfig } from '../../../src/engine/pipeline-config.ts';
import { CdcError, type ChangeEvent, type Descriptor, type PluginStore, type Transformer } from '../../../src/sdk/index.ts';
import { fakeTransformer, insert, update } from '../../../src/sdk/testing/index.ts';
import { LaneWorld, type LaneWorldOptions, unreachable } from '../../helpers/lane-world.ts';
import { pipeline as defaults, ONE_WORKER, plugin } from '../../helpers/pipeline.ts';

const { sync } = defaults({ sources: [], destinations: [] });
const continuous = { sync: { ...sync, mode: 'continuous' as const } };
const named = (name: string) => (e: ChangeEvent) => e.after?.['name'] === name;

/** Steps that a crash may come between; the named one fails once. */
type Step = 'put' | 'mark' | 'remove';

class MemoryQueue implements DeadLetterStore {
  readonly held = new Map<string, DeadLetter>();
  failing: Step | null = null;
  onEffect: () => void = () => {};

  async put(letters: readonly DeadLetter[]): Promise<void> {
    this.#step('put');
    for (const l of letters) {
      const known = this.held.get(l.id);
      this.held.set(l.id, known === undefined ? l : { ...l, attempts: known.attempts + l.attempts, firstMs: known.firstMs, replay: null });
    }
  }
  async *letters(): AsyncIterable<DeadLetter> {
    yield* [...this.held.values()];
  }
  async get(id: string): Promise<DeadLetter | null> {
    return this.held.get(id) ?? null;
  }
  async remove(ids: ReadonlySet<string>): Promise<number> {
    this.#step('remove');
    return [...ids].filter((id) => this.held.delete(id)).length;
  }
  async mark(ids: readonly string[], replay: ReplayMark): Promise<void> {
    this.#step('mark');
    for (const id of ids) this.held.set(id, { ...(this.held.get(id) as DeadLetter), replay });
  }
  async close(): Promise<void> {}

  #step(step: Step): void {
    this.onEffect();
    if (this.failing !== step) return;
    this.failing = null;
    throw new CdcError('DLQ_UNAVAILABLE', `killed at ${step}`);
  }
}

class RunningWorld extends LaneWorld {
  readonly queue = new MemoryQueue();
  readonly queues: OpenQueues;
  handle: PipelineHandle;
  /** Saves of parked keys fail. */
  keysFail = false;
  /** Called before anything that stays: in the queue, in state, at the destination. */
  onEffect: () => void = () => {};

  constructor(options: LaneWorldOptions & { readonly delivery?: Partial<DeliveryConfig> } = {}) {
    super({ ...options, pipeline: { ...continuous, ...options.pipeline } });
    const one = {
      queue: this.queue,
      store: this.queue,
      cipher: null,
      place: 'memory',
      config: { type: 'file', path: 'q', key: null },
    } as const;
    this.queues = { all: [one], of: () => one, close: async () => {} };
    const { store } = this.deps;
    const failing = (name: string): PluginStore => {
      const inner = store(name);
      return {
        get: (key) => inner.get(key),
        set: async (key, value) => {
          this.onEffect();
          return this.keysFail ? Promise.reject(new CdcError('STATE_UNAVAILABLE', 'killed')) : inner.set(key, value);
        },
      };
    };
    Object.assign(this.deps, { deadLettersOf: () => this.queue, store: failing });
    this.queue.onEffect = () => this.onEffect();
    this.around = async (_batch, _signal, write) => {
      this.onEffect();
      return write();
    };
    this.handle = this.start();
  }

  get request() {
    const { deps, queues, handle } = this;
    const signal = new AbortController().signal;
    return { config: handle.config, deps, queues, pipeline: handle, selects: (): boolean => true, signal };
  }
  replay(more: { force?: boolean; selects?: (letter: DeadLetter) => boolean } = {}): Promise<ReplayReport> {
    return this.clock.until(replayRunning({ force: false, ...this.request, ...more }));
  }
  purge(selects: (letter: DeadLetter) => boolean = () => true): Promise<number> {
    const keysOf = async (lane: string): Promise<ParkedKeys> => {
      const keys = new ParkedKeys(this.deps.store(laneStore(lane)), {});
      await keys.load();
      return keys;
    };
    return this.clock.until(purgeRunning({ ...this.request, selects, keysOf }));
  }
  async stop(): Promise<void> {
    await this.clock.until(this.handle.stop());
  }
  async restart(): Promise<void> {
    await this.stop();
    this.handle = this.start();
  }
  async settled(events: number): Promise<void> {
    await this.clock.when(() => this.applied.length + this.queue.held.size >= events);
    await this.clock.pass(50);
  }
  get codes(): string[] {
    return [...this.queue.held.values()].map((l) => l.error.code);
  }
  get names(): unknown[] {
    return [...this.holding.rows.values(), ...this.rows.rows.values()].map((row) => row['name']).sort();
  }
}

const outcomes = ({ letters, error }: ReplayReport): string[] => {
  if (error !== null) throw error;
  return letters.map((l) => l.outcome);
};

const workers = (count: number): LaneWorldOptions => ({ destination: { parallelism: { ...ONE_WORKER, workers: count } } });

describe.each([1, 3])('letters sent again beside a running pipeline of %i worker(s)', (count) => {
  it('go in the order of their key, and the key flows behind them', async () => {
    const world = new RunningWorld(workers(count));
    world.faults.rejects = named('bad');
    world.log.commit([insert(1, 'bad'), insert(2, 'b')]);
    world.log.commit([update(1, 'c'), update(1, 'd')]);
    await world.settled(4);
    expect(world.codes).toEqual(['DESTINATION_EVENT_REJECTED', 'DLQ_KEY_PARKED', 'DLQ_KEY_PARKED']);
    expect(outcomes(await world.replay())).toEqual(['failed', 'held', 'held']);
    world.faults.rejects = () => false;
    world.applied.length = 0;
    expect(outcomes(await world.replay())).toEqual(['sent', 'sent', 'sent']);
    world.log.commit([update(1, 'e'), insert(3, 'f')]);
    await world.clock.when(() => world.applied.length === 5);
    expect(world.applied.filter((e) => e.key?.['id'] === 1).map((e) => e.after?.['name'])).toEqual(['bad', 'c', 'd', 'e']);
    expect([world.queue.held.size, world.handle.status().lanes[0]?.parkedKeys]).toEqual([0, 0]);
    await world.stop();
    expect(world.names).toEqual(['b', 'e', 'f']);
  });

  it('leave the point of the destination where it is, and the next run goes on from there', async () => {
    const world = new RunningWorld(workers(count));
    world.faults.rejects = named('bad');
    world.log.commit([insert(1, 'bad'), insert(2, 'b')]);
    await world.settled(2);
    world.faults.rejects = () => false;
    expect(outcomes(await world.replay())).toEqual(['sent']);
    await world.restart();
    world.log.commit([insert(3, 'c')]);
    await world.clock.when(() => world.applied.length === 3);
    await world.stop();
    expect(world.ids).toEqual([2, 1, 3]);
  });
});

describe('letters sent again beside a running pipeline', () => {
  it('are reported, not sent, when newer events of their key were delivered', async () => {
    const world = new RunningWorld({ delivery: { parkedKeys: 'pass' } });
    world.faults.rejects = named('bad');
    world.log.commit([insert(1, 'bad')]);
    await world.settled(1);
    world.log.commit([insert(2, 'x')]);
    world.log.commit([{ op: 'delete', id: 1 }]);
    world.log.commit([insert(1, 'new')]);
    await world.clock.when(() => world.names.includes('new'));
    world.faults.rejects = () => false;
    const report = await world.replay();
    expect(report.letters).toMatchObject([{ outcome: 'superseded', error: { code: 'DLQ_SUPERSEDED' } }]);
    expect([world.names, world.queue.held.size]).toEqual([['new', 'x'], 1]);
    await world.stop();
  });

  it('may be some of them', async () => {
    const world = new RunningWorld();
    world.faults.rejects = () => true;
    world.log.commit([insert(1, 'a'), insert(2, 'b')]);
    await world.settled(2);
    world.faults.rejects = () => false;
    expect(outcomes(await world.replay({ selects: (l) => l.event?.key?.['id'] === 2 }))).toEqual(['sent']);
    expect([world.ids, world.queue.held.size, world.handle.status().lanes[0]?.parkedKeys]).toEqual([[2], 1, 1]);
    await world.stop();
  });

  it('re-enter at the transformer that failed, once for all destinations', async () => {
    let refuses = true;
    const seen: unknown[] = [];
    const picky: Partial<Transformer> = {
      transform: (events) => {
        if (refuses) throw new Error('no');
        seen.push(...events.map((e) => e.after?.['name']));
        return events;
      },
    };
    const descriptors = [fakeTransformer('picky', () => ({ transform: (events) => events, ...picky }))] as Descriptor[];
    const world = new RunningWorld({ descriptors, pipeline: { ...continuous, transformers: [plugin('picky')] } });
    world.log.commit([insert(1, 'a')]);
    await world.settled(1);
    expect([...world.queue.held.values()]).toMatchObject([{ stage: 'transform', lane: null }]);
    refuses = false;
    expect(outcomes(await world.replay({ force: true }))).toEqual(['sent']);
    expect([seen, world.names, world.queue.held.size]).toEqual([['a'], ['a'], 0]);
    await world.stop();
  });

  it('wait for nobody who is busy: the command ends, the pipeline does not', async () => {
    const world = new RunningWorld({
      delivery: { retry: { ...defaults({ sources: [], destinations: [] }).retry, maxAttempts: 1_000_000 } },
    });
    world.faults.rejects = named('bad');
    world.log.commit([insert(1, 'bad')]);
    await world.settled(1);
    world.around = () => Promise.reject(unreachable());
    world.log.commit([insert(2, 'b')]);
    await world.clock.pass(100);
    const { error, untried } = await world.replay();
    expect([error?.code, untried]).toEqual(['DLQ_BUSY', 1]);
    world.around = (_batch, _signal, write) => write();
    await world.clock.when(() => world.names.includes('b'));
    await world.stop();
  });

  it('end with a stop of the pipeline, and are there afterwards', async () => {
    const world = new RunningWorld();
    world.faults.rejects = named('bad');
    world.log.commit([insert(1, 'bad')]);
    await world.settled(1);
    world.faults.rejects = () => false;
    const done = world.handle.stop();
    const { error, untried } = await world.replay();
    expect([error?.code, untried]).toEqual(['DLQ_BUSY', 1]);
    expect((await world.clock.until(done)).outcome).toBe('stopped');
    expect(world.queue.held.size).toBe(1);
  });
});

describe('a crash in the middle', () => {
  const steps: [string, (world: RunningWorld) => void][] = [
    ['before the mark', (world) => (world.queue.failing = 'mark')],
    ['before the keys are let go', (world) => (world.keysFail = true)],
    ['before the letter leaves the queue', (world) => (world.queue.failing = 'remove')],
    ['in the write', (world) => (world.around = () => Promise.reject(new CdcError('DESTINATION_FAILED', 'killed')))],
  ];
  it.each(steps)('%s loses nothing, and keeps the order of the key', async (_title, crash) => {
    const world = new RunningWorld();
    world.faults.rejects = named('bad');
    world.log.commit([insert(1, 'bad')]);
    world.log.commit([update(1, 'c')]);
    await world.settled(2);
    world.faults.rejects = () => false;
    crash(world);
    expect((await world.replay()).error).not.toBeNull();
    expect(world.queue.held.size).toBe(2);
    world.keysFail = false;
    world.around = (_batch, _signal, write) => write();
    await world.restart();
    await world.clock.pass(100);
    const { letters } = await world.replay();
    // What was let go before the crash may be there already: then that is said, and nothing is undone.
    for (const { outcome } of letters) expect(['sent', 'superseded', 'held']).toContain(outcome);
    world.log.commit([update(1, 'd')]);
    await world.clock.when(() => world.names.includes('d') || world.codes.length > 2);
    await world.stop();
    expect(world.names).toEqual(['d']);
  });
});

/** Invariant 3: the process dies before its n-th effect, whichever that is. */
describe('a process that dies before any of its effects', () => {
  async function dying(world: RunningWorld, effects: number): Promise<boolean> {
    let left = effects;
    const killed = (): CdcError => new CdcError('DLQ_UNAVAILABLE', 'killed');
    const effect = (): void => {
      if (left-- <= 0) throw killed();
    };
    world.onEffect = effect;
    const { error } = await world.replay();
    world.onEffect = () => {};
    return error === null;
  }

  it.each(['holding', 'rows'] as const)('loses no letter and undoes no newer event at a destination of kind %s', async (kind) => {
    let isThrough = false;
    for (let effects = 0; !isThrough; effects++) {
      const world = new RunningWorld({ kind });
      const faults = kind === 'holding' ? world.faults : world.rows.faults;
      faults.rejects = named('bad');
      world.log.commit([insert(1, 'bad'), insert(2, 'bad'), insert(3, 'x')]);
      world.log.commit([update(1, 'b'), update(2, 'b')]);
      await world.settled(5);
      faults.rejects = () => false;
      isThrough = await dying(world, effects);
      // Newer events of the keys, by the next process.
      world.log.commit([update(1, 'c')]);
      await world.restart();
      await world.clock.pass(100);
      const { error, letters } = await world.replay();
      expect([effects, error]).toEqual([effects, null]);
      // Reported are those of keys that were let go: they are there, so they can be purged.
      const left = letters.filter(({ outcome }) => outcome !== 'sent');
      for (const { outcome } of left) expect(['superseded', 'held']).toContain(outcome);
      if (left.length > 0) expect([effects, world.names.length]).toEqual([effects, 3]);
      await world.purge();
      world.log.commit([update(2, 'd')]);
      await world.clock.when(() => world.names.includes('d'));
      await world.stop();
      expect([effects, world.names]).toEqual([effects, ['c', 'd', 'x']]);
      expect(effects).toBeLessThan(100);
    }
  });
});

describe('letters removed beside a running pipeline', () => {
  it('free their key, but for those that stay', async () => {
    const world = new RunningWorld();
    world.faults.rejects = () => true;
    world.log.commit([insert(1, 'a'), insert(2, 'b')]);
    world.log.commit([update(2, 'c')]);
    await world.settled(3);
    world.faults.rejects = () => false;
    expect(await world.purge((l) => l.event?.after?.['name'] !== 'c')).toBe(2);
    expect(world.handle.status().lanes[0]?.parkedKeys).toBe(1);
    world.log.commit([{ op: 'delete', id: 1 }]);
    world.log.commit([insert(1, 'again'), update(2, 'd')]);
    await world.clock.when(() => world.queue.held.size === 2 && world.names.length === 1);
    expect(world.names).toEqual(['again']);
    await world.stop();
  });
});
