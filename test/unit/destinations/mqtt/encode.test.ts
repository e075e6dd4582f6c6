// Records as messages of MQTT.

import type { IPublishPacket } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { cleanLevel, type EncodeOptions, encodeMessages } from '../../../../src/destinations/mqtt/encode.ts';
import { Events, item, laneBatch } from '../../../../src/sdk/testing/index.ts';
import { messageOf } from '../../../../src/sources/mqtt/decode.ts';
import { NameTemplate } from '../../../../src/systems/name-template.ts';

const OPTIONS: EncodeOptions = {
  topic: new NameTemplate('cdc/{table}', '/', cleanLevel),
  contentType: 'application/json',
  version: 5,
  maxBytes: 500,
};

const event = new Events().create(item(1, 'a')),
  batch = laneBatch([event]);

const encode = (headers: Record<string, string> | null, key: Uint8Array | null, o: Partial<EncodeOptions> = {}, name = 'items') => {
  const renamed = new Events({ ...event.table, id: { ...event.table.id, table: name } }).create(item(1, 'a'));
  return encodeMessages({ ...batch, events: [renamed] }, { ...batch.encoded(), headers: [headers], key: [key] }, { ...OPTIONS, ...o });
};

describe('a record', () => {
  it('becomes a message with its id, key and headers', () => {
    expect(encode({ origin: 'shop' }, Buffer.from('{"id":1}'))).toMatchObject({
      messages: [
        {
          event: 0,
          topic: 'cdc/items',
          properties: {
            contentType: 'application/json',
            userProperties: { origin: 'shop', cdc_key: '{"id":1}', cdc_id: expect.stringMatching(/\S/) },
          },
        },
      ],
      failed: [],
    });
  });

  it('is its payload alone in MQTT 3.1.1', () => {
    expect(encode({ origin: 'shop' }, Buffer.from('1'), { version: 4 }).messages).toMatchObject([{ topic: 'cdc/items', properties: null }]);
  });

  it('without value has an empty payload', () => {
    const { messages } = encodeMessages(batch, { ...batch.encoded(), value: [null] }, OPTIONS);
    expect(messages[0]?.payload).toHaveLength(0);
  });

  it('of a table with an odd name makes no level and no wildcard', () => {
    expect(encode(null, null, {}, 'a/b+#').messages[0]?.topic).toBe('cdc/a_b__');
    expect(encode(null, null, {}, 'a\tb\u0000ü😀\ud800\uffff').messages[0]?.topic).toBe('cdc/a_b_ü😀__');
  });

  it.each([
    ['plain text', 'ü{"id":1}', { cdc_key: 'ü{"id":1}' }],
    ['text with a control character', 'a\u0085b', { cdc_key_base64: Buffer.from('a\u0085b').toString('base64') }],
    ['no text', Uint8Array.of(0xff, 0), { cdc_key_base64: '/wA=' }],
  ])('has a key that is %s, and our source reads it as it was', (_, key, expected) => {
    const bytes = Buffer.from(key as string),
      { userProperties } = encode(null, bytes).messages[0]?.properties ?? {};
    expect(userProperties).toEqual({ ...expected, cdc_id: expect.any(String) });
    const packet = { topic: 't', payload: Buffer.from('v'), properties: { userProperties } } as unknown as IPublishPacket;
    expect(messageOf(packet)).toMatchObject({ key: bytes, headers: null });
  });

  it.each([
    ['too large', encode({ a: 'x'.repeat(500) }, null)],
    ['with a long header', encode({ a: 'x'.repeat(65_536) }, null, { maxBytes: null })],
    ['without a topic', encode(null, null, { topic: new NameTemplate('{schema}', '/') })],
    ['with a header of two lines', encode({ a: 'x\ny' }, null)],
    ['with a header that has an odd name', encode({ 'a\u0000': 'x' }, null)],
    ['with a long topic', encode(null, null, { topic: new NameTemplate('é'.repeat(32_768), '/'), maxBytes: null })],
  ])('%s is refused', (_, { messages, failed }) => {
    expect(messages).toEqual([]);
    expect(failed).toMatchObject([{ index: 0, error: { code: 'DESTINATION_EVENT_REJECTED' } }]);
  });
});
