// The log with real files and processes: killed in the middle of its work, read by another one, locked against a second.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DiskLog } from '../../../../src/log/disk/disk-log.ts';
import { nodeLogFiles } from '../../../../src/log/disk/files.ts';
import { type DiskLogReader, openDiskLogReader } from '../../../../src/log/disk/log-reader.ts';
import { CdcError } from '../../../../src/sdk/index.ts';
import { FROM_SOURCES } from '../../../helpers/child.ts';
import { Batches, never, openReal, readAll } from './harness.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'cdc-log-')), 'deep', 'log');
});
afterEach(() => rm(join(folder, '..', '..'), { recursive: true, force: true }));

const openIt = (): Promise<DiskLog> => openReal(folder, { compression: 'gzip', cacheBytes: 100_000 });

/** Runs the writer until it has confirmed `lines` times, and kills it. Returns the last number that it confirmed. */
async function killWriter(lines: number, meanwhile: () => Promise<void> = async () => {}): Promise<number> {
  const script = join(import.meta.dirname, 'kill-child.ts');
  const child = spawn(process.execPath, [...FROM_SOURCES, script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8');
  for await (const chunk of child.stdout as AsyncIterable<string>) {
    out += chunk;
    if (out.split('\n').length <= lines) continue;
    await meanwhile();
    break;
  }
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  return Number(out.slice(0, out.lastIndexOf('\n')).split('\n').at(-1));
}

describe('a process with a disk log', () => {
  it('loses nothing that was confirmed when it is killed, again and again', async () => {
    for (let round = 1; round <= 3; round++) {
      const confirmed = await killWriter(4 + round * 7);
      const log = await openIt();
      expect(log.lastSeq).toBeGreaterThanOrEqual(confirmed);
      let seq = log.firstSeq;
      for (const batch of await readAll(log)) {
        expect(batch.firstSeq).toBe(seq);
        for (const [i, event] of batch.events.entries()) expect(event.after?.['id']).toBe(BigInt(((seq - 1) / 11) * 10 + i + 1));
        seq = batch.endSeq + 1;
      }
      expect(seq).toBe(log.lastSeq + 1);
      await log.close();
    }
  });

  /** Reads all that the reader knows of, in order and without a gap; `false`: some of it was deleted before it was read. */
  async function isReadWhole(reader: DiskLogReader): Promise<boolean> {
    let next = reader.firstSeq;
    try {
      for await (const { batch, indices } of reader.scan()) {
        expect([batch.firstSeq, indices]).toEqual([next, null]);
        next = batch.endSeq + 1;
      }
    } catch (error) {
      if (error instanceof CdcError && error.code === 'STATE_LOG_GAP') return false;
      throw error;
    }
    expect(next).toBe(reader.lastSeq + 1);
    return true;
  }

  it('lets others read while it writes, and nobody else write', async () => {
    const confirmed = await killWriter(5, async () => {
      await expect(openIt()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', message: expect.stringContaining(folder) as string });
      const reader = await openDiskLogReader(folder);
      // The writer deletes what is old meanwhile: a reader that is overtaken says so, and looks again.
      while (!(await isReadWhole(reader))) await reader.refresh();
      const first = reader.lastSeq;
      while (reader.lastSeq === first) await reader.refresh();
      expect(reader.lastSeq).toBeGreaterThan(first);
      await reader.close();
    });
    expect(confirmed).toBeGreaterThan(0);
  });

  it('keeps its files to this user', async () => {
    const log = await openIt();
    log.append(new Batches().make(1));
    await log.synced(never);
    await log.close();
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    for (const name of await nodeLogFiles.list(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  });
});
