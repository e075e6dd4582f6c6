// The disk log: group commit, reopening, retention, and disks that fail.

import { describe, expect, it } from 'vitest';
import type { LogBatch } from '../../../../src/log/change-log.ts';
import { openDiskLogReader } from '../../../../src/log/disk/log-reader.ts';
import { failure } from '../../../../src/log/disk/memory-files.ts';
import { Batches, content, FOLDER, never, open, progress, QuickClock, readAll, START, seeded, tableOf, world } from './harness.ts';

const gap = expect.objectContaining({ code: 'STATE_LOG_GAP' }) as Error;

describe('appending', () => {
  it('makes nothing readable before it is synced, and syncs many batches at once', async () => {
    const w = world(),
      log = await open(w),
      batches = new Batches();
    let syncs = 0;
    w.files.before = (operation) => {
      if (operation === 'sync') syncs++;
      if (operation === 'sync' && syncs === 1) expect(log.readableSeq).toBe(0);
    };
    for (let i = 0; i < 100; i++) log.append(batches.make(3));
    expect([log.readableSeq, log.heldBack]).toEqual([0, false]);
    expect(log.read(1)).toBeNull();
    await log.synced(never);
    expect([log.readableSeq, w.woken, syncs]).toEqual([400, 1, 1]);
    await log.close();
  });

  it('syncs at most once per 20 ms', async () => {
    const w = world(),
      log = await open(w),
      batches = new Batches(),
      began = w.clock.ms;
    for (let i = 0; i < 10; i++) {
      log.append(batches.make(1));
      await log.synced(never);
    }
    await log.close();
    expect(w.woken).toBe(10);
    expect(w.clock.ms - began).toBeGreaterThanOrEqual(9 * 20);
  });

  it('gives recent batches back as the objects they are, and others as equal ones', async () => {
    const log = await open(world(), { cacheBytes: 2000 }),
      reader = log.reader(0),
      batches = new Batches(),
      appended: LogBatch[] = [];
    for (let i = 0; i < 20; i++) {
      appended.push(log.append(batches.make(2)));
      await log.synced(never);
    }
    const [first, last] = [appended[0], appended[19]] as [LogBatch, LogBatch];
    expect(log.read(last.firstSeq)).toBe(last);
    expect(log.read(first.firstSeq)).toBeInstanceOf(Promise);
    const back = (await log.read(first.firstSeq)) as LogBatch;
    expect(content(back)).toEqual(content(first));
    expect(back.events[0]?.table).toBe(first.events[0]?.table);
    expect(log.read(first.endSeq)).toBe(back);
    // What everybody has read is not kept.
    reader.release(last.endSeq);
    log.append(batches.make(2));
    await log.synced(never);
    expect(log.read(last.firstSeq)).toBeInstanceOf(Promise);
    await log.close();
  });

  it('reads a batch once for two lanes that ask at the same time', async () => {
    const w = world(),
      log = await open(w, { cacheBytes: 1 });
    log.append(new Batches().make(2));
    log.append(new Batches().make(2));
    await log.synced(never);
    const [a, b] = await Promise.all([log.read(1), log.read(2)]);
    expect(a).toBe(b);
    await log.close();
  });

  it('refuses a batch that it cannot write as it is, and goes on with the next', async () => {
    const w = world(),
      log = await open(w),
      batches = new Batches();
    log.append(batches.make(1));
    const wrong = batches.make(2, { table: tableOf('wrong') });
    Object.assign(wrong.events[1]?.after as object, { at: new Date(0) });
    expect(() => log.append(wrong)).toThrow(expect.objectContaining({ code: 'PLUGIN_CONTRACT' }) as Error);
    const next = log.append(batches.make(1, { table: tableOf('wrong') }));
    await log.close();
    const again = await open(w);
    expect((await readAll(again)).map((b) => b.firstSeq)).toEqual([1, next.firstSeq]);
    await again.close();
  });
});

describe('opening again', () => {
  it('finds everything: numbers, places, snapshots, flags', async () => {
    const w = world(),
      log = await open(w, { maxEvents: 40 }),
      batches = new Batches();
    log.reader(0);
    const appended: LogBatch[] = [];
    for (let i = 0; i < 30; i++) {
      const snapshots = i % 7 === 0 ? [progress('orders', `run ${i}`, i), { ...progress('lines', 'other'), joining: true as const }] : [];
      const others = log.tail.snapshots.filter((s) => !snapshots.some((n) => n.table === s.table));
      const after = { ...batches.make(i % 3).after, snapshots: [...others, ...snapshots] };
      appended.push(log.append({ ...batches.make(i % 5), snapshots, after, whole: i % 2 === 0 }));
      await log.synced(never);
    }
    const known = { id: log.id, first: log.firstSeq, last: log.lastSeq, head: log.head, tail: log.tail, held: log.held().events };
    await log.close();
    const again = await open(w);
    expect({
      id: again.id,
      first: again.firstSeq,
      last: again.lastSeq,
      head: again.head,
      tail: again.tail,
      held: again.held().events,
    }).toEqual(known);
    expect(again.readableSeq).toBe(again.lastSeq);
    expect((await readAll(again)).map(content)).toEqual(appended.map(content));
    expect(w.files.paths.filter((path) => path.endsWith('.seg')).length).toBeGreaterThan(3);
    await again.close();
  });

  it('keeps the places of many partitions, and one that no batch says', async () => {
    const w = world(),
      log = await open(w),
      batches = new Batches();
    for (let i = 0; i < 2500; i++) {
      const batch = batches.make(1);
      const after = { sources: { ...log.tail.sources, s: { ...log.tail.sources['s'], [`p${i % 3}`]: `${i}` as never } }, snapshots: [] };
      log.append({ ...batch, partition: `p${i % 3}`, after });
    }
    const moved = { sources: { elsewhere: { x: '9' as never } }, snapshots: [progress('t', 'r')] };
    log.append({ ...batches.make(1), after: moved });
    const appended = await (await open(world())).close().then(() => log.tail);
    await log.close();
    const again = await open(w, { cacheBytes: 1 });
    expect(again.tail).toEqual(appended);
    for (const seq of [4000, 10, 4990, 2049, 2050, 1]) {
      const b = (await again.read(seq)) as LogBatch,
        n = (b.firstSeq - 1) / 2;
      expect(b.before.sources['s']?.[`p${(n + 2) % 3}` as never]).toBe(n === 0 ? undefined : `${n - 1}`);
      expect(b.after.sources['s']?.[`p${n % 3}` as never]).toBe(`${n}`);
    }
    await again.close();
  });

  it('knows with which batch the present run of a table began', async () => {
    const w = world(),
      start = { sources: {}, snapshots: [progress('old', 'r0')] },
      log = await open(w, { start, maxEvents: 8 }),
      batches = new Batches();
    log.reader(0);
    const append = async (run: string, chunk: number): Promise<number> => {
      const b = log.append(batches.make(2, { snapshots: [progress('orders', run, chunk)] }));
      await log.synced(never);
      return b.firstSeq;
    };
    await append('r1', 0);
    await append('r1', 1);
    const second = await append('r2', 0);
    for (let i = 1; i < 9; i++) await append('r2', i);
    expect([log.runBegan('s', 'orders'), log.runBegan('s', 'old'), log.runBegan('s', 'unknown')]).toEqual([second, 0, 0]);
    await log.close();
    const again = await open(w, { start: START });
    expect([again.runBegan('s', 'orders'), again.runBegan('s', 'old')]).toEqual([second, 0]);
    await again.close();
  });

  it('is refused to a second writer, and to another pipeline', async () => {
    const w = world(),
      log = await open(w);
    await expect(open(w)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', message: expect.stringContaining(FOLDER) as string });
    await log.close();
    await expect(open(w, { pipeline: 'other' })).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await (await open(w)).close();
  });

  it.runIf(process.versions.node.startsWith('20.'))('says that zstd needs a newer Node, and names gzip', async () => {
    await expect(open(world(), { compression: 'zstd' })).rejects.toMatchObject({ fix: expect.stringContaining('gzip') as string });
  });
});

describe('retention', () => {
  const fill = async (log: Awaited<ReturnType<typeof open>>, count: number, batches = new Batches()): Promise<void> => {
    for (let i = 0; i < count; i++) {
      log.append(batches.make(4));
      await log.synced(never);
    }
  };

  it('keeps what is within the bounds although everybody has read it, and forgets the oldest beyond', async () => {
    const w = world(),
      log = await open(w, { maxEvents: 80 }),
      reader = log.reader(0);
    await fill(log, 15);
    reader.release(log.lastSeq);
    expect([log.firstSeq, log.held().events]).toEqual([1, 60]);
    await fill(log, 30);
    reader.release(log.lastSeq);
    expect(log.firstSeq).toBeGreaterThan(100);
    expect(log.held().events).toBeLessThanOrEqual(80);
    expect(log.held().events).toBeGreaterThanOrEqual(60);
    expect(() => log.read(1)).toThrow(gap);
    expect(() => log.reader(log.firstSeq - 2)).toThrow(gap);
    log.reader(log.firstSeq - 1).close();
    const first = (await log.read(log.firstSeq)) as LogBatch;
    expect(first.before).toEqual(log.head);
    const known = [log.firstSeq, log.held().events, log.usage()];
    await log.close();
    const again = await open(w, { maxEvents: 80 });
    expect([again.firstSeq, again.held().events, again.usage()]).toEqual(known);
    await again.close();
  });

  it('never deletes what a reader needs', async () => {
    const log = await open(world(), { maxEvents: 40 }),
      slow = log.reader(0);
    await fill(log, 20);
    expect([log.firstSeq, log.full, log.heldBack]).toEqual([1, true, true]);
    expect(log.usage().neededEvents).toBe(log.held().events);
    slow.release(50);
    expect(log.firstSeq).toBeLessThanOrEqual(51);
    expect(log.firstSeq).toBeGreaterThan(1);
    slow.close();
    expect([log.full, log.heldBack, log.usage().neededEvents]).toEqual([false, false, 0]);
    await log.close();
  });

  it('forgets by age, also when nothing comes any more', async () => {
    const clock = new QuickClock(),
      w = { ...world(), clock },
      log = await open(w, { maxAgeMs: 10_000 });
    log.reader(0).release(1e9);
    await fill(log, 5);
    expect(log.firstSeq).toBe(1);
    for (let i = 0; i < 200 && log.firstSeq <= log.lastSeq; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(log.firstSeq).toBe(log.lastSeq + 1);
    expect(log.usage().oldestMs).toBeNull();
    const { id, tail, lastSeq } = log;
    await log.close();
    const again = await open(w);
    expect([again.id, again.tail, again.lastSeq]).toEqual([id, tail, lastSeq]);
    await again.close();
  });
});

describe('a disk that fails', () => {
  it.each(['write', 'sync', 'truncate', 'rename', 'syncFolder', 'open'] as const)(
    'loses nothing when %s fails now and then',
    async (broken) => {
      const w = world(),
        log = await open(w, { maxEvents: 60, cacheBytes: 1 }),
        batches = new Batches(),
        random = seeded(3);
      log.reader(0);
      w.files.before = (operation, path) => {
        const isCause = operation === broken || (broken === 'truncate' && operation === 'sync');
        if (isCause && !path.endsWith('.idx.tmp') && random() < 0.4) throw failure('EIO', path);
      };
      const appended: LogBatch[] = [];
      for (let i = 0; i < 40; i++) {
        appended.push(log.append(batches.make(2)));
        await log.synced(never);
      }
      w.files.before = null;
      expect((await readAll(log)).map(content)).toEqual(appended.map(content));
      await log.close();
      const again = await open(world(w.files.crash('power', seeded(1))));
      expect((await readAll(again)).map(content)).toEqual(appended.map(content));
      await again.close();
      if (broken !== 'rename' && broken !== 'open' && broken !== 'syncFolder') expect(w.errors.length).toBeGreaterThan(0);
      for (const error of w.errors) expect(error).toMatchObject({ code: 'LOG_UNAVAILABLE', retriable: true });
    },
  );

  it('is full while more waits for it than the cache holds, and goes on when there is space again', async () => {
    const w = world(),
      log = await open(w, { cacheBytes: 5000 }),
      batches = new Batches();
    w.files.before = (operation, path) => {
      if (operation === 'write') throw failure('ENOSPC', path);
    };
    let appended = 0;
    for (; !log.full; appended++) {
      log.append(batches.make(5));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(appended).toBeLessThan(20);
    expect(log.readableSeq).toBe(0);
    expect(w.errors[0]).toMatchObject({ code: 'LOG_UNAVAILABLE', retriable: true, fix: 'Free space on the disk that holds the log.' });
    expect(w.warnings).toContain('the change log cannot be written, trying again');
    w.files.before = null;
    await log.synced(never);
    expect([log.full, log.readableSeq]).toEqual([false, appended * 6]);
    await log.close();
  });

  it('says at the end that not all was written', async () => {
    const w = world(),
      log = await open(w);
    w.files.before = (operation, path) => {
      if (operation === 'sync') throw failure('EIO', path);
    };
    log.append(new Batches().make(1));
    await expect(log.close()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    w.files.before = null;
    await (await open(w)).close();
  });

  it('reads on without the index of a segment, and builds it again', async () => {
    const w = world(),
      log = await open(w, { maxEvents: 40, cacheBytes: 1 });
    log.reader(0);
    for (let i = 0, batches = new Batches(); i < 20; i++) log.append(batches.make(2));
    await log.synced(never);
    const before = (await readAll(log)).map(content);
    await log.close();
    const indexes = w.files.paths.filter((path) => path.endsWith('.idx'));
    expect(indexes.length).toBeGreaterThan(2);
    for (const [i, path] of indexes.entries()) {
      if (i === 0) await w.files.unlink(path);
      else
        w.files.replace(
          path,
          w.files.content(path).map((byte, at) => (at === 30 ? byte ^ 1 : byte)),
        );
    }
    const again = await open(w, { cacheBytes: 1 });
    expect((await readAll(again)).map(content)).toEqual(before);
    await again.close();
    const reader = await openDiskLogReader(FOLDER, w.files);
    expect(reader.lastSeq).toBe(60);
    await reader.close();
  });
});
