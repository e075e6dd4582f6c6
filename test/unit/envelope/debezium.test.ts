// The debezium envelope beyond the recorded lines: our own mode, every option, Debezium's losses.

import { describe, expect, test } from 'vitest';
import { decodeEnvelope } from '../../../src/envelope/create.ts';
import type { Column, Row, TableSchema, Transaction, Value } from '../../../src/sdk/index.ts';
import { JsonText } from '../../../src/sdk/index.ts';
import { AT_MS, column, context, encode, event, type Json, NOW_MS, ORDERS, object, onlyValue, records } from './helpers.ts';

const oneColumn = (c: Column): TableSchema => ({ ...ORDERS, columns: [c], key: [] });
const compatible = (options: Record<string, unknown> = {}): Record<string, unknown> => ({ compatible: true, ...options });
const postgres = context('postgresql', { lsn: 42, txId: 7, sequence: '[null,"42"]' });

/** The raw JSON text of one value in `after`. */
function written(c: Partial<Column> & Pick<Column, 'type'>, value: Value, options: Record<string, unknown>, ctx = postgres): string {
  const { type, ...more } = c,
    text = onlyValue(
      encode('debezium', [event({ op: 'c', table: oneColumn(column('v', type, more)), after: { v: value } })], options, ctx),
    );
  return /"after":\{"v":(.*)\},"source"/.exec(text)?.[1] ?? text;
}

describe('our own mode', () => {
  test('carries ts_sec, pos and server_id in source and the transaction last', () => {
    const transaction: Transaction = { id: '7', order: 3, collectionOrder: 2, commitTsMs: AT_MS, last: false };
    const text = onlyValue(
      encode('debezium', [
        event({ op: 'u', before: { id: 1n, total: '1.00', note: 'a' }, after: { id: 1n, total: '2.00', note: null }, transaction }),
      ]),
    );
    expect(text).toBe(
      '{"before":{"id":1,"total":"1.00","note":"a"},"after":{"id":1,"total":"2.00","note":null},' +
        '"source":{"version":"0.1.0","connector":"sqlite","name":"shop-db","ts_ms":1709210096789,"snapshot":"false","db":"shop","sequence":null,' +
        '"ts_us":1709210096789000,"ts_ns":1709210096789000000,"schema":"public","table":"orders","server_id":null,"ts_sec":1709210096,"pos":"0000000000000042"},' +
        '"op":"u","ts_ms":1709210097789,"transaction":{"id":"7","total_order":3,"data_collection_order":2}}',
    );
  });

  test('leaves out columns that the source did not send', () => {
    const [record] = records(encode('debezium', [event({ op: 'u', after: { id: 1n, note: 'x' }, incomplete: true })]));
    expect(record?.value?.after).toEqual({ id: 1, note: 'x' });
  });

  test.each<[string, Column, Value, string]>([
    ['64-bit integers as digits', column('v', 'int64'), 9223372036854775807n, '9223372036854775807'],
    ['unsigned ones too', column('v', 'uint64'), 18446744073709551615n, '18446744073709551615'],
    ['decimals as text', column('v', 'decimal'), '12.30', '"12.30"'],
    ['NaN as text', column('v', 'decimal'), 'NaN', '"NaN"'],
    ['float NaN as text', column('v', 'float64'), Number.NaN, '"NaN"'],
    ['times as text', column('v', 'timestamp'), '2024-02-29T12:34:56.789123', '"2024-02-29T12:34:56.789123"'],
    ['bytes as base64', column('v', 'bytes'), new Uint8Array([0xde, 0xad]), '"3q0="'],
    ['JSON as JSON', column('v', 'json'), { a: [1, 12345678901234567890n] }, '{"a":[1,12345678901234567890]}'],
    ['bits as text', column('v', 'bits', { length: 4 }), '1011', '"1011"'],
    ['SQLite values by their own type', column('v', 'any'), 5n, '5'],
    ['-0 with its sign', column('v', 'float64'), -0, '-0'],
  ])('writes %s', (_name, c, value, text) => {
    expect(written(c, value, {})).toBe(text);
  });

  test('writes what a schema cannot describe as text when there is one', () => {
    expect(written({ type: 'json' }, { a: 1 }, { schemas: true })).toBe('"{\\"a\\":1}"');
    expect(written({ type: 'uint64' }, 18446744073709551615n, { schemas: true })).toBe('"18446744073709551615"');
    expect(written({ type: 'any' }, [1], { schemas: true })).toBe('"[1]"');
  });

  test('names of topics and schemas have only what Kafka takes, in compatible mode', () => {
    const row = event({ op: 'c', table: { ...ORDERS, id: { ...ORDERS.id, table: 'Line items/ä' } }, after: { id: 1n } });
    const [record] = records(encode('debezium', [row], compatible({ schemas: true })));
    expect(record?.topic).toBe('shop-db.public.Line_items__');
    expect(object(record?.value?.schema).name).toBe('shop-db.public.Line_items__.Envelope');
    expect(object(object(record?.value?.payload).source).table).toBe('Line items/ä');
  });

  test('names topics after the table, or after the prefix where one is set', () => {
    const row = event({ op: 'c', after: { id: 1n } });
    expect(encode('debezium', [row]).topic).toEqual(['public.orders']);
    expect(encode('debezium', [row], { topic_prefix: 'cdc' }).topic).toEqual(['cdc.public.orders']);
    expect(encode('debezium', [row], compatible()).topic).toEqual(['shop-db.public.orders']);
    expect(encode('debezium', [row], compatible(), context('mysql')).topic).toEqual(['shop-db.shop.orders']);
  });
});

describe('values in compatible mode', () => {
  const precise = {},
    text = { decimal_handling_mode: 'string' },
    double = { decimal_handling_mode: 'double' },
    iso = { time_precision_mode: 'isostring' },
    connect = { time_precision_mode: 'connect' };
  test.each<[string, Partial<Column> & Pick<Column, 'type'>, Value, Record<string, unknown>, string]>([
    ['a decimal', { type: 'decimal', precision: 12, scale: 2 }, '1234.56', precise, '"AeJA"'],
    ['a decimal with fewer digits', { type: 'decimal', precision: 12, scale: 2 }, '5', precise, '"AfQ="'],
    ['a long decimal', { type: 'decimal', precision: 30, scale: 10 }, '12345678901234567890.0123456789', precise, '"AY7pD/bDc+DuDATVFQ=="'],
    ['a decimal of any scale, zeros cut', { type: 'decimal' }, '1.500', precise, '{"scale":1,"value":"Dw=="}'],
    ['money', { type: 'decimal', nativeType: 'money', scale: 2 }, '-12.50', precise, '"+x4="'],
    ['NaN, which Debezium drops', { type: 'decimal' }, 'NaN', precise, 'null'],
    ['NaN by the name of its constant', { type: 'decimal' }, 'NaN', text, '"NAN"'],
    ['NaN as text of a double', { type: 'decimal' }, 'NaN', double, '"NaN"'],
    ['a decimal as double', { type: 'decimal' }, '12345678901', double, '1.2345678901E10'],
    ['a decimal as text', { type: 'decimal', precision: 12, scale: 2 }, '0.10', text, '"0.10"'],
    ['a double', { type: 'float64' }, 1.7976931348623157e308, precise, '1.7976931348623157E308'],
    ['a whole double', { type: 'float64' }, 100, precise, '100.0'],
    ['a small double', { type: 'float64' }, 0.00012, precise, '1.2E-4'],
    ['a float widened to double', { type: 'float32' }, Math.fround(0.1), precise, '0.1'],
    ['a float of nine digits', { type: 'float32' }, Math.fround(16777217.5), precise, '1.6777218E7'],
    ['infinity', { type: 'float32' }, Number.NEGATIVE_INFINITY, precise, '"-Infinity"'],
    ['an unsigned integer beyond 2^63', { type: 'uint64' }, 18446744073709551615n, precise, '-1'],
    ['a 64-bit integer delivered as text', { type: 'int64' }, '-7', precise, '-7'],
    ['a date', { type: 'date' }, '2024-02-29', precise, '19782'],
    ['a date as text', { type: 'date' }, '0044-03-15 BC', iso, '"-0043-03-15Z"'],
    ['an endless date', { type: 'date' }, 'infinity', precise, '-2147472692'],
    ['a time to the microsecond', { type: 'time' }, '12:34:56.789123', precise, '45296789123'],
    ['a time to the millisecond', { type: 'time', precision: 3 }, '12:34:56.789', precise, '45296789'],
    ['a time cut', { type: 'time' }, '12:34:56.789999', connect, '45296789'],
    ['the end of the day', { type: 'time' }, '24:00:00', iso, '"00:00:00Z"'],
    [
      'a time always in microseconds',
      { type: 'time', precision: 0 },
      '00:00:01',
      { time_precision_mode: 'adaptive_time_microseconds' },
      '1000000',
    ],
    ['a nanosecond time', { type: 'time', precision: 9 }, '00:00:01', precise, '1000000000'],
    ['a timestamp', { type: 'timestamp' }, '9999-12-31T23:59:59.999999', precise, '253402300799999999'],
    ['a timestamp before 1970', { type: 'timestamp', precision: 3 }, '1969-12-31T23:59:59.999', precise, '-1'],
    ['an endless timestamp', { type: 'timestamp' }, 'infinity', precise, '9223372036825200000'],
    ['the other end', { type: 'timestamp' }, '-infinity', precise, '-9223372036832400000'],
    ['the end as text', { type: 'timestamp' }, 'infinity', iso, '"+294247-01-10T04:00:25.2Z"'],
    ['an endless timestamptz', { type: 'timestamptz' }, 'infinity', precise, '"infinity"'],
    ['a timestamptz of another offset', { type: 'timestamptz' }, '2024-02-29 14:34:56.5+02', precise, '"2024-02-29T12:34:56.500000Z"'],
    [
      'a timestamptz of three digits',
      { type: 'timestamptz', precision: 3 },
      '2024-02-29T12:34:56.5Z',
      precise,
      '"2024-02-29T12:34:56.500Z"',
    ],
    ['a timestamptz without digits', { type: 'timestamptz', precision: 0 }, '2024-02-29T12:34:56Z', precise, '"2024-02-29T12:34:56Z"'],
    ['a timetz', { type: 'timetz' }, '00:30:00+01', precise, '"23:30:00Z"'],
    ['an interval', { type: 'interval' }, 'P1M', precise, '2629800000000'],
    ['bytes', { type: 'bytes' }, new Uint8Array([0xfb, 0xff]), precise, '"+/8="'],
    ['bytes as hex', { type: 'bytes' }, new Uint8Array([0xfb, 0xff]), { binary_handling_mode: 'hex' }, '"fbff"'],
    ['bytes for URLs', { type: 'bytes' }, new Uint8Array([0xfb, 0xff]), { binary_handling_mode: 'base64-url-safe' }, '"-_8="'],
    ['one bit', { type: 'bits', length: 1 }, '1', precise, 'true'],
    ['bits, little-endian', { type: 'bits', length: 16 }, '1000000000000011', precise, '"A4A="'],
    ['no bits set', { type: 'bits', length: 8 }, '00000000', precise, '""'],
    ['JSON as its own text', { type: 'json' }, new JsonText('{"a":  1.10}') as unknown as Value, precise, '"{\\"a\\":  1.10}"'],
    ['a JSON string', { type: 'json' }, 'x', precise, '"\\"x\\""'],
    ['hstore', { type: 'json', nativeType: 'hstore' }, { k: null }, precise, '"{\\"k\\":null}"'],
    [
      'an array of decimals',
      { type: 'array', element: 'decimal', nativeType: 'numeric(10,2)[]', precision: 10, scale: 2 },
      ['0.10', null],
      precise,
      '["Cg==",null]',
    ],
    ['an array of dates', { type: 'array', element: 'date', nativeType: 'date[]' }, ['1970-01-02'], precise, '[1]'],
    [
      'an array of timestamps',
      { type: 'array', element: 'timestamptz' },
      ['2024-02-29T12:34:56Z'],
      precise,
      '["2024-02-29T12:34:56.000000Z"]',
    ],
    [
      'a point',
      { type: 'geometry', nativeType: 'point' },
      { x: 0, y: 1 },
      precise,
      '{"x":0.0,"y":1.0,"wkb":"AQEAAAAAAAAAAAAAAAAAAAAAAPA/","srid":null}',
    ],
    [
      'extended well-known binary',
      { type: 'geometry', nativeType: 'geometry(Point,4326)' },
      new Uint8Array(Buffer.from('0101000020e6100000000000000000f03f0000000000000040', 'hex')),
      precise,
      '{"wkb":"AQEAACDmEAAAAAAAAAAA8D8AAAAAAAAAQA==","srid":4326}',
    ],
    [
      'well-known binary without a system of reference, big-endian',
      { type: 'geometry', nativeType: 'geometry' },
      new Uint8Array(Buffer.from('00000000013ff00000000000004000000000000000', 'hex')),
      precise,
      '{"wkb":"AAAAAAE/8AAAAAAAAEAAAAAAAAAA","srid":null}',
    ],
    ['bits of any length', { type: 'bits', nativeType: 'bit varying' }, '1011', precise, '"Cw=="'],
    [
      'a geometry',
      { type: 'geometry', nativeType: 'geometry' },
      { wkb: new Uint8Array([1]), srid: 4326 },
      precise,
      '{"wkb":"AQ==","srid":4326}',
    ],
    ['what does not fit its type by its JS type', { type: 'date' }, 'soon', precise, '"soon"'],
    ['a decimal with too many digits too', { type: 'decimal', precision: 4, scale: 1 }, '1.25', precise, '"1.25"'],
    [
      'a type that Debezium does not know',
      { type: 'array', element: 'interval', nativeType: 'interval[]' },
      ['P1D'],
      precise,
      '{"before":null,"after":{}',
    ],
  ])('%s', (_name, c, value, options, expected) => {
    expect(written(c, value, compatible(options))).toMatch(
      expected.startsWith('{"before"') ? /"after":\{\}/ : new RegExp(`^${expected.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`),
    );
  });
});

describe('columns that are not there, in compatible mode', () => {
  const table: TableSchema = {
    ...ORDERS,
    columns: [
      column('id', 'int64', { nullable: false }),
      column('qty', 'int32', { nullable: false }),
      column('price', 'decimal', { nullable: false, precision: 8, scale: 2 }),
      column('name', 'string', { nullable: false, default: 'none' }),
      column('note', 'string'),
      column('tag', 'string', { default: 'new' }),
      column('doc', 'json'),
      column('raw', 'bytes'),
      column('tags', 'array', { nativeType: 'text[]', element: 'string' }),
      column('ns', 'array', { nativeType: 'integer[]', element: 'int32' }),
      column('big', 'decimal'),
      column('h', 'json', { nativeType: 'hstore' }),
    ],
  };

  test('a delete shows defaults and zeros for what the source did not send', () => {
    const [record] = records(encode('debezium', [event({ op: 'd', table, before: { id: 1n } })], compatible(), postgres));
    expect(record?.value?.before).toEqual({
      id: 1,
      qty: 0,
      price: 'AA==',
      name: 'none',
      note: null,
      tag: 'new',
      doc: null,
      raw: null,
      tags: null,
      ns: null,
      big: null,
      h: null,
    });
  });

  test('an update shows placeholders for unchanged values', () => {
    const [record] = records(
      encode(
        'debezium',
        [event({ op: 'u', table, after: { id: 1n, qty: 2, price: '1.00', name: 'x', tag: 't' }, incomplete: true })],
        compatible(),
        postgres,
      ),
    );
    const text = '__debezium_unavailable_value';
    expect(record?.value?.after).toMatchObject({
      note: text,
      doc: text,
      raw: Buffer.from(text).toString('base64'),
      tags: [text],
      ns: [...Buffer.from(text)],
      big: null,
      h: JSON.stringify({ [text]: text }),
    });
  });

  test('NULL shows the default where there is one', () => {
    const [record] = records(
      encode('debezium', [event({ op: 'c', table, after: { id: 1n, tag: null, note: null } })], compatible(), postgres),
    );
    expect(record?.value?.after).toMatchObject({ tag: 'new', note: null });
  });
});

describe('records of an event', () => {
  const before: Row = { id: 1n, total: '1.00', note: null },
    after: Row = { id: 2n, total: '1.00', note: null };

  test('a delete is followed by a tombstone', () => {
    const batch = encode('debezium', [event({ op: 'd', before }), event({ op: 'c', after })]);
    expect([...batch.event]).toEqual([0, 0, 1]);
    expect(records(batch).map((r) => [r.key?.id, r.value?.op ?? null])).toEqual([
      [1, 'd'],
      [1, null],
      [2, 'c'],
    ]);
  });

  test('a delete has no tombstone when they are off or the table has no key', () => {
    expect(encode('debezium', [event({ op: 'd', before })], { tombstones_on_delete: false }).value).toHaveLength(1);
    const keyless = event({ op: 'd', before, table: { ...ORDERS, key: [] } });
    expect(encode('debezium', [keyless]).key).toEqual([null]);
    expect(encode('debezium', [keyless], compatible()).key, 'as Debezium does').toEqual([null, null]);
  });

  test('a change of key is a delete, a tombstone and a create', () => {
    const transaction: Transaction = { id: '7', order: 1, collectionOrder: 1, commitTsMs: AT_MS, last: true };
    const batch = encode('debezium', [event({ op: 'u', before, after, headers: { trace: 't' }, transaction })], {
      provide_transaction_metadata: true,
    });
    expect(
      records(batch).map((r) => [
        r.topic,
        r.key?.id,
        r.value?.op ?? r.value?.status ?? null,
        (r.value?.transaction as Json | undefined)?.total_order ?? r.value?.event_count ?? null,
      ]),
    ).toEqual([
      ['transaction', '7', 'BEGIN', null],
      ['public.orders', 1, 'd', 1],
      ['public.orders', 1, null, null],
      ['public.orders', 2, 'c', 2],
      ['transaction', '7', 'END', 2],
    ]);
    expect(batch.headers.slice(1, 4)).toEqual([
      { trace: 't', '__debezium.newkey': '{"id":2}' },
      { trace: 't', '__debezium.newkey': '{"id":2}' },
      { trace: 't', '__debezium.oldkey': '{"id":1}' },
    ]);
  });

  test('snapshot rows carry their place, truncates have no key, schema changes no record', () => {
    const snapshot = { run: 'r', table: 'public.orders', chunk: 1, place: 'first_in_data_collection' } as const;
    const batch = encode('debezium', [
      event({ op: 'r', after, snapshot }),
      event({ op: 's', schemaChange: { kind: 'alter', previous: null, ddl: null } }),
      event({ op: 't' }),
    ]);
    expect(records(batch).map((r) => [r.value?.op, r.key, object(r.value?.source).snapshot])).toEqual([
      ['r', { id: 2 }, 'first_in_data_collection'],
      ['t', null, 'false'],
    ]);
    expect([...batch.event]).toEqual([0, 2]);
    expect([...batch.timestampMs]).toEqual([AT_MS, AT_MS]);
  });

  test('a logical message goes to a topic of its own', () => {
    const batch = encode(
      'debezium',
      [event({ op: 'm', message: { prefix: 'audit', content: Buffer.from('hi'), transactional: true } })],
      compatible({ schemas: true }),
      postgres,
    );
    const [record] = records(batch),
      payload = record?.value?.payload as Json;
    expect(record?.topic).toBe('shop-db.message');
    expect(record?.key?.payload).toEqual({ prefix: 'audit' });
    expect(Object.keys(payload)).toEqual(['op', 'ts_ms', 'source', 'transaction', 'message']);
    expect(payload).toMatchObject({ op: 'm', ts_ms: NOW_MS, transaction: null, message: { prefix: 'audit', content: 'aGk=' } });
    expect(decodeEnvelope('debezium', batch.value[0] as Uint8Array)).toMatchObject({ op: 'm', before: null, after: null });
  });

  test('END does not guess table counts when the transaction began earlier', () => {
    const transaction: Transaction = { id: '7', order: 5, collectionOrder: 2, commitTsMs: AT_MS, last: true };
    const [, end] = records(encode('debezium', [event({ op: 'c', after, transaction })], { provide_transaction_metadata: true }));
    expect(end?.value).toMatchObject({ status: 'END', event_count: 5, data_collections: null });
  });

  test('a table without columns has rows by their own members and no schema', () => {
    const schemaless: TableSchema = { id: { database: null, schema: null, table: 'lines' }, columns: [], key: [], version: 1 };
    const [record] = records(encode('debezium', [event({ op: 'c', table: schemaless, after: { z: 1, a: { b: 2n } } })], { schemas: true }));
    expect(record?.value?.schema).toBeNull();
    expect(object(record?.value?.payload).after).toEqual({ z: 1, a: { b: 2 } });
  });
});

test('the source block follows the position and keeps steady fields', () => {
  const ctx = context('postgresql'),
    fieldsOf = (lsn: number): Json => ({ lsn, txId: lsn < 3 ? 1 : 2, ts_us: 1709210096789123n });
  const sources = {
    'shop-db': {
      connector: 'postgresql',
      database: 'shop',
      fields: (e: { position: string }) => fieldsOf(Number(e.position)) as Record<string, number>,
    },
  };
  const events = ['1', '2', '3'].map((position) => event({ op: 'c', after: { id: 1n }, position: position as never }));
  const blocks = records(encode('debezium', events, compatible(), { ...ctx, sources })).map((r) => r.value?.source as Json);
  expect(blocks.map((s) => [s.txId, s.lsn, s.ts_us, s.ts_ns])).toEqual(
    [1, 2, 3].map((lsn) => [lsn < 3 ? 1 : 2, lsn, 1709210096789123, 1709210096789123000n]),
  );
});

test('decoding follows the schema that travels with a record', () => {
  const table: TableSchema = {
    ...ORDERS,
    columns: [
      column('id', 'int64', { nullable: false }),
      column('total', 'decimal', { precision: 10, scale: 2 }),
      column('any', 'decimal'),
      column('d', 'date'),
      column('t', 'time'),
      column('ts', 'timestamp'),
      column('b', 'bytes'),
      column('f', 'float64'),
      column('bits', 'bits', { length: 12 }),
      column('dates', 'array', { element: 'date' }),
    ],
  };
  const after: Row = {
    id: 5n,
    total: '-12.30',
    any: '0.001',
    d: '1969-12-31',
    t: '12:34:56.789123',
    ts: '9999-12-31T23:59:59.999999',
    b: new Uint8Array([1, 2]),
    f: Number.NaN,
    bits: '000000001011',
    dates: ['2024-02-29'],
  };
  const batch = encode('debezium', [event({ op: 'c', table, after })], compatible({ schemas: true }), postgres);
  const decoded = decodeEnvelope('debezium', batch.value[0] as Uint8Array, batch.key[0] ?? null);
  expect(decoded).toEqual({
    op: 'c',
    table: 'orders',
    schema: 'public',
    database: 'shop',
    key: { id: 5n },
    before: null,
    after,
    sourceTsMs: AT_MS,
    id: null,
  });
});

test.each(['{}', '{"op":"x","source":{"table":"t"}}', '{"op":"c"}', '{"op":"c","source":{"table":"t"},"after":[1]}', '[]', '5'])(
  'refuses %s',
  (text) => {
    expect(() => decodeEnvelope('debezium', Buffer.from(text))).toThrow(expect.objectContaining({ code: 'SOURCE_DATA_INVALID' }));
  },
);
