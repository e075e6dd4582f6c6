// What the benches of the brokers share: the records of one batch, measuring, and comparing in turns.

import {
  additiveOnly,
  type ChangeEvent,
  type Destination,
  type EncodedBatch,
  type LaneBatch,
  type PointHoldingDestination,
  type Source,
  silentLogger,
  systemClock,
  systemRandom,
} from '../../src/sdk/index.ts';
import { Events, item, laneBatch, pointAt } from '../../src/sdk/testing/index.ts';
import { Reader } from '../../src/sdk/testing/reading.ts';
import { cpuMicros, median, round } from '../lib/cpu.ts';

export const BATCH = 1000,
  BUDGET = 0.8;
const ROUNDS = 5;
const LANE = { pipeline: 'bench', lane: 'main' };
const never = new AbortController().signal;

export const context = {
  pipeline: LANE.pipeline,
  name: LANE.lane,
  logger: silentLogger,
  clock: systemClock,
  random: systemRandom,
  schemaEvolution: additiveOnly,
};

/** What a sender has at hand before it begins: the events of one batch, and their records, values of 400 bytes. */
export interface Prepared {
  readonly events: readonly ChangeEvent[];
  readonly records: EncodedBatch;
  readonly valueBytes: number;
  /** The same events each time, behind the batch before. */
  at(n: number): LaneBatch;
}

export function prepare(count = BATCH): Prepared {
  const made = new Events(),
    events = Array.from({ length: count }, (_, i) => made.create(item(i, 'x'.repeat(330)))),
    encoded = laneBatch(events).encoded();
  const buffers = (all: readonly (Uint8Array | null)[]): (Buffer | null)[] => all.map((bytes) => bytes && Buffer.from(bytes));
  const records = { ...encoded, key: buffers(encoded.key), value: buffers(encoded.value) };
  return {
    events,
    records,
    valueBytes: round(records.value.reduce((sum, v) => sum + (v?.length ?? 0), 0) / count, 0),
    at: (n) => ({ ...laneBatch(events, { previous: pointAt(n), through: pointAt(n + 1) }), encoded: () => records }),
  };
}

export interface Sample {
  readonly cpu: number;
  readonly rate: number;
}
type Work = () => Promise<Sample>;

export async function measure(count: number, work: () => Promise<void>): Promise<Sample> {
  const cpu = cpuMicros(),
    began = performance.now();
  await work();
  return { cpu: (cpuMicros() - cpu) / count, rate: (count / (performance.now() - began)) * 1000 };
}

export interface Compared {
  readonly bare_per_s: number;
  readonly ours_per_s: number;
  readonly bare_us: number;
  readonly ours_us: number;
  readonly ratio_rate: number;
  readonly ratio_cpu: number;
}

/** In turns, the first round left out: it is compiled then. */
export async function compare(name: string, before: () => Promise<unknown>, bare: Work, ours: Work): Promise<Compared> {
  const all: { bare: Sample[]; ours: Sample[] } = { bare: [], ours: [] };
  for (let i = 0; i <= ROUNDS; i++) {
    for (const [side, work] of [['bare', bare] as const, ['ours', ours] as const]) {
      await before();
      const sample = await work();
      if (i > 0) all[side].push(sample);
    }
  }
  const of = (side: 'bare' | 'ours', what: 'cpu' | 'rate'): number => median(all[side].map((s) => s[what]));
  const result = {
    bare_per_s: Math.round(of('bare', 'rate')),
    ours_per_s: Math.round(of('ours', 'rate')),
    bare_us: round(of('bare', 'cpu'), 2),
    ours_us: round(of('ours', 'cpu'), 2),
    ratio_rate: round(of('ours', 'rate') / of('bare', 'rate'), 2),
    ratio_cpu: round(of('bare', 'cpu') / of('ours', 'cpu'), 2),
  };
  process.stderr.write(`${name} ${JSON.stringify(result)}\n`);
  return result;
}

/**
 * From the first batch on, once the lane is claimed where there is one to claim; `close` is not counted. Nor is what it takes to make a
 * batch that is made only now.
 */
export async function writeBatches(destination: Destination, batches: Iterable<LaneBatch>): Promise<Sample> {
  if ('claim' in destination) {
    const holder = destination as PointHoldingDestination;
    await holder.claim(LANE, 1);
    await holder.setPoints(LANE, 1, [pointAt(0)]);
  }
  let count = 0,
    cpu = 0,
    ms = 0;
  for (const batch of batches) {
    const cpuBefore = cpuMicros(),
      began = performance.now();
    await destination.write(batch, never);
    ms += performance.now() - began;
    cpu += cpuMicros() - cpuBefore;
    count += batch.events.length;
  }
  await destination.close();
  return { cpu: cpu / count, rate: (count / ms) * 1000 };
}

/** Takes and acknowledges so many messages of a queue, each of which is a create; `close` is not counted. */
export async function readMessages(source: Source, wanted: number, maxBatchEvents: number): Promise<Sample> {
  const reader = new Reader(source, { maxBatchEvents });
  let count = 0;
  const sample = await measure(wanted, async () => {
    while (count < wanted) {
      const batch = await reader.next();
      if (batch === null) break;
      for (const e of batch.events) if (e.get('after', 'op') === 'c') count++;
      await source.acknowledge({ [batch.partition]: batch.resume as never });
      reader.reading.events.length = reader.reading.batches.length = 0;
    }
  });
  await reader.stop();
  await source.close();
  if (count !== wanted) throw new Error(`${count} events were read`);
  return sample;
}
