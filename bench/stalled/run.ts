// A destination that takes a batch and never answers, with the log on disk: the source and the other destination go on, and
// memory stays where it is. `npx tsx --conditions=source bench/stalled/run.ts 600` runs ten minutes. See README.md.

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { descriptor as nullDestination } from '../../src/destinations/null/index.ts';
import { startPipeline } from '../../src/engine/pipeline.ts';
import { diskLogStore } from '../../src/log/disk/store.ts';
import { type Destination, silentLogger, systemClock, systemRandom, type WriteResult } from '../../src/sdk/index.ts';
import { descriptor as generator } from '../../src/sources/generator/index.ts';
import { component, destination, memoryDeps, pipeline, runOptions } from '../../test/helpers/pipeline.ts';
import { round } from '../lib/cpu.ts';
import { generatorConfig } from '../lib/generator.ts';
import { type MemorySample, quarters, sampleMemory } from '../lib/memory.ts';

const SECONDS = Number(process.argv[2] ?? 60);
/** The log's cache is full after five seconds of this. */
const EVENTS_PER_SECOND = 10_000;
const SAMPLES = 60;
/**
 * Growth from the second quarter to the last, as a part of it. Buffers are given back when it suits the runtime, so that RSS goes
 * up and down by some percent; what leaked would show beside what was logged.
 */
const BUDGET = { heap: 0.05, rss: 0.1 };

const stalled: typeof nullDestination = {
  ...nullDestination,
  type: 'stalled',
  create: async (config, ctx): Promise<Destination> => {
    const inner = await nullDestination.create(config, ctx);
    inner.write = (_batch, signal) =>
      new Promise<WriteResult>((_, fail) => signal.addEventListener('abort', () => fail(new Error('aborted')), { once: true }));
    return inner;
  },
};

/** From the second quarter to the last. */
const growth = ([, second = 0, , last = 0]: readonly number[]): number => round(last / second - 1);

async function measure(folder: string): Promise<{ samples: MemorySample[]; read: number; loggedMb: number }> {
  const bounds = { maxEvents: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY, maxAgeMs: null };
  const world = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const handle = startPipeline(
    pipeline({
      sources: [component('generator', generatorConfig(null, { rate: EVENTS_PER_SECOND, row_bytes: 300 }))],
      destinations: [destination('null', { encode: true }), destination('stalled', { encode: true })],
      log: { type: 'disk', path: folder, whenFull: 'block', durability: 'fsync', compression: 'none', ...bounds },
      sync: { ...pipeline({ sources: [], destinations: [] }).sync, mode: 'continuous', shutdownTimeoutMs: 100 },
    }),
    memoryDeps([generator, nullDestination, stalled] as never, {
      logStore: diskLogStore({ path: folder, pipeline: 'bench', durability: 'fsync', compression: 'none', ...bounds, ...world }),
    }),
    runOptions(),
  );
  const samples: MemorySample[] = [];
  const began = performance.now();
  for (let i = 1; i <= SAMPLES; i++) {
    await sleep(Math.max(0, began + (i * SECONDS * 1000) / SAMPLES - performance.now()));
    samples.push(sampleMemory());
  }
  const summary = await handle.stop();
  const read = summary.delivered['null'] ?? 0;
  if (summary.delivered['stalled'] !== 0) throw new Error('the stalled destination got something');
  if (read < (EVENTS_PER_SECOND * SECONDS) / 2) throw new Error(`only ${read} events arrived at the other destination`);
  const loggedBytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  return { samples, read, loggedMb: loggedBytes / 1048576 };
}

const folder = mkdtempSync(join(tmpdir(), 'cdc-bench-stalled-'));
try {
  const { samples, read, loggedMb } = await measure(folder);
  const rss = quarters(samples.map((s) => s.rss)),
    heap = quarters(samples.map((s) => s.heap));
  const grown = { heap: growth(heap), rss: growth(rss) };
  console.log(
    JSON.stringify({
      scenario: 'stalled',
      seconds: SECONDS,
      events: read,
      logged_mb: round(loggedMb, 0),
      heap_mb_by_quarter: heap,
      rss_mb_by_quarter: rss,
      growth: grown,
      budget: BUDGET,
    }),
  );
  if (!(grown.heap < BUDGET.heap && grown.rss < BUDGET.rss)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
