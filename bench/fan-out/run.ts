// Fan-out: generator → memory log → four destinations that send bytes in one envelope, against one. How often an event is
// encoded is counted by the records that arrive: encoded once, all four get the very same. CPU of the whole process per event,
// alternated; nothing is counted while it is measured. See README.md.

import { descriptor as nullDestination } from '../../src/destinations/null/index.ts';
import { startPipeline } from '../../src/engine/pipeline.ts';
import type { Destination, LaneBatch } from '../../src/sdk/index.ts';
import { descriptor as generator } from '../../src/sources/generator/index.ts';
import { component, destination, memoryDeps, pipeline, runOptions } from '../../test/helpers/pipeline.ts';
import { cpuMicros, median, round } from '../lib/cpu.ts';
import { generatorConfig } from '../lib/generator.ts';

const EVENTS = Number(process.argv[2] ?? 400_000);
const COUNTED = 50_000;
const REPEATS = 7;
const BUDGET = { encodes: 1, cost: 1.4 };
type EnvelopeName = 'debezium' | 'plain';

/** A null destination that notes each record it gets, as an object. */
function counting(seen: Set<Uint8Array>): typeof nullDestination {
  return {
    ...nullDestination,
    create: async (config, ctx): Promise<Destination> => {
      const inner = await nullDestination.create(config, ctx);
      const write = inner.write.bind(inner);
      inner.write = (batch: LaneBatch, signal: AbortSignal) => {
        for (const value of batch.encoded().value) if (value !== null) seen.add(value);
        return write(batch, signal);
      };
      return inner;
    },
  };
}

/** CPU per event. */
async function run(lanes: number, count: number, envelope: EnvelopeName, sink = nullDestination): Promise<number> {
  const handle = startPipeline(
    pipeline({
      sources: [component('generator', generatorConfig(count, { mix: { create: 20, update: 80, delete: 0 } }))],
      destinations: Array.from({ length: lanes }, (_, i) =>
        destination('null', { encode: true }, { name: `d${i}`, envelope: { type: envelope, options: {} } }),
      ),
    }),
    memoryDeps([generator, sink] as never),
    runOptions(),
  );
  const began = cpuMicros();
  const summary = await handle.done;
  const delivered = Object.values(summary.delivered);
  if (summary.outcome !== 'done' || delivered.length !== lanes || delivered.some((n) => n !== count)) throw new Error('not all arrived');
  return (cpuMicros() - began) / count;
}

async function measure(envelope: EnvelopeName) {
  const seen = new Set<Uint8Array>();
  await run(4, COUNTED, envelope, counting(seen));
  const one: number[] = [],
    four: number[] = [];
  for (let repeat = -1; repeat < REPEATS; repeat++) {
    const costs = [await run(1, EVENTS, envelope), await run(4, EVENTS, envelope)] as const;
    // The first makes the code warm.
    if (repeat < 0) continue;
    one.push(costs[0]);
    four.push(costs[1]);
  }
  const ratios = four.map((cost, i) => cost / (one[i] as number));
  return {
    encodes_per_event: round(seen.size / COUNTED),
    one_us_per_event: round(median(one), 2),
    four_us_per_event: round(median(four), 2),
    four_over_one: round(median(ratios), 2),
    spread_four_over_one: [round(Math.min(...ratios), 2), round(Math.max(...ratios), 2)],
  };
}

const result = { debezium: await measure('debezium'), plain: await measure('plain') };
console.log(JSON.stringify({ scenario: 'fan-out', events: EVENTS, ...result, budget: BUDGET }));
if (Object.values(result).some((r) => r.encodes_per_event !== BUDGET.encodes || r.four_over_one > BUDGET.cost)) process.exitCode = 1;
