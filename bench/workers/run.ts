// Four workers on a destination that takes 10 ms for each write, against one worker in the same run. Time passes in the
// destination's timer, not in CPU, so the ratio of the two times is the same on any machine that is not overloaded. See README.md.

import { descriptor as nullDestination } from '../../src/destinations/null/index.ts';
import { startPipeline } from '../../src/engine/pipeline.ts';
import type { Descriptor, Destination, LaneBatch } from '../../src/sdk/index.ts';
import { descriptor as generator } from '../../src/sources/generator/index.ts';
import { component, destination, memoryDeps, ONE_WORKER, pipeline, runOptions } from '../../test/helpers/pipeline.ts';
import { median, round } from '../lib/cpu.ts';
import { generatorConfig } from '../lib/generator.ts';

const EVENTS = 40_000,
  BATCH = 100,
  WRITE_MS = 10,
  ROUNDS = 3;

const slow = {
  ...nullDestination,
  type: 'slow',
  create: async (config: never, ctx: never): Promise<Destination> => {
    const inner = await nullDestination.create(config, ctx);
    const write = inner.write.bind(inner);
    inner.write = async (batch: LaneBatch, signal: AbortSignal) => {
      await new Promise((resolve) => setTimeout(resolve, WRITE_MS));
      return write(batch, signal);
    };
    return inner;
  },
} as unknown as Descriptor;

async function timeOf(workers: number): Promise<number> {
  const source = component('generator', generatorConfig(EVENTS, { keys: 10_000 }));
  const lane = destination(
    'slow',
    { encode: false },
    { parallelism: { ...ONE_WORKER, workers }, batch: { maxEvents: BATCH, maxBytes: 1 << 23, timeoutMs: 20 } },
  );
  const began = performance.now();
  const run = await startPipeline(
    pipeline({ sources: [source], destinations: [lane] }),
    memoryDeps([generator as Descriptor, slow]),
    runOptions(),
  ).done;
  if (run.error !== null || run.delivered['slow'] !== EVENTS)
    throw run.error ?? new Error(`only ${run.delivered['slow']} of ${EVENTS} arrived`);
  return performance.now() - began;
}

const one: number[] = [],
  four: number[] = [];
for (let i = 0; i < ROUNDS; i++) {
  one.push(await timeOf(1));
  four.push(await timeOf(4));
}
const ratio = round(median(one) / median(four), 2);
process.stdout.write(
  `${JSON.stringify({ events: EVENTS, batch: BATCH, write_ms: WRITE_MS, rounds: ROUNDS, speed_up_of_four_workers: ratio, limit: 3.6, ok: ratio >= 3.6 })}\n`,
);
if (ratio < 3.6) process.exitCode = 1;
