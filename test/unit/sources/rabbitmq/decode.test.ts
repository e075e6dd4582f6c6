// Deliveries as messages: keys, headers, times, how often they came.

import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { deliveriesOf, messageOf, timeOf } from '../../../../src/sources/rabbitmq/decode.ts';

const delivery = (properties: object, redelivered = false, content = 'x'): ConsumeMessage =>
  ({ content: Buffer.from(content), fields: { redelivered }, properties }) as unknown as ConsumeMessage;

describe('a delivery', () => {
  it('has its key in a header, and the others as text', () => {
    const headers = {
      cdc_key: 'k',
      text: 'a',
      number: 1.5,
      yes: true,
      nothing: null,
      list: [1, 'b'],
      bytes: Buffer.from([255]),
      'x-delivery-count': 3,
    };
    expect(messageOf(delivery({ headers }), 'q')).toEqual({
      topic: 'q',
      key: Buffer.from('k'),
      value: Buffer.from('x'),
      headers: { text: 'a', number: '1.5', yes: 'true', nothing: 'null', list: '[1,"b"]', bytes: '/w==' },
    });
  });

  it('without a body has no value, and a header cannot set the prototype', () => {
    const message = messageOf(delivery({ headers: JSON.parse('{"__proto__": "x"}') }, false, ''), 'q');
    expect(message.value).toBeNull();
    expect(Object.keys(message.headers ?? {})).toEqual(['__proto__']);
  });

  it.each([
    [delivery({ headers: { 'x-delivery-count': 4 } }, true), 5],
    [delivery({}, true), 2],
    [delivery({ headers: {} }), 1],
  ])('says how often it came: case %#', (message, count) => {
    expect(deliveriesOf(message)).toBe(count);
  });

  it.each([
    [{ timestamp: 1_700_000_000 }, 1_700_000_000_000],
    [{ timestamp: 1_700_000_000_123 }, 1_700_000_000_123],
    [{}, 42],
    [{ timestamp: 0 }, 42],
  ])('takes its time from %o', (properties, ms) => {
    expect(timeOf(delivery(properties), 42)).toBe(ms);
  });
});
