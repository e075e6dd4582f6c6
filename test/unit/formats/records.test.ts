// Records in the formats that take no schema.

import { describe, expect, test } from 'vitest';
import { type RecordFormatConfig, recordFormatKeys } from '../../../src/formats/config.ts';
import { openRecordEncoder } from '../../../src/formats/create.ts';
import type { FormattedBatch } from '../../../src/formats/messages.ts';
import { type ChangeEvent, Keys } from '../../../src/sdk/index.ts';
import { column, event, ORDERS } from '../envelope/helpers.ts';
import { component, laneBatch, never, sameTopic, text } from './helpers.ts';

const ROW = { id: 7n, total: '12.50', note: 'a,b' };

async function encode(config: Partial<RecordFormatConfig>, events: readonly ChangeEvent[]): Promise<FormattedBatch> {
  const encoder = await openRecordEncoder({ on_schema_error: 'wait', ...config }, component());
  return encoder.encode(laneBatch(events, 'row'), sameTopic, never);
}

/** `key → value` of each record. */
const shown = ({ records }: FormattedBatch): string[] => records.value.map((value, i) => `${text(records.key[i])} → ${text(value)}`);

describe('records', () => {
  test.each<[string, Partial<RecordFormatConfig>, ChangeEvent, string[]]>([
    ['json is what the envelope wrote', {}, event({ op: 'c', after: ROW }), ['{"id":7} → {"id":7,"total":"12.50","note":"a,b"}']],
    ['a key as text', { key_format: 'text' }, event({ op: 'c', after: ROW }), ['7 → {"id":7,"total":"12.50","note":"a,b"}']],
    ['a delete', { format: 'csv' }, event({ op: 'd', before: ROW }), ['{"id":7} → null']],
    [
      'csv in the order of the table',
      { format: 'csv' },
      event({ op: 'c', after: { note: 'a,b', total: null, id: 7n } }),
      ['{"id":7} → 7,,"a,b"'],
    ],
    [
      'another delimiter and null',
      { format: 'csv', csv: { delimiter: ';', null_value: '\\N' }, key_format: 'text' },
      event({ op: 'c', after: { ...ROW, total: null } }),
      ['7 → 7;\\N;a,b'],
    ],
    ['raw text of a column', { format: 'raw', value_field: 'note' }, event({ op: 'r', after: ROW }), ['{"id":7} → a,b']],
    [
      'a change of key',
      { format: 'raw', value_field: 'note' },
      event({ op: 'u', before: ROW, after: { ...ROW, id: 8n } }),
      ['{"id":7} → null', '{"id":8} → a,b'],
    ],
    ['a truncate', { format: 'csv' }, event({ op: 't' }), []],
  ])('%s', async (_what, config, change, expected) => {
    expect(shown(await encode(config, [change]))).toEqual(expected);
  });

  test('in json are the very bytes of the envelope', async () => {
    const encoder = await openRecordEncoder({ on_schema_error: 'wait' }, component());
    const batch = laneBatch([event({ op: 'c', after: ROW })]),
      encoded = batch.encoded();
    expect((await encoder.encode({ ...batch, encoded: () => encoded }, sameTopic, never)).records).toBe(encoded);
  });

  test.each<[string, Partial<RecordFormatConfig>, ChangeEvent, string]>([
    ['a number raw', { format: 'raw', value_field: 'id' }, event({ op: 'c', after: ROW }), 'Column "id" is a bigint, not bytes or text.'],
    ['a column that is not there raw', { format: 'raw' }, event({ op: 'c', after: ROW }), 'The row has no column "value" to write raw.'],
    [
      'half a row as csv',
      { format: 'csv' },
      event({ op: 'u', after: { id: 7n }, incomplete: true }),
      'The row comes without its column "total", which CSV cannot tell from NULL.',
    ],
  ])('refuse %s, and write the others', async (_what, config, bad, expected) => {
    const good = event({ op: 'd', before: ROW });
    const batch = await encode(config, [bad, good]);
    expect(batch.failed).toMatchObject([{ index: 0, error: { code: 'DESTINATION_EVENT_REJECTED', message: expected } }]);
    expect([...batch.records.event]).toEqual([1]);
  });

  test('with text keys need one key column', async () => {
    const table = { ...ORDERS, key: ['id', 'note'] };
    await expect(encode({ key_format: 'text' }, [event({ op: 'c', after: ROW, table })])).rejects.toMatchObject({
      code: 'DESTINATION_MISCONFIGURED',
    });
  });

  test('carry raw messages on as they came, bytes and key', async () => {
    const table = { ...ORDERS, columns: [column('key', 'bytes'), column('value', 'bytes')], key: [] };
    const batch = await encode({ format: 'raw' }, [
      event({ op: 'c', table, after: { key: Buffer.from('k'), value: Buffer.from([0, 255]) } }),
    ]);
    expect(batch.records.key[0]).toEqual(Buffer.from('k'));
    expect(batch.records.value[0]).toEqual(Buffer.from([0, 255]));
  });

  test('have keys in the configuration that a destination can spread', () => {
    expect(Keys(recordFormatKeys).properties['message_format'].enum).toEqual(['json', 'avro', 'protobuf', 'csv', 'raw']);
  });
});
