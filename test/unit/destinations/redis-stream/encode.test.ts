// A batch as arguments of the script that appends it, and the names of streams.

import { expect, it } from 'vitest';
import { validate } from '../../../../src/destinations/redis-stream/config.ts';
import { encodeAppend } from '../../../../src/destinations/redis-stream/encode.ts';
import { StreamNames } from '../../../../src/destinations/redis-stream/stream-name.ts';
import { type EncodedBatch, positionOfNumber } from '../../../../src/sdk/index.ts';
import { Events, item, laneBatch } from '../../../../src/sdk/testing/index.ts';
import { parseTemplate } from '../../../../src/systems/redis/template.ts';
import { redisStreamConfig } from '../../../helpers/redis-destination.ts';

const names = (template: string): StreamNames => new StreamNames(parseTemplate(template) as never);
const text = (value: unknown): unknown => (value instanceof Uint8Array ? Buffer.from(value).toString() : value);

it('gives each entry its stream, id, key and value, and names fields only where one is missing', () => {
  const e = new Events(),
    batch = laneBatch([e.create(item(1, 'a')), e.remove(item(1, 'a'))]);
  const { streams, args, failed } = encodeAppend(batch, batch.encoded(), names('{topic}'), 1000),
    id = (n: number): string => `origin/main/${positionOfNumber(n)}`;
  expect({ streams, failed }).toEqual({ streams: ['items'], failed: [] });
  const value = { op: 'c', before: null, after: item(1, 'a') };
  expect(args.slice(0, 4).map(text)).toEqual([1, id(1), '{"id":1}', JSON.stringify(value)]);
  expect(args.slice(8).map(text)).toEqual(['1:4', 'id', id(2), 'key', '{"id":1}']);
});

it('leaves out what is skipped, and refuses what the server does not take', () => {
  const e = new Events(),
    batch = laneBatch([e.create(item(1, 'a')), e.create(item(2, 'x'.repeat(2000)))], { skip: [0] });
  const { args, failed } = encodeAppend(batch, batch.encoded(), names('s'), 1000);
  expect(args).toEqual([]);
  expect(failed).toMatchObject([{ index: 1, error: { code: 'DESTINATION_EVENT_REJECTED', retriable: false } }]);
});

it('writes headers as fields', () => {
  const batch = laneBatch([new Events().create(item(1, 'a'))]),
    encoded: EncodedBatch = { ...batch.encoded(), key: [null], headers: [{ ce_id: '7' }] };
  const { args } = encodeAppend(batch, encoded, names('s'), 1000);
  expect(args.map(text)).toEqual(['1:6', 'id', expect.any(String), 'value', expect.any(String), 'header.ce_id', '7']);
});

it('fills in the names of streams', () => {
  const table = { id: { database: 'shop', schema: 'public', table: 'orders' }, columns: [], key: [], version: 1 };
  expect(names('{{a}}:{database}.{schema}.{table}/{topic}').nameOf(table, 't')).toBe('{a}:shop.public.orders/t');
  expect(names('{schema}.{table}').nameOf({ ...table, id: { ...table.id, schema: null } }, 't')).toBe('_.orders');
});

it.each([
  ['s', true, 0],
  ['{table}', false, 0],
  ['{table}', true, 1],
  ['{{cdc}}:{table}', true, 0],
  ['{tabel}', false, 1],
  ['{', false, 1],
])('finds what is wrong with the name %s (cluster: %s)', (stream_name, isCluster, count) => {
  const { url: _, ...config } = redisStreamConfig('', { stream_name });
  expect(validate({ ...config, ...(isCluster ? { cluster: { nodes: ['a:1'] } } : {}) })).toHaveLength(count);
});
