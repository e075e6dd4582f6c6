// The `debezium` source on a real Kafka: records that Debezium wrote, in the topics that it wrote them to.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { SourceDescriptor } from '../../../src/sdk/index.ts';
import { type DebeziumSourceConfig, validate } from '../../../src/sources/debezium/config.ts';
import { descriptor } from '../../../src/sources/debezium/index.ts';
import { KafkaPlace, kafkaServers } from '../../helpers/kafka.ts';
import { KafkaReading } from '../../helpers/kafka-reading.ts';
import { kafkaSourceConfig } from '../../helpers/kafka-source.ts';

const PATIENCE_MS = 30_000;

interface Line {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
}

/** Key and value in the very bytes of the recording, under the prefix of the test. */
function recorded(file: string, prefix: string): Line[] {
  const url = new URL(`../../fixtures/envelope/debezium-postgresql/${file}.ndjson`, import.meta.url);
  return readFileSync(url, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, topic = '', key = '', value = ''] = /^\{"topic":"golden([^"]*)","key":(.*?),"value":(.*)\}$/.exec(line) ?? [];
      return { topic: prefix + topic, key, value };
    });
}

async function produce(place: KafkaPlace, lines: readonly Line[]): Promise<void> {
  for (const topic of new Set(lines.map((l) => l.topic))) {
    await place.createTopic(topic.slice(place.name.length));
    const of = lines.filter((l) => l.topic === topic);
    await place.produce(
      topic,
      of.map(({ key, value }) => ({ key, value: value === 'null' ? null : value })),
    );
  }
}

function configOf(place: KafkaPlace, keys: Partial<DebeziumSourceConfig>): DebeziumSourceConfig {
  const { envelope: _, topics: _topics, message_format: _format, ...rest } = kafkaSourceConfig(place.brokers, 'x');
  const config: DebeziumSourceConfig = { ...rest, group_id: `${place.name}.group`, metadata_max_age: 500, ...keys };
  expect(validate(config)).toEqual([]);
  return config;
}

async function read(config: DebeziumSourceConfig, count: number): Promise<KafkaReading> {
  const reading = await KafkaReading.start(config as never, {}, descriptor as unknown as SourceDescriptor);
  for (const began = performance.now(); reading.events.length < count; await sleep(20)) {
    if (reading.failure !== null) throw reading.failure as Error;
    if (performance.now() - began > PATIENCE_MS) throw new Error(`${reading.events.length} of ${count} events came`);
  }
  return reading;
}

describe.each(await kafkaServers())('the debezium source on %s', (server) => {
  it('reads all topics of a connector, with schemas: changes as those of our own source, nothing else', async () => {
    await using place = await KafkaPlace.open(server);
    const lines = recorded('tx', place.name),
      schemas = recorded('schemas', place.name).filter((l) => l.topic.endsWith('.types'));
    await produce(place, [...lines.filter((l) => !l.topic.endsWith('.types')), ...schemas]);
    const changes = lines.filter((l) => !l.topic.endsWith('.types') && !l.topic.endsWith('.transaction') && l.value !== 'null');
    const types = schemas.filter((l) => l.value !== 'null');
    await using reading = await read(configOf(place, { topic_prefix: place.name }), changes.length + types.length);
    await sleep(300);
    expect(reading.events).toHaveLength(changes.length + types.length);
    expect(reading.rejected).toEqual([]);
    const ops = reading.events.filter((e) => e.table.id.table !== 'types').map((e) => e.op);
    expect([...new Set(ops)].sort()).toEqual(['c', 'd', 'r', 't', 'u']);
    expect(reading.events.find((e) => e.op === 'c' && e.table.id.table === 'types')).toMatchObject({
      table: { id: { database: 'golden', schema: 'public', table: 'types' }, key: ['id'] },
      key: { id: 10 },
      after: { c_num: '1234.56', c_big: 7000000000n, c_ts: '2024-02-29T12:34:56.789123', c_point: '(1.5,-2.5)' },
    });
    const order = reading.events.find((e) => e.table.id.table === 'orders');
    expect(order?.transaction).toMatchObject({ order: 2, collectionOrder: 1, last: false });
    expect(reading.source.describe()).toEqual({ connector: 'debezium', database: null });
  });

  it('sends what is no change of Debezium to the dead letters, and goes on', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic('.public.orders');
    const good = recorded('default', 'x').find((l) => l.topic === 'x.public.orders') as Line;
    await place.produce(topic, [{ value: '{"id":1,"note":"flattened"}' }, { value: 'no json' }, { key: good.key, value: good.value }]);
    await using reading = await read(configOf(place, { topic_prefix: place.name }), 1);
    expect(reading.rejected.map((r) => Buffer.from(r.input as Uint8Array).toString())).toEqual(['{"id":1,"note":"flattened"}', 'no json']);
    expect(reading.events[0]?.table.id.table).toBe('orders');
  });

  it('reads rows that ExtractNewRecordState has taken out of their envelope', async () => {
    await using place = await KafkaPlace.open(server);
    const topic = await place.createTopic('.public.orders');
    await place.produce(topic, [
      { key: '{"id":1}', value: '{"id":1,"note":"a","__op":"u","__source_ts_ms":1709210096789}' },
      { key: '{"id":2}', value: '{"id":2,"note":null,"__deleted":"true"}' },
      { key: '{"id":3}', value: null },
    ]);
    await using reading = await read(configOf(place, { topic_prefix: place.name, unwrap: true }), 3);
    const table = { id: { schema: 'public', table: 'orders' } };
    expect(reading.events.map(({ op, key, before, after, table: t }) => ({ op, key, before, after, id: t.id }))).toMatchObject([
      { op: 'u', key: { id: 1 }, before: null, after: { id: 1, note: 'a' }, ...table },
      { op: 'd', key: { id: 2 }, before: { id: 2, note: null }, after: null, ...table },
      { op: 'd', key: { id: 3 }, before: { id: 3 }, after: null, ...table },
    ]);
    expect(reading.events[0]?.sourceTsMs).toBe(1709210096789);
  });
});
