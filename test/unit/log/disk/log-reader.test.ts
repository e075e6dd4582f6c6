// Reading a log from outside: what is selected, what is followed, and what is not read at all.

import { describe, expect, it } from 'vitest';
import { type DiskLogReader, openDiskLogReader, type ScanOptions } from '../../../../src/log/disk/log-reader.ts';
import { Batches, content, FOLDER, never, ORDERS, open, tableOf, world } from './harness.ts';

const LINES = tableOf('lines');

async function seqs(reader: DiskLogReader, options: ScanOptions = {}): Promise<number[]> {
  const found: number[] = [];
  for await (const { batch, indices } of reader.scan(options)) {
    for (const i of indices ?? batch.events.keys()) found.push(batch.firstSeq + i);
  }
  return found;
}

describe('DiskLogReader', () => {
  it('selects by number, table and operation', async () => {
    const w = world(),
      log = await open(w, { maxEvents: 24 }),
      batches = new Batches();
    log.reader(0);
    const all: { seq: number; table: string; op: string }[] = [];
    for (let i = 0; i < 20; i++) {
      const b = log.append(batches.make(i % 4, { table: i % 3 === 0 ? LINES : ORDERS }));
      for (const [k, e] of b.events.entries()) all.push({ seq: b.firstSeq + k, table: `public.${e.table.id.table}`, op: e.op });
      await log.synced(never);
    }
    const reader = await openDiskLogReader(FOLDER, w.files);
    expect([reader.id, reader.pipeline, reader.firstSeq, reader.lastSeq]).toEqual([log.id, 'orders', 1, log.lastSeq]);
    const cases: [ScanOptions, (e: (typeof all)[number]) => boolean][] = [
      [{}, () => true],
      [{ fromSeq: 9 }, (e) => e.seq >= 9],
      [{ fromSeq: 14, untilSeq: 30 }, (e) => e.seq >= 14 && e.seq <= 30],
      [{ tables: ['public.lines'] }, (e) => e.table === 'public.lines'],
      [{ ops: ['u'] }, (e) => e.op === 'u'],
      [{ ops: ['u', 'd'], tables: ['public.orders', 'x'], fromSeq: 5 }, (e) => e.op === 'u' && e.table === 'public.orders' && e.seq >= 5],
      [{ tables: ['public.none'] }, () => false],
      [{ fromSeq: log.lastSeq + 1 }, () => false],
    ];
    for (const [options, wanted] of cases) expect(await seqs(reader, options)).toEqual(all.filter(wanted).map((e) => e.seq));
    await reader.close();
    await log.close();
  });

  it('gives the same batches as the log itself, with their places', async () => {
    const w = world(),
      log = await open(w, { maxEvents: 24 }),
      batches = new Batches();
    log.reader(0);
    const appended = Array.from({ length: 12 }, () => log.append(batches.make(2)));
    await log.synced(never);
    const reader = await openDiskLogReader(FOLDER, w.files),
      found: object[] = [];
    for await (const { batch } of reader.scan()) found.push(content(batch));
    expect(found).toEqual(appended.map(content));
    await log.close();
  });

  it('follows a log that grows, rolls and forgets', async () => {
    const w = world(),
      log = await open(w, { maxEvents: 24 }),
      batches = new Batches(),
      lane = log.reader(0),
      reader = await openDiskLogReader(FOLDER, w.files);
    let next = 1;
    for (let i = 0; i < 40; i++) {
      log.append(batches.make(2));
      await log.synced(never);
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      await reader.refresh();
      expect(reader.lastSeq).toBe(log.lastSeq);
      expect(await seqs(reader, { fromSeq: next })).toEqual([next, next + 1]);
      next = reader.lastSeq + 1;
      lane.release(log.lastSeq);
    }
    expect(reader.firstSeq).toBeGreaterThan(1);
    await expect(seqs(reader, { fromSeq: 1 })).rejects.toMatchObject({ code: 'STATE_LOG_GAP' });
    await log.close();
  });

  it('does not show what is written but not synced', async () => {
    const w = world(),
      log = await open(w),
      batches = new Batches();
    log.append(batches.make(2));
    await log.synced(never);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    const reader = await openDiskLogReader(FOLDER, w.files);
    w.files.before = (operation) => {
      if (operation === 'sync') throw new Error('later');
    };
    log.append(batches.make(2));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    await reader.refresh();
    expect(reader.lastSeq).toBe(3);
    w.files.before = null;
    await log.synced(never);
    await log.close();
    await reader.refresh();
    expect(reader.lastSeq).toBe(6);
  });

  it('finds the first record at a time', async () => {
    const w = world(),
      log = await open(w, { maxEvents: 16 }),
      batches = new Batches(),
      times: [number, number][] = [];
    log.reader(0);
    for (let i = 0; i < 12; i++) {
      w.clock.ms += 1000;
      times.push([w.clock.ms, log.append(batches.make(1)).firstSeq]);
      await log.synced(never);
    }
    await log.close();
    const reader = await openDiskLogReader(FOLDER, w.files);
    for (const [ms, seq] of times) {
      expect(await reader.seqAtTime(ms)).toBe(seq);
      expect(await reader.seqAtTime(ms - 1)).toBe(seq);
      expect((await seqs(reader, { fromMs: ms }))[0]).toBe(seq);
    }
    expect(await reader.seqAtTime(w.clock.ms + 1e6)).toBe(log.lastSeq + 1);
  });

  it('reads of a log only the batches that match', async () => {
    const w = world(),
      log = await open(w, { maxEvents: 100_000 }),
      batches = new Batches();
    for (let i = 0; i < 300; i++) log.append(batches.make(50, { table: i % 100 === 50 ? LINES : ORDERS }));
    await log.close();
    const reader = await openDiskLogReader(FOLDER, w.files);
    let reads = 0;
    w.files.before = (operation) => {
      if (operation === 'read') reads++;
    };
    expect(await seqs(reader, { tables: ['public.lines'] })).toHaveLength(150);
    // One per batch and one for the schema of the table; the index of the segment is in memory.
    expect(reads).toBeLessThanOrEqual(2 * 3);
  });

  it('says where there is no log', async () => {
    await expect(openDiskLogReader('/nowhere', world().files)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });
});
