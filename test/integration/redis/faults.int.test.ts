// What can go wrong at a Redis server while we write, on servers that the test may break.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RedisConfig } from '../../../src/destinations/redis/config.ts';
import { descriptor as cache } from '../../../src/destinations/redis/index.ts';
import type { RedisStreamConfig } from '../../../src/destinations/redis-stream/config.ts';
import { descriptor as stream } from '../../../src/destinations/redis-stream/index.ts';
import { CdcError, type Destination, type Finding } from '../../../src/sdk/index.ts';
import { Events, item, laneBatch } from '../../../src/sdk/testing/index.ts';
import { Certificates } from '../../helpers/certificates.ts';
import { deliver } from '../../helpers/deliver.ts';
import { eventually } from '../../helpers/eventually.ts';
import { failureOf } from '../../helpers/failure.ts';
import { OwnRedis } from '../../helpers/own-redis.ts';
import { Lane, openReplica, STORED } from '../../helpers/postgresql-lane.ts';
import { skipReason } from '../../helpers/redis.ts';
import { entriesOf, redisConfig, redisStreamConfig } from '../../helpers/redis-destination.ts';

/** Those of a destination that keeps its place alone. */
const joinStream = (url: string, changes: Partial<RedisStreamConfig> = {}): Promise<Lane> =>
  Lane.join(redisStreamConfig(url, changes), { descriptor: stream });
const joinCache = (url: string, changes: Partial<RedisConfig> = {}): Promise<Lane> =>
  Lane.join(redisConfig(url, changes), { descriptor: cache });

async function findingsOf(destination: Destination): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of destination.check()) found.push(finding);
  await destination.close();
  return found;
}

describe.skipIf((await skipReason()) !== null)('a server', () => {
  let server: OwnRedis;
  beforeEach(async () => {
    server = await OwnRedis.start();
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('that is killed again and again in the midst of batches loses nothing and doubles nothing', async () => {
    const lane = await joinStream(server.url, { stream_name: 'out' }),
      e = new Events();
    let isOver = false;
    const killing = (async () => {
      for (let kills = 0; kills < 6; kills++) {
        await new Promise((done) => setTimeout(done, 120));
        await server.kill();
        await server.start();
      }
      isOver = true;
    })();
    let count = 0,
      point = lane.point;
    while (!isOver) {
      const events = Array.from({ length: 300 }, () => e.create(item(++count, 'x'.repeat(100))));
      const batch = laneBatch(events, { previous: point, epoch: lane.epoch });
      await deliver(lane.destination, batch);
      point = batch.through;
    }
    await killing;
    const ids = (await entriesOf(server.client, 'out')).map(
      (entry) => (JSON.parse(entry['value'] ?? '') as { after: { id: number } }).after.id,
    );
    expect(ids).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    await lane.destination.close();
  });

  it('without room takes nothing of a batch, and all of it once there is room', async () => {
    const lane = await joinStream(server.url, { stream_name: 'out' }),
      e = new Events(),
      few = [e.create(item(1, 'a'))],
      many = Array.from({ length: 2000 }, (_, i) => e.create(item(i + 2, 'x'.repeat(1000))));
    expect(await lane.write(few)).toEqual(STORED);
    // What is there fits, and the batch does not: the server looks before the script's first write only.
    const used = Number(/used_memory:(\d+)/.exec(await server.client.info('memory'))?.[1]);
    let refusals = 0;
    for (let limit = used - 100_000; ; limit += 500_000) {
      await server.client.config('SET', 'maxmemory', String(limit));
      const result = await lane.write(many).catch((error: unknown) => error);
      if (!(result instanceof CdcError)) break;
      refusals++;
      expect(result).toMatchObject({ code: 'DESTINATION_FULL', retriable: true });
      // Neither the rows nor a password hang on what is logged.
      expect(JSON.stringify(result.cause, Object.getOwnPropertyNames(result.cause))).not.toContain('xxxx');
      expect(await server.client.xlen('out')).toBe(1);
    }
    // The batch is larger than a step, so this one met the limit on its way.
    expect(await server.client.xlen('out')).toBe(2001);
    expect(refusals).toBeGreaterThan(1);
    await lane.destination.close();
  });

  it('with a key of another type among the streams of a batch takes nothing of it', async () => {
    const lane = await joinStream(server.url, { stream_name: 'cdc.{table}' }),
      e = new Events(),
      other = new Events({ ...e.table, id: { ...e.table.id, table: 'taken' } }),
      batch = [e.create(item(1, 'a')), other.create(item(2, 'b')), e.create(item(3, 'c'))];
    await server.client.set('cdc.taken', 'x');
    const failure = await failureOf(lane.write(batch));
    expect(failure).toMatchObject({ code: 'DESTINATION_MISCONFIGURED', retriable: false });
    expect(failure.message).toContain('cdc.taken holds a string');
    expect(await server.client.exists('cdc.items')).toBe(0);
    await server.client.del('cdc.taken');
    expect(await lane.write(batch)).toEqual(STORED);
    expect([await server.client.xlen('cdc.items'), await server.client.xlen('cdc.taken')]).toEqual([2, 1]);
    await lane.destination.close();
  });

  it('with a text where a hash is to be changed refuses that event alone, and takes nothing before', async () => {
    const lane = await joinCache(server.url, { mode: 'hash' }),
      e = new Events(),
      batch = [e.create(item(1, 'a')), e.partial(null, { id: 2, name: 'b' }), e.create(item(3, 'c'))];
    await server.client.set('items:2', 'a text');
    expect(await lane.write(batch)).toMatchObject({ kind: 'refused', failed: [{ index: 1, error: { code: 'DESTINATION_ROW_MISSING' } }] });
    expect(await server.client.dbsize()).toBe(2);
    expect(await server.client.get('items:2')).toBe('a text');
    // Whole rows replace whatever is there.
    expect(await lane.write([e.create(item(2, 'b'))])).toEqual(STORED);
    expect(await server.client.hgetall('items:2')).toEqual({ id: '2', name: 'b' });
    await lane.destination.close();
  });

  it('lets keys of a cache vanish', async () => {
    const lane = await joinCache(server.url, { ttl: 5000 }),
      e = new Events();
    await lane.write([e.create(item(1, 'a'))]);
    expect(await server.client.pttl('items:1')).toBeGreaterThan(1000);
    await server.client.pexpire('items:1', 1);
    await eventually(async () => (await server.client.exists('items:1')) === 0);
    await lane.destination.close();
  });

  it('sends records to those who listen', async () => {
    const heard: string[] = [],
      listener = server.client.duplicate();
    await listener.psubscribe('changes.*');
    listener.on('pmessage', (_, channel: string, message: string) => heard.push(`${channel} ${message}`));
    const lane = await joinCache(server.url, { mode: 'publish', channel: 'changes.{table}' });
    await lane.write([new Events().create(item(1, 'a'))]);
    await eventually(async () => heard.length > 0);
    expect(heard).toEqual([`changes.items ${JSON.stringify({ op: 'c', before: null, after: item(1, 'a') })}`]);
    listener.disconnect();
    await lane.destination.close();
  });

  it('tells a user what it may not do, before anything is written and while it is', async () => {
    await server.client.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@read', '+ping');
    await server.client.call(
      'ACL',
      'SETUSER',
      'writer',
      'on',
      '>secret',
      '~out',
      '~cdc_run:point:*',
      '+eval',
      '+evalsha',
      '+type',
      '+xadd',
      '+xtrim',
      '+hget',
      '+hset',
      '+hkeys',
      '+hdel',
      '+hgetall',
    );
    const as = (user: string): string => server.url.replace('//', `//${user}:secret@`);
    const refused = (
      await findingsOf(await openReplica(redisStreamConfig(as('reader'), { stream_name: 'out' }), { descriptor: stream }))
    ).filter((f) => f.level === 'error');
    expect(refused).toMatchObject([{ check: 'privileges', code: 'DESTINATION_FORBIDDEN' }]);
    const elsewhere = await findingsOf(
      await openReplica(redisStreamConfig(as('writer'), { stream_name: 'other' }), { descriptor: stream }),
    );
    expect(elsewhere.filter((f) => f.level === 'error')).toMatchObject([{ code: 'DESTINATION_FORBIDDEN' }]);
    const right = await findingsOf(await openReplica(redisStreamConfig(as('writer'), { stream_name: 'out' }), { descriptor: stream }));
    expect(right.filter((f) => f.level === 'error')).toEqual([]);
    const lane = await joinStream(as('writer'), { stream_name: 'out' }),
      e = new Events();
    expect(await lane.write([e.create(item(1, 'a'))])).toEqual(STORED);
    await server.client.call('ACL', 'SETUSER', 'writer', '-xadd');
    expect(await failureOf(lane.write([e.create(item(2, 'b'))]))).toMatchObject({ code: 'DESTINATION_FORBIDDEN', retriable: false });
    await server.client.call('ACL', 'SETUSER', 'writer', '+xadd');
    expect(await lane.write([e.create(item(2, 'b'))])).toEqual(STORED);
    expect(await server.client.xlen('out')).toBe(2);
    await lane.destination.close();
  });

  it('is told from a replica, and from one that evicts streams', async () => {
    await server.client.config('SET', 'maxmemory', '1gb');
    await server.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const evicting = await findingsOf(await openReplica(redisStreamConfig(server.url), { descriptor: stream }));
    expect(evicting).toContainEqual(expect.objectContaining({ level: 'error', check: 'eviction' }));
    expect(await findingsOf(await openReplica(redisConfig(server.url), { descriptor: cache }))).toContainEqual(
      expect.objectContaining({ level: 'warning', check: 'eviction' }),
    );
    await server.client.replicaof('127.0.0.1', '1');
    const lane = await failureOf(joinStream(server.url));
    expect(lane).toMatchObject({ code: 'DESTINATION_UNREACHABLE', retriable: true });
    const replica = await findingsOf(await openReplica(redisStreamConfig(server.url), { descriptor: stream }));
    expect(replica).toContainEqual(expect.objectContaining({ level: 'error', check: 'writable' }));
  });
});

describe.skipIf((await skipReason()) !== null)('a server behind TLS', () => {
  it('is reached by who trusts its authority, and by nobody else', async () => {
    using files = new Certificates();
    const { ca, cert, key } = files;
    const settings = [`tls-cert-file ${cert}`, `tls-key-file ${key}`, `tls-ca-cert-file ${ca}`, 'tls-auth-clients optional'];
    await using server = await OwnRedis.start({ settings, tls: { ca } });
    const at = (tls: RedisStreamConfig['tls'], host = 'localhost') => {
      const { url: _, ...config } = redisStreamConfig('', {
        host,
        port: server.port,
        stream_name: 'out',
        ...(tls === undefined ? {} : { tls }),
      });
      return Lane.join(config, { descriptor: stream });
    };
    const lane = await at({ ca, verify: true });
    expect(await lane.write([new Events().create(item(1, 'a'))])).toEqual(STORED);
    await lane.destination.close();
    const loose = await at({ verify: false });
    await loose.destination.close();
    expect(await failureOf(at(true))).toMatchObject({ code: 'DESTINATION_FORBIDDEN', retriable: false });
    expect(await failureOf(at({ ca: files.path('none.pem'), verify: true }))).toMatchObject({ code: 'DESTINATION_MISCONFIGURED' });
    expect(await failureOf(at({ ca, verify: true }, '127.0.0.1'))).toMatchObject({ code: 'DESTINATION_FORBIDDEN' });
    expect(await failureOf(at(undefined))).toMatchObject({ code: 'DESTINATION_UNREACHABLE', retriable: true });
  });
});
