// What can go wrong at RabbitMQ while we publish: queues that are gone or full, keys that no queue takes, a server that blocks
// publishers, permissions that are taken, connections that are half open.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RabbitmqConfig } from '../../../src/destinations/rabbitmq/config.ts';
import { descriptor } from '../../../src/destinations/rabbitmq/index.ts';
import type { Destination, Finding } from '../../../src/sdk/index.ts';
import { Events, item, laneBatch } from '../../../src/sdk/testing/index.ts';
import { timeOf } from '../../../src/sdk/testing/reading.ts';
import { failureOf } from '../../helpers/failure.ts';
import { OwnRabbitmq } from '../../helpers/own-rabbitmq.ts';
import { PostgresProxy } from '../../helpers/postgres-proxy.ts';
import { openReplica, STORED } from '../../helpers/postgresql-lane.ts';
import { RabbitPlace, rabbitmqConfig, skipReason } from '../../helpers/rabbitmq.ts';

const never = new AbortController().signal;

const open = (url: string, changes: Partial<RabbitmqConfig>): Promise<Destination> =>
  openReplica(rabbitmqConfig(url, changes), { descriptor });

async function findingsOf(destination: Destination): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of destination.check()) found.push(finding);
  await destination.close();
  return found;
}

const idsIn = async (place: RabbitPlace, queue?: string): Promise<number[]> =>
  (await place.drain(queue)).map(({ content }) => (JSON.parse(content.toString()) as { after: { id: number } }).after.id);

describe.skipIf((await skipReason()) !== null)('a server', () => {
  it('gets what a reader needs: key, id, time, type of content, on a queue that was made for it', async () => {
    await using place = await RabbitPlace.open();
    const { url, queue, exchange } = place,
      destination = await open(url, { queue, exchange, routing_key: 'cdc.{schema}.{table}' }),
      e = new Events(),
      created = e.create(item(1, 'a'));
    expect(await destination.write(laneBatch([created, e.remove(item(1, 'a'))]), never)).toEqual(STORED);
    const [first, second] = await place.drain();
    expect(first?.fields.routingKey).toBe('cdc.items');
    expect(first?.properties).toMatchObject({ messageId: created.id, contentType: 'application/json', deliveryMode: 2 });
    expect(first?.properties.headers).toMatchObject({ cdc_key: '{"id":1}' });
    expect(Math.abs(Number(first?.properties.timestamp) * 1000 - created.sourceTsMs)).toBeLessThan(1000);
    expect(second?.properties.messageId).not.toBe(first?.properties.messageId);
    await destination.close();
  });

  it('has the records of one event apart by their ids', async () => {
    await using place = await RabbitPlace.open();
    const destination = await open(place.url, { queue: place.queue }),
      events = [new Events().create(item(1, 'a'))],
      batch = laneBatch(events),
      records = batch.encoded();
    const twice = {
      ...records,
      event: Uint32Array.of(0, 0),
      topic: ['items', 'items'],
      key: [records.key[0] ?? null, null],
      value: [records.value[0] ?? null, null],
      headers: [null, { origin: 'shop' }],
      timestampMs: Float64Array.of(1, 1),
    };
    expect(await destination.write({ ...batch, encoded: () => twice }, never)).toEqual(STORED);
    const [row, tombstone] = await place.drain();
    expect(tombstone?.content.length).toBe(0);
    expect(tombstone?.properties).toMatchObject({ messageId: `${row?.properties.messageId}/2`, headers: { origin: 'shop' } });
    await destination.close();
  });

  it('takes an event from before 1970, and is not asked to take a header that it obeys', async () => {
    await using place = await RabbitPlace.open();
    const destination = await open(place.url, { queue: place.queue }),
      batch = laneBatch([1, 2].map((id) => new Events().create(item(id, 'a')))),
      odd = { ...batch.encoded(), timestampMs: Float64Array.of(-1000, 1000), headers: [null, { CC: 'other' }] },
      result = await destination.write({ ...batch, encoded: () => odd }, never);
    expect(result).toMatchObject({ kind: 'refused', failed: [{ index: 1 }] });
    expect(await destination.write({ ...batch, skip: new Set([1]), encoded: () => odd }, never)).toEqual(STORED);
    expect(await idsIn(place)).toEqual([1]);
    await destination.close();
  });

  it('whose queue was deleted gets a new one, and the batch in order', async () => {
    await using place = await RabbitPlace.open();
    const { queue, exchange, channel } = place,
      destination = await open(place.url, { queue, exchange }),
      e = new Events();
    expect(await destination.write(laneBatch([e.create(item(1, 'a'))]), never)).toEqual(STORED);
    await channel.deleteQueue(queue);
    expect(await destination.write(laneBatch([2, 3, 4].map((id) => e.create(item(id, 'b')))), never)).toEqual(STORED);
    expect(await idsIn(place)).toEqual([2, 3, 4]);
    await destination.close();
  });

  it('whose exchange was deleted: the batch is tried again with a new one, or the lane stops where nothing may be made', async () => {
    await using place = await RabbitPlace.open();
    const { queue, exchange, channel } = place,
      destination = await open(place.url, { queue, exchange }),
      e = new Events(),
      batch = laneBatch([e.create(item(1, 'a'))]);
    await destination.write(batch, never);
    await channel.deleteExchange(exchange);
    expect(await failureOf(destination.write(batch, never))).toMatchObject({ code: 'DESTINATION_MISCONFIGURED', retriable: true });
    expect(await destination.write(batch, never)).toEqual(STORED);
    await channel.deleteExchange(exchange);
    const strict = await open(place.url, { queue, exchange, declare: false });
    expect(await failureOf(strict.write(batch, never))).toMatchObject({ code: 'DESTINATION_MISCONFIGURED', retriable: false });
    await strict.close();
    await destination.close();
  });

  it('that has no queue for a key: the event is refused and named, or waited for', async () => {
    await using place = await RabbitPlace.open();
    const { queue, exchange } = place,
      settings = { queue, exchange, routing_key: '{table}', binding_key: 'items' },
      e = new Events(),
      other = new Events({ ...e.table, id: { ...e.table.id, table: 'strangers' } }),
      batch = laneBatch([e.create(item(1, 'a')), other.create(item(2, 'b')), e.create(item(3, 'c'))]);
    const destination = await open(place.url, settings);
    const result = await destination.write(batch, never);
    expect(result).toMatchObject({
      kind: 'partial',
      written: [0, 2],
      failed: [{ index: 1, error: { code: 'DESTINATION_EVENT_REJECTED' } }],
    });
    expect(await idsIn(place)).toEqual([1, 3]);
    await destination.close();
    const patient = await open(place.url, { ...settings, on_unroutable: 'wait' });
    const failure = await failureOf(patient.write(batch, never));
    expect(failure).toMatchObject({ code: 'DESTINATION_MISCONFIGURED', retriable: true });
    expect(failure.message).toContain('"strangers"');
    await place.drain();
    await place.channel.bindQueue(queue, exchange, 'strangers');
    expect(await patient.write(batch, never)).toEqual(STORED);
    expect(await idsIn(place)).toEqual([1, 2, 3]);
    await patient.close();
  });

  it('whose queue is full refuses, and takes the batch once there is room', async () => {
    await using place = await RabbitPlace.open();
    await place.makeQueue('classic', { 'x-max-length': 2, 'x-overflow': 'reject-publish' });
    const destination = await open(place.url, { queue: place.queue }),
      e = new Events(),
      batch = laneBatch([1, 2, 3].map((id) => e.create(item(id, 'a'))));
    expect(await failureOf(destination.write(batch, never))).toMatchObject({ code: 'DESTINATION_FULL', retriable: true });
    await place.drain();
    expect(await destination.write(laneBatch([e.create(item(4, 'b'))]), never)).toEqual(STORED);
    await destination.close();
  });

  it('is left within a second by who is stopped, also while nothing passes', async () => {
    await using place = await RabbitPlace.open();
    await using proxy = await PostgresProxy.start(place.url);
    const destination = await open(proxy.through(place.url), { queue: place.queue }),
      e = new Events();
    await destination.write(laneBatch([e.create(item(1, 'a'))]), never);
    proxy.isFrozen = true;
    const stop = new AbortController(),
      writing = failureOf(destination.write(laneBatch([e.create(item(2, 'b'))]), stop.signal));
    await new Promise((resolve) => setTimeout(resolve, 100));
    stop.abort();
    expect(await timeOf(writing)).toBeLessThan(1000);
    expect(await writing).toMatchObject({ retriable: true });
    proxy.isFrozen = false;
    expect(await destination.write(laneBatch([e.create(item(2, 'b'))]), never)).toEqual(STORED);
    await destination.close();
  });

  it('that falls silent is noticed by its heartbeat, and the batch is tried again', async () => {
    await using place = await RabbitPlace.open();
    await using proxy = await PostgresProxy.start(place.url);
    const destination = await open(proxy.through(place.url), { queue: place.queue, heartbeat: 1000 }),
      e = new Events();
    await destination.write(laneBatch([e.create(item(1, 'a'))]), never);
    proxy.isFrozen = true;
    expect(await failureOf(destination.write(laneBatch([e.create(item(2, 'b'))]), never))).toMatchObject({
      code: 'DESTINATION_UNREACHABLE',
      retriable: true,
    });
    proxy.isFrozen = false;
    expect(await destination.write(laneBatch([e.create(item(2, 'b'))]), never)).toEqual(STORED);
    await destination.close();
  });

  it('takes many large messages at once', async () => {
    await using place = await RabbitPlace.open();
    const destination = await open(place.url, { queue: place.queue }),
      e = new Events(),
      batch = laneBatch(Array.from({ length: 300 }, (_, i) => e.create(item(i, 'x'.repeat(200_000)))));
    expect(await destination.write(batch, never)).toEqual(STORED);
    expect(await place.count()).toBe(300);
    await destination.close();
  });
});

describe.skipIf((await skipReason()) !== null)('a server of its own', () => {
  let server: OwnRabbitmq;
  beforeAll(async () => {
    server = await OwnRabbitmq.start((port) => [`listeners.tcp.1 = 127.0.0.1:${port}`, 'max_message_size = 100000']);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('that blocks publishers is waited for, and the lane is told why', async () => {
    await using place = await RabbitPlace.open(server.url);
    const destination = await open(server.url, { queue: place.queue }),
      e = new Events(),
      batch = laneBatch([e.create(item(1, 'a'))]);
    expect(await destination.write(batch, never)).toEqual(STORED);
    await server.control('set_vm_memory_high_watermark', '0.00001');
    // The server says so once it is sent something, and reads no more: the batch waits.
    const writing = destination.write(batch, never);
    let isDone = false;
    void writing.then(() => {
      isDone = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(isDone).toBe(false);
    await server.control('set_vm_memory_high_watermark', 'absolute', '1GB');
    expect(await writing).toEqual(STORED);
    await server.control('set_vm_memory_high_watermark', '0.00001');
    const abort = new AbortController(),
      blocked = destination.write(batch, abort.signal);
    await new Promise((resolve) => setTimeout(resolve, 500));
    abort.abort();
    expect(await failureOf(blocked)).toMatchObject({ retriable: true });
    await server.control('set_vm_memory_high_watermark', 'absolute', '1GB');
    expect(await destination.write(batch, never)).toEqual(STORED);
    await destination.close();
  });

  it('that refuses a size has told it: the next call names the message', async () => {
    await using place = await RabbitPlace.open(server.url);
    const destination = await open(server.url, { queue: place.queue }),
      e = new Events(),
      batch = laneBatch([e.create(item(1, 'a')), e.create(item(2, 'x'.repeat(150_000)))]);
    expect(await failureOf(destination.write(batch, never))).toMatchObject({ retriable: true });
    expect(await destination.write(batch, never)).toMatchObject({ kind: 'refused', failed: [{ index: 1 }] });
    await destination.close();
  });

  it('tells a user what it may not do, before anything is written and while it is', async () => {
    await using place = await RabbitPlace.open(server.url);
    await place.makeQueue();
    await server.control('add_user', 'writer', 'secret');
    const as = Object.assign(new URL(server.url), { username: 'writer' }).href,
      { queue } = place,
      e = new Events(),
      batch = laneBatch([e.create(item(1, 'a'))]);
    expect(await failureOf((await open(as, { queue })).write(batch, never))).toMatchObject({ code: 'DESTINATION_FORBIDDEN' });
    await server.control('set_permissions', 'writer', '^$', '^$', '.*');
    const destination = await open(as, { queue });
    expect(await failureOf(destination.write(batch, never))).toMatchObject({ code: 'DESTINATION_FORBIDDEN', retriable: false });
    await server.control('set_permissions', 'writer', '^$', '^amq\\.default$', '.*');
    expect(await destination.write(batch, never)).toEqual(STORED);
    await server.control('set_permissions', 'writer', '^$', '^$', '.*');
    // The server remembers permissions of a channel for a while: a new one asks again.
    await server.control('close_all_connections', 'test');
    let failure = await failureOf(destination.write(batch, never));
    if (failure.retriable) failure = await failureOf(destination.write(batch, never));
    expect(failure).toMatchObject({ code: 'DESTINATION_FORBIDDEN' });
    await destination.close();
    const elsewhere = await findingsOf(await open(`${as}/nowhere`, { queue }));
    expect(elsewhere.filter((f) => f.level === 'error')).toMatchObject([{ code: 'DESTINATION_FORBIDDEN' }]);
  });
});
