// Redis: each adapter against a bare loop of the same client library with the same scripts, batches and decoding, in turns, on a
// server of its own without files; redis-benchmark beside them. 400-byte values, batches of 1,000, one in flight. Both readers ask for
// 1,000 entries, parse keys and values, and acknowledge them once that is done, before they take the next ones; the source has asked
// for those by then. CPU of this process per event, and rates by the clock, which the server shares.

import { execFileSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { descriptor as cacheDestination } from '../../src/destinations/redis/index.ts';
import { WRITE_FENCED } from '../../src/destinations/redis/write-script.ts';
import { APPEND } from '../../src/destinations/redis-stream/append-script.ts';
import { descriptor as streamDestination } from '../../src/destinations/redis-stream/index.ts';
import { formatPoint } from '../../src/sdk/index.ts';
import { pointAt } from '../../src/sdk/testing/index.ts';
import { Reader, testContext } from '../../src/sdk/testing/reading.ts';
import { descriptor as streamSource } from '../../src/sources/redis-stream/index.ts';
import { OwnRedis } from '../../test/helpers/own-redis.ts';
import { redisConfig, redisStreamConfig } from '../../test/helpers/redis-destination.ts';
import { redisStreamSourceConfig } from '../../test/helpers/redis-source.ts';
import { BATCH, BUDGET, type Compared, compare, context, measure, prepare, type Sample, writeBatches } from './lib.ts';

const BATCHES = Number(process.argv[2] ?? 100);
const STREAM = 'out';
const { events, records, valueBytes, at } = prepare();
const batches = Array.from({ length: BATCHES }, (_, n) => at(n));

interface Made {
  readonly keys: readonly string[];
  readonly args: readonly (string | number | Buffer)[];
}

/** The same script, with arguments that are made for each batch, as a sender must. */
async function runScript(url: string, text: string, make: () => Made): Promise<Sample> {
  const client = new Redis(url, { protocol: 2 }),
    hash = String(await client.script('LOAD', text));
  await client.hset('point', 'epoch', 1, '0', formatPoint(pointAt(0)));
  const sample = await measure(BATCH * BATCHES, async () => {
    for (let n = 0; n < BATCHES; n++) {
      const { keys, args } = make();
      const head = [0, 1, formatPoint(pointAt(n)), formatPoint(pointAt(n + 1)), 0];
      await client.call('EVALSHA', [hash, keys.length + 1, 'point', ...keys, ...head, ...args]);
    }
  });
  client.disconnect();
  return sample;
}

async function streams(server: OwnRedis): Promise<Compared> {
  const make = (): Made => {
    const args: Made['args'][number][] = [];
    for (let i = 0; i < BATCH; i++) args.push(1, events[i]?.id as string, records.key[i] as Buffer, records.value[i] as Buffer);
    return { keys: [STREAM], args };
  };
  const ours = async (): Promise<Sample> =>
    writeBatches(await streamDestination.create(redisStreamConfig(server.url, { stream_name: STREAM }), context), batches);
  const result = await compare(
    'stream_destination',
    () => server.client.flushall(),
    () => runScript(server.url, APPEND.text, make),
    ours,
  );
  const length = await server.client.xlen(STREAM);
  if (length !== BATCH * BATCHES) throw new Error(`${length} entries arrived`);
  return result;
}

async function caches(server: OwnRedis): Promise<Compared> {
  const make = (): Made => {
    const keys: string[] = [],
      args: Made['args'][number][] = [];
    for (let i = 0; i < BATCH; i++) {
      keys.push(`items:${events[i]?.after?.['id']}`);
      args.push('t', records.value[i] as Buffer);
    }
    return { keys, args };
  };
  const ours = async (): Promise<Sample> =>
    writeBatches(await cacheDestination.create(redisConfig(server.url, { mode: 'set' }), context), batches);
  const result = await compare(
    'cache_destination',
    () => server.client.flushall(),
    () => runScript(server.url, WRITE_FENCED.text, make),
    ours,
  );
  const count = (await server.client.keys('items:*')).length;
  if (count !== BATCH) throw new Error(`${count} keys arrived`);
  return result;
}

/** By the server itself: this process begins clean. */
async function fill(server: OwnRedis): Promise<void> {
  const script = "for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '*', 'key', ARGV[2], 'value', ARGV[3]) end";
  for (let n = 0; n < BATCHES; n++)
    await server.client.eval(script, 1, STREAM, BATCH, records.key[n] as Buffer, records.value[n] as Buffer);
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
  const take = async (): Promise<boolean> => {
    const batch = await reader.next();
    if (batch === null) return false;
    for (const e of batch.events) if (e.get('after', 'op') === 'c') count++;
    await source.acknowledge({ [batch.partition]: batch.resume as never });
    reader.reading.events.length = reader.reading.batches.length = 0;
    return true;
  };
  // As with the bare loop, connecting and joining the group are not counted; and what came with that is not either.
  await take();
  const sample = await measure(BATCH * BATCHES - count, async () => {
    while (await take());
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
  value_bytes: valueBytes,
  stream_destination: await streams(server),
  cache_destination: await caches(server),
  stream_source: await compare(
    'stream_source',
    () => server.client.flushall(),
    () => readAlone(server),
    () => readBySource(server),
  ),
  redis_benchmark_xadd_per_s: Math.round(vendor(server, 'XADD', 'bench', '*', 'id', '1', 'key', '{"id":1}', 'value', value)),
  redis_benchmark_set_per_s: Math.round(vendor(server, 'SET', 'bench-key', value)),
  budget: BUDGET,
};
console.log(JSON.stringify(result));
for (const part of [result.stream_destination, result.cache_destination, result.stream_source])
  if (part.ratio_rate < BUDGET) process.exitCode = 1;
