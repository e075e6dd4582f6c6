// State kept in Redis: what every state store promises, and what a server can do to it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openState } from '../../../src/open-state.ts';
import { KEPT_RUNS_IN_DOCUMENT } from '../../../src/state/document-store.ts';
import type { StateStore } from '../../../src/state/store.ts';
import { failureOf } from '../../helpers/failure.ts';
import { OwnRedis } from '../../helpers/own-redis.ts';
import { skipReason } from '../../helpers/redis.ts';
import { A, B, describeStateStore, laneAt, type StoreUnderTest } from '../../unit/state/store-suite.ts';

const open = (url: string, warnings: string[] = []): Promise<StateStore> =>
  openState({ type: 'redis', path: 'unused', url, leaseMs: 30_000, checkpoints: 20 }, (message) => warnings.push(message));

describe.skipIf((await skipReason()) !== null)('state in Redis', () => {
  let server: OwnRedis;
  beforeAll(async () => {
    server = await OwnRedis.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  describeStateStore(
    'the store redis',
    async () => {
      await server.client.flushall();
      const test: StoreUnderTest = {
        store: await open(server.url),
        async reopen() {
          await test.store.close();
          test.store = await open(server.url);
          return test.store;
        },
        async [Symbol.asyncDispose]() {
          await test.store.close();
        },
      };
      return test;
    },
    KEPT_RUNS_IN_DOCUMENT,
  );

  it('is under the keys that are promised, with the ids of messages as parts that come and go', async () => {
    await server.client.flushall();
    const store = await open(`${server.url}/3`),
      ids = (n: number) => new Uint8Array(1600).fill(n);
    await store.acquire('orders', A, 0, 1000);
    for (const n of [1, 2, 3]) await store.save('orders', A, 1000, { delivered: [{ bucket: n, lastMs: n, ids: ids(n) }] });
    await store.save('orders', A, 1000, { delivered: [{ bucket: 1, ids: null }] });
    await server.client.select(3);
    expect(await server.client.smembers('cdc-run:state')).toEqual(['orders']);
    const parts = (await server.client.hkeys('cdc-run:state:orders')).filter((key) => key !== 'text');
    await server.client.select(0);
    expect(parts).toHaveLength(2);
    const again = await open(`${server.url}/3`);
    expect(await again.delivered('orders')).toEqual([2, 3].map((n) => ({ bucket: n, lastMs: n, ids: ids(n) })));
    await store.close();
    await again.close();
  });

  it('is held by one process at a time, and no save is lost', async () => {
    await server.client.flushall();
    const rounds = 50;
    const ended = await Promise.all(
      [A, B].map(async (owner) => {
        const store = await open(server.url);
        for (let done = 0; done < rounds; ) {
          if ((await store.acquire('orders', owner, 0, 1)).owner !== owner) continue;
          const { epoch } = await store.load('orders');
          await store.save('orders', owner, 1, { epoch: epoch + 1 });
          await store.release('orders', owner);
          done++;
        }
        await store.close();
      }),
    );
    expect(ended).toHaveLength(2);
    const store = await open(server.url);
    expect((await store.load('orders')).epoch).toBe(2 * rounds);
    await store.close();
  });

  it('outlives a killed server, and the store goes on by itself', async () => {
    await server.client.flushall();
    const store = await open(server.url);
    await store.acquire('orders', A, 0, 1000);
    await store.save('orders', A, 1000, { lanes: { bus: laneAt(7) } });
    await server.kill();
    const error = await failureOf(store.save('orders', A, 1000, { epoch: 8 }));
    expect(error).toMatchObject({ code: 'STATE_UNAVAILABLE', retriable: true, where: 'state.url' });
    await server.start();
    await store.save('orders', A, 1000, { epoch: 9 });
    expect(await store.load('orders')).toMatchObject({ epoch: 9, lanes: { bus: laneAt(7) } });
    await store.close();
  });

  it('that goes back while it is used is noticed, and never built upon', async () => {
    await server.client.flushall();
    const store = await open(server.url);
    await store.acquire('orders', A, 0, 1000);
    const older = (await server.client.hget('cdc-run:state:orders', 'text')) ?? '';
    await store.save('orders', A, 1000, { epoch: 5 });
    // As a failover does to a replica that had not got the last write.
    await server.client.hset('cdc-run:state:orders', 'text', older);
    const wentBack = { code: 'STATE_CORRUPT', retriable: false, message: expect.stringMatching(/went back from generation 2 to 1/) };
    expect(await failureOf(store.save('orders', A, 1000, { epoch: 6 }))).toMatchObject(wentBack);
    expect(await failureOf(store.load('orders'))).toMatchObject(wentBack);
    await server.client.flushall();
    expect(await failureOf(store.save('orders', A, 1000, { epoch: 7 }))).toMatchObject({ message: expect.stringMatching(/ to nothing/) });
    await store.close();
    expect(await server.client.dbsize()).toBe(0);
  });

  it('that was changed by others is damage', async () => {
    await server.client.flushall();
    const store = await open(server.url);
    await store.acquire('orders', A, 0, 1000);
    const text = (await server.client.hget('cdc-run:state:orders', 'text')) ?? '';
    await server.client.hset('cdc-run:state:orders', 'text', text.replace(A, B));
    const other = await open(server.url);
    expect(await failureOf(other.load('orders'))).toMatchObject({ code: 'STATE_CORRUPT', retriable: false });
    await server.client.hset('cdc-run:state:orders', 'text', text.replace('state 1 ', 'state 99 '));
    expect(await failureOf(other.load('orders'))).toMatchObject({ code: 'STATE_VERSION' });
    await store.close();
    await other.close();
  });

  const settings = [
    ['throws keys away', ['maxmemory 100mb', 'maxmemory-policy allkeys-lru', 'appendonly yes'], /allkeys-lru/],
    ['is a replica', ['replicaof 127.0.0.1 1'], /replica/],
  ] as const;
  it.each(settings)('is refused by a server that %s', async (_, lines, message) => {
    await using own = await OwnRedis.start({ settings: lines });
    const error = await failureOf(open(own.url));
    expect(error).toMatchObject({ code: 'STATE_UNAVAILABLE', retriable: false, message: expect.stringMatching(message) });
  });

  it('is refused without the password that the server asks for', async () => {
    await server.client.config('SET', 'requirepass', 'geheim');
    const error = await failureOf(open(server.url));
    expect(error).toMatchObject({ code: 'STATE_UNAVAILABLE', retriable: false, message: expect.stringMatching(/refuses the login/) });
    await (await open(server.url.replace('//', '//:geheim@'))).close();
    await server.client.config('SET', 'requirepass', '');
  });

  it('is warned of where the server keeps nothing on disk', async () => {
    await using own = await OwnRedis.start({ settings: ['appendonly no'] });
    const warnings: string[] = [];
    await (await open(own.url, warnings)).close();
    expect(warnings).toEqual([expect.stringMatching(/^state at Redis at 127\.0\.0\.1:\d+: the server has no append-only file/)]);
  });

  it('never shows the password of its address', async () => {
    const error = await failureOf(open('redis://user:geheim@127.0.0.1:1'));
    expect(error).toMatchObject({ code: 'STATE_UNAVAILABLE', retriable: true });
    expect(JSON.stringify([error.message, error.fix, error.where, String(error.cause)])).not.toContain('geheim');
  });
});
