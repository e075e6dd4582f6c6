// Engine overhead: generator → memory log → three null destinations, no plugins. CPU of the whole process per event; the
// generator read alone is measured in the same run and shown beside it. Memory is looked at by one of the destinations. See README.md.

import { descriptor as nullDestination } from '../../src/destinations/null/index.ts';
import { startPipeline } from '../../src/engine/pipeline.ts';
import { type Destination, forgetfulStore, type LaneBatch, silentLogger, systemClock } from '../../src/sdk/index.ts';
import { descriptor as generator } from '../../src/sources/generator/index.ts';
import { component, destination, memoryDeps, pipeline, runOptions } from '../../test/helpers/pipeline.ts';
import { cpuMicros, round } from '../lib/cpu.ts';
import { generatorConfig } from '../lib/generator.ts';
import { type MemorySample, quarters, sampleMemory } from '../lib/memory.ts';

const count = Number(process.argv[2] ?? 50_000_000);
const config = generatorConfig(count);

/** Each is a collection, 10 ms: together they add less than 0.01 µs to an event. */
const SAMPLES = 40;
/** Growth below this is noise: the heap is never exactly the same, and the allocator keeps pages. */
const NOISE_MB = 5;

/** A null destination that looks at the memory of the process every now and then. */
function sampling(samples: MemorySample[]): typeof nullDestination {
  const every = Math.max(1, Math.floor(count / SAMPLES));
  return {
    ...nullDestination,
    type: 'sampling',
    create: async (config, ctx): Promise<Destination> => {
      const inner = await nullDestination.create(config, ctx);
      const write = inner.write.bind(inner);
      let seen = 0;
      inner.write = (batch: LaneBatch, signal: AbortSignal) => {
        seen += batch.events.length;
        if (seen >= every) {
          samples.push(sampleMemory());
          seen = 0;
        }
        return write(batch, signal);
      };
      return inner;
    },
  };
}

async function readAlone(): Promise<number> {
  const source = await generator.create(config, {
    pipeline: 'bench',
    name: 'generator',
    logger: silentLogger,
    store: forgetfulStore,
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

async function wholePipeline(): Promise<{ perEvent: number; samples: MemorySample[] }> {
  const samples: MemorySample[] = [];
  const handle = startPipeline(
    pipeline({
      sources: [component('generator', config)],
      destinations: ['a', 'b', 'c'].map((name) => destination(name === 'a' ? 'sampling' : 'null', { encode: false }, { name })),
    }),
    memoryDeps([generator, nullDestination, sampling(samples)] as never),
    runOptions(),
  );
  const start = cpuMicros();
  const summary = await handle.done;
  const delivered = Object.values(summary.delivered);
  if (summary.outcome !== 'done' || delivered.some((n) => n !== count))
    throw new Error(`not all arrived: ${JSON.stringify(summary, (_, v) => (typeof v === 'bigint' ? String(v) : v))}`);
  return { perEvent: (cpuMicros() - start) / count, samples };
}

const alone = await readAlone();
const whole = await wholePipeline();
const engine = whole.perEvent - alone;
const rss = quarters(whole.samples.map((s) => s.rss));
const heap = quarters(whole.samples.map((s) => s.heap));
const growth = Math.max(...[rss, heap].map((q) => (q[3] as number) - (q[1] as number)));
console.log(
  JSON.stringify({
    scenario: 'engine',
    events: count,
    generator_us_per_event: round(alone),
    pipeline_us_per_event: round(whole.perEvent),
    engine_us_per_event: round(engine),
    budget_us: 0.5,
    rss_mb_by_quarter: rss,
    heap_mb_by_quarter: heap,
    growth_mb: round(growth, 1),
  }),
);
if (engine > 0.5 || !(growth < NOISE_MB)) process.exitCode = 1;
