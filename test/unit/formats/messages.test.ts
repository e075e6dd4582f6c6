// Messages in the formats that take no schema.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MessageFormatConfig } from '../../../src/formats/config.ts';
import { openMessageDecoder, openRecordEncoder } from '../../../src/formats/create.ts';
import type { DecodedMessage, Message } from '../../../src/formats/messages.ts';
import type { CdcError } from '../../../src/sdk/index.ts';
import { event, ORDERS } from '../envelope/helpers.ts';
import { component, laneBatch, message, never, sameTopic } from './helpers.ts';

async function decode(
  config: Partial<MessageFormatConfig>,
  ...messages: Message[]
): Promise<readonly (DecodedMessage | CdcError | null)[]> {
  const decoder = await openMessageDecoder({ envelope: 'row', ...config }, component('topics'));
  return decoder.decode(messages, never);
}

const CSV = { columns: ['id', 'name'], delimiter: ',', quote: '"', null_value: null };

describe('messages that hold rows', () => {
  test.each<[string, Partial<MessageFormatConfig>, Message, object]>([
    ['json without a key', {}, message('{"id":1}'), { op: 'c', after: { id: 1 }, table: { key: [], id: { table: 'users' } } }],
    ['digits that a double has not', {}, message('{"id":9007199254740993}'), { after: { id: 9007199254740993n } }],
    ['a key of its own', {}, message('{"id":1,"a":2}', '{"id":1}'), { op: 'c', key: { id: 1 }, table: { key: ['id'] } }],
    ['a key that the row leaves out', {}, message('{"a":2}', '{"id":1}'), { after: { id: 1, a: 2 }, key: { id: 1 } }],
    ['a key in plain text', {}, message('{"a":2}', 'abc'), { after: { a: 2 }, table: { key: [] } }],
    ['key fields', { key_fields: ['a'] }, message('{"a":2}', 'abc'), { table: { key: ['a'] } }],
    ['a delete', {}, message(null, '{"id":1}'), { op: 'd', key: { id: 1 }, before: { id: 1 }, after: null }],
    ['a delete by a bare key', { key_fields: ['id'] }, message(null, '7'), { op: 'd', key: { id: 7 } }],
    ['a delete by a key in text', { key_fields: ['id'], key_format: 'text' }, message(null, '7'), { op: 'd', key: { id: '7' } }],
    ['a name for the table', { table: 'all_{topic}' }, message('{}'), { table: { id: { table: 'all_users' } } }],
    [
      'json with the schemas of Kafka Connect',
      {},
      message(
        '{"schema":{"type":"struct","fields":[{"type":"bytes","field":"b"},{"type":"int32","name":"io.debezium.time.Date","field":"d"}]},"payload":{"b":"AQI=","d":19782}}',
      ),
      { after: { b: new Uint8Array([1, 2]), d: '2024-02-29' } },
    ],
    [
      'csv',
      { format: 'csv', csv: CSV },
      message('1,"a,""b"', '5'),
      { op: 'c', after: { id: '1', name: 'a,"b' }, table: { columns: [{ name: 'id' }, { name: 'name' }] } },
    ],
    [
      'raw',
      { format: 'raw' },
      message(new Uint8Array([0, 255]), 'k'),
      { after: { key: Buffer.from('k'), value: new Uint8Array([0, 255]) } },
    ],
    ['raw without value', { format: 'raw' }, message(null), { op: 'c', after: { key: null, value: null } }],
  ])('%s', async (_what, config, input, expected) => {
    expect(await decode(config, input)).toMatchObject([expected]);
  });

  test.each<[string, Partial<MessageFormatConfig>, Message, string]>([
    ['no JSON', {}, message('{"a":'), 'The value is not JSON'],
    ['another thing than an object', {}, message('[1]'), 'The value is an array instead of an object.'],
    ['no UTF-8', {}, message(new Uint8Array([0xff])), 'The value is not valid UTF-8.'],
    ['a missing key field', { key_fields: ['id'] }, message('{"a":1}'), 'has no value for the key field "id"'],
    ['a delete of nothing', {}, message(null), 'its key does not say which'],
    ['a delete by a bare key without a name', {}, message(null, '7'), 'its key does not say which'],
    ['a key that is to be JSON', { key_format: 'json' }, message('{}', 'abc'), 'The key is not JSON'],
    ['too few fields', { format: 'csv', csv: CSV }, message('1'), 'has 1 fields instead of 2'],
    ['an open quote', { format: 'csv', csv: CSV }, message('1,"a'), 'is no CSV record'],
  ])('%s is an error of that message alone', async (_what, config, input, expected) => {
    const good = config.format === 'csv' ? message('2,b') : message('{"id":2}');
    const [bad, next] = await decode(config, input, good);
    expect(bad).toMatchObject({ code: 'SOURCE_DATA_INVALID', retriable: false, where: 'source "topics"' });
    expect((bad as CdcError).message).toContain(expected);
    expect(next).toMatchObject({ op: 'c' });
  });

  test('have one table while nothing changes, and a new version when the key does', async () => {
    const [a, b, c] = (await decode(
      {},
      message('{"id":1}', '{"id":1}'),
      message('{"id":2}', '{"id":2}'),
      message('{"id":2}', '{"x":2}'),
    )) as DecodedMessage[];
    expect(b?.table).toBe(a?.table);
    expect(c?.table).toMatchObject({ key: ['x'], version: 2 });
  });

  test('say nothing of the data in their errors', async () => {
    const [error] = await decode({}, message('{"password": secret1}'));
    expect(JSON.stringify(error)).not.toContain('secret1');
  });
});

describe('messages that hold change events', () => {
  const change = event({ op: 'u', before: { id: 7n, total: '1.00', note: null }, after: { id: 7n, total: '2.00', note: 'x' } });

  test.each(['debezium', 'plain', 'cdc_event', 'elide', 'cloudevents'] as const)('%s is read back', async (envelope) => {
    const { records } = await (await openRecordEncoder({ on_schema_error: 'wait' }, component())).encode(
      laneBatch([change], envelope),
      sameTopic,
      never,
    );
    const [read] = await decode(
      { envelope },
      { topic: 't', key: records.key[0] as Uint8Array, value: records.value[0] as Uint8Array, headers: null },
    );
    expect(read).toMatchObject({
      op: 'u',
      key: { id: 7 },
      after: { id: 7, total: '2.00', note: 'x' },
      table: { id: { schema: 'public', table: 'orders' }, key: ['id'] },
      sourceTsMs: change.sourceTsMs,
    });
  });

  test('a tombstone says nothing', async () => {
    expect(await decode({ message_format: 'debezium' }, message(null, '{"id":7}'))).toEqual([null]);
  });

  test('a placeholder of Debezium is no value', async () => {
    const value = '{"op":"u","source":{"table":"t"},"after":{"id":1,"doc":"__debezium_unavailable_value"}}';
    expect(await decode({ message_format: 'debezium' }, message(value, '{"id":1}'))).toMatchObject([
      { after: { id: 1 }, incomplete: true },
    ]);
  });
});

test('csv: what was written is read back, whatever is in it', async () => {
  const encoder = await openRecordEncoder({ on_schema_error: 'wait', format: 'csv', csv: { delimiter: ',', null_value: '' } }, component());
  const decoder = await openMessageDecoder(
    { envelope: 'row', format: 'csv', csv: { columns: ['id', 'total', 'note'], delimiter: ',', quote: '"', null_value: '' } },
    component(),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.option(fc.string({ unit: 'grapheme' })), fc.option(fc.string({ unit: 'grapheme' })))),
      async (texts) => {
        const events = texts.map(([total, note]) => event({ op: 'c', after: { id: 1n, total, note }, table: ORDERS }));
        const { records } = await encoder.encode(laneBatch(events), sameTopic, never);
        const read = await decoder.decode(
          records.value.map((value) => ({ topic: 't', key: null, value, headers: null })),
          never,
        );
        expect(read.map((m) => (m as DecodedMessage).after)).toEqual(texts.map(([total, note]) => ({ id: '1', total, note })));
      },
    ),
    { numRuns: 100 },
  );
});
