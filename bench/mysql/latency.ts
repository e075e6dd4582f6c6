// A process of its own: a running pipeline, commits at a steady rate beside it, and how long each took to become an encoded event.

import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import type { Descriptor, Destination } from '../../src/sdk/index.ts';
import { nullDestination, openRuntime, parsePipelineText } from '../lib/built.ts';

export interface LatencyTask {
  readonly pipeline: object;
  readonly url: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Ids from here on are free. */
  readonly firstId: number;
}

/** Milliseconds from the call that inserts and commits to the end of the write. */
export interface LatencyResult {
  readonly events: number;
  readonly p50: number;
  readonly p99: number;
}

const task = JSON.parse(process.argv[2] as string) as LatencyTask;
const total = task.perSecond * task.seconds,
  begunMs = new Float64Array(total);
const latenciesMs: number[] = [];

const observed: Descriptor = {
  ...nullDestination,
  create: async (config: never, ctx: never): Promise<Destination> => {
    const inner = await nullDestination.create(config, ctx);
    const write = inner.write.bind(inner);
    inner.write = async (batch, signal) => {
      const result = await write(batch, signal);
      const now = performance.now();
      for (const event of batch.events) latenciesMs.push(now - (begunMs[Number(event.get('after', 'id')) - task.firstId] as number));
      return result;
    };
    return inner;
  },
} as Descriptor;

const { pipelines, problems } = await parsePipelineText(JSON.stringify(task.pipeline), { file: 'bench.yaml', baseDir: '.', env: {} });
if (problems.length > 0) throw new Error(JSON.stringify(problems));
const runtime = await openRuntime(pipelines, { descriptors: [observed] });
const [handle] = runtime.handles;
while (handle?.status().sources[0]?.state !== 'streaming') await sleep(20);

const client = await createConnection({ uri: task.url, database: 'shop' });
const insert = `INSERT INTO orders VALUES (?, 'Customer', 'user@example.com', 'SKU-1', 1.5, now(3), now(3), 1, 1, '{"color": "red", "tags": ["a", "b"]}')`;
const began = performance.now();
for (let i = 0; i < total; i++) {
  const due = began + (i * 1000) / task.perSecond;
  if (due > performance.now() + 1) await sleep(due - performance.now());
  begunMs[i] = performance.now();
  await client.execute(insert, [task.firstId + i]);
}
while (latenciesMs.length < total) await sleep(20);
await client.end();
await runtime.stop();
// The first tenth warms up.
const sorted = latenciesMs.slice(total / 10).sort((a, b) => a - b);
const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
const result: LatencyResult = { events: sorted.length, p50: at(0.5), p99: at(0.99) };
console.log(JSON.stringify(result));
