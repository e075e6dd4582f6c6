// What can go wrong at a NATS server while we write, on servers that the test may break.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { natsHandshake } from '../../../scripts/services/nats-handshake.ts';
import type { NatsDestinationConfig } from '../../../src/destinations/nats/config.ts';
import { descriptor } from '../../../src/destinations/nats/index.ts';
import {
  additiveOnly,
  CdcError,
  type ChangeEvent,
  type Finding,
  type PointHoldingDestination,
  silentLogger,
  systemClock,
  systemRandom,
} from '../../../src/sdk/index.ts';
import { Events, item, laneBatch, pointAt } from '../../../src/sdk/testing/index.ts';
import { deliver } from '../../helpers/deliver.ts';
import { eventually } from '../../helpers/eventually.ts';
import { failureOf } from '../../helpers/failure.ts';
import { NatsPlace, natsDestinationConfig, natsProxy, natsServers } from '../../helpers/nats.ts';
import { OwnNats } from '../../helpers/own-nats.ts';
import { LANE, Lane, openReplica, STORED } from '../../helpers/postgresql-lane.ts';

const never = new AbortController().signal;
const SMALL = { subject: 'out.{table}' };
const join = (url: string, changes: Partial<NatsDestinationConfig> = {}, epoch = 1): Promise<Lane> =>
  Lane.join(natsDestinationConfig(url, { ...SMALL, ...changes }), { descriptor, epoch });

/** Tries what may be tried again. */
async function insist(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CdcError) || !error.retriable) throw error;
      await sleep(20);
    }
  }
}

const idsIn = async (place: NatsPlace, stream = 'OUT'): Promise<number[]> =>
  (await place.messages(stream)).map(({ data }) => (JSON.parse(Buffer.from(data).toString()) as { after: { id: number } }).after.id);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

async function findingsOf(config: NatsDestinationConfig): Promise<Finding[]> {
  const destination = await openReplica(config, { descriptor }),
    found: Finding[] = [];
  for await (const finding of destination.check()) found.push(finding);
  await destination.close();
  return found;
}

/** Writes batches while the server is killed again and again; how many events there were. */
async function writeOverKills(server: OwnNats, lane: Lane, size: number, isTracked: boolean): Promise<number> {
  const e = new Events();
  let isOver = false,
    count = 0,
    { point } = lane;
  const killing = (async () => {
    for (let kills = 0; kills < 6; kills++) {
      await sleep(150);
      await server.kill();
      await server.start();
    }
    isOver = true;
  })();
  while (!isOver) {
    const events = Array.from({ length: size }, () => e.create(item(++count, 'x'.repeat(100))));
    const batch = laneBatch(events, { previous: point, epoch: lane.epoch });
    await deliver(lane.destination, batch, isTracked);
    point = batch.through;
  }
  await killing;
  return count;
}

describe.skipIf((await natsServers('nats')).length === 0)('a server', () => {
  it.each([
    ['in one step', 300],
    ['in parts', 1500],
  ])('that is killed again and again loses nothing and doubles nothing of batches that go %s', async (_, size) => {
    await using server = await OwnNats.start();
    await using lane = await join(server.url);
    const count = await writeOverKills(server, lane, size, true);
    await using place = await NatsPlace.at(server.url);
    expect(await idsIn(place)).toEqual(upTo(count));
  });

  it('that is killed again and again loses nothing that goes message by message, and keeps the order of each first arrival', async () => {
    await using server = await OwnNats.start();
    const destination = await openReplica(natsDestinationConfig(server.url, { ...SMALL, atomic: false }), { descriptor });
    const count = await writeOverKills(server, new Lane(destination, 1), 300, false);
    await destination.close();
    await using place = await NatsPlace.at(server.url);
    expect([...new Set(await idsIn(place))]).toEqual(upTo(count));
  });

  it('that loses the answer in the midst of the parts of a batch has each event once', async () => {
    await using server = await OwnNats.start();
    await using proxy = await natsProxy(server.url, { isCommit: (chunk) => chunk.includes('Nats-Batch-Commit') });
    await using lane = await join(proxy.through(server.url));
    const e = new Events(),
      batch = lane.batch(upTo(2500).map((id) => e.create(item(id, 'x'))));
    for (const cut of ['after', 'before', 'after'] as const) {
      proxy.cutNextCommit = cut;
      await lane.destination.write(batch, never).catch(() => undefined);
    }
    await deliver(lane.destination, batch);
    await using place = await NatsPlace.at(server.url);
    expect(await idsIn(place)).toEqual(upTo(2500));
  });

  it('brings a batch over once, in whatever portions it comes after a crash between its parts', async () => {
    await using server = await OwnNats.start();
    await using proxy = await natsProxy(server.url, { isCommit: (chunk) => chunk.includes('Nats-Batch-Commit') });
    const e = new Events(),
      events = upTo(2500).map((id) => e.create(item(id, 'x')));
    {
      await using first = await join(proxy.through(server.url));
      proxy.cutNextCommit = 'after';
      await failureOf(first.destination.write(first.batch(events), never));
    }
    await using again = await join(server.url, {}, 2);
    for (const [from, to] of [
      [0, 400],
      [400, 1100],
      [1100, 2500],
    ] as const)
      expect(await again.write(events.slice(from, to))).toEqual(STORED);
    await using place = await NatsPlace.at(server.url);
    expect(await idsIn(place)).toEqual(upTo(2500));
  });

  it('that takes smaller batches than others gets smaller ones', async () => {
    await using server = await OwnNats.start({ jetStream: 'limits: {batch: {max_msgs: 100}}' });
    await using lane = await join(server.url);
    const e = new Events();
    expect(await lane.write(upTo(250).map((id) => e.create(item(id, 'x'))))).toEqual(STORED);
    await using place = await NatsPlace.at(server.url);
    expect(await idsIn(place)).toEqual(upTo(250));
  });

  it('takes events that it has seen, when they are sent again on purpose', async () => {
    await using server = await OwnNats.start();
    await using lane = await join(server.url);
    const e = new Events(),
      events = upTo(3).map((id) => e.create(item(id, 'x')));
    const begin = lane.point;
    expect(await lane.write(events)).toEqual(STORED);
    await lane.destination.setPoints(LANE, 1, [begin]);
    lane.point = begin;
    expect(await lane.write(events)).toEqual(STORED);
    await using place = await NatsPlace.at(server.url);
    expect(await idsIn(place)).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('that is down at the start, and later comes up, is unreachable until then', async () => {
    await using server = await OwnNats.start();
    await server.kill();
    const error = await failureOf(join(server.url));
    expect(error).toMatchObject({ code: 'DESTINATION_UNREACHABLE', retriable: true });
    await server.start();
    await (await join(server.url)).destination.close();
  });

  it('whose stream is full and discards new messages takes nothing of a batch, and all of it once there is room', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    for (const atomic of [true, false]) {
      const subject = `full${atomic}.{table}`,
        stream = `FULL${String(atomic).toUpperCase()}`;
      const defaults = { storage: 'file', replicas: 1, max_age: 0, discard: 'new', duplicate_window: 120_000, max_messages: 10 } as const;
      const lane = atomic
        ? await join(server.url, { subject, stream_defaults: defaults })
        : new Lane(await openReplica(natsDestinationConfig(server.url, { subject, atomic, stream_defaults: defaults }), { descriptor }), 1);
      const e = new Events(),
        few = upTo(5).map((id) => e.create(item(id, 'x'))),
        many = upTo(8).map((id) => e.create(item(id + 5, 'x')));
      expect(await lane.write(few)).toEqual(STORED);
      expect(await failureOf(lane.write(many))).toMatchObject({ code: 'DESTINATION_FULL', retriable: true });
      if (atomic) expect(await idsIn(place, stream)).toEqual(upTo(5));
      await place.jsm.streams.update(stream, { max_msgs: 1000 });
      expect(await lane.write(many)).toEqual(STORED);
      const ids = await idsIn(place, stream);
      // Message by message: what was stored before the refusal may be there twice, and the last word of each is in order.
      expect(atomic ? ids : [...new Set(ids)]).toEqual(upTo(13));
      await lane.destination.close();
    }
  });

  it('whose stream was deleted stops a lane that kept its place there; message by message the stream is made again', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    const e = new Events();
    await using lane = await join(server.url);
    expect(await lane.write([e.create(item(1, 'x'))])).toEqual(STORED);
    await place.jsm.streams.delete('OUT');
    expect(await failureOf(lane.write([e.create(item(2, 'x'))]))).toMatchObject({ code: 'DESTINATION_POSITION_LOST', retriable: false });

    const config = natsDestinationConfig(server.url, { subject: 'loose.{table}', atomic: false });
    await using loose = new Lane(await openReplica(config, { descriptor }), 1);
    expect(await loose.write([e.create(item(1, 'x'))])).toEqual(STORED);
    await place.jsm.streams.delete('LOOSE');
    const batch = loose.batch([e.create(item(2, 'x'))]);
    await deliver(loose.destination, batch, false);
    expect(await idsIn(place, 'LOOSE')).toEqual([2]);
  });

  it('that takes the login away says so, and the lane stops', async () => {
    await using server = await OwnNats.start({ login: 'cdc:one', settings: ['authorization: {users: [{user: cdc, password: one}]}'] });
    const { url } = server,
      e = new Events();
    for (const atomic of [true, false]) {
      const lane = atomic
        ? await join(url)
        : new Lane(await openReplica(natsDestinationConfig(url, { subject: 'b.{table}', atomic }), { descriptor }), 1);
      expect(await lane.write([e.create(item(1, 'x'))])).toEqual(STORED);
      server.reload(['authorization: {users: [{user: cdc, password: two}]}']);
      await eventually(
        async () => (await failureOf(lane.write([e.create(item(2, 'x'))]))).code === 'DESTINATION_FORBIDDEN',
        'the login is refused',
      );
      server.reload(['authorization: {users: [{user: cdc, password: one}]}']);
      await eventually(async () => (await natsHandshake(url)) !== null, 'the login is there again');
      await lane.destination.close();
    }
  });

  it('that denies a subject says which', async () => {
    const permissions = 'permissions: {publish: ["$JS.API.>", "cdc_run.>", "_INBOX.>"], subscribe: ["_INBOX.>"]}';
    await using server = await OwnNats.start({
      login: 'cdc:one',
      settings: [`authorization: {users: [{user: cdc, password: one, ${permissions}}]}`],
    });
    const { url } = server,
      e = new Events();
    const destination = await openReplica(natsDestinationConfig(url, { ...SMALL, atomic: false }), { descriptor });
    const error = await failureOf(destination.write(laneBatch([e.create(item(1, 'x'))]), never));
    expect(error).toMatchObject({ code: 'DESTINATION_FORBIDDEN', message: expect.stringContaining('out.items') });
    await destination.close();
  });

  it('behind a cable that was pulled is given up in time, and has each event once afterwards', async () => {
    await using server = await OwnNats.start();
    await using proxy = await natsProxy(server.url);
    await using lane = await join(proxy.through(server.url));
    const e = new Events(),
      batch = lane.batch(upTo(10).map((id) => e.create(item(id, 'x'))));
    proxy.isFrozen = true;
    expect(await failureOf(lane.destination.write(batch, never))).toMatchObject({ code: 'DESTINATION_OUTCOME_UNKNOWN', retriable: true });
    proxy.isFrozen = false;
    await deliver(lane.destination, batch);
    await using place = await NatsPlace.at(server.url);
    expect(await idsIn(place)).toEqual(upTo(10));
  });

  it('of another cluster than the one that is asked for is refused', async () => {
    await using server = await OwnNats.start({
      isCore: true,
      settings: ['server_name: one', 'cluster: {name: test, listen: "127.0.0.1:-1"}'],
    });
    const found = await findingsOf(natsDestinationConfig(server.url, { ...SMALL, cluster_id: 'prod' }));
    expect(found).toMatchObject([{ level: 'error', code: 'DESTINATION_MISCONFIGURED', message: expect.stringContaining('"test"') }]);
  });

  it('without JetStream is refused, with what to do', async () => {
    await using server = await OwnNats.start({ isCore: true });
    const [finding] = await findingsOf(natsDestinationConfig(server.url, SMALL));
    expect(finding).toMatchObject({ level: 'error', message: expect.stringContaining('no JetStream') });
  });

  it('keeps the place of messages that grow old', async () => {
    await using server = await OwnNats.start();
    const aged = { storage: 'file', replicas: 1, max_age: 1000, discard: 'old', duplicate_window: 1000 } as const;
    await using lane = await join(server.url, { stream_defaults: aged });
    const e = new Events(),
      before = lane.point;
    expect(await lane.write([e.create(item(1, 'x'))])).toEqual(STORED);
    await sleep(2500);
    await using place = await NatsPlace.at(server.url);
    expect(await idsIn(place)).toEqual([]);
    const found = await lane.destination.committed(LANE);
    expect(found).toMatchObject({ kind: 'points', points: [lane.point] });
    expect(lane.point).not.toEqual(before);
  });

  it('with a stream of somebody else is given what is needed, or refused where that may not be', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await place.jsm.streams.add({ name: 'OUT', subjects: ['out.>'] });
    expect(await failureOf(join(server.url, { create_stream: false }))).toMatchObject({
      code: 'DESTINATION_MISCONFIGURED',
      message: expect.stringContaining('allow_atomic'),
    });
    await (await join(server.url)).destination.close();
    expect((await place.jsm.streams.info('OUT')).config).toMatchObject({ allow_atomic: true, subjects: ['out.>', expect.any(String)] });
    await place.jsm.streams.add({ name: 'QUEUE', subjects: ['queue.>'], retention: 'workqueue' });
    await place.jsm.streams.add({ name: 'MUTE', subjects: ['mute.>'], no_ack: true });
    await place.jsm.streams.add({ name: 'TURN', subjects: ['turn.>'], subject_transform: { src: '>', dest: 'x.>' } });
    for (const name of ['queue', 'mute', 'turn']) {
      const error = await failureOf(join(server.url, { subject: `${name}.{table}` }));
      expect(error).toMatchObject({ code: 'DESTINATION_MISCONFIGURED', retriable: false });
    }
    const mute = new Lane(
      await openReplica(natsDestinationConfig(server.url, { subject: 'mute.{table}', atomic: false }), { descriptor }),
      1,
    );
    expect(await failureOf(mute.write([new Events().create(item(1, 'x'))]))).toMatchObject({ code: 'DESTINATION_MISCONFIGURED' });
    await mute.destination.close();
  });

  it('with a stream that several pipelines make at the same moment serves all of them', async () => {
    await using server = await OwnNats.start();
    const clocks = { logger: silentLogger, clock: systemClock, random: systemRandom, schemaEvolution: additiveOnly },
      config = natsDestinationConfig(server.url, SMALL),
      pipelines = ['a', 'b', 'c', 'd'],
      lanes = await Promise.all(
        pipelines.map(async (pipeline) => {
          const destination = (await descriptor.create(config, { ...clocks, pipeline, name: 'bus' })) as PointHoldingDestination;
          // Connected: from here on nothing keeps them apart.
          expect(await destination.committed({ pipeline, lane: 'bus' })).toMatchObject({ kind: 'empty' });
          return destination;
        }),
      );
    await Promise.all(
      lanes.map((destination, i) =>
        insist(() => destination.setPoints({ pipeline: pipelines[i] as string, lane: 'bus' }, 1, [pointAt(0)])),
      ),
    );
    const e = new Events();
    for (const [i, destination] of lanes.entries())
      await insist(async () => {
        const batch = laneBatch([e.create(item(i + 1, 'x'))], { previous: pointAt(0), epoch: 1 });
        expect(await destination.write(batch, never)).toEqual(STORED);
      });
    await using place = await NatsPlace.at(server.url);
    expect(await idsIn(place)).toEqual([1, 2, 3, 4]);
    await Promise.all(lanes.map((d) => d.close()));
  });

  it('whose stream loses the subject of the place gives it back', async () => {
    await using server = await OwnNats.start();
    await using place = await NatsPlace.at(server.url);
    await using lane = await join(server.url);
    const e = new Events();
    expect(await lane.write([e.create(item(1, 'x'))])).toEqual(STORED);
    await place.jsm.streams.update('OUT', { subjects: ['out.>'] });
    await deliver(lane.destination, lane.batch([e.create(item(2, 'x'))]));
    expect(await idsIn(place)).toEqual([1, 2]);
  });

  it.each([true, false])('takes all that we do not refuse ourselves for its size (atomic: %s)', async (atomic) => {
    await using server = await OwnNats.start({ settings: ['max_payload: 64KB'] });
    const config = natsDestinationConfig(server.url, { ...SMALL, atomic });
    await using lane = atomic ? await Lane.join(config, { descriptor }) : new Lane(await openReplica(config, { descriptor }), 1);
    const e = new Events(),
      stored: number[] = [];
    for (let size = 63_900, id = 1; id < 140; id++, size += 13) {
      const event = e.create(item(id, 'x'.repeat(size))),
        result = await lane.write([event]);
      if (result.kind === 'stored') stored.push(id);
      else {
        expect(result).toMatchObject({ kind: 'refused', failed: [{ index: 0, error: { code: 'DESTINATION_EVENT_REJECTED' } }] });
        expect(await lane.write([event], { skip: new Set([0]) })).toEqual(STORED);
      }
    }
    await using place = await NatsPlace.at(server.url);
    expect(await idsIn(place)).toEqual(stored);
    expect(stored.length).toBeGreaterThan(5);
    expect(stored.length).toBeLessThan(139);
  });
});

describe.skipIf((await natsServers('nats@2.9')).length === 0)('a server before 2.12', () => {
  it('is refused with atomic batches, and what to do is said', async () => {
    await using place = await NatsPlace.open('nats@2.9');
    const config = natsDestinationConfig(place.url, { subject: `${place.name}.{table}` });
    const found = await findingsOf(config);
    expect(found.at(-1)).toMatchObject({
      level: 'error',
      code: 'DESTINATION_MISCONFIGURED',
      fix: expect.stringContaining('atomic: false'),
    });
    const error = await failureOf(Lane.join(config, { descriptor }));
    expect(error).toMatchObject({ code: 'DESTINATION_MISCONFIGURED', retriable: false });
  });

  it('drops what comes again within its window', async () => {
    await using place = await NatsPlace.open('nats@2.9');
    const config = natsDestinationConfig(place.url, { subject: `${place.name}.{table}`, atomic: false });
    const e = new Events(),
      events: ChangeEvent[] = upTo(500).map((id) => e.create(item(id, 'x')));
    for (let run = 0; run < 2; run++) {
      const destination = await openReplica(config, { descriptor });
      expect(await destination.write(laneBatch(events), never)).toEqual(STORED);
      await destination.close();
    }
    expect(await idsIn(place, place.stream)).toEqual(upTo(500));
  });
});
