// A real Redis for integration tests: where it is, why it is not there, a database per test, and a proxy before it.

import { Redis } from 'ioredis';
import { serviceUrl } from '../../scripts/services/service-url.ts';
import { eventually } from './eventually.ts';
import { PostgresProxy, type ProxyOptions } from './postgres-proxy.ts';

/** `null` when there is a server. Otherwise the reason to skip, printed once; where `CI` is set a missing server is an error. */
export async function skipReason(): Promise<string | null> {
  if ((await serviceUrl('redis')) !== null) return null;
  const reason = 'no Redis for tests: run `npm run services up redis`, or set CDC_TEST_REDIS_URL';
  if (process.env['CI']) throw new Error(reason);
  console.warn(`SKIPPED: ${reason}`);
  return reason;
}

/** An empty database that goes away with its `await using` scope. */
export interface RedisDatabase extends AsyncDisposable {
  /** With password and number. */
  readonly url: string;
  readonly client: Redis;
}

const DATABASES = 15;
/** A process that was killed keeps a database for no longer than this. */
const CLAIM_S = 900;

/** One of the databases 1 to 15 that nobody else has: who has which stands in database 0. */
export async function createRedisDatabase(): Promise<RedisDatabase> {
  const url = new URL((await serviceUrl('redis')) ?? ''),
    claims = redisClient(url.href),
    claimOf = (n: number): string => `cdc_test_database_${n}`;
  let own = 0;
  await eventually(async () => {
    for (let n = 1; n <= DATABASES && own === 0; n++)
      if ((await claims.set(claimOf(n), process.pid, 'EX', CLAIM_S, 'NX')) === 'OK') own = n;
    return own > 0;
  }, 'a database of Redis is free');
  url.pathname = `/${own}`;
  const client = redisClient(url.href);
  await client.flushdb();
  return {
    url: url.href,
    client,
    async [Symbol.asyncDispose]() {
      await client.flushdb().catch(() => undefined);
      await claims.del(claimOf(own)).catch(() => undefined);
      client.disconnect();
      claims.disconnect();
    },
  };
}

/** A client that says nothing of its troubles but by its answers. */
export function redisClient(url: string): Redis {
  const client = new Redis(url, { protocol: 2, retryStrategy: () => 50, maxRetriesPerRequest: 20, disableClientInfo: true });
  client.on('error', () => {});
  return client;
}

/** What writes a batch is a script, called by its hash. */
const isCommit = (chunk: Buffer): boolean => chunk.includes('EVALSHA');

export function redisProxy(url: string, options: ProxyOptions = {}): Promise<PostgresProxy> {
  return PostgresProxy.start(url, { isCommit, ...options });
}
