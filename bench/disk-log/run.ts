// The disk log: CPU per event of appending and flushing, beyond what the memory log needs for the same batches, and of
// reading back with all rows decoded. And a scan by table over a million events of which 1 % of the batches match, against
// reading all of them. See README.md.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChangeLog, LogAppend } from '../../src/log/change-log.ts';
import { type DiskLog, openDiskLog } from '../../src/log/disk/disk-log.ts';
import { nodeLogFiles } from '../../src/log/disk/files.ts';
import { openDiskLogReader, type ScanOptions } from '../../src/log/disk/log-reader.ts';
import { MemoryLog } from '../../src/log/memory-log.ts';
import { ChangeEvent, positionOfNumber, type Row, silentLogger, systemClock, systemRandom, type TableSchema } from '../../src/sdk/index.ts';
import { cpuMicros, median, round } from '../lib/cpu.ts';

const EVENTS = 100_000;
const BATCH = 500;
const REPEATS = 7;
const SCANNED = 1_000_000;
/** Budgets in µs of CPU per event, and of the filtered scan as a part of the whole one. */
const BUDGET = { append: 3, read: 2, scan: 0.02 };
const START = { sources: {}, snapshots: [] };
const never = new AbortController().signal;

const table = (name: string): TableSchema => ({
  id: { database: 'shop', schema: 'public', table: name },
  key: ['id'],
  version: 1,
  columns: [],
});
const ORDERS = table('orders'),
  RARE = table('rare');

function row(i: number): Row {
  return {
    id: BigInt(i),
    customer: `Customer number ${i}`,
    email: `customer${i}@example.com`,
    note: `left at the door, as usual, with the neighbour: ${'x'.repeat(100)}`,
    address: `${i} Long Street, behind the old mill, second door on the left, ${'y'.repeat(40)}`,
    total: `${i % 1000}.50`,
    placed_at: '2024-02-29T12:34:56.789123Z',
    paid: i % 2 === 0,
    items: i % 17,
  };
}

function batch(from: number, size: number, t = ORDERS): LogAppend {
  const events = Array.from({ length: size }, (_, k) => {
    const i = from + k;
    const transaction = {
      id: `${i >> 3}`,
      order: (i & 7) + 1,
      collectionOrder: (i & 7) + 1,
      commitTsMs: 1_709_210_096_789,
      last: (i & 7) === 7,
    };
    return new ChangeEvent({
      op: 'c',
      table: t,
      source: 'shop',
      partition: 'main',
      position: positionOfNumber(i),
      sourceTsMs: 1_709_210_096_789,
      after: row(i),
      transaction,
    });
  });
  const after = { sources: { shop: { main: positionOfNumber(from + size - 1) } }, snapshots: [] };
  return { source: 'shop', partition: 'main', events, bytes: size * 400, snapshots: [], after, whole: false };
}

function open(folder: string, cacheBytes: number): Promise<DiskLog> {
  return openDiskLog({
    folder,
    pipeline: 'bench',
    start: START,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    files: nodeLogFiles,
    maxEvents: Number.POSITIVE_INFINITY,
    maxBytes: Number.POSITIVE_INFINITY,
    maxAgeMs: null,
    durability: 'fsync',
    compression: 'none',
    cacheBytes,
    onSynced: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'cdc-bench-log-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** CPU per event of appending, with the lane that looks at the batch behind it. */
async function append(log: ChangeLog, batches: readonly LogAppend[]): Promise<number> {
  const lane = log.reader(0),
    began = cpuMicros();
  for (const b of batches) {
    log.append(b);
    // Batches of a source come one after the other, with time for the disk between them.
    if (log.full) await log.synced(never);
    else await Promise.resolve();
    lane.release(log.readableSeq);
  }
  await log.synced(never);
  return (cpuMicros() - began) / EVENTS;
}

async function readBack(log: DiskLog): Promise<number> {
  const began = cpuMicros();
  let seen = 0;
  for (let seq = log.firstSeq; seq <= log.readableSeq; ) {
    const found = await log.read(seq);
    if (found === null) throw new Error(`nothing at ${seq}`);
    for (const event of found.events) if (event.after !== null) seen++;
    seq = found.endSeq + 1;
  }
  if (seen !== EVENTS) throw new Error(`${seen} events came back`);
  return (cpuMicros() - began) / EVENTS;
}

const make = (): LogAppend[] => Array.from({ length: EVENTS / BATCH }, (_, i) => batch(i * BATCH, BATCH));
const costs = { memory: [] as number[], disk: [] as number[], read: [] as number[] };
let bytesPerEvent = 0;
for (let repeat = -1; repeat < REPEATS; repeat++) {
  const memory = await append(
    new MemoryLog({ id: 'm', maxEvents: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY, start: START }),
    make(),
  );
  const [disk, read] = await inFolder(async (folder) => {
    const log = await open(folder, 16 * 1024 * 1024);
    const written = await append(log, make());
    bytesPerEvent = log.held().bytes / EVENTS;
    await log.close();
    const again = await open(folder, 1024 * 1024);
    const readCost = await readBack(again);
    await again.close();
    return [written, readCost] as const;
  });
  // The first makes the code warm.
  if (repeat < 0) continue;
  costs.memory.push(memory);
  costs.disk.push(disk);
  costs.read.push(read);
}

/** Milliseconds of CPU, and how many events were found. */
async function scan(folder: string, options: ScanOptions): Promise<{ ms: number; found: number }> {
  const reader = await openDiskLogReader(folder),
    began = cpuMicros();
  let found = 0;
  for await (const { batch: b, indices } of reader.scan(options)) {
    for (const i of indices ?? b.events.keys()) if (b.events[i]?.after !== null) found++;
  }
  await reader.close();
  return { ms: (cpuMicros() - began) / 1000, found };
}

const scans = await inFolder(async (folder) => {
  const log = await open(folder, 16 * 1024 * 1024);
  for (let i = 0; i < SCANNED / BATCH; i++) {
    log.append(batch(i * BATCH, BATCH, i % 100 === 50 ? RARE : ORDERS));
    if (log.full) await log.synced(never);
  }
  await log.close();
  const all: number[] = [],
    some: number[] = [];
  for (let repeat = 0; repeat < 5; repeat++) {
    const filtered = await scan(folder, { tables: ['public.rare'] }),
      whole = await scan(folder, {});
    if (filtered.found !== SCANNED / 100 || whole.found !== SCANNED) throw new Error('events are missing');
    some.push(filtered.ms);
    all.push(whole.ms);
  }
  return { all: median(all), some: median(some) };
});

const beyond = median(costs.disk) - median(costs.memory),
  read = median(costs.read),
  ratio = scans.some / scans.all;
process.stdout.write(
  `append + flush ${beyond.toFixed(2)} µs per event beyond the memory log; read back ${read.toFixed(2)} µs; scan of 1 % in ${ratio.toFixed(4)} of the time of all\n`,
);
console.log(
  JSON.stringify({
    scenario: 'disk-log',
    bytes_per_event: round(bytesPerEvent, 0),
    append_us_per_event_beyond_memory: round(beyond, 2),
    spread_append: [round(Math.min(...costs.disk), 2), round(Math.max(...costs.disk), 2)],
    memory_us_per_event: round(median(costs.memory), 2),
    read_us_per_event: round(read, 2),
    spread_read: [round(Math.min(...costs.read), 2), round(Math.max(...costs.read), 2)],
    scan_all_us_per_event: round((scans.all * 1000) / SCANNED, 2),
    scan_one_percent_over_all: round(ratio, 4),
    budget: BUDGET,
  }),
);
if (beyond > BUDGET.append || read > BUDGET.read || ratio > BUDGET.scan) process.exitCode = 1;
