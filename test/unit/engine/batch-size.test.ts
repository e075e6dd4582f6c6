// Adaptive batches: the size follows what the destination takes, toward the time that one write shall take.

import { describe, expect, it } from 'vitest';
import { BatchSize } from '../../../src/engine/batch-size.ts';
import { LaneWorld } from '../../helpers/lane-world.ts';

const adaptive = { minEvents: 10, maxEvents: 10_000, targetLatencyMs: 1000 };
/** Full writes to a destination that takes `fixed + perEvent × n` milliseconds. */
const settle = (size: BatchSize, fixed: number, perEvent: number, writes: number): number => {
  for (let i = 0; i < writes; i++) size.stored(size.events, fixed + perEvent * size.events);
  return size.events;
};

describe('the size of batches', () => {
  it('is what is configured without adaptive batching', () => {
    const size = new BatchSize(500, null);
    expect(settle(size, 5000, 5, 10)).toBe(500);
  });

  it.each([
    ['a cost per event', 0, 0.5, 2000],
    ['a fixed and a cost per event', 200, 1, 800],
    ['mostly a fixed cost', 900, 0.1, 1000],
    ['hardly any cost: the maximum', 1, 0.001, 10_000],
    ['a fixed cost beyond the target: the minimum', 2000, 1, 10],
  ])('converges to the target with %s', (_, fixed, perEvent, expected) => {
    const size = new BatchSize(1000, adaptive);
    const events = settle(size, fixed, perEvent, 60);
    expect(Math.abs(events - expected) / expected).toBeLessThan(0.05);
  });

  it('shrinks in a slow spell and recovers after it', () => {
    const size = new BatchSize(1000, adaptive);
    expect(settle(size, 100, 0.5, 30)).toBeGreaterThan(1700);
    expect(settle(size, 100, 20, 30)).toBeLessThan(50);
    expect(settle(size, 100, 0.5, 30)).toBeGreaterThan(1700);
  });

  it('does not grow by writes that were not full', () => {
    const size = new BatchSize(1000, adaptive);
    size.stored(3, 1);
    expect(size.events).toBe(1000);
  });

  it('follows a destination in a running pipeline', async () => {
    const world = new LaneWorld({ delivery: { adaptive: { ...adaptive, targetLatencyMs: 300 } } });
    world.fill(1, 20_000);
    world.around = async (batch, _signal, write) => {
      await world.clock.sleep(100 + batch.events.length);
      return write();
    };
    const handle = world.start();
    expect((await world.clock.until(handle.done)).outcome).toBe('done');
    const sizes = world.writes.map((w) => w.events).slice(10, 30);
    expect(Math.min(...sizes)).toBeGreaterThan(190);
    expect(Math.max(...sizes)).toBeLessThan(210);
    expect(handle.status().lanes[0]?.batchSize).toBeGreaterThan(150);
    expect(world.applied.length).toBe(20_000);
  });
});
