// Topics, addresses and errors of MQTT.

import { describe, expect, it } from 'vitest';
import { validate as validateDestination } from '../../../../src/destinations/mqtt/config.ts';
import { encodeMessages } from '../../../../src/destinations/mqtt/encode.ts';
import { Events, item, laneBatch } from '../../../../src/sdk/testing/index.ts';
import { validate } from '../../../../src/sources/mqtt/config.ts';
import { filterProblem, unshared } from '../../../../src/sources/mqtt/filters.ts';
import { ConnectError, problemOf } from '../../../../src/systems/mqtt/driver-errors.ts';
import { parseBroker } from '../../../../src/systems/mqtt/endpoint.ts';
import { NameTemplate } from '../../../../src/systems/name-template.ts';
import { mqttConfig, mqttSourceConfig } from '../../../helpers/mqtt.ts';

const AT = { broker: 'mqtt://h:1883' };

describe('a filter', () => {
  it.each(['a', 'a/b', '+', '#', 'a/+/b', 'a/#', '/a', '$share/g/a/#'])('%s is one', (filter) => {
    expect(filterProblem(filter)).toBeNull();
  });
  it.each(['a#', '#/a', 'a+/b', '$share/g', '$share//a', 'a\0b'])('%s is none', (filter) => {
    expect(filterProblem(filter)).not.toBeNull();
  });
  it('is known without its group', () => {
    expect([unshared('$share/g/a/+'), unshared('a/#')]).toEqual(['a/+', 'a/#']);
  });
});

describe('a configuration', () => {
  it('has topics, or one topic', () => {
    expect(validate(mqttSourceConfig(AT, 'a/+'))).toEqual([]);
    expect(validate(mqttSourceConfig(AT, 'a', { topic: 'b' })).map((p) => p.path)).toEqual([['topics']]);
    expect(validate(mqttSourceConfig(AT, 'a#')).map((p) => p.path)).toEqual([['topics', 0]]);
  });
  it('publishes to no wildcards', () => {
    expect(validateDestination(mqttConfig(AT, { topic: 'a/+' })).map((p) => p.path)).toEqual([['topic']]);
  });
  it.each([
    ['mqtt://h', { host: 'h', port: null, tls: false }],
    ['mqtts://h:8884', { host: 'h', port: 8884, tls: true }],
    ['mqtt://[::1]:1', { host: '::1', port: 1, tls: false }],
  ])('has the address %s', (text, parts) => {
    expect(parseBroker(text)).toEqual(parts);
  });
  it.each(['http://h', 'mqtt://u:p@h', 'mqtt://h/path', 'mqtt://h:x'])('does not take the address %s', (text) => {
    expect(parseBroker(text)).toBeTypeOf('string');
  });
});

describe('an error', () => {
  const coded = (message: string, code: unknown): Error => Object.assign(new Error(message), { code });
  it.each([
    [coded('Connection refused: Bad username or password', 4), 'login'],
    [new ConnectError('x', { cause: coded('Connection refused: Not authorized', 135) }), 'login'],
    [coded('Publish error: Not authorized', 135), 'permission'],
    [coded('Publish error: Packet too large', 149), 'refused_message'],
    [coded('the broker ended the connection (reason 142)', 142), 'taken_over'],
    [coded('x', 'ECONNRESET'), 'broken'],
    [new ConnectError('x', { cause: new Error('connack timeout') }), 'unreachable'],
    [new Error('Keepalive timeout'), 'broken'],
    [new Error('TLS not authorized'), 'certificate'],
  ])('%s is %s', (error, kind) => {
    expect(problemOf(error).kind).toBe(kind);
  });
});

describe('a record', () => {
  const encode = (version: 4 | 5, maxBytes: number | null = null) => {
    const batch = laneBatch([new Events().create(item(1, 'a'))]);
    return encodeMessages(batch, batch.encoded(), {
      topic: new NameTemplate('t/{table}', '/'),
      contentType: 'application/json',
      version,
      maxBytes,
    });
  };
  it('carries id and key with MQTT 5, and nothing but its bytes with 3.1.1', () => {
    expect(encode(5).messages[0]).toMatchObject({ topic: 't/items', properties: { userProperties: { cdc_key: '{"id":1}' } } });
    expect(encode(4).messages[0]?.properties).toBeNull();
  });
  it('that is too large is refused', () => {
    expect(encode(5, 50)).toMatchObject({ messages: [], failed: [{ index: 0, error: { code: 'DESTINATION_EVENT_REJECTED' } }] });
  });
});
