// Avro records and messages, against a fake registry; avsc, a library that is not ours, reads what we write.

import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EnvelopeType } from '../../../src/envelope/create.ts';
import { avroDecoder } from '../../../src/formats/avro/messages.ts';
import { AvroRecords } from '../../../src/formats/avro/records.ts';
import type { MessageFormatConfig, RecordFormatConfig } from '../../../src/formats/config.ts';
import type { DecodedMessage, FormattedBatch } from '../../../src/formats/messages.ts';
import { SchemaRegistry } from '../../../src/formats/registry/client.ts';
import type { RegistryConfig } from '../../../src/formats/registry/config.ts';
import { HEAD_BYTES, schemaIdOf } from '../../../src/formats/registry/wire.ts';
import { type ChangeEvent, JsonText, type RecordContext, type Row, type TableSchema } from '../../../src/sdk/index.ts';
import { AT_MS, column, context, event, NOW_MS, ORDERS } from '../envelope/helpers.ts';
import { FakeRegistry, registryConfig } from './fake-registry.ts';
import { formatContext, laneBatch, never, sameTopic } from './helpers.ts';

const ROW = { id: 7n, total: '12.50', note: 'ä' };

interface Setup {
  readonly config?: Partial<RecordFormatConfig>;
  readonly registry?: Partial<RegistryConfig>;
  readonly fake?: FakeRegistry;
  readonly envelope?: EnvelopeType;
  readonly options?: Record<string, unknown>;
  readonly context?: RecordContext;
}

function setUp({
  config = {},
  registry = {},
  fake = new FakeRegistry(),
  envelope = 'debezium',
  options = {},
  context: ctx = context(),
}: Setup = {}) {
  const whole = { on_schema_error: 'wait' as const, schema_registry: registryConfig(registry), ...config };
  const client = new SchemaRegistry(registryConfig(registry), formatContext(), () => Promise.resolve(fake.transport));
  const encoder = new AvroRecords(whole, formatContext(), whole.key_format ?? 'avro', client);
  const encode = (events: readonly ChangeEvent[]): Promise<FormattedBatch> =>
    encoder.encode(laneBatch(events, envelope, options, ctx), sameTopic, never);
  return { fake, encode, client };
}

/** avsc's longs are numbers unless told otherwise. */
const longType = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (n: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(n);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (n: unknown) => typeof n === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

/** What avsc reads, as plain objects. */
function readByAvsc(fake: FakeRegistry, bytes: Uint8Array | null | undefined): unknown {
  if (!bytes) return null;
  const schema = fake.schemaOf(schemaIdOf(bytes))?.schema as string;
  const type = avsc.Type.forSchema(JSON.parse(schema) as never, { registry: { long: longType }, wrapUnions: 'never' } as never);
  return plain(type.fromBuffer(Buffer.from(bytes).subarray(HEAD_BYTES)));
}

function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
}

const subjects = (fake: FakeRegistry): string[] => [...fake.subjects.keys()].sort();

describe('records in the debezium envelope', () => {
  test('have the fields of the JSON, and schemas under the topic', async () => {
    const { fake, encode } = setUp();
    const { records, failed } = await encode([event({ op: 'c', after: ROW })]);
    expect(failed).toEqual([]);
    expect(subjects(fake)).toEqual(['public.orders-key', 'public.orders-value']);
    expect(readByAvsc(fake, records.key[0])).toEqual({ id: 7n });
    expect(readByAvsc(fake, records.value[0])).toMatchObject({
      before: null,
      after: { id: 7n, total: '12.50', note: 'ä' },
      source: { connector: 'sqlite', db: 'shop', table: 'orders', pos: '0000000000000042', ts_ms: BigInt(AT_MS), snapshot: 'false' },
      op: 'c',
      ts_ms: BigInt(NOW_MS),
      transaction: null,
    });
  });

  test('have Debezium’s schemas where it is to be compatible', async () => {
    const { fake, encode } = setUp({ options: { compatible: true, topic_prefix: 'my-shop' } });
    const table: TableSchema = {
      ...ORDERS,
      columns: [...ORDERS.columns, column('at', 'timestamp', { precision: 6, nullable: false }), column('unit price', 'int16')],
    };
    const { records } = await encode([event({ op: 'c', table, after: { ...ROW, at: '2024-02-29T12:34:56.789123', 'unit price': 5 } })]);
    const value = JSON.parse(fake.subjects.get('my-shop.public.orders-value')?.[0]?.schema as string) as {
      fields: { name: string; type: unknown }[];
    };
    expect(value).toMatchObject({
      type: 'record',
      name: 'Envelope',
      namespace: 'my_shop.public.orders',
      'connect.version': 2,
      'connect.name': 'my_shop.public.orders.Envelope',
    });
    expect(value.fields[0]).toEqual({
      name: 'before',
      default: null,
      type: [
        'null',
        {
          type: 'record',
          name: 'Value',
          namespace: 'my_shop.public.orders',
          'connect.name': 'my_shop.public.orders.Value',
          fields: [
            { name: 'id', type: 'long' },
            {
              name: 'total',
              default: null,
              type: [
                'null',
                {
                  type: 'bytes',
                  scale: 2,
                  precision: 10,
                  logicalType: 'decimal',
                  'connect.version': 1,
                  'connect.parameters': { scale: '2', 'connect.decimal.precision': '10' },
                  'connect.name': 'org.apache.kafka.connect.data.Decimal',
                },
              ],
            },
            { name: 'note', type: ['null', 'string'], default: null },
            { name: 'at', type: { type: 'long', 'connect.version': 1, 'connect.name': 'io.debezium.time.MicroTimestamp' } },
            { name: 'unit_price', type: ['null', { type: 'int', 'connect.type': 'int16' }], default: null, 'cdc.column': 'unit price' },
          ],
        },
      ],
    });
    expect(value.fields[1]).toEqual({ name: 'after', type: ['null', 'my_shop.public.orders.Value'], default: null });
    expect(readByAvsc(fake, records.value[0])).toMatchObject({
      after: { id: 7n, total: '04e2', at: 1709210096789123, unit_price: 5 },
      ts_ns: BigInt(NOW_MS) * 1_000_000n,
    });
  });

  test('are a delete and its tombstone, or a move of a key', async () => {
    const { fake, encode } = setUp();
    const moved = { ...ROW, id: 8n };
    const { records } = await encode([event({ op: 'd', before: ROW }), event({ op: 'u', before: ROW, after: moved })]);
    expect([...records.event]).toEqual([0, 0, 1, 1, 1]);
    expect(records.key.map((key) => (readByAvsc(fake, key) as Row)['id'])).toEqual([7n, 7n, 7n, 7n, 8n]);
    expect(records.value.map((value) => (readByAvsc(fake, value) as Row | null)?.['op'] ?? null)).toEqual(['d', null, 'd', null, 'c']);
    expect(records.headers[4]).toEqual({ '__debezium.oldkey': '{"id":7}' });
  });

  test('of logical messages have schemas of their own', async () => {
    const { fake, encode } = setUp();
    const { records } = await encode([event({ op: 'm', message: { prefix: 'p', content: Buffer.from('x'), transactional: false } })]);
    expect(records.topic).toEqual(['message']);
    expect(readByAvsc(fake, records.value[0])).toMatchObject({ op: 'm', message: { prefix: 'p', content: '78' } });
    expect(subjects(fake)).toEqual(['message-key', 'message-value']);
  });

  test('carry BEGIN and END in compatible mode', async () => {
    const { fake, encode } = setUp({ options: { compatible: true, provide_transaction_metadata: true } });
    const transaction = { id: '9', order: 1, collectionOrder: 1, commitTsMs: AT_MS, last: true };
    const { records } = await encode([event({ op: 'c', after: ROW, transaction })]);
    expect(records.topic).toEqual(['shop-db.transaction', 'shop-db.public.orders', 'shop-db.transaction']);
    expect(readByAvsc(fake, records.value[0])).toMatchObject({ status: 'BEGIN', id: '9' });
    expect(readByAvsc(fake, records.value[1])).toMatchObject({ transaction: { id: '9', total_order: 1n, data_collection_order: 1n } });
  });

  test('with a transaction carry it', async () => {
    const { fake, encode } = setUp();
    const transaction = { id: '9', order: 2, collectionOrder: 1, commitTsMs: AT_MS, last: true };
    const { records } = await encode([event({ op: 'c', after: ROW, transaction })]);
    expect(readByAvsc(fake, records.value[0])).toMatchObject({ transaction: { id: '9', total_order: 2n, data_collection_order: 1n } });
  });

  test('without a value that the source left out have Debezium’s placeholder', async () => {
    const { fake, encode } = setUp();
    const { records } = await encode([event({ op: 'u', after: { id: 7n, total: '1.00' }, incomplete: true })]);
    expect(readByAvsc(fake, records.value[0])).toMatchObject({ after: { id: 7n, total: '1.00', note: '__debezium_unavailable_value' } });
  });
});

const TYPES: TableSchema = {
  id: { database: 'shop', schema: 'public', table: 'types' },
  key: ['id'],
  version: 1,
  columns: [
    column('id', 'int64', { nullable: false, nativeType: 'bigint' }),
    column('b', 'boolean'),
    column('i', 'int32', { nativeType: 'integer' }),
    column('f', 'float64', { nativeType: 'double precision' }),
    column('d', 'decimal', { precision: 20, scale: 4, nativeType: 'numeric(20,4)' }),
    column('n', 'decimal', { nativeType: 'numeric' }),
    column('t', 'string', { nativeType: 'text', default: 'x', defaultSql: "'x'::text" }),
    column('at', 'timestamp', { precision: 6, nativeType: 'timestamp without time zone' }),
    column('tz', 'timestamptz', { precision: 6, nativeType: 'timestamp with time zone' }),
    column('day', 'date', { nativeType: 'date' }),
    column('raw', 'bytes', { nativeType: 'bytea' }),
    column('doc', 'json', { nativeType: 'jsonb' }),
    column('uid', 'uuid', { nativeType: 'uuid' }),
    column('tags', 'array', { element: 'string', nativeType: 'text[]' }),
  ],
};

const decimal = fc
  .tuple(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), fc.nat({ max: 9999 }))
  .map(([whole, rest]) => `${whole}.${String(rest).padStart(4, '0')}`);
const moment = fc
  .tuple(fc.integer({ min: 0, max: 4_102_444_800 }), fc.nat({ max: 999_999 }))
  .map(([s, us]) => `${new Date(s * 1000).toISOString().slice(0, 19)}.${String(us).padStart(6, '0')}`);
const text = fc.string({ unit: 'grapheme' }).filter((t) => !t.includes('\0'));
const anyRow: fc.Arbitrary<Row> = fc.record({
  id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  b: fc.option(fc.boolean()),
  i: fc.option(fc.integer()),
  f: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0))),
  d: fc.option(decimal),
  n: fc.option(decimal),
  t: fc.option(text),
  at: fc.option(moment),
  tz: fc.option(moment.map((m) => `${m}Z`)),
  day: fc.option(moment.map((m) => m.slice(0, 10))),
  raw: fc.option(fc.uint8Array({ maxLength: 300 })),
  doc: fc.option(fc.jsonValue().map((v) => new JsonText(JSON.stringify(v)))),
  uid: fc.option(fc.uuid()),
  tags: fc.option(fc.array(fc.option(text))),
}) as fc.Arbitrary<Row>;

test('compatible records are byte for byte what the JSON with its schema says', async () => {
  const fields = { lsn: 24023128, txId: 581, sequence: '["24023000","24023128"]', ts_us: 1709210096789123n };
  const ctx = context('postgresql', fields),
    fake = new FakeRegistry();
  const fast = setUp({ fake, options: { compatible: true, topic_prefix: 's' }, context: ctx }),
    // The general way goes through the JSON.
    general = setUp({ fake, options: { compatible: true, topic_prefix: 's', provide_transaction_metadata: true }, context: ctx });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(anyRow, fc.constantFrom('c', 'd', 'r' as const)), { minLength: 1, maxLength: 5 }), async (rows) => {
      const events = rows.map(([row, op]) => event({ op, table: TYPES, ...(op === 'd' ? { before: row } : { after: row }) }));
      const a = await fast.encode(events),
        b = await general.encode(events);
      expect(a.failed).toEqual([]);
      expect(a.records.value.map(hex)).toEqual(b.records.value.map(hex));
      expect(a.records.key.map(hex)).toEqual(b.records.key.map(hex));
    }),
    { numRuns: 100 },
  );
  expect(fake.subjects.get('s.public.types-value')).toHaveLength(1);
});

const hex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString('hex'));

test.each(['debezium', 'plain', 'row'] as const)('%s: what is written is read back, and avsc can read it', async (envelope) => {
  const { fake, encode, client } = setUp({ envelope, context: context('postgresql', { lsn: 5, txId: 1 }) });
  const config: MessageFormatConfig = { envelope, message_format: 'avro' };
  const decoder = avroDecoder(config, formatContext(), client, { key: null, value: null });
  await fc.assert(
    fc.asyncProperty(anyRow, async (row) => {
      const { records, failed } = await encode([event({ op: 'c', table: TYPES, after: row })]);
      expect(failed).toEqual([]);
      readByAvsc(fake, records.key[0]);
      readByAvsc(fake, records.value[0]);
      const [read] = (await decoder.decode(
        [{ topic: 't', key: records.key[0] as Uint8Array, value: records.value[0] as Uint8Array, headers: null }],
        never,
      )) as DecodedMessage[];
      expect(read).toMatchObject({ op: 'c', key: { id: row['id'] } });
      expect(comparable(read?.after as Row, envelope)).toEqual(comparable(row, envelope));
      expect(read?.table.key).toEqual(['id']);
    }),
    { numRuns: 150 },
  );
});

/** One spelling of what may be spelt in two ways: trailing zeros of seconds, documents as their text. */
function comparable(row: Row, envelope: string): unknown {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (value instanceof JsonText) return [name, value.text];
      if (value instanceof Uint8Array) return [name, Buffer.from(value).toString('hex')];
      if (envelope !== 'debezium' && typeof value === 'string' && (name === 'at' || name === 'tz'))
        return [name, value.replace(/\.?0+(?=Z?$)/, '')];
      return [name, value];
    }),
  );
}

describe('values that a schema does not take', () => {
  const one = (columnOf: TableSchema['columns'][number]): TableSchema => ({ ...ORDERS, columns: [ORDERS.columns[0] as never, columnOf] });
  test.each<[string, TableSchema, Row, string]>([
    [
      'too many digits',
      one(column('v', 'decimal', { precision: 5, scale: 2 })),
      { id: 1n, v: '1.234' },
      'more than 2 digits after the point',
    ],
    ['no number at all', one(column('v', 'decimal', { precision: 5, scale: 2 })), { id: 1n, v: 'NaN' }, 'a text that is none'],
    ['a day that no calendar has', one(column('v', 'date')), { id: 1n, v: '0000-00-00' }, 'expected date'],
    ['the end of time', one(column('v', 'timestamptz')), { id: 1n, v: 'infinity' }, 'expected timestamp-micros'],
    ['a column that a transformer added', ORDERS, { ...ROW, extra: 1 }, 'no such'],
    ['another type', one(column('v', 'int32')), { id: 1n, v: 'x' }, 'expected a whole number, got a text'],
    ['more bits', one(column('v', 'int32')), { id: 1n, v: 2 ** 31 }, 'more bits'],
    ['a missing column', ORDERS, { total: '1.00', note: null }, 'comes without it'],
  ])('%s: the event fails by itself, the others are written', async (_what, table, row, expected) => {
    const { encode } = setUp({ envelope: 'row' });
    const { records, failed } = await encode([event({ op: 'c', table, after: row, key: { id: 1n } }), event({ op: 'c', after: ROW })]);
    expect(failed).toMatchObject([{ index: 0, error: { code: 'DESTINATION_EVENT_REJECTED', retriable: false } }]);
    expect(failed[0]?.error.message).toContain(expected);
    expect([...records.event]).toEqual([1]);
  });

  test('name the column, and not the value', async () => {
    const { encode } = setUp({ envelope: 'row' });
    const table = one(column('v', 'int32'));
    const { failed } = await encode([event({ op: 'c', table, after: { id: 1n, v: 'secret' } })]);
    expect(failed[0]?.error.message).toContain('"v"');
    expect(JSON.stringify(failed[0]?.error)).not.toContain('secret');
  });

  test('half a row is refused where it would read as NULL', async () => {
    const { encode } = setUp({ envelope: 'row' });
    const { failed } = await encode([event({ op: 'u', after: { id: 7n, total: '1.00' }, incomplete: true })]);
    expect(failed[0]?.error.message).toContain('"note"');
  });

  test('the envelope plain says which columns are absent', async () => {
    const { fake, encode } = setUp({ envelope: 'plain' });
    const { records } = await encode([event({ op: 'u', after: { id: 7n, total: '1.00' }, incomplete: true })]);
    expect(readByAvsc(fake, records.value[0])).toMatchObject({ incomplete: true, absent: ['note'], after: { note: null } });
  });
});

describe('schemas', () => {
  const wider: TableSchema = { ...ORDERS, version: 2, columns: [...ORDERS.columns, column('more', 'string')] };

  test('follow the table: a new version is registered before its first record', async () => {
    const { fake, encode } = setUp({ envelope: 'row' });
    await encode([event({ op: 'c', after: ROW }), event({ op: 'c', table: wider, after: { ...ROW, more: 'x' } })]);
    expect(fake.subjects.get('public.orders-value')).toHaveLength(2);
    expect(fake.requests.filter((r) => r.startsWith('POST /compatibility'))).toHaveLength(3);
  });

  test('are asked for once, however many records there are', async () => {
    const { fake, encode } = setUp({ envelope: 'row' });
    await encode(Array.from({ length: 50 }, () => event({ op: 'c', after: ROW })));
    const asked = fake.requests.length;
    await encode([event({ op: 'c', after: ROW })]);
    expect(asked).toBe(6);
    expect(fake.requests).toHaveLength(asked);
  });

  test.each([
    ['topic', ['public.orders-key', 'public.orders-value']],
    ['record', ['public.orders.Key', 'public.orders.Row']],
    ['topic_record', ['public.orders-public.orders.Key', 'public.orders-public.orders.Row']],
  ] as const)('stand under the subject by %s', async (subject_strategy, expected) => {
    const { fake, encode } = setUp({ envelope: 'row', registry: { subject_strategy } });
    await encode([event({ op: 'c', after: ROW })]);
    expect(subjects(fake)).toEqual(expected);
  });

  test('stand under the subject that the configuration names; keys may be text', async () => {
    const { fake, encode } = setUp({ envelope: 'row', config: { value_schema: 'user_event_v2', key_format: 'text' } });
    const { records } = await encode([event({ op: 'c', after: ROW })]);
    expect(subjects(fake)).toEqual(['user_event_v2']);
    expect(Buffer.from(records.key[0] as Uint8Array).toString()).toBe('7');
  });

  test('that do not fit make the events wait', async () => {
    const { fake, encode } = setUp({ envelope: 'row' });
    await encode([event({ op: 'c', after: ROW })]);
    fake.incompatible.add('public.orders-value');
    await expect(encode([event({ op: 'c', table: wider, after: { ...ROW, more: null } })])).rejects.toMatchObject({
      code: 'REGISTRY_SCHEMA_INCOMPATIBLE',
      retriable: true,
      message: expect.stringContaining('a field has no default') as string,
    });
    expect(fake.subjects.get('public.orders-value')).toHaveLength(1);
    fake.incompatible.clear();
    expect((await encode([event({ op: 'c', table: wider, after: { ...ROW, more: null } })])).records.value).toHaveLength(1);
  });

  test('that do not fit send their events, and no others, to the dead letter queue', async () => {
    const { fake, encode } = setUp({ envelope: 'row', config: { on_schema_error: 'dead_letter' } });
    await encode([event({ op: 'c', after: ROW })]);
    fake.incompatible.add('public.orders-value');
    const { records, failed } = await encode([
      event({ op: 'c', table: wider, after: { ...ROW, more: null } }),
      event({ op: 'c', after: ROW }),
    ]);
    expect(failed).toMatchObject([{ index: 0, error: { code: 'REGISTRY_SCHEMA_INCOMPATIBLE', retriable: false } }]);
    expect([...records.event]).toEqual([1]);
  });

  test('that do not fit stop the lane', async () => {
    const { fake, encode } = setUp({ envelope: 'row', config: { on_schema_error: 'stop' } });
    fake.register('public.orders-value', '"string"');
    fake.incompatible.add('public.orders-value');
    await expect(encode([event({ op: 'c', after: ROW })])).rejects.toMatchObject({
      code: 'REGISTRY_SCHEMA_INCOMPATIBLE',
      retriable: false,
    });
  });

  test('wait for a registry that is away', async () => {
    const { fake, encode } = setUp({ envelope: 'row' });
    fake.script = Array.from({ length: 6 }, () => Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }));
    await expect(encode([event({ op: 'c', after: ROW })])).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE', retriable: true });
    fake.script = [];
    expect((await encode([event({ op: 'c', after: ROW })])).failed).toEqual([]);
  });
});
