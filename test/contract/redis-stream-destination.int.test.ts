// The contract suite of the `redis_stream` destination against a real Redis, behind a proxy that can go away and lose replies.

import { describe } from 'vitest';
import { APPEND } from '../../src/destinations/redis-stream/append-script.ts';
import type { RedisStreamConfig } from '../../src/destinations/redis-stream/config.ts';
import { descriptor } from '../../src/destinations/redis-stream/index.ts';
import { type DestinationHarness, describeDestination, item } from '../../src/sdk/testing/index.ts';
import { createRedisDatabase, redisProxy, skipReason } from '../helpers/redis.ts';
import { entriesOf, redisStreamConfig } from '../helpers/redis-destination.ts';

const changed = (url: string, parts: Partial<Pick<URL, 'password' | 'port'>>): string => Object.assign(new URL(url), parts).href;
const STREAM = 'processed_events';

async function start(changes: Partial<RedisStreamConfig>): Promise<DestinationHarness> {
  const db = await createRedisDatabase(),
    proxy = await redisProxy(db.url),
    url = proxy.through(db.url);
  await db.client.script('LOAD', APPEND.text);
  await db.client.set('taken', 'a text');
  // The smallest that the server accepts.
  await db.client.config('SET', 'proto-max-bulk-len', String(1 << 20));
  const config = (u: string, more: Partial<RedisStreamConfig> = {}): RedisStreamConfig =>
    redisStreamConfig(u, { stream_name: STREAM, ...changes, ...more });
  const streams = async (): Promise<string[]> => (await db.client.keys('*')).filter((k) => k !== 'taken' && !k.startsWith('cdc_run:'));
  return {
    config: config(url),
    unreachable: config(changed(url, { port: '1' })),
    forbidden: config(changed(db.url, { password: 'wrong' })),
    misconfigured: config(url, { stream_name: 'taken' }),
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    records: async () => {
      const all = (await Promise.all((await streams()).map((name) => entriesOf(db.client, name)))).flat();
      return all.map(({ value }) => (value === undefined ? null : Buffer.from(value)));
    },
    oversize: (e) => e.create(item(2, 'x'.repeat((1 << 20) + 1))),
    poison: (e) => e.create(item(3, 'x'.repeat((1 << 20) + 1))),
    outage: async () => {
      await proxy.close();
      return () => proxy.open();
    },
    loseReply: async () => {
      proxy.cutNextCommit = 'after';
    },
    close: async () => {
      await proxy.close();
      await db.client.config('SET', 'proto-max-bulk-len', String(512 << 20));
      await db[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf((await skipReason()) !== null)('with a server', () => {
  describeDestination(descriptor, () => start({}), 'one stream');
  describeDestination(descriptor, () => start({ stream_name: 'cdc.{topic}', max_length: 10_000 }), 'a stream per table');
});
