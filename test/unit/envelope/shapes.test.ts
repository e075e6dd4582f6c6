// What each shape makes of each operation, and the members that other systems rely on.

import { describe, expect, test } from 'vitest';
import {
  createEnvelope,
  decodeEnvelope,
  ENVELOPE_TYPES,
  type EnvelopeType,
  EVENT_ENVELOPES,
  envelopeOptions,
} from '../../../src/envelope/create.ts';
import type { ChangeEvent, Op, Row } from '../../../src/sdk/index.ts';
import { AT_MS, context, encode, event, type Json, ORDERS, object, onlyValue, records } from './helpers.ts';

const ROW: Row = { id: 1n, total: '12.30', note: 'ä' };
const EVENTS: Readonly<Record<Op, ChangeEvent>> = {
  c: event({ op: 'c', after: ROW }),
  u: event({ op: 'u', before: ROW, after: { ...ROW, note: null } }),
  d: event({ op: 'd', before: ROW }),
  r: event({ op: 'r', after: ROW }),
  t: event({ op: 't' }),
  m: event({ op: 'm', message: { prefix: 'p', content: Buffer.from('x'), transactional: false } }),
  s: event({ op: 's', schemaChange: { kind: 'alter', previous: null, ddl: 'ALTER TABLE orders ADD note text' } }),
};

describe('operations by shape', () => {
  const member: Readonly<Record<EnvelopeType, (value: Json) => unknown>> = {
    debezium: (v) => v.op,
    plain: (v) => v.op,
    cdc_event: (v) => `${v.event_type} ${v.operation}`,
    sync_event: (v) => v.operation,
    elide: (v) => v.operation,
    cloudevents: (v) => v.type,
    row: (v) => Object.keys(v).join(),
  };
  test.each<[EnvelopeType, Op, unknown[]]>([
    ['debezium', 'c', ['c']],
    ['debezium', 'd', ['d', null]],
    ['debezium', 'r', ['r']],
    ['debezium', 't', ['t']],
    ['debezium', 'm', ['m']],
    ['debezium', 's', []],
    ['plain', 'c', ['c']],
    ['plain', 'd', ['d']],
    ['plain', 'r', ['r']],
    ['plain', 't', ['t']],
    ['plain', 'm', ['m']],
    ['plain', 's', ['s']],
    ['cdc_event', 'c', ['cdc.insert INSERT']],
    ['cdc_event', 'u', ['cdc.update UPDATE']],
    ['cdc_event', 'd', ['cdc.delete DELETE']],
    ['cdc_event', 'r', ['cdc.insert INSERT']],
    ['cdc_event', 't', ['cdc.ddl DDL']],
    ['cdc_event', 's', ['cdc.ddl DDL']],
    ['cdc_event', 'm', []],
    ['sync_event', 'c', ['insert']],
    ['sync_event', 'u', ['update']],
    ['sync_event', 'd', ['delete']],
    ['sync_event', 'r', ['insert']],
    ['sync_event', 't', ['truncate']],
    ['sync_event', 'm', []],
    ['sync_event', 's', []],
    ['elide', 'c', ['INSERT']],
    ['elide', 'u', ['UPDATE']],
    ['elide', 'd', ['DELETE']],
    ['elide', 'r', ['INSERT']],
    ['elide', 't', ['TRUNCATE']],
    ['elide', 'm', []],
    ['elide', 's', []],
    ['cloudevents', 'c', ['cdc-run.change.create']],
    ['cloudevents', 'u', ['cdc-run.change.update']],
    ['cloudevents', 'd', ['cdc-run.change.delete']],
    ['cloudevents', 'r', ['cdc-run.change.read']],
    ['cloudevents', 't', ['cdc-run.change.truncate']],
    ['cloudevents', 'm', []],
    ['cloudevents', 's', []],
    ['row', 'c', ['id,total,note']],
    ['row', 'u', ['id,total,note']],
    ['row', 'd', [null]],
    ['row', 'r', ['id,total,note']],
    ['row', 't', []],
    ['row', 'm', []],
    ['row', 's', []],
  ])('%s %s → %j', (type, op, expected) => {
    const batch = encode(type, [EVENTS[op]]);
    expect(records(batch).map((r) => (r.value === null ? null : member[type](r.value)))).toEqual(expected);
  });

  test.each(EVENT_ENVELOPES.flatMap((type) => (['c', 'u', 'd', 'r', 't'] as const).map((op) => [type, op] as const)))(
    '%s gives %s back when decoded',
    (type, op) => {
      const batch = encode(type, [EVENTS[op]]);
      expect(decodeEnvelope(type, batch.value[0] as Uint8Array, batch.key[0] ?? null).op).toBe(op);
    },
  );
});

describe.each(ENVELOPE_TYPES)('%s', (type) => {
  test('gives the same bytes for the same events, one by one or together', () => {
    const envelope = createEnvelope({ type, options: {} }, context()),
      events = [EVENTS.c, EVENTS.u, EVENTS.d, EVENTS.r, EVENTS.t];
    const together = envelope.encode(events),
      apart = events.map((e) => envelope.encode([e]));
    expect(together.value.map(String)).toEqual(apart.flatMap((b) => b.value.map(String)));
    expect(together.key.map(String)).toEqual(apart.flatMap((b) => b.key.map(String)));
  });

  test('names the table and has the key as JSON, none for a table without', () => {
    const batch = encode(type, [EVENTS.c, event({ op: 'c', after: ROW, table: { ...ORDERS, key: [] } })]);
    expect(batch.topic).toEqual(['public.orders', 'public.orders']);
    expect(batch.key.map((k) => k && Buffer.from(k).toString())).toEqual(['{"id":1}', null]);
  });

  test('passes headers on', () => {
    expect(encode(type, [event({ op: 'c', after: ROW, headers: { trace: 'abc' } })]).headers[0]).toMatchObject({ trace: 'abc' });
  });

  test('encodes no events to no records', () => {
    expect(encode(type, []).value).toEqual([]);
  });

  test('has a strict schema of options, each described and with an example', () => {
    const schema = envelopeOptions(type);
    expect(schema.additionalProperties).toBe(false);
    for (const [name, key] of Object.entries(schema.properties)) {
      expect(key.description, name).toBeTypeOf('string');
      expect(key.examples, name).toHaveLength(1);
    }
  });
});

describe.each(EVENT_ENVELOPES)('%s', (type) => {
  test('names input that it cannot read', () => {
    for (const text of ['not JSON', '[]', '{}', '"x"'])
      expect(() => decodeEnvelope(type, Buffer.from(text)), text).toThrow(expect.objectContaining({ code: 'SOURCE_DATA_INVALID' }));
  });
});

describe('members that other systems rely on', () => {
  test('cdc_event has exactly the fields of the Go struct, empty ones omitted', () => {
    const value = JSON.parse(onlyValue(encode('cdc_event', [EVENTS.c]))) as Json;
    expect(Object.keys(value)).toEqual([
      'event_id',
      'event_type',
      'source',
      'timestamp',
      'schema',
      'table',
      'operation',
      'after',
      'metadata',
    ]);
    expect(value).toMatchObject({ source: 'shop', timestamp: '2024-02-29T12:34:56.789Z', schema: 'public', table: 'orders' });
  });

  test('sync_event has a UUID that is the same for a repeat and another for another event', () => {
    const id = (e: ChangeEvent): unknown => (JSON.parse(onlyValue(encode('sync_event', [e]))) as Json).id;
    expect(id(EVENTS.c)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(id(EVENTS.c)).toBe(id(event({ op: 'c', after: ROW })));
    expect(id(EVENTS.c)).not.toBe(id(event({ op: 'c', after: ROW, position: '0000000000000043' as never })));
  });

  test.each([
    ['0000000000000042', 42],
    ['000', 0],
    ['9007199254740993', 9007199254740993n],
    ['16/B374D848', '16/B374D848'],
    ['', ''],
  ])('elide numbers position %j as %s', (position, number) => {
    const [record] = records(encode('elide', [event({ op: 'c', after: ROW, position: position as never })]));
    expect(object(record?.value?.metadata).sequenceNumber).toEqual(number);
  });

  test('cloudevents has the required attributes and a media type of its own', () => {
    const batch = encode('cloudevents', [EVENTS.u], { type_prefix: 'com.example' }),
      value = JSON.parse(onlyValue(batch)) as Json;
    expect(value).toMatchObject({
      specversion: '1.0',
      id: EVENTS.u.id,
      source: '/cdc-run/orders/shop-db',
      type: 'com.example.update',
      subject: 'public.orders',
      time: '2024-02-29T12:34:56.789Z',
      datacontenttype: 'application/json',
      partitionkey: '{"id":1}',
      data: { op: 'u', before: { note: 'ä' }, after: { note: null } },
    });
    expect(batch.headers[0]).toEqual({ 'content-type': 'application/cloudevents+json; charset=UTF-8' });
  });

  test('cloudevents keeps an update of the key one event', () => {
    const [record] = records(encode('cloudevents', [event({ op: 'u', before: ROW, after: { ...ROW, id: 2n } })]));
    expect(record?.value).toMatchObject({
      type: 'cdc-run.change.update',
      partitionkey: '{"id":2}',
      data: { before: { id: 1 }, after: { id: 2 } },
    });
  });

  test('plain says when columns were not sent', () => {
    expect(JSON.parse(onlyValue(encode('plain', [event({ op: 'u', after: { id: 1n }, incomplete: true })])))).toMatchObject({
      after: { id: 1 },
      incomplete: true,
    });
  });
});

test('a source that the context does not know is a bug with a name', () => {
  expect(() => encode('debezium', [event({ op: 'c', after: ROW, source: 'elsewhere' })])).toThrow(
    expect.objectContaining({ code: 'INTERNAL_UNEXPECTED', message: expect.stringContaining('"elsewhere"') }),
  );
});

test('times of processing come from the context, once per batch', () => {
  let calls = 0;
  const ctx = {
    ...context(),
    now: () => {
      calls++;
      return AT_MS;
    },
  };
  createEnvelope({ type: 'debezium', options: {} }, ctx).encode([EVENTS.c, EVENTS.u, EVENTS.d]);
  expect(calls).toBe(1);
});
