import { describe, expect, test } from 'vitest';
import { Placeholders } from '../../../src/envelope/debezium/placeholder.ts';
import { openMessageDecoder } from '../../../src/formats/create.ts';
import { needsDigits } from '../../../src/formats/debezium-json.ts';
import { type UnwrapOptions, unwrappedMessages } from '../../../src/formats/debezium-rows.ts';
import type { Decoded } from '../../../src/formats/messages.ts';
import { JsonText, type Value } from '../../../src/sdk/index.ts';
import { component, never } from './helpers.ts';

async function unwrap(value: string | null, options: Partial<UnwrapOptions> = {}, topic = 'p.public.orders'): Promise<Decoded | undefined> {
  const inner = await openMessageDecoder({ envelope: 'row' }, component());
  const decoder = unwrappedMessages(inner, { topicPrefix: null, fieldPrefix: '__', ...options });
  const bytes = value === null ? null : Buffer.from(value);
  return (await decoder.decode([{ topic, key: Buffer.from('{"id":1}'), value: bytes, headers: null }], never))[0];
}

describe('rows that were taken out of their envelope', () => {
  test.each<[string, string | null, object]>([
    ['a row', '{"id":1,"a":2}', { op: 'c', key: { id: 1 }, after: { id: 1, a: 2 }, before: null, sourceTsMs: null }],
    ['with its operation', '{"id":1,"__op":"u"}', { op: 'u', after: { id: 1 } }],
    ['with its time', '{"id":1,"__source_ts_ms":7}', { sourceTsMs: 7, after: { id: 1 } }],
    ['that is deleted', '{"id":1,"a":2,"__deleted":"true"}', { op: 'd', before: { id: 1, a: 2 }, after: null, key: { id: 1 } }],
    ['that is not deleted', '{"id":1,"__deleted":"false"}', { op: 'c', after: { id: 1 } }],
    ['without a value', null, { op: 'd', before: { id: 1 }, after: null, key: { id: 1 } }],
    ['with its table', '{"id":1,"__table":"t","__schema":"s","__db":"d"}', { table: { id: { database: 'd', schema: 's', table: 't' } } }],
    ['of a type of its own', '{"id":1,"__op":"x"}', { op: 'c' }],
  ])('%s', async (_, value, expected) => {
    expect(await unwrap(value)).toMatchObject(expected);
  });

  test.each<[string, string | null, object]>([
    ['p.public.orders', null, { schema: 'public', table: 'orders' }],
    ['p.q.public.orders', 'p.q', { schema: 'public', table: 'orders' }],
    ['orders', null, { schema: null, table: 'orders' }],
    ['p.orders', null, { schema: null, table: 'orders' }],
  ])('the topic %s with the prefix %s', async (topic, topicPrefix, id) => {
    expect(await unwrap('{"id":1}', { topicPrefix }, topic)).toMatchObject({ table: { id: { database: null, ...id } } });
  });

  test('another prefix of added fields', async () => {
    expect(await unwrap('{"id":1,"__op":"u","_op":"d"}', { fieldPrefix: '_' })).toMatchObject({ op: 'd', before: { id: 1 } });
  });
});

describe('placeholders of values that the source did not send', () => {
  const TEXT = '__debezium_unavailable_value';
  const codes = [...Buffer.from(TEXT)];
  test.each<[string, Value]>([
    ['text', TEXT],
    ['bytes', new Uint8Array(Buffer.from(TEXT))],
    ['a document', new JsonText(TEXT) as unknown as Value],
    ['a document in quotes', new JsonText(JSON.stringify(TEXT)) as unknown as Value],
    ['hstore as a document', new JsonText(JSON.stringify({ [TEXT]: TEXT })) as unknown as Value],
    ['hstore as a map', { [TEXT]: TEXT }],
    ['an array of texts', [TEXT]],
    ['an array of bytes', [new Uint8Array(Buffer.from(TEXT))]],
    ['an array of integers', codes],
    ['an array of long integers', codes.map(BigInt)],
  ])('%s', (_, value) => {
    expect(new Placeholders().without({ id: 1, v: value })).toEqual({ row: { id: 1 }, isIncomplete: true });
    expect(new Placeholders('other').without({ id: 1, v: value })).toEqual({ row: { id: 1, v: value }, isIncomplete: false });
  });

  test.each<[string, Value]>([
    ['null', null],
    ['a text that holds it', `x${TEXT}`],
    ['an empty array', []],
    ['an array that holds it', ['a', TEXT]],
    ['an empty object', {}],
    ['a number', 95],
  ])('%s is a value', (_, value) => {
    expect(new Placeholders().without({ v: value }).isIncomplete).toBe(false);
  });
});

describe('which records need all their digits', () => {
  const LONG = '9007199254740993';
  test.each<[string, string, boolean]>([
    [
      'times alone',
      `{"before":null,"after":{"a":1},"source":{"v":"x","ts_us":${LONG},"ts_ns":${LONG}},"op":"c","ts_ms":1,"ts_us":${LONG},"ts_ns":${LONG}}`,
      false,
    ],
    ['a row', `{"before":null,"after":{"a":${LONG}},"source":{"v":"x"},"op":"c"}`, true],
    ['a column with the name of a time', `{"before":null,"after":{"a":1,"ts_ns":${LONG}},"source":{"v":"x"},"op":"c"}`, true],
    ['a column with the name of the block', `{"after":{"a":1,"source":{"x":${LONG}}},"source":{"v":"x"},"op":"c"}`, true],
    ['a row behind the block', `{"op":"c","source":{"v":"x"},"after":{"ts_ns":1,"ts_us":${LONG}}}`, true],
    ['another number behind the block', `{"after":{"a":1},"source":{"v":"x","lsn":${LONG}},"op":"c"}`, true],
    ['no block', `{"a":${LONG}}`, true],
  ])('%s', (_, json, expected) => {
    expect(() => JSON.parse(json) as unknown).not.toThrow();
    expect(needsDigits(json)).toBe(expected);
  });
});
