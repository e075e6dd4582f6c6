// Crashes: the process dies, or the power fails, in the middle of every single operation on the disk; and every byte of a log
// is flipped once. What was confirmed is there afterwards, nothing else is served than what was appended, and damage is said.

import { describe, expect, it } from 'vitest';
import type { LogBatch } from '../../../../src/log/change-log.ts';
import type { DiskLog } from '../../../../src/log/disk/disk-log.ts';
import { openDiskLogReader } from '../../../../src/log/disk/log-reader.ts';
import { failure, type MemoryFiles } from '../../../../src/log/disk/memory-files.ts';
import { CdcError } from '../../../../src/sdk/index.ts';
import { Batches, content, FOLDER, never, open, readAll, seeded, tableOf, type World, world } from './harness.ts';

interface Run {
  /** Everything that was ever appended, of the log that holds it. */
  readonly appended: object[];
  confirmedSeq: number;
  /** Number of the first record of a batch that was released: it may be gone. */
  releasedSeq: number;
  log: DiskLog | null;
}

/** A life of a log: it grows over several segments, forgets, and is closed. Events are told from their number alone. */
async function live(w: World, run: Run): Promise<void> {
  const log = await open(w, { maxEvents: 32, cacheBytes: 1 });
  run.log = log;
  const batches = new Batches();
  batches.next = log.lastSeq;
  const reader = log.reader(log.firstSeq - 1);
  for (let i = 0; i < 8; i++) {
    run.appended.push(content(log.append(batches.make(i % 4, { table: tableOf(`t${i % 3}`) }))));
    run.appended.push(content(log.append(batches.make(1))));
    const seq = log.lastSeq;
    await log.synced(never);
    run.confirmedSeq = seq;
    if (i !== 6) continue;
    run.releasedSeq = 10;
    reader.release(10);
  }
  await log.close();
  run.log = null;
}

const newRun = (): Run => ({ appended: [], confirmedSeq: 0, releasedSeq: 0, log: null });
/** Lets everything happen that can: files in memory wait for nothing. */
async function settle(files: MemoryFiles): Promise<void> {
  for (let last = -1; last !== files.operations; ) {
    last = files.operations;
    for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function lengthOfLife(): Promise<number> {
  const w = world();
  await live(w, newRun());
  return w.files.operations;
}

/** Runs until the crash; what is there afterwards, opened. */
async function crashed(at: number, kind: 'kill' | 'power', seed: number): Promise<{ files: MemoryFiles; run: Run }> {
  const w = world(),
    run = newRun();
  w.files.crashAt = at;
  void live(w, run);
  await settle(w.files);
  return { files: w.files.crash(kind, seeded(seed)), run };
}

async function check(files: MemoryFiles, run: Run): Promise<void> {
  const w = world(files),
    log = await open(w, { cacheBytes: 1 });
  expect(log.lastSeq).toBeGreaterThanOrEqual(run.confirmedSeq);
  expect(log.firstSeq).toBeLessThanOrEqual(run.releasedSeq + 1);
  const found = (await readAll(log)).map(content),
    from = run.appended.findIndex((b) => (b as LogBatch).endSeq >= log.firstSeq);
  expect(found).toEqual(from < 0 ? [] : run.appended.slice(from, from + found.length));
  // What was served is synced: a power cut right now takes nothing of it.
  const { lastSeq } = log;
  const w2 = world(files.crash('power', seeded(lastSeq))),
    again = await open(w2);
  expect(again.lastSeq).toBe(lastSeq);
  expect((await readAll(again)).map(content)).toEqual(found);
  // And it goes on: what was cut does not come back behind what is appended now.
  const more = content(again.append(new Batches().make(2)));
  await again.close();
  const last = await open(w2);
  expect((await readAll(last)).map(content)).toEqual([...found, more]);
  await last.close();
}

describe('a crash', () => {
  it.each<['kill' | 'power', number[]]>([
    ['kill', [1]],
    ['power', [1, 2]],
  ])(
    '(%s) in the middle of any operation loses nothing that was confirmed, and brings nothing that was not appended',
    async (kind, seeds) => {
      const operations = await lengthOfLife();
      expect(operations).toBeGreaterThan(60);
      for (let at = 0; at < operations; at++) {
        for (const seed of seeds) {
          const { files, run } = await crashed(at, kind, seed * 1000 + at);
          await check(files, run).catch((error: unknown) => {
            throw new Error(`crash at operation ${at}, seed ${seed}`, { cause: error });
          });
        }
      }
    },
  );

  it('while a log is opened after a crash loses nothing either', async () => {
    const operations = await lengthOfLife();
    for (let at = 20; at < operations; at += 13) {
      for (let second = 0; second < 14; second += 2) {
        const first = await crashed(at, 'kill', at);
        first.files.crashAt = second;
        void open(world(first.files)).catch(() => undefined);
        await settle(first.files);
        await check(first.files.crash('power', seeded(at + second)), first.run);
      }
    }
  });

  it('after failed writes and syncs loses nothing', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const w = world(),
        run = newRun(),
        random = seeded(seed);
      w.files.before = (operation, path) => {
        if (run.log !== null && random() < 0.3 && operation !== 'read') throw failure('EIO', path);
      };
      w.files.crashAt = 40 + seed * 3;
      void live(w, run).catch(() => undefined);
      await settle(w.files);
      await check(w.files.crash(seed % 2 === 0 ? 'power' : 'kill', seeded(seed)), run);
    }
  });
});

describe('damage', () => {
  async function written(closed: boolean): Promise<{ files: MemoryFiles; appended: object[] }> {
    const w = world(),
      log = await open(w, { maxEvents: 32 }),
      batches = new Batches();
    log.reader(0);
    const appended: object[] = [];
    for (let i = 0; i < 5; i++) {
      appended.push(content(log.append(batches.make(2))));
      await log.synced(never);
    }
    if (closed) await log.close();
    // How far it was synced is noted after those who wait have been told.
    await settle(w.files);
    return { files: w.files.crash('kill', seeded(1)), appended };
  }

  it.each([true, false])('in any byte is refused or changes nothing that is served (closed: %s)', async (closed) => {
    const { files, appended } = await written(closed);
    const all = files.paths.filter((path) => path.endsWith('.seg') || path.endsWith('.idx'));
    expect(all.length).toBeGreaterThan(3);
    // Closing changes nothing but the last segment.
    const paths = closed ? all : all.slice(-1);
    const refusals: string[] = [];
    for (const path of paths) {
      const intact = files.content(path);
      for (let at = 0; at < intact.length; at++) {
        files.replace(
          path,
          intact.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte)),
        );
        try {
          const log = await open(world(files.crash('kill', seeded(1))), { cacheBytes: 1 });
          const found = (await readAll(log)).map(content);
          expect(found).toEqual(appended);
          await log.close();
        } catch (error) {
          if (!(error instanceof CdcError)) throw new Error(`byte ${at} of ${path}`, { cause: error });
          refusals.push(error.code);
          expect(['LOG_CORRUPT', 'LOG_UNAVAILABLE']).toContain(error.code);
          expect(error.message).toContain(error.code === 'LOG_CORRUPT' ? path : FOLDER);
        }
        files.crashAt = Number.POSITIVE_INFINITY;
      }
      files.replace(path, intact);
    }
    expect(refusals.filter((code) => code === 'LOG_CORRUPT').length).toBeGreaterThan(100);
  });

  it('behind the last sync is cut, and said', async () => {
    const { files, appended } = await written(false);
    const last = files.paths.filter((path) => path.endsWith('.seg')).at(-1) as string;
    files.replace(last, Buffer.concat([files.content(last), Buffer.from('half a record')]));
    const w = world(files),
      log = await open(w);
    expect((await readAll(log)).map(content)).toEqual(appended);
    expect(w.warnings).toHaveLength(1);
    await log.close();
  });

  it.each([
    ['a segment in the middle', 1],
    ['all but the first bytes of a closed segment', 1],
  ])('by a missing file or part is refused: %s', async (what, n) => {
    const { files } = await written(true);
    const path = files.paths.filter((name) => name.endsWith('.seg'))[n] as string;
    if (what.startsWith('a segment')) await files.unlink(path);
    else files.replace(path, files.content(path).slice(0, -1));
    await expect(open(world(files))).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  });

  it('is not served to a reader either', async () => {
    const { files } = await written(true);
    const path = files.paths.find((name) => name.endsWith('.seg')) as string;
    files.replace(
      path,
      files.content(path).map((byte, i, all) => (i === all.length - 3 ? byte ^ 1 : byte)),
    );
    const reader = await openDiskLogReader(FOLDER, files);
    const scan = async (): Promise<void> => {
      for await (const { batch } of reader.scan()) expect(batch.events.length).toBe(2);
    };
    await expect(scan()).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  });
});
