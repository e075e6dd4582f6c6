// Our records in a real registry, read by a library that is not ours.

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { EnvelopeType } from '../../../src/envelope/create.ts';
import type { RecordFormatConfig } from '../../../src/formats/config.ts';
import { openMessageDecoder, openRecordEncoder } from '../../../src/formats/create.ts';
import type { DecodedMessage, FormattedBatch, RecordEncoder } from '../../../src/formats/messages.ts';
import type { RegistryConfig } from '../../../src/formats/registry/config.ts';
import { HEAD_BYTES, schemaIdOf } from '../../../src/formats/registry/wire.ts';
import { type ChangeEvent, JsonText, silentLogger, systemClock, type TableSchema, type Value } from '../../../src/sdk/index.ts';
import { hasFastavro, readByFastavro, registryUrl } from '../../helpers/schema-registry.ts';
import { column, context, event } from '../../unit/envelope/helpers.ts';
import { laneBatch, message, never } from '../../unit/formats/helpers.ts';

const url = await registryUrl();
const component = { pipeline: 'orders', name: 'bus', clock: systemClock, random: Math.random, logger: silentLogger };

/** A topic of its own for each test. */
const newTopic = (): string => `cdc_test_${randomBytes(6).toString('hex')}`;

const TABLE: TableSchema = {
  id: { database: 'shop', schema: 'public', table: 'orders' },
  key: ['id'],
  version: 1,
  columns: [
    column('id', 'int64', { nullable: false, nativeType: 'bigint' }),
    column('total', 'decimal', { precision: 12, scale: 2, nativeType: 'numeric(12,2)' }),
    column('note', 'string', { nativeType: 'text' }),
    column('at', 'timestamptz', { precision: 6, nativeType: 'timestamp with time zone' }),
    column('local', 'timestamp', { precision: 6, nativeType: 'timestamp without time zone' }),
    column('day', 'date', { nativeType: 'date' }),
    column('raw', 'bytes', { nativeType: 'bytea' }),
    column('uid', 'uuid', { nativeType: 'uuid' }),
    column('doc', 'json', { nativeType: 'jsonb' }),
    column('tags', 'array', { element: 'string', nativeType: 'text[]' }),
    column('unit price', 'float64', { nativeType: 'double precision' }),
  ],
};
const ROW = {
  id: 9007199254740993n,
  total: '-12.50',
  note: 'ä',
  at: '2024-02-29T12:34:56.789123Z',
  local: '2024-02-29T12:34:56.789123',
  day: '2024-02-29',
  raw: new Uint8Array([0, 255]),
  uid: '123e4567-e89b-12d3-a456-426614174000',
  doc: new JsonText('{"a":1}') as Value,
  tags: ['x', null],
  'unit price': 1.5,
};

interface Bus extends AsyncDisposable {
  readonly topic: string;
  encode(events: readonly ChangeEvent[]): Promise<FormattedBatch>;
}

async function open(
  envelope: EnvelopeType,
  registry: Partial<RegistryConfig> = {},
  config: Partial<RecordFormatConfig> = {},
): Promise<Bus> {
  const topic = newTopic();
  const schema_registry = {
    url: url as string,
    subject_strategy: 'topic',
    auto_register: true,
    request_timeout: 10_000,
    cache_ttl: 60_000,
    cache_size: 100,
  } as const;
  const encoder: RecordEncoder = await openRecordEncoder(
    { on_schema_error: 'stop', message_format: 'avro', ...config, schema_registry: { ...schema_registry, ...registry } },
    component,
  );
  const options = envelope === 'debezium' ? { compatible: true, topic_prefix: 'shop' } : {};
  const ctx = context('postgresql', { lsn: 24023128, txId: 581 });
  return {
    topic,
    encode: (events) => encoder.encode(laneBatch(events, envelope, options, ctx), () => topic, never),
    [Symbol.asyncDispose]: () => encoder.close(),
  };
}

async function schemaOf(bytes: Uint8Array): Promise<string> {
  const answer = await fetch(`${url}/schemas/ids/${schemaIdOf(bytes)}`);
  return ((await answer.json()) as { schema: string }).schema;
}

async function readByOthers(bytes: Uint8Array): Promise<Record<string, unknown>> {
  return readByFastavro(await schemaOf(bytes), [bytes.subarray(HEAD_BYTES)])[0] as Record<string, unknown>;
}

describe.skipIf(url === null)('a real schema registry', () => {
  test.skipIf(!hasFastavro())('has our rows, and fastavro reads them with their types', async () => {
    await using bus = await open('row');
    const { records, failed } = await bus.encode([event({ op: 'c', table: TABLE, after: ROW })]);
    expect(failed).toEqual([]);
    expect(await readByOthers(records.key[0] as Uint8Array)).toEqual({ id: Number(ROW.id) });
    expect(await readByOthers(records.value[0] as Uint8Array)).toEqual({
      id: Number(ROW.id),
      total: '-12.50',
      note: 'ä',
      at: '2024-02-29T12:34:56.789123+00:00',
      local: '2024-02-29T12:34:56.789123',
      day: '2024-02-29',
      raw: '00ff',
      uid: ROW.uid,
      doc: '{"a":1}',
      tags: ['x', null],
      unit_price: 1.5,
    });
  });

  test.skipIf(!hasFastavro())('has Debezium’s records, and fastavro reads them', async () => {
    await using bus = await open('debezium');
    const { records } = await bus.encode([event({ op: 'u', table: TABLE, before: ROW, after: { ...ROW, note: null } })]);
    const read = await readByOthers(records.value[0] as Uint8Array);
    expect(read).toMatchObject({
      before: { note: 'ä', total: '-12.50' },
      after: { note: null, at: ROW.at, local: 1709210096789123, day: 19782 },
      source: { connector: 'postgresql', schema: 'public', table: 'orders', lsn: 24023128, txId: 581 },
      op: 'u',
    });
    expect(JSON.parse(await schemaOf(records.value[0] as Uint8Array))).toMatchObject({ name: 'Envelope', namespace: 'shop.public.orders' });
  });

  test.each(['debezium', 'plain', 'row'] as const)('%s: our source reads what our destination wrote', async (envelope) => {
    await using bus = await open(envelope);
    const { records } = await bus.encode([event({ op: 'c', table: TABLE, after: ROW })]);
    const decoder = await openMessageDecoder({ envelope, message_format: 'avro', schema_registry_url: url as string }, component);
    const [read] = (await decoder.decode(
      [message(records.value[0] as Uint8Array, records.key[0] as Uint8Array)],
      never,
    )) as DecodedMessage[];
    await decoder.close();
    expect(read).toMatchObject({ op: 'c', after: ROW, key: { id: ROW.id }, table: { key: ['id'] } });
  });

  test('takes a new column, and its readers know both versions', async () => {
    await using bus = await open('row', { compatibility: 'BACKWARD' });
    const wider = { ...TABLE, version: 2, columns: [...TABLE.columns, column('more', 'string', { nativeType: 'text' })] };
    const { records } = await bus.encode([
      event({ op: 'c', table: TABLE, after: ROW }),
      event({ op: 'c', table: wider, after: { ...ROW, more: 'x' } }),
    ]);
    const [before, after] = records.value as Uint8Array[];
    expect(schemaIdOf(before as Uint8Array)).not.toBe(schemaIdOf(after as Uint8Array));
    expect(await (await fetch(`${url}/subjects/${bus.topic}-value/versions`)).json()).toEqual([1, 2]);
    expect(await (await fetch(`${url}/config/${bus.topic}-value`)).json()).toEqual({ compatibilityLevel: 'BACKWARD' });
  });

  test('refuses a column that becomes another type, and keeps what it has', async () => {
    await using bus = await open('row', { compatibility: 'BACKWARD' });
    await bus.encode([event({ op: 'c', table: TABLE, after: ROW })]);
    const other = { ...TABLE, version: 2, columns: TABLE.columns.map((c) => (c.name === 'note' ? column('note', 'boolean') : c)) };
    await expect(bus.encode([event({ op: 'c', table: other, after: { ...ROW, note: true } })])).rejects.toMatchObject({
      code: 'REGISTRY_SCHEMA_INCOMPATIBLE',
      retriable: false,
    });
    expect(await (await fetch(`${url}/subjects/${bus.topic}-value/versions`)).json()).toEqual([1]);
  });

  test('gives the same ids to a second process', async () => {
    await using first = await open('row');
    await using second = await open('row', {}, { value_schema: `${first.topic}-value`, key_schema: `${first.topic}-key` });
    const ids = [];
    for (const bus of [first, second]) {
      const { records } = await bus.encode([event({ op: 'c', table: TABLE, after: ROW })]);
      ids.push(schemaIdOf(records.value[0] as Uint8Array));
    }
    expect(ids[1]).toBe(ids[0]);
  });

  test('has a Protobuf schema that records are written and read by', async () => {
    const subject = newTopic(),
      schema = 'syntax = "proto3"; package shop; message Head { string t = 1; } message Order { int64 id = 1; optional string note = 2; }';
    const registered = await fetch(`${url}/subjects/${subject}/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schemaType: 'PROTOBUF', schema }),
    });
    expect(registered.status).toBe(200);
    await using bus = await open('row', {}, { message_format: 'protobuf', value_schema: subject, value_message: 'Order' });
    const table = { ...TABLE, columns: [] };
    const { records } = await bus.encode([event({ op: 'c', table, after: { id: 7n, note: 'x' } })]);
    const decoder = await openMessageDecoder(
      { envelope: 'row', message_format: 'protobuf', schema_registry_url: url as string },
      component,
    );
    const [read] = (await decoder.decode([message(records.value[0] as Uint8Array, '{"id":7}')], never)) as DecodedMessage[];
    await decoder.close();
    expect(read).toMatchObject({ after: { id: 7n, note: 'x' } });
  });

  test('has no schema of that id: the message alone is an error', async () => {
    const decoder = await openMessageDecoder({ envelope: 'row', message_format: 'avro', schema_registry_url: url as string }, component);
    const [read] = await decoder.decode([message(Uint8Array.of(0, 0x7f, 0xff, 0xff, 0xff, 2))], never);
    await decoder.close();
    expect(read).toMatchObject({ code: 'REGISTRY_SCHEMA_UNKNOWN', retriable: false });
  });
});
