// A process of its own that runs one pipeline and says what that cost: see `DrainTask`. The whole program is
// in it (configuration, chain, log, points, state in a file), as it was built.

import type { ChangeBatch, Descriptor, Destination, LaneBatch, Source } from '../../src/sdk/index.ts';
import { loadDescriptor, openRuntime, parsePipelineText } from './built.ts';

export interface DrainTask {
  /** A pipeline as its file would have it. */
  readonly pipeline: object;
  /** Types of its source and its destination. */
  readonly source: 'postgresql' | 'mysql';
  readonly destination: string;
  readonly events: number;
  /** Everything is read before the first batch goes on: what the rest costs by itself. */
  readonly readFirst?: boolean;
}

export interface DrainResult {
  readonly events: number;
  /** Writes of the destination. */
  readonly batches: number;
  /** From the start of the pipeline to the end of the last write. */
  readonly seconds: number;
  readonly firstEventSeconds: number;
  /** Of this process, per event from the first write on: what starting costs is paid once. */
  readonly cpuMicrosPerEvent: number;
  /** The same of the second half alone: by then what is hot is compiled, which in a run of seconds is a good part of the whole. */
  readonly warmCpuMicrosPerEvent: number;
  /** Of this process until the last write, without loading the program. */
  readonly cpuSeconds: number;
  /** The most at once. */
  readonly rssMb: number;
}

const task = JSON.parse(process.argv[2] as string) as DrainTask;
const begun = { ms: performance.now(), cpu: process.cpuUsage() };
const seen = {
  events: 0,
  writes: 0,
  firstMs: 0,
  firstEvents: 0,
  firstCpu: begun.cpu,
  halfEvents: 0,
  halfCpu: begun.cpu,
  lastMs: 0,
  lastCpu: begun.cpu,
  rss: 0,
};
/** Asking for it costs as much as a batch does. */
const WRITES_PER_LOOK = 64;

function note(batch: LaneBatch): void {
  const now = performance.now();
  seen.events += batch.events.length;
  seen.lastMs = now;
  if (seen.firstEvents === 0 && seen.events > 0) {
    seen.firstMs = now;
    seen.firstEvents = seen.events;
    seen.firstCpu = process.cpuUsage();
  }
  if (seen.halfEvents === 0 && seen.events >= task.events / 2) {
    seen.halfEvents = seen.events;
    seen.halfCpu = process.cpuUsage();
  }
  if (seen.events === task.events) seen.lastCpu = process.cpuUsage();
  if (seen.writes++ % WRITES_PER_LOOK === 0) seen.rss = Math.max(seen.rss, process.memoryUsage.rss());
}

/** The destination itself, looked at after each write. */
async function observed(type: string): Promise<Descriptor> {
  const descriptor = await loadDescriptor('destination', type, { baseDir: '.' });
  if (descriptor.kind !== 'destination') throw new Error(`${type} is no destination`);
  return {
    ...descriptor,
    create: async (config: never, ctx: never): Promise<Destination> => {
      const inner = await descriptor.create(config, ctx);
      const write = inner.write.bind(inner);
      inner.write = async (batch, signal) => {
        const result = await write(batch, signal);
        note(batch);
        return result;
      };
      return inner;
    },
  } as Descriptor;
}

/**
 * The source. A copied slot of PostgreSQL looks as if somebody had read from it before. With `readFirst` it reads all before it gives
 * the first batch.
 */
async function sourceOf(type: string): Promise<Descriptor> {
  const descriptor = await loadDescriptor('source', type, { baseDir: '.' });
  if (descriptor.kind !== 'source') throw new Error(`${type} is no source`);
  return {
    ...descriptor,
    create: async (config: never, ctx: never): Promise<Source> => {
      const inner = await descriptor.create(config, ctx);
      if (type === 'postgresql') inner.acknowledged = async () => null;
      if (task.readFirst !== true) return inner;
      const read = inner.read.bind(inner);
      inner.read = async function* (context, signal) {
        const batches: ChangeBatch[] = [];
        let events = 0;
        for await (const batch of read(context, signal)) {
          batches.push(batch);
          events += batch.events.length;
          if (events >= task.events) break;
        }
        yield* batches;
      };
      return inner;
    },
  } as Descriptor;
}

const { pipelines, problems } = await parsePipelineText(JSON.stringify(task.pipeline), { file: 'bench.yaml', baseDir: '.', env: {} });
if (problems.length > 0) throw new Error(JSON.stringify(problems));
const descriptors = [await observed(task.destination), await sourceOf(task.source)];
const runtime = await openRuntime(pipelines, { descriptors, limit: task.events, failFast: true });
const [summary] = await runtime.done;
if (summary?.outcome !== 'done' || seen.events !== task.events)
  throw new Error(`${seen.events} of ${task.events} events arrived: ${summary?.outcome}`, { cause: summary?.error });
const micros = ({ user, system }: NodeJS.CpuUsage): number => user + system;
const result: DrainResult = {
  events: seen.events,
  batches: seen.writes,
  seconds: (seen.lastMs - begun.ms) / 1000,
  firstEventSeconds: (seen.firstMs - begun.ms) / 1000,
  cpuMicrosPerEvent: (micros(seen.lastCpu) - micros(seen.firstCpu)) / (seen.events - seen.firstEvents),
  warmCpuMicrosPerEvent: (micros(seen.lastCpu) - micros(seen.halfCpu)) / (seen.events - seen.halfEvents),
  cpuSeconds: (micros(seen.lastCpu) - micros(begun.cpu)) / 1e6,
  rssMb: seen.rss / 1048576,
};
console.log(JSON.stringify(result));
