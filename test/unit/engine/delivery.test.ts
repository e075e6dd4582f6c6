// What a lane does when writes fail for a while, hang, or are held back: retries, circuit breaker, rate, time limits, the end.

import { describe, expect, it } from 'vitest';
import { cutLoad } from '../../../src/engine/lane-load.ts';
import { insert } from '../../../src/sdk/testing/index.ts';
import { LaneWorld, unreachable } from '../../helpers/lane-world.ts';
import { collected } from '../../helpers/loads.ts';
import { delivery, destination, pipeline } from '../../helpers/pipeline.ts';

const retry = { maxAttempts: 4, maxElapsedMs: null, initialDelayMs: 1000, maxDelayMs: 8000, backoff: 'exponential', jitter: 0 } as const;
const { sync } = pipeline({ sources: [], destinations: [] });
const continuous = { sync: { ...sync, mode: 'continuous' as const } };
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('retries', () => {
  it('wait 1, 2, 4, 8 and then 8 seconds', async () => {
    const world = new LaneWorld({ delivery: { retry } });
    world.fill(1, 3);
    let failures = 7;
    world.around = async (_batch, _signal, write) => {
      if (failures-- > 0) throw unreachable();
      return write();
    };
    expect((await world.run()).outcome).toBe('done');
    const times = world.writes.map((w) => w.atMs),
      waits = times.slice(1, 8).map((ms, i) => ms - (times[i] as number));
    expect([waits, world.ids]).toEqual([
      [1000, 2000, 4000, 8000, 8000, 8000, 8000],
      [1, 2, 3],
    ]);
  });

  it('go on for ever without max_elapsed', async () => {
    const world = new LaneWorld({ delivery: { retry } });
    world.fill(1, 3);
    const endMs = world.clock.now() + 3 * 3_600_000;
    world.around = async (_batch, _signal, write) => {
      if (world.clock.now() < endMs) throw unreachable();
      return write();
    };
    expect([(await world.run()).outcome, world.ids]).toEqual(['done', [1, 2, 3]]);
  });

  it('end the pipeline after max_elapsed, with the error that it was; the next run goes on', async () => {
    const world = new LaneWorld({ delivery: { retry: { ...retry, maxElapsedMs: 60_000 } } });
    world.fill(1, 3);
    world.around = () => Promise.reject(unreachable());
    const startMs = world.clock.now(),
      { outcome, error } = await world.run();
    expect([outcome, error?.code, error?.retriable]).toEqual(['failed', 'DESTINATION_UNREACHABLE', false]);
    expect(error?.message).toBe('it is away; given up after 11 tries in 63 s');
    expect(world.clock.now() - startMs).toBeLessThan(70_000);
    world.around = (_batch, _signal, write) => write();
    expect([(await world.run()).outcome, world.ids]).toEqual(['done', [1, 2, 3]]);
  });

  it('count max_elapsed from the last success', async () => {
    const world = new LaneWorld({
      delivery: { retry: { ...retry, maxElapsedMs: 10_000 } },
      destination: { batch: { maxEvents: 1, maxBytes: 1e6, timeoutMs: 0 } },
    });
    world.fill(1, 10);
    let n = 0;
    world.around = async (_batch, _signal, write) => {
      if (n++ % 3 < 2) throw unreachable();
      return write();
    };
    expect([(await world.run()).outcome, world.ids.length]).toEqual(['done', 10]);
  });

  it('detach an optional destination after max_elapsed', async () => {
    const world = new LaneWorld();
    const optional = { required: false, delivery: delivery({ retry: { ...retry, maxElapsedMs: 5000 } }) };
    const handle = world.start({
      pipeline: { ...continuous, destinations: [destination('fake_holding'), destination('fake_rows', {}, optional)] },
    });
    await world.clock.when(() => handle.status().lanes.every((l) => l.state === 'running'));
    world.rows.faults.down = true;
    world.fill(1, 3);
    await world.clock.when(() => handle.status().lanes[1]?.state === 'detached');
    const { outcome } = await world.clock.until(handle.stop()),
      state = await world.deps.state.load('test');
    expect([outcome, world.holding.rows.size, world.rows.rows.size]).toEqual(['stopped', 3, 0]);
    expect(state.lanes['fake_rows']?.detached?.reason).toMatch(/given up after 4 tries/);
  });

  it('do not keep a run open for an optional destination: it is detached after max_attempts, and the run says so', async () => {
    const world = new LaneWorld();
    const destinations = [destination('fake_holding'), destination('fake_rows', {}, { required: false, delivery: delivery({ retry }) })];
    const run = (options = {}) => world.run({ pipeline: { destinations } }, options);
    await run();
    world.fill(1, 3);
    // It goes away once the run has begun: at the start it would be detached at once.
    world.around = async (_batch, _signal, write) => {
      world.rows.faults.down = true;
      return write();
    };
    const startMs = world.clock.now(),
      first = await run();
    expect(first).toMatchObject({ outcome: 'done', error: null, delivered: { fake_holding: 3, fake_rows: 0 } });
    expect(first.detached?.['fake_rows']).toMatch(/given up after 4 tries, as all others are done/);
    expect(world.clock.now() - startMs).toBe(7000);
    expect((await world.deps.state.load('test')).lanes['fake_rows']?.detached?.from.sources).toEqual({});
    expect((await world.deps.state.runs('test', 1))[0]?.detached).toEqual(first.detached);
    world.around = (_batch, _signal, write) => write();
    world.rows.faults.down = false;
    expect((await run({ rejoin: ['fake_rows'] })).detached).toBeUndefined();
  });

  it('wait for an optional destination for as long as max_elapsed says, and while others are at work', async () => {
    const patient = destination('fake_rows', {}, { required: false, delivery: delivery({ retry: { ...retry, maxElapsedMs: 60_000 } }) }),
      other = destination('fake_rows', {}, { required: false, delivery: delivery({ retry }) });
    for (const [optional, slowMs] of [
      [patient, 0],
      [other, 120_000],
    ] as const) {
      const world = new LaneWorld();
      world.fill(1, 3);
      world.around = async (_batch, _signal, write) => {
        if (world.writes.length > 1) return write();
        world.rows.faults.down = true;
        void world.clock.sleep(40_000).then(() => {
          world.rows.faults.down = false;
        });
        await world.clock.sleep(slowMs);
        return write();
      };
      const { outcome, detached } = await world.run({ pipeline: { destinations: [destination('fake_holding'), optional] } });
      expect([outcome, detached, world.rows.rows.size]).toEqual(['done', undefined, 3]);
      expect(world.writes.length).toBeGreaterThan(6);
    }
  });

  it('end at once with --fail-fast after max_attempts', async () => {
    const world = new LaneWorld({ delivery: { retry } });
    world.fill(1, 3);
    world.around = () => Promise.reject(unreachable());
    expect((await world.run({}, { failFast: true })).error?.code).toBe('DESTINATION_UNREACHABLE');
    expect(world.writes.length).toBe(4);
  });
});

describe('the circuit breaker', () => {
  const circuitBreaker = { failureThreshold: 3, resetTimeoutMs: 30_000, halfOpenProbes: 2 };

  it('sends nothing for reset_timeout after so many failures, then a few events, then everything', async () => {
    const world = new LaneWorld({ delivery: { retry, circuitBreaker } });
    world.fill(1, 100);
    const startMs = world.clock.now();
    world.around = async (_batch, _signal, write) => {
      if (world.clock.now() < startMs + 60_000) throw unreachable();
      return write();
    };
    expect((await world.run()).outcome).toBe('done');
    expect(world.ids).toEqual(range(1, 100));
    expect(world.writes.map((w) => [w.atMs - startMs, w.events])).toEqual([
      [0, 100],
      [1000, 100],
      [3000, 100],
      [33_000, 10],
      [63_000, 10],
      [63_000, 10],
      [63_000, 80],
    ]);
  });

  it('logs changes of its state only', async () => {
    const world = new LaneWorld({ delivery: { retry, circuitBreaker } });
    world.fill(1, 5);
    let failures = 4;
    world.around = async (_batch, _signal, write) => {
      if (failures-- > 0) throw unreachable();
      return write();
    };
    await world.run();
    const name = 'circuit breaker of destination "fake_holding"';
    expect(world.logged.filter((l) => l.message.startsWith('circuit')).map((l) => [l.level, l.message])).toEqual([
      ['warn', `${name}: open`],
      ['info', `${name}: half open`],
      ['warn', `${name}: open`],
      ['info', `${name}: half open`],
    ]);
    expect(world.logged.filter((l) => l.message.includes('trying again')).length).toBe(1);
  });

  it('shows its state, and lets a stop end at once while it is open', async () => {
    const world = new LaneWorld({ delivery: { retry, circuitBreaker }, pipeline: continuous });
    world.fill(1, 5);
    world.around = () => Promise.reject(unreachable());
    const handle = world.start();
    await world.clock.when(() => handle.status().lanes[0]?.breaker === 'open');
    expect(handle.status().lanes[0]?.state).toBe('retrying');
    const stoppedMs = world.clock.now();
    expect((await world.clock.until(handle.stop())).outcome).toBe('stopped');
    expect(world.clock.now() - stoppedMs).toBeLessThan(10);
    world.around = (_batch, _signal, write) => write();
    await world.run({ pipeline: {} });
    expect(world.ids).toEqual(range(1, 5));
  });

  it('never cuts a snapshot chunk for a try', () => {
    const load = collected([
      { ids: [1, 2, 3, 4], whole: true },
      { ids: [5, 6], whole: false },
    ]);
    expect(cutLoad(load, 2, { codecs: {}, queues: new Set() }).head.events.length).toBe(4);
  });
});

describe('the rate limit', () => {
  it('holds on average, after a burst', async () => {
    const world = new LaneWorld({ delivery: { rateLimit: { eventsPerSecond: 10, bytesPerSecond: null, burst: 20 } } });
    world.fill(1, 120);
    const startMs = world.clock.now();
    await world.run();
    expect(world.clock.now() - startMs).toBe(10_000);
    expect(world.writes.filter((w) => w.events > 0).map((w) => w.events)).toEqual([20, 20, 20, 20, 20, 20]);
    expect(world.ids).toEqual(range(1, 120));
  });

  it('counts bytes', async () => {
    const world = new LaneWorld({
      delivery: { rateLimit: { eventsPerSecond: null, bytesPerSecond: 1000, burst: 1 } },
      destination: { batch: { maxEvents: 10, maxBytes: 1e6, timeoutMs: 0 } },
    });
    world.fill(1, 100);
    const startMs = world.clock.now();
    await world.run();
    expect(world.clock.now() - startMs).toBeGreaterThan(1000);
  });

  it('lets a stop end within shutdown_timeout, with what was confirmed kept', async () => {
    const world = new LaneWorld({ delivery: { rateLimit: { eventsPerSecond: 1, bytesPerSecond: null, burst: 1 } }, pipeline: continuous });
    world.fill(1, 1000);
    const handle = world.start();
    await world.clock.when(() => world.applied.length === 5);
    const stoppedMs = world.clock.now();
    expect((await world.clock.until(handle.stop())).outcome).toBe('stopped');
    expect(world.clock.now() - stoppedMs).toBeLessThanOrEqual(30_000);
    await world.run({ pipeline: {}, delivery: { rateLimit: null } });
    expect(world.ids).toEqual(range(1, 1000));
  });
});

describe('a write that does not answer', () => {
  const hang = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(unreachable()), { once: true }));

  it('is aborted after write_timeout, and sent again if the point says that it was not stored', async () => {
    const world = new LaneWorld({ delivery: { writeTimeoutMs: 60_000 } });
    world.fill(1, 3);
    const told: string[] = [];
    world.around = async (_batch, signal, write) => {
      if (told.push('write') === 1) return hang(signal);
      if (told.length === 2) {
        await write();
        return hang(signal);
      }
      return write();
    };
    const startMs = world.clock.now();
    expect((await world.run()).outcome).toBe('done');
    expect(world.ids).toEqual([1, 2, 3]);
    expect(world.clock.now() - startMs).toBeGreaterThanOrEqual(120_000);
    expect((await world.deps.state.errors('test')).map((e) => e.code)).toContain('DESTINATION_OUTCOME_UNKNOWN');
  });

  it('ends the pipeline when it does not even let go then', async () => {
    const world = new LaneWorld({ kind: 'rows', delivery: { writeTimeoutMs: 60_000 } });
    world.fill(1, 3);
    world.around = () => new Promise(() => {});
    const startMs = world.clock.now();
    expect((await world.run()).error?.code).toBe('DESTINATION_HANGS');
    expect(world.clock.now() - startMs).toBeLessThan(62_000);
  });
});

describe('a stop', () => {
  const timeoutMs = 30_000 + 2000;
  const cases: [string, (world: LaneWorld) => void][] = [
    [
      'while a destination is being waited for at the start',
      (world) => {
        world.faults.down = true;
      },
    ],
    [
      'while it waits for the next try',
      (world) => {
        world.around = () => Promise.reject(unreachable());
      },
    ],
    [
      'while a write hangs and ignores that it was aborted',
      (world) => {
        world.around = () => new Promise(() => {});
      },
    ],
  ];

  it.each(cases)('%s ends in time, and the next run loses nothing', async (_, disturb) => {
    const world = new LaneWorld({ delivery: { retry }, pipeline: continuous });
    world.log.commit([insert(1, 'n1')]);
    disturb(world);
    const handle = world.start();
    await world.clock.pass(5000);
    const stoppedMs = world.clock.now();
    expect((await world.clock.until(handle.stop())).outcome).toBe('stopped');
    expect(world.clock.now() - stoppedMs).toBeLessThanOrEqual(timeoutMs);
    world.faults.down = false;
    world.around = (_batch, _signal, write) => write();
    await world.run({ pipeline: {} });
    expect(world.ids).toEqual([1]);
  });
});
