// What both logs keep: one suite, run for each. What only one of them does is in its own tests.

import { describe, expect, it } from 'vitest';
import type { ChangeLog, LogBatch } from '../../../src/log/change-log.ts';
import { MemoryLog } from '../../../src/log/memory-log.ts';
import { Batches, content, never, open, readAll, START, world } from './disk/harness.ts';

type Bounds = { readonly maxEvents?: number; readonly maxBytes?: number };
const unbounded = Number.POSITIVE_INFINITY;

const LOGS: readonly [string, (bounds: Bounds) => Promise<ChangeLog>][] = [
  ['memory', async ({ maxEvents = unbounded, maxBytes = unbounded }) => new MemoryLog({ id: 'm', maxEvents, maxBytes, start: START })],
  ['disk', (bounds) => open(world(), bounds)],
  ['disk, of which little stays in memory', (bounds) => open(world(), { ...bounds, cacheBytes: 1 })],
  ['disk, compressed', (bounds) => open(world(), { ...bounds, cacheBytes: 1, compression: 'gzip' })],
];

describe.each(LOGS)('the log (%s)', (_name, create) => {
  it('begins empty, at the place it is given', async () => {
    const log = await create({});
    expect([log.firstSeq, log.lastSeq, log.readableSeq]).toEqual([1, 0, 0]);
    expect([log.head, log.tail]).toEqual([START, START]);
    expect(log.full).toBe(false);
    expect(await log.read(1)).toBeNull();
    await log.close();
  });

  it('numbers every event and the end of every batch, the empty ones too', async () => {
    const log = await create({}),
      batches = new Batches();
    const appended = [2, 0, 1].map((size) => log.append(batches.make(size)));
    expect(appended.map((b) => [b.firstSeq, b.endSeq])).toEqual([
      [1, 3],
      [4, 4],
      [5, 6],
    ]);
    expect(log.lastSeq).toBe(6);
    await log.close();
  });

  it('gives back each batch for each of its numbers, with the places before and after', async () => {
    const log = await create({}),
      batches = new Batches();
    log.reader(0);
    const appended = Array.from({ length: 40 }, (_, i) => log.append(batches.make(i % 4, { before: log.tail })));
    await log.synced(never);
    expect(log.readableSeq).toBe(log.lastSeq);
    for (const b of appended) {
      for (let seq = b.firstSeq; seq <= b.endSeq; seq++) expect(content((await log.read(seq)) as LogBatch)).toEqual(content(b));
    }
    expect(await log.read(log.lastSeq + 1)).toBeNull();
    await log.close();
  });

  it('begins each batch at the place where the one before ended', async () => {
    const log = await create({}),
      batches = new Batches();
    log.reader(0);
    for (let i = 0; i < 5; i++) log.append(batches.make(2));
    await log.synced(never);
    let place = START;
    for (const b of await readAll(log)) {
      expect(b.before).toEqual(place);
      place = b.after;
    }
    expect(log.tail).toEqual(place);
    await log.close();
  });

  it.each([
    ['events', { maxEvents: 20 }],
    ['bytes', { maxBytes: 10_000 }],
  ])('is full at its bound in %s until the slowest reader has released, and then takes more', async (_bound, bounds) => {
    const log = await create(bounds),
      batches = new Batches(),
      slow = log.reader(0),
      fast = log.reader(0);
    for (let i = 0; i < 500 && !log.full; i++) {
      log.append(batches.make(2));
      await log.synced(never);
    }
    expect(log.full).toBe(true);
    fast.release(log.lastSeq);
    expect(log.full).toBe(true);
    expect(await log.read(1)).not.toBeNull();
    slow.release(log.lastSeq);
    expect(log.full).toBe(false);
    await log.close();
  });

  it('takes a batch of any size when it is empty, and goes on after it', async () => {
    const log = await create({ maxEvents: 4, maxBytes: 3000 }),
      batches = new Batches(),
      reader = log.reader(0);
    for (let i = 0; i < 5; i++) {
      log.append(batches.make(50));
      await log.synced(never);
      expect(log.full).toBe(true);
      reader.release(log.lastSeq);
      expect(log.full).toBe(false);
    }
    await log.close();
  });

  it('is synced at once when the caller gives up', async () => {
    const log = await create({});
    log.append(new Batches().make(1));
    await log.synced(AbortSignal.abort());
    await log.close();
  });
});
