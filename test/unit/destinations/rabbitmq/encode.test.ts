// Records as messages of RabbitMQ, and what the configuration says where they go.

import { describe, expect, it } from 'vitest';
import { type RabbitmqConfig, routingKeyOf, topologyOf, validate } from '../../../../src/destinations/rabbitmq/config.ts';
import { encodeMessages } from '../../../../src/destinations/rabbitmq/encode.ts';
import { Events, item, laneBatch } from '../../../../src/sdk/testing/index.ts';
import { NameTemplate } from '../../../../src/systems/name-template.ts';
import { rabbitmqConfig } from '../../../helpers/rabbitmq.ts';

const OPTIONS = {
  routingKey: new NameTemplate('{table}', '.'),
  contentType: 'application/json',
  persistent: true,
  mandatory: true,
  maxBytes: 200 as number | null,
};

const encode = (headers: Record<string, string> | null, key: Uint8Array | null, o = OPTIONS) => {
  const batch = laneBatch([new Events().create(item(1, 'a'))]),
    records = { ...batch.encoded(), headers: [headers], key: [key] };
  return encodeMessages(batch, records, o);
};

describe('a record', () => {
  it('becomes a message with its id, key and headers', () => {
    const { messages, failed } = encode({ origin: 'shop' }, Buffer.from('{"id":1}'));
    expect(failed).toEqual([]);
    expect(messages[0]).toMatchObject({ routingKey: 'items', properties: { headers: { origin: 'shop', cdc_key: '{"id":1}' } } });
  });

  it('keeps a key of bytes that are no text', () => {
    expect(encode(null, Uint8Array.of(0xff, 0)).messages[0]?.properties.headers).toEqual({ cdc_key: Buffer.from([0xff, 0]) });
  });

  it.each([
    ['too large', encode(null, null, { ...OPTIONS, maxBytes: 10 })],
    ['with a long name of a header', encode({ ['n'.repeat(256)]: 'x' }, null)],
    ['with a header that the server obeys', encode({ BCC: 'other' }, null)],
    ['with headers beyond a frame', encode({ a: 'x'.repeat(100_001) }, null)],
    ['with a long routing key', encode(null, null, { ...OPTIONS, routingKey: new NameTemplate('é'.repeat(130), '.') })],
  ])('%s is refused', (_, { messages, failed }) => {
    expect(messages).toEqual([]);
    expect(failed).toMatchObject([{ index: 0, error: { code: 'DESTINATION_EVENT_REJECTED' } }]);
  });

  it.each([
    [1_700_000_000_123, { timestamp: 1_700_000_000 }],
    [0, { timestamp: 0 }],
    [-1, {}],
    [Number.NaN, {}],
  ])('of the time %d has what the protocol can say of it: %j', (ms, expected) => {
    const batch = laneBatch([new Events().create(item(1, 'a'))]),
      { messages } = encodeMessages(batch, { ...batch.encoded(), timestampMs: Float64Array.of(ms) }, OPTIONS);
    expect(messages[0]?.properties.timestamp).toBe((expected as { timestamp?: number }).timestamp);
  });

  it('of an event that is skipped is left out', () => {
    const batch = laneBatch([new Events().create(item(1, 'a'))]);
    expect(encodeMessages({ ...batch, skip: new Set([0]) }, batch.encoded(), OPTIONS).messages).toEqual([]);
  });
});

describe('a configuration', () => {
  const config = (changes: Partial<RabbitmqConfig>): RabbitmqConfig => rabbitmqConfig('amqp://h', changes);

  it.each([
    [{ queue: 'q' }, 'q', ['#']],
    [{ exchange: 'e' }, '{topic}', ['#']],
    [{ exchange: 'e', queue: 'q', routing_key: 'k', exchange_type: 'direct' as const }, 'k', ['k']],
    [{ exchange: 'e', queue: 'q', binding_key: ['a', 'b'] }, '{topic}', ['a', 'b']],
  ])('%o publishes to %s and binds by %o', (changes, key, bindings) => {
    expect(validate(config(changes))).toEqual([]);
    expect(routingKeyOf(config(changes))).toBe(key);
    expect(topologyOf(config(changes)).bindings).toEqual(bindings);
  });

  it.each([
    [{}, 'queue'],
    [{ queue: 'q', routing_key: 'k' }, 'routing_key'],
    [{ queue: 'q', binding_key: '#' }, 'binding_key'],
    [{ exchange: 'e', queue: 'q', exchange_type: 'direct' as const }, 'binding_key'],
    [{ exchange: 'e', routing_key: '{nothing}' }, 'routing_key'],
  ])('%o is refused at %s', (changes, path) => {
    expect(validate(config(changes)).map((p) => p.path[0])).toContain(path);
  });
});
