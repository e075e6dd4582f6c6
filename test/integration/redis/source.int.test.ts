// What the contract suite does not know of a consumer group: others in it, the dead, entries that come too often or are gone.

import { describe, expect, it } from 'vitest';
import type { ChangeEvent, Source } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/index.ts';
import { positionsAfter, Reader, testContext } from '../../../src/sdk/testing/reading.ts';
import type { RedisStreamSourceConfig } from '../../../src/sources/redis-stream/config.ts';
import { descriptor } from '../../../src/sources/redis-stream/index.ts';
import { createRedisDatabase, type RedisDatabase, skipReason } from '../../helpers/redis.ts';
import { redisStreamSourceConfig } from '../../helpers/redis-source.ts';

const GROUP = 'cdc_run_contract';
const idsOf = (events: readonly ChangeEvent[]): unknown[] => events.map((e) => e.after?.['id']);

/** A database with entries 1 to `count`, and sources that are closed with it. */
class World implements AsyncDisposable {
  readonly db: RedisDatabase;
  readonly #sources: Source[] = [];
  readonly #readers: Reader[] = [];

  private constructor(db: RedisDatabase) {
    this.db = db;
  }

  static async create(count: number): Promise<World> {
    const world = new World(await createRedisDatabase());
    for (let id = 1; id <= count; id++) await world.add(id);
    return world;
  }

  async add(id: number): Promise<string> {
    return String(await this.db.client.xadd('items', '*', 'id', id, 'name', `row ${id}`));
  }

  async open(changes: Partial<RedisStreamSourceConfig> = {}, store = memoryStore()): Promise<{ source: Source; reader: Reader }> {
    const config = redisStreamSourceConfig(this.db.url, { key_fields: ['id'], ...changes });
    const source = await descriptor.create(config, testContext('redis', store)),
      reader = new Reader(source, { maxBatchEvents: 10 });
    this.#sources.push(source);
    this.#readers.push(reader);
    return { source, reader };
  }

  async pending(): Promise<number> {
    const [count] = (await this.db.client.xpending('items', GROUP)) as [number];
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const reader of this.#readers) await reader.stop().catch(() => undefined);
    for (const source of this.#sources) await source.close();
    await this.db[Symbol.asyncDispose]();
  }
}

describe.skipIf((await skipReason()) !== null)('a consumer group', () => {
  it('shares its entries, each delivered once', async () => {
    await using world = await World.create(0);
    const one = await world.open({ consumer_name: 'one' }),
      two = await world.open({ consumer_name: 'two' });
    const both = Promise.all([one.reader.events(3), two.reader.events(3)]);
    for (let id = 1; id <= 40; id++) await world.add(id);
    const got = (await both).flatMap((r) => idsOf(r.events));
    expect(new Set(got).size).toBe(got.length);
  });

  it('takes over what a dead consumer left, once it is idle for long enough, and keeps what is alive', async () => {
    await using world = await World.create(0);
    const alive = await world.open({ consumer_name: 'alive', claim_after: 600 });
    await alive.source.check()[Symbol.asyncIterator]().next();
    const first = alive.reader.events(1);
    await world.add(1);
    await first;
    await world.add(2);
    await world.db.client.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 1, 'STREAMS', 'items', '>');
    const other = await world.open({ consumer_name: 'other', claim_after: 600 });
    const { events } = await other.reader.events(1);
    expect(idsOf(events)).toEqual(['2']);
    // Entry 1 is not finished either, but its consumer says that it is alive.
    await world.add(3);
    expect(idsOf((await other.reader.events(2)).events)).not.toContain('1');
  });

  it('acknowledges what is finished, and tells its lag', async () => {
    await using world = await World.create(5);
    const { source, reader } = await world.open();
    const { batches } = await reader.events(5);
    expect(await world.pending()).toBe(5);
    await world.add(6);
    expect((await source.lag()).events).toBe(6);
    await source.acknowledge(positionsAfter(batches));
    await source.acknowledge(positionsAfter(batches));
    await reader.events(6);
    expect(await world.pending()).toBe(1);
  });

  it('gives up an entry that was delivered too often, with all its fields', async () => {
    await using world = await World.create(2);
    const store = memoryStore();
    for (let time = 1; time <= 2; time++) {
      const { source, reader } = await world.open({ max_deliveries: 2 }, store);
      expect(idsOf((await reader.events(2)).events)).toEqual(['1', '2']);
      await reader.stop();
      await source.close();
    }
    await world.add(3);
    const { source, reader } = await world.open({ max_deliveries: 2 }, store);
    const { events, rejected, batches } = await reader.events(1);
    expect(idsOf(events)).toEqual(['3']);
    expect(rejected.map((r) => r.input)).toEqual(['[["id","1"],["name","row 1"]]', '[["id","2"],["name","row 2"]]']);
    await source.acknowledge(positionsAfter(batches));
    expect(await world.pending()).toBe(0);
  });

  it('says which entries were trimmed before they were finished', async () => {
    await using world = await World.create(2);
    const store = memoryStore(),
      first = await world.open({}, store);
    await first.reader.events(2);
    await first.reader.stop();
    await first.source.close();
    await world.db.client.xtrim('items', 'MAXLEN', 0);
    await world.add(3);
    const { reader } = await world.open({}, store),
      { events, rejected } = await reader.events(1);
    expect(idsOf(events)).toEqual(['3']);
    expect(rejected).toHaveLength(2);
    expect(rejected[0]).toMatchObject({ input: '[]', error: { code: 'SOURCE_DATA_INVALID' } });
  });

  it('puts what is malformed aside with its fields: bytes that are no text, a field twice, no key', async () => {
    await using world = await World.create(0);
    const { client } = world.db;
    await client.xadd('items', '*', 'id', '1', 'name', Buffer.from([0xff]));
    await client.xadd('items', '*', 'id', '2', 'id', '3');
    await client.xadd('items', '*', 'name', 'nobody');
    await world.add(4);
    const { reader } = await world.open(),
      { events, rejected } = await reader.events(1);
    expect(idsOf(events)).toEqual(['4']);
    expect(rejected.map((r) => r.input)).toEqual([
      '[["id","1"],["name",{"base64":"/w=="}]]',
      '[["id","2"],["id","3"]]',
      '[["name","nobody"]]',
    ]);
    expect(rejected.every((r) => /^entry \d+-\d+ of items$/.test(r.at))).toBe(true);
  });

  it('begins anew at the first entry when somebody removed the group, also one that began at the end', async () => {
    await using world = await World.create(1);
    const store = memoryStore(),
      first = await world.open({ initial_position: 'latest' }, store),
      one = first.reader.events(1);
    await expect.poll(async () => ((await world.db.client.call('XINFO', 'GROUPS', 'items')) as unknown[]).length).toBe(1);
    await world.add(2);
    expect(idsOf((await one).events)).toEqual(['2']);
    await world.db.client.xgroup('DESTROY', 'items', GROUP);
    await expect(first.reader.next()).rejects.toMatchObject({ code: 'SOURCE_FAILED', retriable: true });
    const again = new Reader(first.source, { maxBatchEvents: 10 });
    // Entry 2 is still under way in this process.
    expect(idsOf((await again.events(1)).events)).toEqual(['1']);
    await again.stop();
  });
});
