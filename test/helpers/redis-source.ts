// The configuration of a `redis_stream` source as the loader hands it over.

import type { RedisStreamSourceConfig } from '../../src/sources/redis-stream/config.ts';

export function redisStreamSourceConfig(url: string, changes: Partial<RedisStreamSourceConfig> = {}): RedisStreamSourceConfig {
  return {
    url,
    connection_timeout: 2000,
    command_timeout: 10_000,
    stream_name: 'items',
    initial_position: 'earliest',
    claim_after: 60_000,
    max_deliveries: null,
    envelope: 'row',
    ...changes,
  } as RedisStreamSourceConfig;
}
