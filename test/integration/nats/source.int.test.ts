// What can go wrong while we read from NATS, on servers that the test may break.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ChangeBatch, Finding, Source } from '../../../src/sdk/index.ts';
import { Reader, testContext } from '../../../src/sdk/testing/reading.ts';
import type { NatsSourceConfig } from '../../../src/sources/nats/config.ts';
import { descriptor } from '../../../src/sources/nats/index.ts';
import { eventually } from '../../helpers/eventually.ts';
import { failureOf } from '../../helpers/failure.ts';
import { NatsPlace, natsProxy, natsServers, natsSourceConfig } from '../../helpers/nats.ts';
import { OwnNats } from '../../helpers/own-nats.ts';

const SUBJECT = 'cdc.events',
  STREAM = 'CDC_EVENTS',
  CONSUMER = 'cdc_run_contract';

const open = (url: string, changes: Partial<NatsSourceConfig> = {}, context = testContext('nats')): Promise<Source> =>
  descriptor.create(natsSourceConfig(url, { subject: SUBJECT, key_fields: ['id'], ...changes }), context) as Promise<Source>;

async function publish(place: NatsPlace, from: number, count: number): Promise<void> {
  for (let id = from; id < from + count; id++) await place.nc.request(SUBJECT, JSON.stringify({ id }), { timeout: 5000 });
}

const idsOf = (batches: readonly ChangeBatch[]): number[] => batches.flatMap((b) => b.events.map((e) => e.get('after', 'id') as number));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

async function findingsOf(source: Source): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of source.check()) found.push(finding);
  await source.close();
  return found;
}

describe.skipIf((await natsServers('nats')).length === 0)('a source', () => {
  it('holds what a slow destination has, within bounds, and acknowledges nothing of it early', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT] });
    await publish(place, 1, 300);
    const source = await open(server.url, { ack_wait: 1200, max_ack_pending: 100 }),
      reader = new Reader(source, { maxBatchEvents: 40 });
    const first = await reader.events(80);
    // More than twice as long as the server waits for an acknowledgement.
    await sleep(3000);
    const { num_ack_pending, num_redelivered, ack_floor } = await place.jsm.consumers.info(STREAM, CONSUMER);
    expect(num_ack_pending).toBeLessThanOrEqual(100);
    expect({ num_redelivered, acknowledged: ack_floor.stream_seq }).toEqual({ num_redelivered: 0, acknowledged: 0 });
    const acknowledging = (async () => {
      for (let done = 0; done < 300; await sleep(10)) {
        const batch = first.batches.at(-1);
        if (batch !== undefined) await source.acknowledge({ [batch.partition]: batch.resume as never });
        done = first.events.length;
      }
    })();
    await reader.events(300);
    await acknowledging;
    expect(idsOf(first.batches)).toEqual(upTo(300));
    await reader.stop();
    await source.close();
  });

  it('whose process was killed gets what it had first, in order, and then what is new', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    const context = testContext('nats');
    await using proxy = await natsProxy(server.url);
    const killed = await open(proxy.through(server.url), { ack_wait: 1500 }, context);
    const dead = new Reader(killed);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT] });
    await publish(place, 1, 50);
    await dead.events(50);
    // From here on it can neither keep its messages nor give them back.
    await proxy.close();
    await failureOf(dead.events(51));
    await publish(place, 51, 20);
    const source = await open(server.url, { ack_wait: 1500 }, context);
    const reader = new Reader(source);
    const { batches } = await reader.events(70);
    expect(idsOf(batches)).toEqual(upTo(70));
    await reader.stop();
    await source.close();
    await killed.close();
  });

  it('whose consumer is deleted says so, and begins anew at the first message', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    const source = await open(server.url),
      reader = new Reader(source);
    const waiting = reader.next();
    await eventually(async () => (await place.jsm.consumers.info(STREAM, CONSUMER).catch(() => null)) !== null);
    await publish(place, 1, 3);
    await waiting;
    await reader.events(3);
    const failing = failureOf(reader.events(4));
    await sleep(200);
    await place.jsm.consumers.delete(STREAM, CONSUMER);
    expect(await failing).toMatchObject({ code: 'SOURCE_FAILED', retriable: true });
    const again = new Reader(source);
    expect(idsOf((await again.events(3)).batches)).toEqual([1, 2, 3]);
    await again.stop();
    await source.close();
  });

  it('whose stream is deleted says so, and goes on with the stream that it makes', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    const source = await open(server.url),
      reader = new Reader(source);
    const waiting = failureOf(reader.next());
    await eventually(async () => (await place.jsm.consumers.info(STREAM, CONSUMER).catch(() => null)) !== null);
    await sleep(200);
    await place.jsm.streams.delete(STREAM);
    expect(await waiting).toMatchObject({ retriable: true });
    const again = new Reader(source);
    const coming = again.events(1);
    await eventually(async () => (await place.jsm.consumers.info(STREAM, CONSUMER).catch(() => null)) !== null);
    await publish(place, 1, 1);
    expect(idsOf((await coming).batches)).toEqual([1]);
    await again.stop();
    await source.close();
  });

  it('puts aside what cannot be read, and what is delivered too often', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT] });
    await publish(place, 1, 1);
    for (const poison of ['no JSON', '[1]', '{"no": "key"}', '\xff\xfe']) await place.nc.request(SUBJECT, poison, { timeout: 5000 });
    const context = testContext('nats');
    // Two sessions that get everything and finish nothing.
    for (let n = 0; n < 2; n++) {
      const source = await open(server.url, { max_deliveries: 2 }, context),
        reader = new Reader(source);
      await reader.until((r) => r.events.length + r.rejected.length >= 5, 'all');
      await reader.stop();
      await source.close();
    }
    const source = await open(server.url, { max_deliveries: 2 }, context),
      reader = new Reader(source);
    const { rejected, batches } = await reader.until((r) => r.rejected.length >= 5, 'all');
    expect(idsOf(batches)).toEqual([]);
    expect(rejected.map((r) => r.error.message)).toEqual(Array(5).fill('The message was delivered 3 times and never finished.'));
    const last = batches.at(-1) as ChangeBatch;
    await source.acknowledge({ [last.partition]: last.resume as never });
    expect(await place.jsm.consumers.info(STREAM, CONSUMER)).toMatchObject({ num_ack_pending: 0, num_pending: 0 });
    await reader.stop();
    await source.close();
  });

  it('behind a cable that was pulled fails in time, and goes on without a gap', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await using proxy = await natsProxy(server.url);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT] });
    const source = await open(proxy.through(server.url), { ack_wait: 1000, request_timeout: 1000 }),
      reader = new Reader(source);
    await publish(place, 1, 5);
    const { batches } = await reader.events(5);
    const failing = failureOf(reader.events(10));
    proxy.isFrozen = true;
    await publish(place, 6, 5);
    expect(await failing).toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    proxy.isFrozen = false;
    const again = new Reader(source);
    // What was handed over is still under way: it is not handed over twice.
    expect(idsOf((await again.events(5)).batches).sort((a, b) => a - b)).toEqual([6, 7, 8, 9, 10]);
    await source.acknowledge({ [STREAM]: again.reading.batches.at(-1)?.resume as never });
    expect(idsOf(batches)).toEqual(upTo(5));
    await eventually(async () => (await place.jsm.consumers.info(STREAM, CONSUMER)).num_ack_pending === 0);
    await again.stop();
    await source.close();
  });

  it('gives the message id of the producer, also where the server keeps both copies', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT], duplicate_window: 100_000_000 });
    const { headers } = await import('@nats-io/transport-node');
    for (let n = 0; n < 2; n++) {
      const own = headers();
      own.set('Nats-Msg-Id', 'one');
      await place.nc.request(SUBJECT, '{"id":1}', { timeout: 5000, headers: own });
      await sleep(400);
    }
    const source = await open(server.url),
      reader = new Reader(source);
    const { events } = await reader.events(2);
    expect(events.map((e) => e.messageId)).toEqual(['one', 'one']);
    await reader.stop();
    await source.close();
  });

  it('whose login is taken away says so', async () => {
    await using server = await OwnNats.start({ login: 'cdc:one', settings: ['authorization: {users: [{user: cdc, password: one}]}'] });
    const source = await open(server.url),
      reader = new Reader(source);
    const waiting = failureOf(reader.next());
    await sleep(500);
    server.reload(['authorization: {users: [{user: cdc, password: two}]}']);
    await waiting;
    expect(await failureOf(new Reader(source).next())).toMatchObject({ code: 'SOURCE_FORBIDDEN', retriable: false });
    await source.close().catch(() => undefined);
  });

  it('does not take the messages of a new consumer for those of one of its name that was there', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT] });
    await publish(place, 1, 3);
    const source = await open(server.url),
      reader = new Reader(source);
    await reader.events(3);
    const failing = failureOf(reader.events(4));
    await sleep(200);
    const { config } = await place.jsm.consumers.info(STREAM, CONSUMER);
    await place.jsm.streams.delete(STREAM);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT] });
    await place.jsm.consumers.add(STREAM, config);
    await failing;
    await publish(place, 11, 3);
    const again = new Reader(source);
    expect(idsOf((await again.events(3)).batches)).toEqual([11, 12, 13]);
    await again.stop();
    await source.close();
  });

  it('reads through a consumer that allows small and short requests', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT] });
    const own = { ack_policy: 'explicit', filter_subject: SUBJECT, max_batch: 2, max_expires: 200_000_000 } as const;
    await place.jsm.consumers.add(STREAM, { durable_name: CONSUMER, ...own });
    const source = await open(server.url),
      reader = new Reader(source),
      coming = reader.events(5);
    // Several requests end with nothing before.
    await sleep(700);
    await publish(place, 1, 5);
    expect(idsOf((await coming).batches)).toEqual(upTo(5));
    await reader.stop();
    await source.close();
  });

  it('of a stream that keeps the places of lanes does not take them for messages', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT, 'cdc_run.point.a.b'] });
    const { subject: _, ...config } = natsSourceConfig(server.url, { subject: SUBJECT, stream: STREAM, key_fields: ['id'] }),
      source = (await descriptor.create(config, testContext('nats'))) as Source;
    await publish(place, 1, 1);
    await place.nc.request('cdc_run.point.a.b', '{"id": 7}', { timeout: 5000 });
    await publish(place, 2, 1);
    const reader = new Reader(source),
      { batches, rejected } = await reader.events(2);
    expect({ ids: idsOf(batches), rejected }).toEqual({ ids: [1, 2], rejected: [] });
    await source.acknowledge({ [STREAM]: batches.at(-1)?.resume as never });
    await eventually(async () => (await place.jsm.consumers.info(STREAM, CONSUMER)).num_ack_pending === 0);
    await reader.stop();
    await source.close();
  });

  it('refuses a stream that lets each message go to one consumer, where another has it', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await place.jsm.streams.add({ name: STREAM, subjects: [SUBJECT], retention: 'workqueue' });
    await place.jsm.consumers.add(STREAM, { durable_name: 'other', ack_policy: 'explicit' });
    const source = await open(server.url);
    expect(await failureOf(new Reader(source).next())).toMatchObject({ code: 'SOURCE_MISCONFIGURED', retriable: false });
    await place.jsm.consumers.delete(STREAM, 'other');
    await publish(place, 1, 2);
    const reader = new Reader(source),
      { batches } = await reader.events(2);
    await source.acknowledge({ [STREAM]: batches.at(-1)?.resume as never });
    await eventually(async () => (await place.jsm.streams.info(STREAM)).state.messages === 0);
    await reader.stop();
    await source.close();
  });

  it('refuses a consumer that pushes, that acknowledges otherwise, that filters otherwise, or that leaves out the payload', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await place.jsm.streams.add({ name: STREAM, subjects: ['cdc.>'] });
    await place.jsm.consumers.add(STREAM, { durable_name: 'none', ack_policy: 'none' });
    await place.jsm.consumers.add(STREAM, { durable_name: 'push', ack_policy: 'explicit', deliver_subject: 'x' });
    await place.jsm.consumers.add(STREAM, { durable_name: 'other', ack_policy: 'explicit', filter_subject: 'cdc.other' });
    await place.jsm.consumers.add(STREAM, { durable_name: 'all', ack_policy: 'explicit' });
    await place.jsm.consumers.add(STREAM, { durable_name: 'empty', ack_policy: 'explicit', filter_subject: SUBJECT, headers_only: true });
    for (const durable_name of ['none', 'push', 'other', 'all', 'empty']) {
      const source = await open(server.url, { durable_name });
      expect(await failureOf(new Reader(source).next())).toMatchObject({
        code: 'SOURCE_MISCONFIGURED',
        where: 'source "nats"',
        retriable: false,
      });
      expect((await findingsOf(source)).some((f) => f.level === 'error')).toBe(true);
    }
  });

  it('of core NATS reads what is published while it listens, and leaves out what comes too fast', async () => {
    await using server = await OwnNats.start({ isCore: true });
    await using place = await NatsPlace.at(server.url);
    const source = await open(server.url, { mode: 'core', max_ack_pending: 10 }),
      reader = new Reader(source);
    const first = reader.next();
    await sleep(300);
    place.nc.publish(SUBJECT, '{"id": 1}');
    await place.nc.flush();
    expect(idsOf([(await first) as ChangeBatch])).toEqual([1]);
    for (let id = 2; id < 100; id++) place.nc.publish(SUBJECT, JSON.stringify({ id }));
    await place.nc.flush();
    await sleep(300);
    expect(idsOf([(await reader.next()) as ChangeBatch])).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect((await findingsOf(await open(server.url, { mode: 'core' }))).some((f) => f.level === 'warning')).toBe(true);
    await reader.stop();
    await source.close();
  });
});
