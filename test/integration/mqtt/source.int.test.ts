// What the contract suite does not know of a session: what is in flight, shared and retained messages, rights, brokers that go away,
// fall silent, or give the session to somebody else.

import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { describe, expect, it } from 'vitest';
import type { ChangeEvent, Source } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/index.ts';
import { positionsAfter, Reader, testContext } from '../../../src/sdk/testing/reading.ts';
import type { MqttSourceConfig } from '../../../src/sources/mqtt/config.ts';
import { descriptor } from '../../../src/sources/mqtt/index.ts';
import { MqttPlace, mqttSourceConfig, skipReason } from '../../helpers/mqtt.ts';
import { OwnMosquitto } from '../../helpers/own-mosquitto.ts';
import { PostgresProxy } from '../../helpers/postgres-proxy.ts';

const idsOf = (events: readonly ChangeEvent[]): unknown[] => events.map((e) => e.after?.['id']);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** A session that waits for messages, and sources that are closed with it. */
class World implements AsyncDisposable {
  readonly place: MqttPlace;
  readonly clientId: string;
  readonly #sources: Source[] = [];
  readonly #readers: Reader[] = [];

  private constructor(place: MqttPlace, clientId: string) {
    this.place = place;
    this.clientId = clientId;
  }

  static async create(count: number, url?: string, qos: 1 | 2 = 1): Promise<World> {
    const place = await MqttPlace.open(url),
      world = new World(place, await place.session(`${place.prefix}/#`, 5, qos));
    await world.add(1, count, qos);
    return world;
  }

  async add(first: number, last = first, qos: 1 | 2 = 1): Promise<void> {
    for (let id = first; id <= last; id++) await this.place.publish('items', JSON.stringify({ id }), {}, qos);
  }

  async open(changes: Partial<MqttSourceConfig> = {}, url?: string): Promise<{ source: Source; reader: Reader }> {
    const { place, clientId } = this;
    const config = mqttSourceConfig(place.at(url), `${place.prefix}/#`, { client_id: clientId, key_fields: ['id'], ...changes }),
      source = await descriptor.create(config, testContext('mqtt', memoryStore())),
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

describe.skipIf((await skipReason()) !== null)('a session', () => {
  it.each([1, 2] as const)('gives no more than is in flight, and with QoS %i forgets nothing before it is acknowledged', async (qos) => {
    await using world = await World.create(60, undefined, qos);
    const { source, reader } = await world.open({ receive_maximum: 10, qos });
    await reader.events(10);
    const waiting = reader.next();
    expect(await Promise.race([waiting, sleep(400, 'nothing')])).toBe('nothing');
    await source.acknowledge(positionsAfter(reader.reading.batches));
    await waiting;
    // The broker may send more than the maximum now; we take twice as much at most.
    await sleep(300);
    expect(reader.reading.events.length).toBeLessThanOrEqual(30);
    await reader.stop();
    await source.close();
    const again = await world.open({ qos });
    expect(idsOf((await again.reader.events(50)).events)).toEqual(upTo(60).slice(10));
  });

  it('stays alive while a destination is slow for longer than its signs of life may take', { timeout: 30_000 }, async () => {
    await using world = await World.create(100);
    const { source, reader } = await world.open({ receive_maximum: 5, keepalive: 1000 });
    const seen: unknown[] = [];
    for (let round = 0; round < 3; round++) {
      const batch = await reader.next();
      seen.push(...idsOf(batch?.events ?? []));
      await sleep(2500);
      await source.acknowledge(positionsAfter(reader.reading.batches));
    }
    while (reader.reading.events.length < 100) {
      await reader.next();
      await source.acknowledge(positionsAfter(reader.reading.batches));
    }
    expect(idsOf(reader.reading.events)).toEqual(upTo(100));
  });

  it('is acknowledged after the reading was stopped, too, and read on by the next one', async () => {
    await using world = await World.create(5);
    const { source, reader } = await world.open();
    const { batches } = await reader.events(5);
    await reader.stop();
    await world.add(6, 7);
    const next = new Reader(source, { maxBatchEvents: 10 });
    expect(idsOf((await next.events(2)).events)).toEqual([6, 7]);
    await source.acknowledge(positionsAfter(batches));
    await next.stop();
    await source.close();
    const again = await world.open();
    expect(idsOf((await again.reader.events(2)).events)).toEqual([6, 7]);
  });

  it('takes topics by wildcards, and each its own table', async () => {
    await using world = await World.create(0);
    const { prefix } = world.place;
    const client_id = `${world.clientId}-w`,
      { reader } = await world.open({ client_id, topics: [`${prefix}/+/temperature`, `${prefix}/deep/#`] });
    const reading = reader.events(3);
    await sleep(200);
    for (const topic of ['a/temperature', 'b/temperature', 'deep/down/below']) await world.place.publish(topic, '{"id":1}');
    const tables = (await reading).events.map((e) => e.table.id.table);
    expect(new Set(tables)).toEqual(new Set([`${prefix}/a/temperature`, `${prefix}/b/temperature`, `${prefix}/deep/down/below`]));
  });

  it('shares messages among processes by a shared subscription', async () => {
    await using world = await World.create(0);
    const topics = [`$share/group/${world.place.prefix}/work`],
      open = (client_id: string) => world.open({ topics, client_id });
    const one = await open(`${world.clientId}-1`),
      two = await open(`${world.clientId}-2`);
    expect(one.source.exclusive).toBe(false);
    const both = Promise.all([one.reader.events(3), two.reader.events(3)]);
    await sleep(300);
    for (let id = 1; id <= 30; id++) await world.place.publish('work', JSON.stringify({ id }));
    const got = (await both).flatMap((r) => idsOf(r.events));
    expect(new Set(got).size).toBe(got.length);
  });

  it('brings retained messages, or leaves them out', async () => {
    await using world = await World.create(0);
    const { place } = world,
      topic = `${place.prefix}/state`,
      retained = (id: number): Promise<unknown> => place.client.publishAsync(topic, JSON.stringify({ id }), { qos: 1, retain: true });
    await retained(1);
    const fresh = await world.open({ client_id: `${world.clientId}-r`, topics: [topic] });
    expect(idsOf((await fresh.reader.events(1)).events)).toEqual([1]);
    const without = await world.open({ client_id: `${world.clientId}-i`, topics: [topic], retain: 'ignore' }),
      next = without.reader.events(1);
    await sleep(200);
    await retained(2);
    expect(idsOf((await next).events)).toEqual([2]);
    await place.client.publishAsync(topic, '', { qos: 1, retain: true });
  });

  it('puts aside what nobody understands, with its topic', async () => {
    await using world = await World.create(1);
    for (const body of ['no JSON', Buffer.from([0xff, 0xfe]), '[1]', '{"name":"no key"}']) await world.place.publish('bad', body);
    await world.add(2);
    const { reader } = await world.open(),
      { events, rejected } = await reader.events(2);
    expect(idsOf(events)).toEqual([1, 2]);
    expect(rejected).toHaveLength(4);
    expect(rejected[0]?.at).toContain(`${world.place.prefix}/bad`);
  });

  it('that somebody else takes ends the reading, and has lost nothing when it is ours again', async () => {
    await using world = await World.create(1);
    const { source, reader } = await world.open();
    await reader.events(1);
    const thief = await connectAsync(world.place.url, {
      clientId: world.clientId,
      protocolVersion: 5,
      reconnectPeriod: 0,
      clean: false,
      properties: { sessionExpiryInterval: 3600, receiveMaximum: 1 },
      manualConnect: false,
    });
    // Mosquitto closes the connection without a reason.
    await expect(reader.next()).rejects.toMatchObject({ retriable: true });
    thief.stream.destroy();
    await thief.endAsync(true);
    await world.add(2);
    const again = new Reader(source);
    expect(idsOf((await again.until((r) => idsOf(r.events).includes(2), 'message 2')).events)).toContain(2);
    await again.stop();
  });

  it('behind a line that falls silent is noticed, and read again in order', async () => {
    await using world = await World.create(3);
    await using proxy = await PostgresProxy.start(world.place.url);
    const { source, reader } = await world.open({ keepalive: 1000 }, proxy.through(world.place.url));
    await reader.events(3);
    proxy.isFrozen = true;
    await expect(reader.next()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    await proxy.close();
    proxy.isFrozen = false;
    await proxy.open();
    const again = new Reader(source);
    expect(idsOf((await again.events(3)).events)).toEqual([1, 2, 3]);
    await again.stop();
  });
});

describe.skipIf((await skipReason()) !== null)('a broker of its own', () => {
  it('that is down is named, and read when it is up again', async () => {
    await using broker = await OwnMosquitto.start();
    await using world = await World.create(3, broker.url);
    const { source, reader } = await world.open();
    await reader.events(3);
    await broker.end('SIGTERM');
    // Mosquitto says in MQTT 5 that it shuts down.
    await expect(reader.next()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    await expect(new Reader(source).next()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    await broker.start();
    const again = new Reader(source);
    expect(idsOf((await again.events(3)).events)).toEqual([1, 2, 3]);
    await again.stop();
  });
});
