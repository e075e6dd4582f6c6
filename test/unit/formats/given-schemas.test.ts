// Records and messages by a schema of the user's: Protobuf and Avro, from files and from a fake registry.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MessageFormatConfig, RecordFormatConfig } from '../../../src/formats/config.ts';
import { openMessageDecoder, openRecordEncoder } from '../../../src/formats/create.ts';
import type { DecodedMessage, FormattedBatch } from '../../../src/formats/messages.ts';
import { type ChangeEvent, JsonText, type Row, type Value } from '../../../src/sdk/index.ts';
import { event, ORDERS } from '../envelope/helpers.ts';
import { FakeRegistry, serve } from './fake-registry.ts';
import { component, laneBatch, message, never, sameTopic } from './helpers.ts';

const PROTO = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "common.proto";
message Head { string trace = 1; }
message Order {
  message Line { int64 amount = 1; }
  enum State { NEW = 0; PAID = 1; }
  int64 id = 1;
  optional string note = 2;
  google.protobuf.Timestamp at = 3;
  repeated string tags = 4;
  map<string, int32> counts = 5;
  Line line = 6;
  State state = 7;
  bytes raw = 8;
  uint64 big = 9;
  double ratio = 10;
  google.protobuf.BoolValue seen = 11;
  common.Money price = 12;
  bool flag = 13;
  sint32 small = 14;
  uint32 wide = 15;
}`;
const COMMON = 'syntax = "proto3"; package common; message Money { string units = 1; }';
const AVSC = JSON.stringify({
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'total', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'] }, default: 'A' },
  ],
});

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdc-formats-'));
  await writeFile(join(folder, 'order.proto'), PROTO);
  await writeFile(join(folder, 'common.proto'), COMMON);
  await writeFile(join(folder, 'order.avsc'), AVSC);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const protoFile = (): Partial<RecordFormatConfig & MessageFormatConfig> => ({
  value_schema: join(folder, 'order.proto'),
  value_message: 'Order',
});

async function encode(config: Partial<RecordFormatConfig>, events: readonly ChangeEvent[]): Promise<FormattedBatch> {
  const encoder = await openRecordEncoder({ on_schema_error: 'wait', ...config }, component());
  try {
    return await encoder.encode(laneBatch(events, 'row'), sameTopic, never);
  } finally {
    await encoder.close();
  }
}

async function decode(config: Partial<MessageFormatConfig>, value: Uint8Array | null, key: Uint8Array | null = null): Promise<unknown> {
  const decoder = await openMessageDecoder({ envelope: 'row', ...config }, component('topics'));
  try {
    return (await decoder.decode([message(value, key)], never))[0];
  } finally {
    await decoder.close();
  }
}

const row = (after: Row): ChangeEvent => event({ op: 'c', after, table: { ...ORDERS, columns: [] } });

describe('protobuf', () => {
  const int = (bits: bigint) => fc.bigInt({ min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n });
  const text = fc.string({ unit: 'grapheme' });
  const anyOrder = fc.record({
    id: int(64n),
    note: fc.option(text),
    at: fc.option(
      fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map((d) => d.toISOString().replace(/\.?0*Z$/, 'Z')),
    ),
    tags: fc.array(text),
    counts: fc.dictionary(
      fc.string({ minLength: 1, unit: 'binary-ascii' }).filter((k) => k !== '__proto__'),
      fc.integer(),
    ),
    line: fc.option(fc.record({ amount: int(64n) })),
    state: fc.constantFrom('NEW', 'PAID'),
    raw: fc.uint8Array(),
    big: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    ratio: fc.double({ noNaN: true }),
    seen: fc.option(fc.boolean()),
    price: fc.option(fc.record({ units: text })),
    flag: fc.boolean(),
    small: fc.integer(),
    wide: fc.bigInt({ min: 0n, max: 0xffff_ffffn }),
  });

  test('what is written is read back, whatever is in it', async () => {
    const config = { message_format: 'protobuf' as const, ...protoFile() };
    const encoder = await openRecordEncoder({ on_schema_error: 'wait', ...config }, component()),
      decoder = await openMessageDecoder({ envelope: 'row', ...config }, component());
    await fc.assert(
      fc.asyncProperty(anyOrder, async (order) => {
        const { records, failed } = await encoder.encode(laneBatch([row(order as unknown as Row)], 'row'), sameTopic, never);
        expect(failed).toEqual([]);
        const [read] = await decoder.decode([message(records.value[0] as Uint8Array)], never);
        expect((read as DecodedMessage).after).toEqual(order);
      }),
      { numRuns: 150 },
    );
  });

  test('has the bytes of the specification', async () => {
    // https://protobuf.dev/programming-guides/encoding/#simple
    const { records } = await encode({ message_format: 'protobuf', ...protoFile() }, [row({ id: 150n })]);
    expect([...(records.value[0] as Uint8Array)]).toEqual([0x08, 0x96, 0x01]);
  });

  test('names the columns of what it reads', async () => {
    const read = (await decode({ message_format: 'protobuf', ...protoFile() }, Uint8Array.of(8, 1))) as DecodedMessage;
    expect(read.table.columns.map((c) => `${c.name} ${c.type}${c.nullable ? '?' : ''}`)).toEqual([
      'id int64',
      'note string?',
      'at timestamptz?',
      'tags array',
      'counts json',
      'line json?',
      'state string',
      'raw bytes',
      'big uint64',
      'ratio float64',
      'seen boolean?',
      'price json?',
      'flag boolean',
      'small int32',
      'wide int64',
    ]);
  });

  test.each<[string, Row, string]>([
    ['NULL where it would read as zero', { id: null }, 'NULL cannot be told from the default'],
    ['a column without a field', { id: 1n, other: 1 }, 'no such field'],
    ['too large a number', { id: 1n << 63n }, 'does not fit int64'],
    ['a negative one', { id: 1n, big: -1n }, 'does not fit uint64'],
    ['another type', { id: 'x' }, 'expected a whole number, got a text'],
    ['no name of an enum', { id: 1n, state: 'LOST' }, 'none of the names'],
    ['a field within a field', { id: 1n, line: { amount: 'x' } }, '"line.amount"'],
  ])('refuses %s, that event alone', async (_what, after, expected) => {
    const { records, failed } = await encode({ message_format: 'protobuf', ...protoFile() }, [row(after), row({ id: 1n })]);
    expect(failed).toMatchObject([{ index: 0, error: { code: 'DESTINATION_EVENT_REJECTED' } }]);
    expect(failed[0]?.error.message).toContain(expected);
    expect([...records.event]).toEqual([1]);
  });

  test('that is cut off is an error of that message', async () => {
    expect(await decode({ message_format: 'protobuf', ...protoFile() }, Uint8Array.of(0x12, 5, 1))).toMatchObject({
      code: 'SOURCE_DATA_INVALID',
      where: 'source "topics"',
    });
  });

  test('carries the id of its schema and the place of its message with a registry', async () => {
    const fake = new FakeRegistry(),
      server = await serve(fake);
    try {
      fake.register('common', COMMON, 'PROTOBUF');
      const id = fake.register('orders', PROTO, 'PROTOBUF', [{ name: 'common.proto', subject: 'common', version: 1 }]);
      const config = { message_format: 'protobuf' as const, schema_registry_url: server.url };
      const { records } = await encode({ ...config, value_schema: 'orders', value_message: 'shop.Order.Line' }, [row({ amount: 3n })]);
      const bytes = records.value[0] as Uint8Array;
      expect(Buffer.from(bytes).readUInt32BE(1)).toBe(id);
      // Two steps: the second message, the first within it.
      expect([...bytes.subarray(5)]).toEqual([4, 2, 0, 8, 3]);
      expect(await decode(config, bytes)).toMatchObject({ after: { amount: 3n } });
      const other = Buffer.from(bytes);
      other[6] = 40;
      expect(await decode(config, other)).toMatchObject({ code: 'SOURCE_DATA_INVALID' });
    } finally {
      await server.close();
    }
  });

  test.each([
    ['value_message', { value_message: 'Nothing' }, 'DESTINATION_MISCONFIGURED'],
    ['value_schema', { value_schema: '/nowhere/a.proto' }, 'CONFIG_FILE_UNREADABLE'],
  ] as const)('names a wrong %s', async (_key, wrong, code) => {
    await expect(encode({ message_format: 'protobuf', ...protoFile(), ...wrong }, [row({ id: 1n })])).rejects.toMatchObject({ code });
  });
});

describe('avro by a file', () => {
  const config = (): Partial<RecordFormatConfig & MessageFormatConfig> => ({
    message_format: 'avro',
    value_schema: join(folder, 'order.avsc'),
  });

  test('has no ids without a registry, and fills in defaults', async () => {
    const { records } = await encode(config(), [row({ id: 1n, total: '1.50' })]);
    expect([...(records.value[0] as Uint8Array)]).toEqual([2, 4, 0, 150, 0, 0]);
    expect(await decode(config(), records.value[0] as Uint8Array)).toMatchObject({
      after: { id: 1n, total: '1.50', note: null, kind: 'A' },
      table: {
        columns: [
          { type: 'int64' },
          { type: 'decimal', precision: 9, scale: 2 },
          { type: 'string', nullable: true },
          { type: 'enum', values: ['A', 'B'] },
        ],
      },
    });
  });

  test.each<[string, Row]>([
    ['a missing field without default', { id: 1n }],
    ['a field that is not there', { id: 1n, total: '1.00', more: 1 }],
    ['a symbol that is none', { id: 1n, total: '1.00', kind: 'C' }],
  ])('refuses %s', async (_what, after) => {
    expect((await encode(config(), [row(after)])).failed).toMatchObject([{ error: { code: 'DESTINATION_EVENT_REJECTED' } }]);
  });

  test('is registered where there is a registry; the newest version of a subject is written without leave to register', async () => {
    const fake = new FakeRegistry(),
      server = await serve(fake);
    try {
      const { records } = await encode({ ...config(), schema_registry_url: server.url }, [row({ id: 1n, total: '1.00' })]);
      const id = Buffer.from(records.value[0] as Uint8Array).readUInt32BE(1);
      expect(fake.schemaOf(id)?.schema).toBe(AVSC);
      const schema_registry = {
        url: server.url,
        auto_register: false,
        subject_strategy: 'topic',
        request_timeout: 1e4,
        cache_ttl: 1e4,
        cache_size: 9,
      } as const;
      const again = await encode({ message_format: 'avro', value_schema: 'public.orders-value', schema_registry }, [
        row({ id: 2n, total: '1.00' }),
      ]);
      expect(Buffer.from(again.records.value[0] as Uint8Array).readUInt32BE(1)).toBe(id);
    } finally {
      await server.close();
    }
  });
});

describe('avro messages that nobody can read', () => {
  const config = (): Partial<MessageFormatConfig> => ({ message_format: 'avro', value_schema: join(folder, 'order.avsc') });
  test.each<[string, number[]]>([
    ['cut off', [2, 4, 0]],
    ['too long', [2, 4, 0, 150, 0, 0, 9]],
    ['of no symbol', [2, 4, 0, 150, 0, 20]],
    ['of no branch', [2, 4, 0, 150, 9, 0]],
    ['of a length beyond their end', [2, 255, 255, 255, 255, 15]],
    ['of numbers without end', [255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]],
    ['empty', []],
  ])('%s', async (_what, bytes) => {
    expect(await decode(config(), Uint8Array.from(bytes))).toMatchObject({ code: 'SOURCE_DATA_INVALID', retriable: false });
  });

  test('whatever the bytes are, there is an answer', async () => {
    const decoder = await openMessageDecoder({ envelope: 'row', ...config() }, component());
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
        const [answer] = await decoder.decode([message(bytes)], never);
        expect(answer).toHaveProperty(answer instanceof Error ? 'code' : 'op');
      }),
    );
  });

  test('a schema that the registry does not have is an error of its messages; one that is away is none', async () => {
    const fake = new FakeRegistry(),
      server = await serve(fake);
    const decoder = await openMessageDecoder({ envelope: 'row', message_format: 'avro', schema_registry_url: server.url }, component());
    try {
      const id = fake.register('s', '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}');
      const known = Uint8Array.of(0, id >>> 24, id >>> 16, id >>> 8, id, 2),
        unknown = Uint8Array.of(0, 0, 0, 0, 1, 2);
      expect(await decoder.decode([message(unknown), message(known), message('{"a":1}')], never)).toMatchObject([
        { code: 'REGISTRY_SCHEMA_UNKNOWN' },
        { after: { a: 1 } },
        { code: 'SOURCE_DATA_INVALID' },
      ]);
      fake.script = [503, 503, 503];
      await expect(decoder.decode([message(unknown)], never)).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE', retriable: true });
    } finally {
      await decoder.close();
      await server.close();
    }
  });
});

test('documents are texts in both', async () => {
  const after: Row = { id: 1n, note: new JsonText('{"a":1}') as Value };
  const { records } = await encode({ message_format: 'protobuf', ...protoFile() }, [row(after)]);
  expect(await decode({ message_format: 'protobuf', ...protoFile() }, records.value[0] as Uint8Array)).toMatchObject({
    after: { note: '{"a":1}' },
  });
});
