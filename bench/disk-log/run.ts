// The disk log: CPU per event of appending and flushing, beyond what the memory log needs for the same batches, and of
// reading back with all rows decoded. And scans by table over a million events, of which 1 % and 0.1 % match, against reading all of
// them, with large batches and with small ones, by an open reader. See README.md.

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
/** As a quiet source gives them: the index is a tenth of the log's records then, and not a thousandth. */
const SMALL_BATCH = 10;
/** Budgets in µs of CPU per event, and of the scan for 0.1 % as a part of the whole one. What matches must be decoded in any case. */
const BUDGET = { append: 3, read: 2, scan: 0.01 };
const START = { sources: {}, snapshots: [] };
const never = new AbortController().signal;

const table = (name: string): TableSchema => ({
  id: { database: 'shop', schema: 'public', table: name },
  key: ['id'],
  version: 1,
  columns: [],
});
const ORDERS = table('orders'),
  RARE = table('rare'),
  RAREST = table('rarest');

/** Stretches of 500 events: one in a hundred is of the rare table, one in a thousand of the rarest. */
function tableAt(event: number): TableSchema {
  const stretch = Math.floor(event / 500);
  return stretch % 1000 === 500 ? RAREST : stretch % 100 === 50 ? RARE : ORDERS;
}

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

/** Each scan as a part of the time of reading all. */
async function scans(batchSize: number): Promise<{ allMs: number; percent: number; perMille: number }> {
  return inFolder(async (folder) => {
    const log = await open(folder, 16 * 1024 * 1024);
    for (let i = 0; i < SCANNED; i += batchSize) {
      log.append(batch(i, batchSize, tableAt(i)));
      if (log.full) await log.synced(never);
    }
    await log.close();
    const ms = { all: [] as number[], rare: [] as number[], rarest: [] as number[] };
    for (let repeat = 0; repeat < 5; repeat++) {
      const rare = await scan(folder, { tables: ['public.rare'] }),
        rarest = await scan(folder, { tables: ['public.rarest'] }),
        all = await scan(folder, {});
      if (rare.found !== SCANNED / 100 || rarest.found !== SCANNED / 1000 || all.found !== SCANNED) throw new Error('events are missing');
      ms.rare.push(rare.ms);
      ms.rarest.push(rarest.ms);
      ms.all.push(all.ms);
    }
    const allMs = median(ms.all);
    return { allMs, percent: median(ms.rare) / allMs, perMille: median(ms.rarest) / allMs };
  });
}
const large = await scans(BATCH),
  small = await scans(SMALL_BATCH);

const beyond = median(costs.disk) - median(costs.memory),
  read = median(costs.read);
const asPart = (part: number): string => part.toFixed(4);
process.stdout.write(
  `append + flush ${beyond.toFixed(2)} µs per event beyond the memory log; read back ${read.toFixed(2)} µs; scan for 1 % in ${asPart(large.percent)} and for 0.1 % in ${asPart(large.perMille)} of the time of all, in batches of ${SMALL_BATCH} ${asPart(small.percent)} and ${asPart(small.perMille)}\n`,
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
    scan_all_us_per_event: round((large.allMs * 1000) / SCANNED, 2),
    scan_one_percent_over_all: round(large.percent, 4),
    scan_one_per_mille_over_all: round(large.perMille, 4),
    small_batches_scan_one_percent_over_all: round(small.percent, 4),
    small_batches_scan_one_per_mille_over_all: round(small.perMille, 4),
    budget: BUDGET,
  }),
);
if (beyond > BUDGET.append || read > BUDGET.read || large.perMille > BUDGET.scan) process.exitCode = 1;
