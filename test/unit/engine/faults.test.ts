// What goes wrong around a pipeline, for an hour or for good: destinations that are down or come and go, clocks that jump, disks
// that are full. Nothing may be lost, nothing doubled where the point is held, and it goes on when the fault is over.

import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from '../../../src/engine/circuit-breaker.ts';
import { CdcError, type ChangeEvent } from '../../../src/sdk/index.ts';
import { rejected } from '../../../src/sdk/testing/fakes/faults.ts';
import { DiskWorld } from '../../helpers/disk-world.ts';
import { LaneWorld, type LaneWorldOptions, unreachable } from '../../helpers/lane-world.ts';
import { pipeline } from '../../helpers/pipeline.ts';
import { VirtualClock } from '../../helpers/virtual-clock.ts';

const HOUR_MS = 3_600_000;
const retry = { maxAttempts: 4, maxElapsedMs: null, initialDelayMs: 1000, maxDelayMs: 8000, backoff: 'exponential', jitter: 0.2 } as const;
const circuitBreaker = { failureThreshold: 3, resetTimeoutMs: 30_000, halfOpenProbes: 2 };
const { sync } = pipeline({ sources: [], destinations: [] });
const continuous = { sync: { ...sync, mode: 'continuous' as const } };
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

const WORLDS: [string, (options: LaneWorldOptions) => LaneWorld][] = [
  ['memory', (options) => new LaneWorld({ ...options, pipeline: { ...continuous, ...options.pipeline } })],
  ['disk', (options) => new DiskWorld({ ...options, pipeline: { ...continuous, ...options.pipeline } })],
];

/** The last event that upstream was told to forget: transactions are a thousand apart. */
const acknowledged = (world: LaneWorld): number => Math.floor(Number(Object.values(world.log.acknowledged())[0]) / 1000);

/** One event a minute. */
async function work(world: LaneWorld, from: number, to: number, each: (id: number) => void = () => {}): Promise<void> {
  for (let id = from; id <= to; id++) {
    each(id);
    world.fill(id, id);
    await world.clock.pass(60_000);
  }
}

describe.each(WORLDS)('with a log of type %s', (type, create) => {
  it('a destination that is down for an hour gets everything when it is back, in order and once', async () => {
    const world = create({ delivery: { retry, circuitBreaker, writeTimeoutMs: 60_000 } }),
      handle = world.start();
    await work(world, 1, 5);
    world.faults.down = true;
    await work(world, 6, 65);
    expect(handle.status().lanes[0]).toMatchObject({ state: 'retrying', queued: expect.any(Number) as number });
    expect(world.ids).toEqual(range(1, 5));
    // What is on disk is not kept at the source for its sake.
    expect(acknowledged(world)).toBe(type === 'disk' ? 65 : 5);
    world.faults.down = false;
    await work(world, 66, 68);
    expect((await world.clock.until(handle.stop())).outcome).toBe('stopped');
    expect(world.ids).toEqual(range(1, 68));
  });

  it('a destination that comes and goes gets everything in order and once', async () => {
    const world = create({ delivery: { retry, circuitBreaker } }),
      handle = world.start();
    let writes = 0;
    world.around = async (_batch, _signal, write) => {
      // Down, up, up with a reply that is lost, and so on.
      writes++;
      if (writes % 3 === 0) throw unreachable();
      if (writes % 7 === 0) world.faults.lostReplies.push(writes % 2 === 0 ? 'after_commit' : 'before_commit');
      return write();
    };
    await work(world, 1, 120, (id) => {
      world.faults.down = id % 4 === 3;
    });
    await world.clock.until(handle.stop());
    world.faults.down = false;
    world.around = (_batch, _signal, write) => write();
    await world.run({ pipeline: {} });
    expect(world.ids).toEqual(range(1, 120));
  });

  it('a destination that accepts and never answers is tried until it does', async () => {
    const world = create({ delivery: { retry, writeTimeoutMs: 60_000 } }),
      handle = world.start();
    await work(world, 1, 2);
    let hangs = true;
    world.around = (_batch, signal, write) =>
      hangs ? new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(unreachable()), { once: true })) : write();
    await work(world, 3, 60);
    expect(handle.status().lanes[0]?.lastError?.code).toBe('DESTINATION_OUTCOME_UNKNOWN');
    hangs = false;
    await work(world, 61, 64);
    await world.clock.until(handle.stop());
    expect(world.ids).toEqual(range(1, 64));
  });

  describe.each(['holding', 'rows'] as const)('and a destination of kind %s', (kind) => {
    it.each([
      ['forwards', HOUR_MS],
      ['backwards', -HOUR_MS],
    ])('a clock that jumps an hour %s loses, doubles and stops nothing', async (_direction, byMs) => {
      const world = create({
          kind,
          delivery: { retry, circuitBreaker, rateLimit: { eventsPerSecond: 5, bytesPerSecond: null, burst: 5 } },
        }),
        handle = world.start();
      await work(world, 1, 5);
      world.clock.set(byMs);
      await work(world, 6, 10);
      // While the circuit breaker is open, and in the middle of a wait for the next try.
      world.around = () => Promise.reject(unreachable());
      await work(world, 11, 11);
      expect(handle.status().lanes[0]?.breaker).toBe('open');
      world.clock.set(byMs);
      world.around = (_batch, _signal, write) => write();
      await work(world, 12, 14);
      expect(world.ids).toEqual(range(1, 14));
      expect(handle.status().state).toBe('running');
      world.clock.set(-byMs);
      await work(world, 15, 15);
      expect((await world.clock.until(handle.stop())).outcome).toBe('stopped');
      await world.run({ pipeline: {} });
      expect(world.ids).toEqual(range(1, 15));
    });
  });
});

it('a circuit breaker waits no longer than reset_timeout when the clock is set back while it opens', async () => {
  const clock = new VirtualClock(),
    breaker = new CircuitBreaker({ config: circuitBreaker, clock, onChange: () => {} });
  for (let i = 0; i < 3; i++) breaker.failed(unreachable());
  clock.set(-HOUR_MS);
  await clock.until(breaker.wait(new AbortController().signal), circuitBreaker.resetTimeoutMs);
  expect(breaker.state).toBe('half_open');
});

it('a dead letter queue that can never be written ends the start, before anything is read', async () => {
  const world = new LaneWorld();
  world.fill(1, 3);
  const gone = new CdcError('DLQ_UNAVAILABLE', 'the path cannot be made', { where: 'dead_letter_queue.path', fix: 'Correct the path.' });
  Object.assign(world.deps.deadLetters, { check: () => Promise.reject(gone) });
  expect(await world.run()).toMatchObject({
    outcome: 'failed',
    error: { code: 'DLQ_UNAVAILABLE', fix: 'Correct the path.' },
    eventsRead: 0,
  });
  Object.assign(world.deps.deadLetters, { check: () => Promise.reject(new CdcError('DLQ_UNAVAILABLE', 'full', { retriable: true })) });
  expect((await world.run()).outcome).toBe('done');
});

describe('a disk that is full for log, state and dead letters at once', () => {
  const noSpace = (code: 'STATE_UNAVAILABLE' | 'DLQ_UNAVAILABLE'): CdcError =>
    new CdcError(code, 'no space left on device', { retriable: true, fix: 'Free space on the disk.' });

  /** The same disk for all three. */
  class FullWorld extends DiskWorld {
    full = false;

    constructor(kind: 'holding' | 'rows') {
      super({ kind, delivery: { retry }, pipeline: continuous });
      const { state, deadLetters } = this.deps;
      for (const name of ['save', 'acquire', 'recordError', 'beginRun', 'endRun', 'setPluginValue', 'release'] as const) {
        const call = (state[name] as (...args: never[]) => Promise<never>).bind(state);
        Object.assign(state, { [name]: (...args: never[]) => (this.full ? Promise.reject(noSpace('STATE_UNAVAILABLE')) : call(...args)) });
      }
      const put = deadLetters.put.bind(deadLetters);
      deadLetters.put = (letters) => (this.full ? Promise.reject(noSpace('DLQ_UNAVAILABLE')) : put(letters));
      this.watch();
    }
    /** Of the files that are there now. */
    watch(): void {
      this.files.before = (operation, path) => {
        const writes = operation === 'write' || operation === 'sync' || operation === 'open';
        if (this.full && writes) throw Object.assign(new Error(`ENOSPC: no space left on device, ${path}`), { code: 'ENOSPC' });
      };
    }
    refuse(isRefused: (id: number) => boolean): void {
      this.around = async (batch, _signal, write) => {
        const isBad = (event: ChangeEvent): boolean => isRefused(Number(event.after?.['id']));
        const failed = batch.events.flatMap((event, index) =>
          isBad(event) && !batch.skip.has(index) ? [{ index, error: rejected(event) }] : [],
        );
        return failed.length > 0 ? { kind: 'refused', failed } : write();
      };
    }
    get parked(): unknown[] {
      return this.letters.map((l) => l.event?.after?.['id']);
    }
  }
  const isBad = (id: number): boolean => id % 10 === 0;
  const good = range(1, 60).filter((id) => !isBad(id));

  describe.each(['holding', 'rows'] as const)('with a destination of kind %s', (kind) => {
    it('loses nothing, says what is wrong, and goes on when there is room', async () => {
      const world = new FullWorld(kind);
      world.refuse(isBad);
      const handle = world.start();
      await work(world, 1, 19);
      // One that must be parked is under way just then.
      world.full = true;
      await work(world, 20, 40);
      expect(handle.status().state).toBe('running');
      expect([world.ids, world.parked]).toEqual([good.filter((id) => id < 20), [10]]);
      expect(acknowledged(world)).toBeLessThan(20);
      const said = world.logged.filter((l) => l.level === 'warn' || l.level === 'error').map((l) => l.message);
      expect(said).toContain('the change log cannot be written, trying again');
      expect(said).toContain('the lease could not be renewed, trying again');
      world.full = false;
      await work(world, 41, 60);
      expect([world.ids, world.parked]).toEqual([good, [10, 20, 30, 40, 50, 60]]);
      expect((await world.clock.until(handle.stop())).outcome).toBe('stopped');
      await world.run({ pipeline: {} });
      expect([world.ids, world.parked]).toEqual([good, [10, 20, 30, 40, 50, 60]]);
    });

    it('loses nothing when it is killed while the disk is full, or its power is cut', async () => {
      for (const crash of ['kill', 'power'] as const) {
        const world = new FullWorld(kind);
        world.refuse(isBad);
        void world.start();
        await work(world, 1, 19);
        world.full = true;
        await work(world, 20, 40);
        const durable = acknowledged(world);
        world.files = world.files.crash(crash, () => 0.5);
        world.watch();
        world.full = false;
        Object.assign(world.deps, { owner: 'next', isGone: () => true });
        for (let id = 41; id <= 60; id++) world.fill(id, id);
        expect((await world.run({ pipeline: {} })).outcome).toBe('done');
        expect(durable).toBeLessThan(20);
        // A destination that holds no point may get again what it had when state could not be written.
        const once = kind === 'holding' ? world.ids : [...new Set(world.ids)];
        expect([once, [...new Set(world.parked)]]).toEqual([good, [10, 20, 30, 40, 50, 60]]);
      }
    });
  });
});
