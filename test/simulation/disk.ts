// The disk of the simulation: what is written outlives processes, what is not synced may not outlive a power cut. Each process
// reaches it through its own steps, so that it can die between any two calls.

import type { DurableLog, LogStore } from '../../src/log/change-log.ts';
import type { LogFile, LogFiles } from '../../src/log/disk/files.ts';
import { failure } from '../../src/log/disk/memory-files.ts';
import { diskLogStore } from '../../src/log/disk/store.ts';
import { silentLogger } from '../../src/sdk/index.ts';
import type { SimProcess } from './process.ts';
import { DISK_EVENTS } from './shape.ts';
import { PIPELINE, type World } from './world.ts';

export const LOG_FOLDER = 'log';
/** Little, so that lanes that lag behind read from the disk. */
const CACHE_BYTES = 600;

export function steppingLogStore(world: World, process: SimProcess): LogStore {
  const store = diskLogStore(
    {
      path: LOG_FOLDER,
      pipeline: PIPELINE,
      maxEvents: DISK_EVENTS,
      maxBytes: Number.POSITIVE_INFINITY,
      maxAgeMs: null,
      durability: 'fsync',
      compression: 'none',
      clock: process.clock,
      random: world.dice.next,
      logger: silentLogger,
    },
    steppingFiles(world, process),
    CACHE_BYTES,
  );
  return {
    exists: () => store.exists(),
    async open(start, listener) {
      let log: DurableLog | null = null;
      log = await store.open(start, {
        ...listener,
        onSynced: () => {
          if (log !== null) world.oracle.log.synced(log.id, log.readableSeq);
          listener.onSynced();
        },
      });
      const opened = log,
        append = opened.append.bind(opened);
      world.oracle.log.opened(opened);
      opened.append = (batch) => {
        const entry = append(batch);
        world.oracle.log.appended(opened.id, entry);
        return entry;
      };
      return opened;
    },
  };
}

function steppingFiles(world: World, process: SimProcess): LogFiles {
  const disk = (): LogFiles => world.disk;
  const step = async (what: string): Promise<void> => {
    await process.step(`disk: ${what}`);
    if (world.diskFull) throw failure('ENOSPC', 'log');
  };
  return {
    mkdir: (folder) => disk().mkdir(folder),
    list: (folder) => disk().list(folder),
    open: async (path, mode) => {
      if (mode === 'create') await step(`create ${path}`);
      return steppingFile(await disk().open(path, mode), step);
    },
    async rename(from, to) {
      await step(`rename ${to}`);
      return disk().rename(from, to);
    },
    async unlink(path) {
      await process.step(`disk: delete ${path}`);
      return disk().unlink(path);
    },
    async syncFolder(folder) {
      await step('sync the folder');
      return disk().syncFolder(folder);
    },
    async lock(path) {
      const lock = process.alive ? await disk().lock(path) : null;
      // The operating system takes it from a process that has died meanwhile.
      if (process.alive) process.onDeath.push(() => lock?.release());
      else lock?.release();
      return lock;
    },
  };
}

function steppingFile(file: LogFile, step: (what: string) => Promise<void>): LogFile {
  return {
    size: () => file.size(),
    read: (into, at) => file.read(into, at),
    close: () => file.close(),
    async write(bytes, at) {
      await step('write');
      return file.write(bytes, at);
    },
    async sync() {
      await step('sync');
      return file.sync();
    },
    async truncate(size) {
      await step('truncate');
      return file.truncate(size);
    },
  };
}
