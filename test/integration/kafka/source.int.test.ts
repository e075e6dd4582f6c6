// What happens to a Kafka source when the group, the topic or the brokers change under it. On a real Kafka.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CdcError } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/index.ts';
import { positionOf } from '../../../src/systems/kafka/consuming/position.ts';
import { eventually } from '../../helpers/eventually.ts';
import { KafkaPlace, kafkaServers } from '../../helpers/kafka.ts';
import { KafkaReading } from '../../helpers/kafka-reading.ts';
import { kafkaSourceConfig } from '../../helpers/kafka-source.ts';

const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ key: `${from + i}`, value: JSON.stringify({ id: from + i }) }));
const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
const distinct = (...ids: number[][]): number[] => [...new Set(ids.flat())].sort((a, b) => a - b);

const isWaiting = (line: string): boolean => line.startsWith('waits for partitions');

function hold(): { readonly promise: Promise<void>; release(): void } {
  let release = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}

/** The next offset of each partition that the group has committed. */
async function committed(place: KafkaPlace, topic: string): Promise<string[]> {
  const [found] = await place.admin.fetchOffsets({ groupId: `${topic}.group`, topics: [topic] });
  return (found?.partitions ?? []).toSorted((a, b) => a.partition - b.partition).map((p) => p.offset);
}

/** Partitions that the group has not read to their ends. */
async function uncommitted(place: KafkaPlace, topic: string): Promise<number[]> {
  const ends = await place.admin.fetchTopicOffsets(topic),
    offsets = await committed(place, topic);
  return ends.filter(({ partition, high }) => offsets[partition] !== high).map((e) => e.partition);
}

describe.each(await kafkaServers())('the Kafka source on %s', (server) => {
  it('shares partitions with a member that comes and goes, and loses nothing', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic('', { partitions: 4 }),
      config = kafkaSourceConfig(place.brokers, topic);
    await using first = await KafkaReading.start(config);
    await place.produce(topic, rows(0, 400));
    await eventually(() => distinct(first.ids).length >= 400, 'the first reads all');
    {
      await using second = await KafkaReading.start(config);
      for (let n = 1; n < 10; n++) {
        await place.produce(topic, rows(n * 400, 400));
        await sleep(100);
      }
      await eventually(() => distinct(first.ids, second.ids).length >= 4000, 'both read all');
      expect(second.events.length, 'the second has partitions').toBeGreaterThan(0);
      expect(first.failure ?? second.failure).toBeNull();
      const seen = [...first.ids, ...second.ids];
      expect(seen.length, 'what was delivered was committed before partitions were given away').toBeLessThan(4400);
      await second.stop();
    }
    await place.produce(topic, rows(4000, 400));
    await eventually(() => distinct(first.ids).filter((id) => id >= 4000).length >= 400, 'the first has all partitions again');
  });

  it('loses nothing when it is thrown out of its group with a batch in flight', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic(),
      config = kafkaSourceConfig(place.brokers, topic, { session_timeout: 6_000, rebalance_timeout: 6_000 });
    await using reading = await KafkaReading.start(config, { acknowledges: false });
    const held = hold();
    reading.hold = held.promise;
    await place.produce(topic, rows(0, 120));
    await eventually(() => reading.events.length > 0, 'a batch is in flight');
    const { members } = (await place.admin.describeGroups([`${topic}.group`])).groups[0] ?? { members: [] };
    expect(members).toHaveLength(1);
    // Another member joins and takes the group through a division, while ours has not delivered.
    const other = place.kafka.consumer({ groupId: `${topic}.group`, sessionTimeout: 6_000, rebalanceTimeout: 6_000 });
    await other.connect();
    await other.subscribe({ topic });
    await other.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
    reading.hold = null;
    held.release();
    await sleep(1_000);
    await other.disconnect();
    await eventually(() => distinct(reading.ids).length === 120, 'all messages');
    expect(reading.failure).toBeNull();
    expect(distinct(reading.ids)).toEqual(range(0, 120));
  });

  it('loses nothing when the group gives it up for dead with a batch in flight', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic();
    await using proxy = await place.proxy();
    const config = kafkaSourceConfig(place.listener('proxy'), topic, {
      session_timeout: 6_000,
      rebalance_timeout: 6_000,
      request_timeout: 3_000,
    });
    await using reading = await KafkaReading.start(config);
    await place.produce(topic, rows(0, 60));
    await eventually(() => reading.events.length >= 50, 'a batch is in flight');
    proxy.isFrozen = true;
    await eventually(() => reading.failure !== null, 'the connection is given up');
    expect(reading.failure).toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    await place.produce(topic, rows(60, 40));
    proxy.isFrozen = false;
    await using again = await KafkaReading.start(config, { positions: reading.positions });
    await eventually(() => distinct(reading.ids, again.ids).length === 100, 'the rest');
    expect(distinct(reading.ids, again.ids)).toEqual(range(0, 100));
  });

  it('waits in a one_time run for what another member of the group has', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic('', { partitions: 4 }),
      config = kafkaSourceConfig(place.brokers, topic);
    await place.produce(topic, rows(0, 400));
    const held = hold();
    await using slow = await KafkaReading.start(config, { isOneTime: true, hold: held.promise });
    await eventually(() => slow.events.length > 0, 'the slow one has all partitions');
    await using quick = await KafkaReading.start(config, { isOneTime: true });
    await eventually(() => quick.said.some(isWaiting), 'the quick one has read what it was given');
    expect(quick.events.length).toBeGreaterThan(0);
    expect([quick.hasEnded, distinct(slow.ids, quick.ids).length < 400]).toEqual([false, true]);
    held.release();
    await quick.ended();
    expect(await uncommitted(place, topic), 'what it has waited for').toEqual([]);
    await slow.ended();
    expect(slow.failure ?? quick.failure).toBeNull();
    expect(distinct(slow.ids, quick.ids)).toEqual(range(0, 400));
  });

  it('reads in a one_time run what a member of the group leaves behind that dies', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic('', { partitions: 4 }),
      silence = { session_timeout: 6_000, rebalance_timeout: 6_000, request_timeout: 3_000 };
    await place.produce(topic, rows(0, 400));
    await using proxy = await place.proxy();
    const held = hold();
    await using dying = await KafkaReading.start(kafkaSourceConfig(place.listener('proxy'), topic, silence), {
      isOneTime: true,
      hold: held.promise,
    });
    await eventually(() => dying.events.length > 0, 'the other has all partitions');
    await using reading = await KafkaReading.start(kafkaSourceConfig(place.brokers, topic, silence), { isOneTime: true });
    await eventually(() => reading.said.some(isWaiting), 'it has read what it was given');
    expect(distinct(dying.ids, reading.ids).length).toBeLessThan(400);
    proxy.isFrozen = true;
    await reading.ended();
    expect(reading.failure).toBeNull();
    expect(distinct(dying.ids, reading.ids)).toEqual(range(0, 400));
    expect(await uncommitted(place, topic)).toEqual([]);
    proxy.isFrozen = false;
    held.release();
  });

  it('reads partitions that are added, from their beginning', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic();
    await using reading = await KafkaReading.start(kafkaSourceConfig(place.brokers, topic));
    await place.produce(topic, rows(0, 10));
    await eventually(() => reading.events.length === 10, 'the first partition');
    await place.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    await place.ready(topic, 3);
    await place.produce(topic, rows(10, 90));
    await eventually(() => distinct(reading.ids).length === 100, 'the new partitions');
    expect(new Set(reading.events.map((e) => e.partition)).size).toBe(3);
    expect(reading.events).toHaveLength(100);
  });

  it('stops with a fix when its topic is removed', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic(),
      config = kafkaSourceConfig(place.brokers, topic);
    await using reading = await KafkaReading.start(config);
    await place.produce(topic, rows(0, 10));
    await eventually(() => reading.events.length === 10, 'messages');
    await place.admin.deleteTopics({ topics: [topic] });
    await reading.ended();
    expect(reading.failure).toMatchObject({ name: 'CdcError', retriable: true });
    await using again = await KafkaReading.start(config, { positions: reading.positions });
    await again.ended();
    expect(again.failure).toMatchObject({ code: 'SOURCE_MISCONFIGURED', retriable: false });
    expect((again.failure as CdcError).fix).toBeTruthy();
  });

  it('knows a topic that was made anew by its end', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic();
    await place.produce(topic, rows(0, 3));
    await using reading = await KafkaReading.start(kafkaSourceConfig(place.brokers, topic), {
      positions: { [`${topic}/0`]: positionOf(41n) },
    });
    await reading.ended();
    expect(reading.failure).toMatchObject({ code: 'SOURCE_HISTORY_DIVERGED', retriable: false });
  });

  it('goes on behind what another member has delivered, and not behind its own commits', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic(),
      config = kafkaSourceConfig(place.brokers, topic),
      store = memoryStore();
    await place.produce(topic, rows(0, 30));
    {
      await using own = await KafkaReading.start(config, { store });
      await eventually(() => own.events.length === 30, 'all');
    }
    {
      // As after `offsets set`: our own commit is at 30.
      await using own = await KafkaReading.start(config, { store, positions: { [`${topic}/0`]: positionOf(9n) } });
      await eventually(() => own.events.length === 20, 'the rest once more');
      expect(own.ids).toEqual(range(10, 20));
    }
    await place.produce(topic, rows(30, 5));
    await using other = await KafkaReading.start(config, { positions: { [`${topic}/0`]: positionOf(9n) } });
    await eventually(() => other.events.length > 0, 'what nobody had');
    expect(other.ids).toEqual(range(30, 5));
  });

  it('does not undo what another member has committed, before it has delivered something itself', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic(),
      config = kafkaSourceConfig(place.brokers, topic);
    await place.produce(topic, rows(0, 30));
    {
      await using first = await KafkaReading.start(config);
      await eventually(() => first.events.length === 30, 'all');
    }
    expect(await uncommitted(place, topic)).toEqual([]);
    await place.produce(topic, rows(30, 5));
    const stored = { [`${topic}/0`]: positionOf(9n) };
    await using second = await KafkaReading.start(config, { positions: stored, acknowledges: false });
    await eventually(() => second.events.length === 5, 'what nobody had');
    // A checkpoint with what the pipeline has from an earlier run.
    await second.source.acknowledge(stored);
    expect(await committed(place, topic)).toEqual(['30']);
    await second.source.acknowledge(second.positions);
    expect(await committed(place, topic)).toEqual(['35']);
  });

  it('stores where `latest` is before it reads', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic(),
      config = kafkaSourceConfig(place.brokers, topic, { auto_offset_reset: 'latest' });
    await place.produce(topic, rows(0, 10));
    await using reading = await KafkaReading.start(config);
    await eventually(() => reading.positions[`${topic}/0`] !== undefined, 'a place');
    expect([reading.positions[`${topic}/0`], reading.events.length]).toEqual([positionOf(9n), 0]);
    await place.produce(topic, rows(10, 5));
    await eventually(() => reading.events.length === 5, 'what came since');
  });

  it('goes on where it was when the brokers come back', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic();
    await using proxy = await place.proxy();
    const config = kafkaSourceConfig(place.listener('proxy'), topic);
    await using reading = await KafkaReading.start(config);
    await place.produce(topic, rows(0, 10));
    await eventually(() => reading.events.length === 10, 'before');
    await proxy.close();
    await reading.ended();
    expect(reading.failure).toMatchObject({ code: 'SOURCE_UNREACHABLE', retriable: true });
    await place.produce(topic, rows(10, 10));
    await proxy.open();
    await using again = await KafkaReading.start(config, { positions: reading.positions });
    await eventually(() => again.events.length === 10, 'after');
    expect(again.ids).toEqual(range(10, 10));
  });

  it('rejects what it cannot decode with its bytes and place, and takes the rest in order', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic();
    await place.produce(topic, [...rows(0, 2), { key: 'x', value: '{"id": ' }, { key: 'y', value: Buffer.from([0xff]) }, ...rows(2, 2)]);
    await using reading = await KafkaReading.start(kafkaSourceConfig(place.brokers, topic));
    await eventually(() => reading.events.length === 4, 'the good ones');
    expect(reading.ids).toEqual([0, 1, 2, 3]);
    expect(reading.rejected).toEqual([
      { input: Buffer.from('{"id": '), at: `topic "${topic}", partition 0, offset 2` },
      { input: Buffer.from([0xff]), at: `topic "${topic}", partition 0, offset 3` },
    ]);
  });

  it('takes the time of an event from its watermark, else from the record', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic('', { config: { 'retention.ms': '-1' } });
    await place.produce(topic, [
      { value: '{"id": 1, "at": "2024-02-29T12:00:00Z"}', timestamp: '1700000000000' },
      { value: '{"id": 2}', timestamp: '1700000000001' },
    ]);
    const watermark = { column: 'at', type: 'timestamp', unit: 'ms' } as const;
    await using reading = await KafkaReading.start(kafkaSourceConfig(place.brokers, topic, { watermark }));
    await eventually(() => reading.events.length === 2, 'both');
    expect(reading.events.map((e) => e.sourceTsMs)).toEqual([Date.UTC(2024, 1, 29, 12), 1_700_000_000_001]);
  });
});
