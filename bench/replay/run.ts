// A replay: the disk log is read and sent again to a null destination, through the lane. CPU of the whole process per event,
// beyond a start of the same pipeline that has nothing to do. See README.md.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descriptor as nullDestination } from '../../src/destinations/null/index.ts';
import { startPipeline } from '../../src/engine/pipeline.ts';
import { diskLogStore } from '../../src/log/disk/store.ts';
import { silentLogger, systemClock, systemRandom } from '../../src/sdk/index.ts';
import { descriptor as generator } from '../../src/sources/generator/index.ts';
import { component, destination, memoryDeps, pipeline, runOptions } from '../../test/helpers/pipeline.ts';
import { cpuMicros, median, round } from '../lib/cpu.ts';
import { generatorConfig } from '../lib/generator.ts';

const EVENTS = Number(process.argv[2] ?? 500_000);
const REPEATS = 5;
/** µs of CPU per event. */
const BUDGET = 2;

const folder = mkdtempSync(join(tmpdir(), 'cdc-bench-replay-'));
const bounds = { maxEvents: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY, maxAgeMs: null };
const disk = { path: folder, ...bounds, durability: 'os', compression: 'none' } as const;
const config = pipeline({
  sources: [component('generator', generatorConfig(EVENTS))],
  destinations: [destination('null', {})],
  log: { type: 'disk', ...disk, whenFull: 'block' },
});
const logStore = diskLogStore({ ...disk, pipeline: config.name, clock: systemClock, random: systemRandom, logger: silentLogger });
const deps = memoryDeps([generator, nullDestination], { logStore });

/** CPU and delivered events of one start. */
async function start(): Promise<{ cpu: number; delivered: number }> {
  const began = cpuMicros();
  const { outcome, error, delivered } = await startPipeline(config, deps, runOptions()).done;
  if (outcome !== 'done') throw error ?? new Error(outcome);
  return { cpu: cpuMicros() - began, delivered: delivered['null'] ?? 0 };
}

/** As the command line does it while the pipeline is stopped. */
async function request(): Promise<void> {
  const lane = (await deps.state.load(config.name)).lanes['null'],
    log = lane?.points[0]?.log?.id;
  if (lane === undefined || log === undefined) throw new Error('the lane has not come into the log');
  await deps.state.acquire(config.name, 'bench', 0, 1);
  const replay = { log, from: 1, to: null, next: 1, tables: [] };
  await deps.state.save(config.name, 'bench', 1, { lanes: { null: { ...lane, replay } } });
  await deps.state.release(config.name, 'bench');
}

const costs: number[] = [],
  idle: number[] = [];
try {
  await start();
  for (let repeat = -1; repeat < REPEATS; repeat++) {
    const nothing = await start();
    await request();
    const { cpu, delivered } = await start();
    if (delivered !== EVENTS || nothing.delivered !== 0) throw new Error(`${delivered} of ${EVENTS} events came again`);
    // The first makes the code warm.
    if (repeat < 0) continue;
    idle.push(nothing.cpu);
    costs.push((cpu - nothing.cpu) / EVENTS);
  }
} finally {
  rmSync(folder, { recursive: true });
}
const cost = median(costs);
process.stdout.write(`replay ${cost.toFixed(2)} µs of CPU per event\n`);
console.log(
  JSON.stringify({
    scenario: 'replay',
    events: EVENTS,
    us_per_event: round(cost, 2),
    spread: [round(Math.min(...costs), 2), round(Math.max(...costs), 2)],
    start_without_ms: round(median(idle) / 1000, 1),
    budget: BUDGET,
  }),
);
if (cost > BUDGET) process.exitCode = 1;
