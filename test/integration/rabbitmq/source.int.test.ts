// What the contract suite does not know of a queue: what is in flight, others that read it, deliveries that come too often, messages
// that nobody understands, a queue that is deleted, connections that are half open.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChangeEvent, Source } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/index.ts';
import { positionsAfter, Reader, readToEnd, testContext } from '../../../src/sdk/testing/reading.ts';
import type { RabbitmqSourceConfig } from '../../../src/sources/rabbitmq/config.ts';
import { descriptor } from '../../../src/sources/rabbitmq/index.ts';
import { failureOf } from '../../helpers/failure.ts';
import { OwnRabbitmq, QUEUE_IS_SAFE_MS } from '../../helpers/own-rabbitmq.ts';
import { PostgresProxy } from '../../helpers/postgres-proxy.ts';
import { RabbitPlace, rabbitmqSourceConfig, skipReason } from '../../helpers/rabbitmq.ts';

const idsOf = (events: readonly ChangeEvent[]): unknown[] => events.map((e) => e.after?.['id']);

/** A queue with messages 1 to `count`, and sources that are closed with it. */
class World implements AsyncDisposable {
  readonly place: RabbitPlace;
  readonly #sources: Source[] = [];
  readonly #readers: Reader[] = [];

  private constructor(place: RabbitPlace) {
    this.place = place;
  }

  static async create(count: number, url?: string, type: 'quorum' | 'classic' = 'quorum'): Promise<World> {
    const world = new World(await RabbitPlace.open(url));
    await world.place.makeQueue(type);
    await world.add(1, count);
    return world;
  }

  async add(first: number, last = first): Promise<void> {
    const { channel, queue } = this.place;
    for (let id = first; id <= last; id++)
      channel.sendToQueue(queue, Buffer.from(JSON.stringify({ id })), { persistent: true, messageId: `m${id}` });
    await this.place.count();
  }

  async open(changes: Partial<RabbitmqSourceConfig> = {}, store = memoryStore()): Promise<{ source: Source; reader: Reader }> {
    const config = rabbitmqSourceConfig(this.place.url, this.place.queue, { key_fields: ['id'], ...changes });
    const source = await descriptor.create(config, testContext('rabbitmq', store)),
      reader = new Reader(source, { maxBatchEvents: 10 });
    this.#sources.push(source);
    this.#readers.push(reader);
    return { source, reader };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const reader of this.#readers) await reader.stop().catch(() => undefined);
    for (const source of this.#sources) await source.close();
    await this.place[Symbol.asyncDispose]();
  }
}

describe.skipIf((await skipReason()) !== null)('a queue', () => {
  it('gives no more than `prefetch` until something is acknowledged, and forgets nothing before', async () => {
    await using world = await World.create(50);
    const { source, reader } = await world.open({ prefetch: 10 });
    const { batches } = await reader.events(10);
    const waiting = reader.next();
    expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 500, 'nothing'))])).toBe('nothing');
    expect(await world.place.count()).toBe(40);
    expect(await source.lag()).toMatchObject({ events: 50 });
    await source.acknowledge(positionsAfter(batches));
    await waiting;
    await reader.events(20);
    // Twenty are read and ten acknowledged: the others come again to the next one.
    await reader.stop();
    await source.close();
    await expect.poll(() => world.place.count()).toBe(40);
  });

  it('acknowledges up to a receipt and no further, once', async () => {
    await using world = await World.create(30);
    const { source, reader } = await world.open();
    const { events } = await reader.events(30);
    // Batches are as large as what had come by then.
    const upTo = (count: number) => ({ [world.place.queue]: (events[count - 1] as ChangeEvent).position });
    await source.acknowledge(upTo(20));
    await source.acknowledge(upTo(10));
    await source.acknowledge(upTo(20));
    await reader.stop();
    await source.close();
    await expect.poll(() => world.place.count()).toBe(10);
    const again = await world.open();
    expect(idsOf((await again.reader.events(10)).events)).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  });

  it('is acknowledged after the reading was stopped, too: what is delivered then is delivered', async () => {
    await using world = await World.create(5);
    const { source, reader } = await world.open();
    const { batches } = await reader.events(5);
    await reader.stop();
    await source.acknowledge(positionsAfter(batches));
    await source.close();
    expect(await world.place.count()).toBe(0);
  });

  it('is read on by the next reading of the same source, without a repeat', async () => {
    await using world = await World.create(5);
    const { source, reader } = await world.open();
    await reader.events(5);
    await reader.stop();
    await world.add(6, 8);
    const next = new Reader(source, { maxBatchEvents: 10 });
    expect(idsOf((await next.events(3)).events)).toEqual([6, 7, 8]);
    await next.stop();
  });

  it('shares its messages among consumers, each delivered once', async () => {
    await using world = await World.create(0);
    const one = await world.open({ prefetch: 5 }),
      two = await world.open({ prefetch: 5 });
    const both = Promise.all([one.reader.events(3), two.reader.events(3)]);
    await world.add(1, 40);
    const got = (await both).flatMap((r) => idsOf(r.events));
    expect(new Set(got).size).toBe(got.length);
  });

  it('is emptied by a run that ends, also one that is larger than what may be in flight', async () => {
    await using world = await World.create(95);
    const { source } = await world.open({ prefetch: 20 });
    const reader = new Reader(source, { until: {}, maxBatchEvents: 10 });
    for (let batch = await reader.next(); batch !== null; batch = await reader.next())
      await source.acknowledge({ [batch.partition]: batch.resume as never });
    expect(new Set(idsOf(reader.reading.events)).size).toBe(95);
    expect((await readToEnd(source)).events).toEqual([]);
  });

  it.each([
    { type: 'quorum' as const, most: 2, rejectedAt: 3 },
    { type: 'classic' as const, most: 1, rejectedAt: 2 },
  ])('gives up a message of a $type queue that was delivered more than $most times', async ({ type, most, rejectedAt }) => {
    await using world = await World.create(2, undefined, type);
    for (let time = 1; time < rejectedAt; time++) {
      const { source, reader } = await world.open({ max_deliveries: most });
      expect(idsOf((await reader.events(2)).events)).toEqual([1, 2]);
      await reader.stop();
      await source.close();
    }
    await expect.poll(() => world.place.count()).toBe(2);
    await world.add(3);
    const { source, reader } = await world.open({ max_deliveries: most });
    const { events, rejected, batches } = await reader.events(1);
    expect(idsOf(events)).toEqual([3]);
    expect(rejected.map((r) => Buffer.from(r.input).toString())).toEqual(['{"id":1}', '{"id":2}']);
    expect(rejected[0]?.at).toContain('id m1');
    await source.acknowledge(positionsAfter(batches));
    await reader.stop();
    await source.close();
    expect(await world.place.count()).toBe(0);
  });

  it('puts aside what nobody understands, and delivers the rest', async () => {
    await using world = await World.create(1);
    const { channel, queue } = world.place;
    for (const body of ['no JSON', Buffer.from([0xff, 0xfe]), '[1]', '{"name":"no key"}'])
      channel.sendToQueue(queue, Buffer.from(body), { headers: { a: { b: 1 }, n: 7 } });
    await world.add(2);
    const { reader } = await world.open(),
      { events, rejected } = await reader.events(2);
    expect(idsOf(events)).toEqual([1, 2]);
    expect(rejected).toHaveLength(4);
  });

  it('gives headers as texts, and the time and the id of the message', async () => {
    await using world = await World.create(0);
    const { channel, queue } = world.place;
    channel.sendToQueue(queue, Buffer.from('{"id":1}'), {
      headers: { text: 'a', number: 7, table: { b: [1] }, cdc_key: '{"id":1}' },
      timestamp: 1_700_000_000,
      messageId: 'first',
    });
    const { reader } = await world.open({ table_from: 'routing_key' }),
      [event] = (await reader.events(1)).events;
    expect(event?.headers).toEqual({ text: 'a', number: '7', table: '{"b":[1]}' });
    expect(event).toMatchObject({ sourceTsMs: 1_700_000_000_000, messageId: 'first', table: { id: { table: queue } } });
  });

  it('that is a stream is refused: it would hold nothing while nobody reads', async () => {
    await using place = await RabbitPlace.open();
    await place.channel.assertQueue(place.queue, { durable: true, arguments: { 'x-queue-type': 'stream' } });
    const source = await descriptor.create(rabbitmqSourceConfig(place.url, place.queue, { key_fields: ['id'] }), testContext('rabbitmq')),
      failing = failureOf(new Reader(source).next());
    // The server does not say whether somebody reads a stream.
    for (let isOver = false; !isOver; isOver = await Promise.race([failing.then(() => true), sleep(100, false)]))
      place.channel.sendToQueue(place.queue, Buffer.from('{"id":1}'), { persistent: true });
    expect(await failing).toMatchObject({ code: 'SOURCE_MISCONFIGURED', retriable: false });
    await source.close();
  });

  it('that is deleted ends the reading, which may be tried again and has a new queue then', async () => {
    await using world = await World.create(1);
    const { source, reader } = await world.open();
    await reader.events(1);
    await world.place.channel.deleteQueue(world.place.queue);
    await expect(reader.next()).rejects.toMatchObject({ code: 'SOURCE_FAILED', retriable: true });
    const again = new Reader(source),
      next = again.events(1);
    await expect.poll(() => world.place.has(world.place.queue)).toBe(true);
    await world.add(2);
    expect(idsOf((await next).events)).toEqual([2]);
    await again.stop();
  });

  it('behind a line that falls silent is noticed by its heartbeat, and read again in order', async () => {
    await using world = await World.create(3);
    await using proxy = await PostgresProxy.start(world.place.url);
    const { source, reader } = await world.open({ url: proxy.through(world.place.url), heartbeat: 1000 });
    const { batches } = await reader.events(3);
    proxy.isFrozen = true;
    await expect(reader.next()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    // Of a channel that is gone: nobody is told.
    await source.acknowledge(positionsAfter(batches));
    await proxy.close();
    proxy.isFrozen = false;
    await proxy.open();
    const again = new Reader(source);
    expect(idsOf((await again.events(3)).events)).toEqual([1, 2, 3]);
    await again.stop();
  });
});

describe.skipIf((await skipReason()) !== null)('a server of its own', () => {
  let server: OwnRabbitmq;
  beforeAll(async () => {
    server = await OwnRabbitmq.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('that is down is named, and read when it is up again', async () => {
    await using world = await World.create(3, server.url);
    const { source, reader } = await world.open();
    await reader.events(3);
    await new Promise((resolve) => setTimeout(resolve, QUEUE_IS_SAFE_MS));
    await server.kill();
    await expect(reader.next()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    await expect(new Reader(source).next()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    await server.start();
    const again = new Reader(source);
    expect(idsOf((await again.events(3)).events)).toEqual([1, 2, 3]);
    await again.stop();
  });

  it('tells a user what it may not do', async () => {
    await using world = await World.create(1, server.url);
    await server.control('add_user', 'reader', 'secret');
    const url = Object.assign(new URL(server.url), { username: 'reader' }).href;
    await expect((await world.open({ url })).reader.next()).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN', retriable: false });
    await server.control('set_permissions', 'reader', '^$', '^$', '^$');
    await expect((await world.open({ url })).reader.next()).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    await server.control('set_permissions', 'reader', '^$', '^$', '.*');
    expect(idsOf((await (await world.open({ url })).reader.events(1)).events)).toEqual([1]);
  });
});
