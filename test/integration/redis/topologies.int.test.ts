// Sentinel and Cluster on loopback: a master that is lost with batches under way, and keys that lie on several nodes.

import { describe, expect, it } from 'vitest';
import type { RedisConfig } from '../../../src/destinations/redis/config.ts';
import { descriptor as cache } from '../../../src/destinations/redis/index.ts';
import { descriptor as stream } from '../../../src/destinations/redis-stream/index.ts';
import { CdcError, type ChangeEvent, type Destination, formatPoint, type LaneBatch } from '../../../src/sdk/index.ts';
import { Events, item, laneBatch } from '../../../src/sdk/testing/index.ts';
import { Reader, testContext } from '../../../src/sdk/testing/reading.ts';
import { descriptor as source } from '../../../src/sources/redis-stream/index.ts';
import { slotOf } from '../../../src/systems/redis/slot.ts';
import { eventually } from '../../helpers/eventually.ts';
import { type OwnRedis, Servers, startCluster, startSentinels } from '../../helpers/own-redis.ts';
import { LANE, Lane, openReplica, STORED } from '../../helpers/postgresql-lane.ts';
import { skipReason } from '../../helpers/redis.ts';
import { entriesOf, redisConfig, redisStreamConfig } from '../../helpers/redis-destination.ts';
import { redisStreamSourceConfig } from '../../helpers/redis-source.ts';

const never = new AbortController().signal;
const without = <T extends { readonly url?: string }>({ url: _, ...config }: T): Omit<T, 'url'> => config;

/** As the engine does: what is unknown is looked up, what is retriable is tried again. */
async function deliver(destination: Destination, batch: LaneBatch, signal = never): Promise<void> {
  for (let isUnknown = false; !signal.aborted; await new Promise((done) => setTimeout(done, 20))) {
    try {
      if (isUnknown) {
        const found = await destination.committed(LANE);
        if (found.kind === 'points' && formatPoint(found.points[0] as never) === formatPoint(batch.through)) return;
        isUnknown = false;
      }
      expect(await destination.write(batch, signal)).toEqual(STORED);
      return;
    } catch (error) {
      if (!(error instanceof CdcError) || !error.retriable) throw error;
      isUnknown ||= error.code === 'DESTINATION_OUTCOME_UNKNOWN';
    }
  }
}

async function idsIn({ client }: OwnRedis, name: string): Promise<number[]> {
  return (await entriesOf(client, name)).map((e) => (JSON.parse(e['value'] ?? '') as { after: { id: number } }).after.id);
}

describe.skipIf((await skipReason()) !== null)('a master that is lost behind its sentinels', () => {
  it('loses and doubles nothing that a replica had confirmed', async () => {
    await using servers = new Servers();
    const { master, replica, sentinels } = await startSentinels(servers);
    const config = {
      ...without(redisStreamConfig('', { stream_name: 'out', wait_replicas: 1, wait_timeout: 500 })),
      sentinel: { master: 'shop', nodes: sentinels, tls: false },
    };
    const lane = await Lane.join(config, { descriptor: stream }),
      e = new Events();
    let count = 0,
      point = lane.point;
    const next = (): LaneBatch => {
      const events = Array.from({ length: 50 }, () => e.create(item(++count, 'x')));
      return laneBatch(events, { previous: point, epoch: lane.epoch });
    };
    for (let n = 0; n < 10; n++) {
      const batch = next();
      await deliver(lane.destination, batch);
      point = batch.through;
    }
    const confirmed = count,
      giveUp = new AbortController(),
      late = deliver(lane.destination, next(), giveUp.signal);
    await master.kill();
    await expect.poll(async () => String(await replica.client.role()), { timeout: 20_000 }).toContain('master');
    const ids = await idsIn(replica, 'out');
    expect(ids.slice(0, confirmed)).toEqual(Array.from({ length: confirmed }, (_, i) => i + 1));
    expect(new Set(ids).size).toBe(ids.length);
    // No replica is left that could confirm: the batch waits.
    giveUp.abort();
    await late;
    await lane.destination.close();

    // The next run finds its place on the new master, and goes on there.
    let again: Lane | null = null;
    // Sentinels tell of the old master for a moment.
    await eventually(async () => {
      again = await Lane.join({ ...config, wait_replicas: 0 }, { descriptor: stream, epoch: 2 });
      return true;
    });
    const second = again as unknown as Lane;
    const done = ids.length;
    expect(await second.write([e.create(item(9999, 'after'))])).toEqual(STORED);
    expect(await idsIn(replica, 'out')).toHaveLength(done + 1);
    await second.destination.close();
  });
});

describe.skipIf((await skipReason()) !== null)('a cluster of three masters', () => {
  it('keeps the streams of a lane on one node, and its place beside them', async () => {
    await using servers = new Servers();
    const nodes = await startCluster(servers),
      cluster = { nodes: nodes.map((n) => `127.0.0.1:${n.port}`) };
    const config = { ...without(redisStreamConfig('', { stream_name: '{{cdc}}:{table}', wait_replicas: 0 })), cluster };
    const lane = await Lane.join(config, { descriptor: stream }),
      e = new Events(),
      other = new Events({ ...e.table, id: { ...e.table.id, table: 'lines' } });
    expect(await lane.write([e.create(item(1, 'a')), other.create(item(2, 'b'))])).toEqual(STORED);
    expect(await lane.write([e.create(item(3, 'c'))])).toEqual(STORED);
    const keys = await Promise.all(nodes.map((n) => n.client.keys('*')));
    expect(
      keys
        .filter((k) => k.length > 0)
        .flat()
        .sort(),
    ).toEqual(['cdc_run:point:{cdc}:orders:replica', '{cdc}:items', '{cdc}:lines']);
    expect(keys.filter((k) => k.length > 0)).toHaveLength(1);
    // The server's own word on slots.
    for (const key of ['{cdc}:items', 'plain', 'a{b}c', ''])
      expect(await nodes[0]?.client.call('CLUSTER', 'KEYSLOT', key)).toBe(slotOf(key));
    const findings = [];
    for await (const finding of lane.destination.check()) findings.push(finding);
    expect(findings.filter((f) => f.level === 'error')).toEqual([]);
    await lane.destination.close();

    const reading = { ...without(redisStreamSourceConfig('', { stream_name: '{cdc}:items', entry: 'value' })), cluster };
    const reader = await source.create(reading as never, { ...testContext('redis') }),
      events = new Reader(reader, {});
    expect((await events.events(2)).events.map((event) => (event.after as { after: { id: number } } | null)?.after.id)).toEqual([1, 3]);
    expect((await reader.lag()).events).toBe(2);
    await events.stop();
    await reader.close();
  });

  it('spreads the keys of a cache over its nodes, and takes a repeat', async () => {
    await using servers = new Servers();
    const nodes = await startCluster(servers),
      cluster = { nodes: [`127.0.0.1:${nodes[1]?.port}`] };
    const config = { ...without(redisConfig('', { mode: 'hash' } as Partial<RedisConfig>)), cluster };
    const destination = await openReplica(config, { descriptor: cache });
    expect(await destination.committed(LANE)).toEqual({ kind: 'untracked' });
    const e = new Events(),
      rows: ChangeEvent[] = Array.from({ length: 200 }, (_, i) => e.create(item(i + 1, `n${i + 1}`)));
    const batch = laneBatch([...rows, e.update(item(7, 'n7'), item(700, 'n7')), e.remove(item(8, 'n8'))]);
    expect(await destination.write(batch, never)).toEqual(STORED);
    expect(await destination.write(batch, never)).toEqual(STORED);
    const keys = await Promise.all(nodes.map((n) => n.client.keys('*')));
    expect(keys.every((k) => k.length > 30)).toBe(true);
    expect(keys.flat()).toHaveLength(199);
    // One row is missing: its slot is not written, the others are, and the result says which.
    const mixed = laneBatch([e.create(item(1, 'again')), e.partial(null, { id: 9999, name: 'x' })]);
    expect(await destination.write(mixed, never)).toMatchObject({ kind: 'partial', written: [0], failed: [{ index: 1 }] });
    await destination.close();
  });

  it('moves a slot to another node without a loss', async () => {
    await using servers = new Servers();
    const nodes = await startCluster(servers);
    const slot = slotOf('{cdc}:items'),
      owner = Math.min(2, Math.floor((slot * 3) / 16_384)),
      from = nodes[owner] as OwnRedis,
      to = nodes[(owner + 1) % 3] as OwnRedis;
    const config = {
      ...without(redisStreamConfig('', { stream_name: '{{cdc}}:{table}' })),
      cluster: { nodes: [`127.0.0.1:${from.port}`] },
    };
    const lane = await Lane.join(config, { descriptor: stream }),
      e = new Events();
    await lane.write([e.create(item(1, 'a'))]);
    const [fromId, toId] = (await Promise.all([from, to].map((n) => n.client.call('CLUSTER', 'MYID')))) as [string, string];
    await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    const keys = await from.client.keys('*cdc}*');
    await from.client.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
    for (const node of [to, from]) await node.client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
    const batch = laneBatch([e.create(item(2, 'b'))], { previous: lane.point, epoch: lane.epoch });
    await deliver(lane.destination, batch);
    expect(await idsIn(to, '{cdc}:items')).toEqual([1, 2]);
    await lane.destination.close();
  });
});
