// What happens to a Kafka source when the group, the topic or the brokers change under it. On a real Kafka.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CdcError } from '../../../src/sdk/index.ts';
import { memoryStore } from '../../../src/sdk/testing/index.ts';
import { positionOf } from '../../../src/sources/kafka/position.ts';
import { KafkaPlace, kafkaServers } from '../../helpers/kafka.ts';
import { KafkaReading } from '../../helpers/kafka-reading.ts';
import { kafkaSourceConfig } from '../../helpers/kafka-source.ts';

const PATIENCE_MS = 30_000;

async function eventually(isSo: () => boolean, what: string): Promise<void> {
  for (const began = performance.now(); !isSo(); await sleep(20))
    if (performance.now() - began > PATIENCE_MS) throw new Error(`${what}: it did not happen`);
}
const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ key: `${from + i}`, value: JSON.stringify({ id: from + i }) }));
const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
const distinct = (...ids: number[][]): number[] => [...new Set(ids.flat())].sort((a, b) => a - b);

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
    let release = (): void => undefined;
    reading.hold = new Promise((resolve) => {
      release = resolve;
    });
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
    release();
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

  it('reads partitions that are added, from their beginning', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic();
    await using reading = await KafkaReading.start(kafkaSourceConfig(place.brokers, topic));
    await place.produce(topic, rows(0, 10));
    await eventually(() => reading.events.length === 10, 'the first partition');
    await place.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
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
    const topic = await place.createTopic();
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
