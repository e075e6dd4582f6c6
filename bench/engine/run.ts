// Engine overhead: generator → memory log → three null destinations, no plugins. CPU of the whole process per event; the
// generator read alone is measured in the same run and shown beside it. See README.md.

import { descriptor as nullDestination } from '../../src/destinations/null/index.ts';
import { startPipeline } from '../../src/engine/pipeline.ts';
import { silentLogger, systemClock } from '../../src/sdk/index.ts';
import { descriptor as generator } from '../../src/sources/generator/index.ts';
import { component, destination, memoryDeps, pipeline, runOptions } from '../../test/helpers/pipeline.ts';
import { cpuMicros, median, round } from '../lib/cpu.ts';

const count = Number(process.argv[2] ?? 50_000_000);
const config = {
  seed: 1,
  count,
  rate: null,
  row_bytes: 200,
  keys: 1000,
  mix: { create: 10, update: 80, delete: 10 },
  tables: ['events'],
  partitions: 1,
  event_time: 'clock',
};

const rssMb = (): number => Math.round(process.memoryUsage().rss / 1048576);

async function readAlone(): Promise<number> {
  const source = await generator.create(config as never, {
    pipeline: 'bench',
    name: 'generator',
    logger: silentLogger,
    clock: systemClock,
    random: Math.random,
  });
  const until = { partitions: await source.end(), snapshots: [] };
  const start = cpuMicros();
  let n = 0;
  const ctx = {
    maxBatchEvents: 1000,
    maxBatchBytes: 8 * 1024 * 1024,
    until,
    snapshots: [],
    boundaries: [],
    assign: async () => null,
    revoke: async () => {},
    end: async () => {},
    reject: async () => {},
  };
  for await (const batch of source.read(ctx, new AbortController().signal)) n += batch.events.length;
  return (cpuMicros() - start) / n;
}

async function wholePipeline(): Promise<{ perEvent: number; rss: number[]; heap: number[] }> {
  const handle = startPipeline(
    pipeline({
      sources: [component('generator', config)],
      destinations: ['a', 'b', 'c'].map((name) => destination('null', { encode: false }, { name })),
    }),
    memoryDeps([generator, nullDestination] as never),
    runOptions(),
  );
  const rss: number[] = [],
    heap: number[] = [];
  const timer = setInterval(() => {
    rss.push(rssMb());
    heap.push(Math.round(process.memoryUsage().heapUsed / 1048576));
  }, 1000);
  const start = cpuMicros();
  const summary = await handle.done;
  clearInterval(timer);
  const delivered = Object.values(summary.delivered);
  if (summary.outcome !== 'done' || delivered.some((n) => n !== count))
    throw new Error(`not all arrived: ${JSON.stringify(summary, (_, v) => (typeof v === 'bigint' ? String(v) : v))}`);
  return { perEvent: (cpuMicros() - start) / count, rss, heap };
}

const alone = await readAlone();
const whole = await wholePipeline();
const engine = whole.perEvent - alone;
// Growth: the last quarter of the run against the second; the first is warm-up.
const quarter = (values: readonly number[], n: number): number =>
  median(values.slice(Math.floor((values.length * n) / 4), Math.floor((values.length * (n + 1)) / 4)));
console.log(
  JSON.stringify({
    scenario: 'engine',
    events: count,
    generator_us_per_event: round(alone),
    pipeline_us_per_event: round(whole.perEvent),
    engine_us_per_event: round(engine),
    budget_us: 0.5,
    rss_mb_second_quarter: quarter(whole.rss, 1),
    rss_mb_last_quarter: quarter(whole.rss, 3),
  }),
);
if (engine > 0.5) process.exitCode = 1;
