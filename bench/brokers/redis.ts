// Redis: each adapter against a bare loop of the same client library with the same scripts, batches and decoding, in turns, on a
// server of its own without files; redis-benchmark beside them. 400-byte values, batches of 1,000, one in flight. CPU of this process
// per event, and rates by the clock, which the server shares.

import { execFileSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { encodeWrites } from '../../src/destinations/redis/encode.ts';
import { descriptor as cacheDestination } from '../../src/destinations/redis/index.ts';
import { KeyPattern } from '../../src/destinations/redis/key-pattern.ts';
import { argumentsOf, WRITE_FENCED } from '../../src/destinations/redis/write-script.ts';
import { APPEND } from '../../src/destinations/redis-stream/append-script.ts';
import { descriptor as streamDestination } from '../../src/destinations/redis-stream/index.ts';
import {
  additiveOnly,
  type ChangeEvent,
  type EncodedBatch,
  formatPoint,
  type LaneBatch,
  type PointHoldingDestination,
  silentLogger,
  systemClock,
  systemRandom,
} from '../../src/sdk/index.ts';
import { Events, item, laneBatch, pointAt } from '../../src/sdk/testing/index.ts';
import { Reader, testContext } from '../../src/sdk/testing/reading.ts';
import { descriptor as streamSource } from '../../src/sources/redis-stream/index.ts';
import { parseTemplate } from '../../src/systems/redis/template.ts';
import { OwnRedis } from '../../test/helpers/own-redis.ts';
import { redisConfig, redisStreamConfig } from '../../test/helpers/redis-destination.ts';
import { redisStreamSourceConfig } from '../../test/helpers/redis-source.ts';
import { cpuMicros, median, round } from '../lib/cpu.ts';

const BATCH = 1000,
  BATCHES = Number(process.argv[2] ?? 100),
  ROUNDS = 5,
  BUDGET = 0.8;
const LANE = { pipeline: 'bench', lane: 'main' };
const STREAM = 'out';
const never = new AbortController().signal;

interface Sample {
  readonly cpu: number;
  readonly rate: number;
}

/** What a sender has at hand before it begins: the records of one batch, and its events. */
const events = new Events();
const batchEvents = Array.from({ length: BATCH }, (_, i) => events.create(item(i, 'x'.repeat(330))));
const records = recordsOf(batchEvents);

function recordsOf(of: readonly ChangeEvent[]): EncodedBatch {
  const encoded = laneBatch(of).encoded();
  return { ...encoded, key: encoded.key.map((k) => k && Buffer.from(k)), value: encoded.value.map((v) => v && Buffer.from(v)) };
}

function batchAt(n: number): LaneBatch {
  return { ...laneBatch(batchEvents, { previous: pointAt(n), through: pointAt(n + 1) }), encoded: () => records };
}

async function measure(count: number, work: () => Promise<void>): Promise<Sample> {
  const cpu = cpuMicros(),
    began = performance.now();
  await work();
  return { cpu: (cpuMicros() - cpu) / count, rate: (count / (performance.now() - began)) * 1000 };
}

type Work = () => Promise<Sample>;

/** In turns, the first round left out: it is compiled then. */
async function compare(server: OwnRedis, bare: Work, ours: Work): Promise<object> {
  const all: { bare: Sample[]; ours: Sample[] } = { bare: [], ours: [] };
  for (let i = 0; i <= ROUNDS; i++) {
    for (const [name, work] of [['bare', bare] as const, ['ours', ours] as const]) {
      await server.client.flushall();
      const sample = await work();
      if (i > 0) all[name].push(sample);
    }
  }
  const of = (name: 'bare' | 'ours', what: 'cpu' | 'rate'): number => median(all[name].map((s) => s[what]));
  return {
    bare_per_s: Math.round(of('bare', 'rate')),
    ours_per_s: Math.round(of('ours', 'rate')),
    bare_us: round(of('bare', 'cpu'), 2),
    ours_us: round(of('ours', 'cpu'), 2),
    ratio_rate: round(of('ours', 'rate') / of('bare', 'rate'), 2),
    ratio_cpu: round(of('bare', 'cpu') / of('ours', 'cpu'), 2),
  };
}

const context = {
  pipeline: LANE.pipeline,
  name: LANE.lane,
  logger: silentLogger,
  clock: systemClock,
  random: systemRandom,
  schemaEvolution: additiveOnly,
};

async function writeBatches(destination: PointHoldingDestination): Promise<Sample> {
  await destination.claim(LANE, 1);
  await destination.setPoints(LANE, 1, [pointAt(0)]);
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let n = 0; n < BATCHES; n++) await destination.write(batchAt(n), never);
  });
  await destination.close();
  return sample;
}

/** The same script with arguments that are ready, once per batch. */
async function runScript(url: string, text: string, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<Sample> {
  const client = new Redis(url, { protocol: 2 }),
    hash = String(await client.script('LOAD', text));
  await client.hset(keys[0] as string, 'epoch', 1, '0', formatPoint(pointAt(0)));
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let n = 0; n < BATCHES; n++)
      await client.call('EVALSHA', [hash, keys.length, ...keys, 0, 1, formatPoint(pointAt(n)), formatPoint(pointAt(n + 1)), ...args]);
  });
  client.disconnect();
  return sample;
}

async function streams(server: OwnRedis): Promise<object> {
  const args = batchEvents.flatMap((e, i) => [1, e.id, records.key[i] as Buffer, records.value[i] as Buffer]);
  const ours = async (): Promise<Sample> =>
    writeBatches(
      (await streamDestination.create(redisStreamConfig(server.url, { stream_name: STREAM }), context)) as PointHoldingDestination,
    );
  const result = await compare(server, () => runScript(server.url, APPEND.text, ['point', STREAM], [0, ...args]), ours);
  const length = await server.client.xlen(STREAM);
  if (length !== BATCH * BATCHES) throw new Error(`${length} entries arrived`);
  return result;
}

async function caches(server: OwnRedis): Promise<object> {
  const pattern = new KeyPattern(parseTemplate('{table}:{key}') as never);
  const { writes } = encodeWrites(batchAt(0), { mode: 'set', pattern, isOnce: true });
  const keys = ['point', ...writes.map((w) => w.key)],
    args = [0, ...argumentsOf(writes)];
  const ours = async (): Promise<Sample> =>
    writeBatches((await cacheDestination.create(redisConfig(server.url, { mode: 'set' }), context)) as PointHoldingDestination);
  return compare(server, () => runScript(server.url, WRITE_FENCED.text, keys, args), ours);
}

async function fill(server: OwnRedis): Promise<void> {
  for (let n = 0; n < BATCHES; n++) {
    const pipeline = server.client.pipeline();
    for (let i = 0; i < BATCH; i++) pipeline.xadd(STREAM, '*', 'key', records.key[i] as Buffer, 'value', records.value[i] as Buffer);
    await pipeline.exec();
  }
}

async function readAlone(server: OwnRedis): Promise<Sample> {
  await fill(server);
  const client = new Redis(server.url, { protocol: 2 });
  await client.xgroup('CREATE', STREAM, 'g', '0');
  let count = 0;
  const sample = await measure(BATCH * BATCHES, async () => {
    for (;;) {
      const reply = (await client.xreadgroup('GROUP', 'g', 'c', 'COUNT', BATCH, 'STREAMS', STREAM, '>')) as
        | [string, [string, string[]][]][]
        | null;
      const entries = reply?.[0]?.[1] ?? [];
      if (entries.length === 0) break;
      for (const [, fields] of entries) {
        JSON.parse(fields[1] as string);
        if ((JSON.parse(fields[3] as string) as { op: string }).op === 'c') count++;
      }
      await client.xack(STREAM, 'g', ...entries.map(([id]) => id));
    }
  });
  client.disconnect();
  if (count !== BATCH * BATCHES) throw new Error(`${count} entries were read`);
  return sample;
}

async function readBySource(server: OwnRedis): Promise<Sample> {
  await fill(server);
  const source = await streamSource.create(
    redisStreamSourceConfig(server.url, { stream_name: STREAM, entry: 'value' }),
    testContext('bench'),
  );
  const reader = new Reader(source, { until: {}, maxBatchEvents: BATCH });
  let count = 0;
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let batch = await reader.next(); batch !== null; batch = await reader.next()) {
      for (const e of batch.events) if (e.get('after', 'op') === 'c') count++;
      await source.acknowledge({ [batch.partition]: batch.resume as never });
      reader.reading.events.length = reader.reading.batches.length = 0;
    }
  });
  await source.close();
  if (count !== BATCH * BATCHES) throw new Error(`${count} events were read`);
  return sample;
}

/** Requests per second of the server's own tool. */
function vendor({ port }: OwnRedis, ...command: readonly string[]): number {
  const out = execFileSync(
    'redis-benchmark',
    ['-p', String(port), '-P', '1000', '-c', '2', '-n', String(BATCH * BATCHES), '-q', ...command],
    { encoding: 'utf8' },
  );
  return Number([...out.matchAll(/([\d.]+) requests per second/g)].at(-1)?.[1]);
}

await using server = await OwnRedis.start({ settings: ['appendonly no'] });
const value = 'x'.repeat(400);
const result = {
  scenario: 'brokers/redis',
  events: BATCH * BATCHES,
  value_bytes: round(records.value.reduce((sum, v) => sum + (v?.length ?? 0), 0) / BATCH, 0),
  stream_destination: await compareNoted('stream_destination', () => streams(server)),
  cache_destination: await compareNoted('cache_destination', () => caches(server)),
  stream_source: await compareNoted('stream_source', () =>
    compare(
      server,
      () => readAlone(server),
      () => readBySource(server),
    ),
  ),
  redis_benchmark_xadd_per_s: Math.round(vendor(server, 'XADD', 'bench', '*', 'id', '1', 'key', '{"id":1}', 'value', value)),
  redis_benchmark_set_per_s: Math.round(vendor(server, 'SET', 'bench-key', value)),
  budget: BUDGET,
};
console.log(JSON.stringify(result));
for (const part of [result.stream_destination, result.cache_destination, result.stream_source])
  if ((part as { ratio_rate: number }).ratio_rate < BUDGET) process.exitCode = 1;

async function compareNoted(name: string, work: () => Promise<object>): Promise<object> {
  const found = await work();
  process.stderr.write(`${name} ${JSON.stringify(found)}\n`);
  return found;
}
