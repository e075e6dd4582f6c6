// Disk logs: on files in memory, with a clock that goes as fast as it is asked to, and on real ones.

import { setMaxListeners } from 'node:events';
import type { LogAppend, LogBatch, LogPlace } from '../../../../src/log/change-log.ts';
import { type DiskLog, type DiskLogOptions, openDiskLog } from '../../../../src/log/disk/disk-log.ts';
import { nodeLogFiles } from '../../../../src/log/disk/files.ts';
import { MemoryFiles } from '../../../../src/log/disk/memory-files.ts';
import {
  type CdcError,
  ChangeEvent,
  type Clock,
  type Position,
  positionOfNumber,
  type Random,
  type SnapshotProgress,
  silentLogger,
  systemClock,
  systemRandom,
  type TableSchema,
} from '../../../../src/sdk/index.ts';

export const START: LogPlace = { sources: {}, snapshots: [] };
export const FOLDER = '/log';
export const never = new AbortController().signal;
// Logs that were abandoned in a crash wait on it for good.
setMaxListeners(0, never);

export const tableOf = (name: string): TableSchema => ({
  id: { database: null, schema: 'public', table: name },
  columns: [],
  key: ['id'],
  version: 1,
});
export const ORDERS = tableOf('orders');

/** Sleeps are over at once, and time has passed. */
export class QuickClock implements Clock {
  ms = 1_000_000;
  slept: number[] = [];
  now(): number {
    return this.ms;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    // Endless waiting would keep the test from its turn.
    if (ms > 60_000) return new Promise((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
    this.ms += ms;
    this.slept.push(ms);
    return new Promise((resolve) => setImmediate(resolve));
  }
}

export function seeded(seed: number): Random {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

export interface World {
  readonly files: MemoryFiles;
  readonly clock: QuickClock;
  readonly errors: CdcError[];
  readonly warnings: string[];
  woken: number;
}

export const world = (files = new MemoryFiles()): World => ({ files, clock: new QuickClock(), errors: [], warnings: [], woken: 0 });

const SETTINGS = {
  pipeline: 'orders',
  start: START,
  maxEvents: Number.POSITIVE_INFINITY,
  maxBytes: Number.POSITIVE_INFINITY,
  maxAgeMs: null,
  durability: 'fsync',
  compression: 'none',
  cacheBytes: 1_000_000,
} as const;

export function open(w: World, options: Partial<DiskLogOptions> = {}): Promise<DiskLog> {
  const logger = { ...silentLogger, warn: (message: string) => w.warnings.push(message) };
  return openDiskLog({
    ...SETTINGS,
    folder: FOLDER,
    clock: w.clock,
    random: seeded(7),
    logger: logger as never,
    files: w.files,
    onSynced: () => w.woken++,
    onError: (error) => w.errors.push(error),
    ...options,
  });
}

/** A log of at most 4,000 events on real files, in real time. */
export function openReal(folder: string, options: Partial<DiskLogOptions> = {}): Promise<DiskLog> {
  return openDiskLog({
    ...SETTINGS,
    folder,
    maxEvents: 4000,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    files: nodeLogFiles,
    onSynced: () => undefined,
    onError: () => undefined,
    ...options,
  });
}

/** Batches whose events and places are told from their number. */
export class Batches {
  next = 0;

  make(size: number, more: Partial<LogAppend> & { table?: TableSchema; before?: LogPlace } = {}): LogAppend {
    const events = Array.from({ length: size }, () => this.event(++this.next, more.table ?? ORDERS));
    const at = positionOfNumber(this.next) as Position;
    const { table: _table, before, ...rest } = more;
    const after = { sources: { ...before?.sources, s: { p: at } }, snapshots: before?.snapshots ?? [] };
    return { source: 's', partition: 'p', events, bytes: size * 100, snapshots: [], after, whole: false, ...rest };
  }

  event(n: number, table: TableSchema): ChangeEvent {
    const after = { id: BigInt(n), note: `the note of ${n}`, text: 'x'.repeat(n % 40) };
    return new ChangeEvent({
      op: n % 5 === 0 ? 'u' : 'c',
      table,
      source: 's',
      partition: 'p',
      position: positionOfNumber(n),
      sourceTsMs: n,
      after,
    });
  }
}

export const progress = (table: string, run: string, chunk = 0): SnapshotProgress => ({
  source: 's',
  run,
  table,
  chunk,
  lastKey: null,
  state: 'running',
  rows: 0,
});

/** What a batch is, for comparison. */
export const content = (b: LogBatch): object => ({
  ...b,
  events: b.events.map((e) => ({ op: e.op, position: e.position, after: e.after, key: e.key, table: e.table, ts: e.sourceTsMs })),
});

export async function readAll(log: {
  readonly firstSeq: number;
  readonly readableSeq: number;
  read(seq: number): LogBatch | Promise<LogBatch> | null;
}): Promise<LogBatch[]> {
  const batches: LogBatch[] = [];
  for (let seq = log.firstSeq; seq <= log.readableSeq; ) {
    const batch = (await log.read(seq)) as LogBatch;
    batches.push(batch);
    seq = batch.endSeq + 1;
  }
  return batches;
}
