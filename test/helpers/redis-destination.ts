// Configurations of the destinations in Redis as the loader hands them over, and what streams hold.

import type { Redis } from 'ioredis';
import type { RedisConfig } from '../../src/destinations/redis/config.ts';
import type { RedisStreamConfig } from '../../src/destinations/redis-stream/config.ts';

const CONNECTION = { connection_timeout: 2000, command_timeout: 10_000 };

export function redisStreamConfig(url: string, changes: Partial<RedisStreamConfig> = {}): RedisStreamConfig {
  return {
    url,
    ...CONNECTION,
    stream_name: '{topic}',
    on_schema_error: 'wait',
    max_length: null,
    wait_replicas: 0,
    wait_timeout: 2000,
    ...changes,
  } as RedisStreamConfig;
}

export function redisConfig(url: string, changes: Partial<RedisConfig> = {}): RedisConfig {
  const own = { key_pattern: '{table}:{key}', mode: 'json', ttl: null, keep_point: true, wait_replicas: 0, wait_timeout: 2000 };
  return { url, ...CONNECTION, ...own, ...changes } as RedisConfig;
}

/** Name → value of each entry's fields, in order. */
export async function entriesOf(client: Redis, stream: string): Promise<Record<string, string>[]> {
  const entries = await client.xrange(stream, '-', '+');
  return entries.map(([, fields]) => Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : []))));
}
