// Records that Debezium itself wrote, read back: every one of them, with schemas and without, in each mode of decimals and times.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openMessageDecoder } from '../../../src/formats/create.ts';
import type { Decoded, DecodedMessage, Message } from '../../../src/formats/messages.ts';
import { CdcError, JsonText, type Row } from '../../../src/sdk/index.ts';
import { component, never } from './helpers.ts';

const FIXTURES = new URL('../../fixtures/envelope/', import.meta.url);
const RECORDINGS = ['debezium-postgresql', 'debezium-mariadb', 'debezium-mariadb-run'].flatMap((folder) =>
  readdirSync(new URL(`${folder}/`, FIXTURES))
    .filter((file) => file.endsWith('.ndjson'))
    .map((file) => `${folder}/${file}`),
);

/** Key and value in the very bytes of the recording. */
function messagesOf(recording: string): Message[] {
  const lines = readFileSync(new URL(recording, FIXTURES), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [, topic, key, value] = /^\{"topic":"([^"]*)","key":(.*?),"value":(.*)\}$/.exec(line) as unknown as [
      string,
      string,
      string,
      string,
    ];
    const bytes = (json: string): Uint8Array | null => (json === 'null' ? null : Buffer.from(json));
    return { topic, key: bytes(key), value: bytes(value), headers: null };
  });
}

async function read(recording: string): Promise<readonly Decoded[]> {
  const decoder = await openMessageDecoder({ envelope: 'debezium' }, component());
  return decoder.decode(messagesOf(recording), never);
}

const changesOf = (decoded: readonly Decoded[]): DecodedMessage[] =>
  decoded.filter((d): d is DecodedMessage => d !== null && !(d instanceof CdcError));
const rowOf = (decoded: readonly Decoded[], id: number): Row =>
  changesOf(decoded).find((d) => d.op === 'c' && d.table.id.table === 'types' && d.after?.['id'] === id)?.after as Row;

describe.each(RECORDINGS)('%s', (recording) => {
  test('each record is read, and what is no change says nothing', async () => {
    const messages = messagesOf(recording),
      decoded = await read(recording);
    expect(decoded.filter((d) => d instanceof CdcError)).toEqual([]);
    expect(messages).not.toHaveLength(0);
    for (const [i, { topic, value }] of messages.entries()) {
      const isChange = value !== null && topic.split('.').length === 3;
      expect(decoded[i] !== null, `record ${i + 1} of ${topic}`).toBe(isChange);
    }
  });

  test('each change has the key, the table and the time of its record', async () => {
    const decoded = await read(recording);
    for (const [i, { topic, value }] of messagesOf(recording).entries()) {
      const change = decoded[i];
      if (value === null || change === null || change === undefined || change instanceof CdcError) continue;
      const json = JSON.parse(Buffer.from(value).toString()) as Record<string, unknown>,
        payload = (json['payload'] ?? json) as {
          op: string;
          source: { table: string; ts_ms: number };
          transaction: { total_order: number } | null;
        };
      expect(change.op).toBe(payload.op);
      expect(topic.endsWith(`.${change.table.id.table}`)).toBe(true);
      expect(change.sourceTsMs).toBe(payload.source.ts_ms);
      expect(change.transaction?.order).toBe(payload.transaction?.total_order);
      if (change.op !== 't') expect(Object.keys(change.key ?? {})).toEqual(['id']);
    }
  });
});

test('PostgreSQL, with schemas: values are those of our own source', async () => {
  const decoded = await read('debezium-postgresql/schemas.ndjson');
  expect(rowOf(decoded, 10)).toEqual({
    id: 10,
    c_small: 7,
    c_int: 70000,
    c_big: 7000000000n,
    c_num: '1234.56',
    c_num_w: '12345678901234567890.0123456789',
    c_num_any: '3.14159265358979323846',
    c_real: 1.5,
    c_double: Math.E,
    c_money: '12.50',
    c_bool: true,
    c_char: 'abc     ',
    c_varchar: 'varchar value',
    c_text: 'plain text',
    c_bytea: new Uint8Array(Buffer.from('deadbeef', 'hex')),
    c_date: '2024-02-29',
    c_time: '12:34:56.789123',
    c_time3: '12:34:56.789',
    c_timetz: '10:34:56.789123Z',
    c_ts: '2024-02-29T12:34:56.789123',
    c_ts3: '2024-02-29T12:34:56.789',
    c_ts0: '2024-02-29T12:34:56',
    c_tstz: '2024-02-29T10:34:56.789123Z',
    c_interval: 'PT37091106.789S',
    c_uuid: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    c_json: new JsonText('{"b": 1,  "a": [1, 2, {"x": null}]}'),
    c_jsonb: new JsonText('{"a": [1, 2, {"x": null}], "b": 1}'),
    c_xml: '<r a="1">t</r>',
    c_enum: 'happy',
    c_bit1: true,
    c_bit8: '10101010',
    c_varbit: '0000000000001011',
    c_inet: '192.168.0.1/24',
    c_cidr: '10.0.0.0/8',
    c_mac: '08:00:2b:01:02:03',
    c_int_arr: [1, 2, 3],
    c_text_arr: ['one', 'two'],
    c_int4r: '[1,10)',
    c_tstzr: '["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")',
    c_hstore: new JsonText('{"k1":"v1","k2":null}'),
    c_point: '(1.5,-2.5)',
  });
  const types = Object.fromEntries(
    changesOf(decoded)
      .find((d) => d.table.id.table === 'types')
      ?.table.columns.map((c) => [c.name, c.type]) ?? [],
  );
  expect(types).toMatchObject({
    id: 'int32',
    c_big: 'int64',
    c_num: 'decimal',
    c_num_any: 'decimal',
    c_date: 'date',
    c_time: 'time',
    c_ts: 'timestamp',
  });
  expect(types).toMatchObject({
    c_tstz: 'timestamptz',
    c_interval: 'interval',
    c_jsonb: 'json',
    c_enum: 'enum',
    c_bit8: 'bits',
    c_int_arr: 'array',
  });
  expect(types).toMatchObject({ c_point: 'geometry', c_uuid: 'uuid', c_timetz: 'timetz', c_bytea: 'bytes', c_bool: 'boolean' });
});

test('MariaDB, with schemas: values are those of our own source', async () => {
  const row = rowOf(await read('debezium-mariadb-run/schemas.ndjson'), 10);
  expect(row).toMatchObject({ c_big: 7000000000n, c_dec: '1234.56', c_dec_w: '12345678901234567890.0123456789', c_year: 2024 });
  expect(row).toMatchObject({ c_date: '2024-02-29', c_time6: '12:34:56.789123', c_dt6: '2024-02-29T12:34:56.789123', c_enum: 'happy' });
  // A point there is well-known binary.
  expect(row['c_point']).toEqual(new Uint8Array(Buffer.from('0101000000000000000000f83f00000000000004c0', 'hex')));
});

test('without schemas values are what JSON says, with all digits', async () => {
  const decoded = await read('debezium-postgresql/default.ndjson');
  expect(rowOf(decoded, 10)).toMatchObject({
    c_num: 'AeJA',
    c_date: 19782,
    c_ts: 1709210096789123,
    c_json: '{"b": 1,  "a": [1, 2, {"x": null}]}',
  });
  expect(rowOf(decoded, 13)).toMatchObject({ c_big: 9223372036854775807n });
  expect(rowOf(await read('debezium-postgresql/isostring.ndjson'), 10)).toMatchObject({
    c_num: '1234.56',
    c_ts: '2024-02-29T12:34:56.789123Z',
  });
});

test('the same schema gives the same table, and another one its next version', async () => {
  const changes = changesOf(await read('debezium-postgresql/schemas.ndjson')),
    tablesOf = (name: string) => [...new Set(changes.filter((d) => d.table.id.table === name).map((d) => d.table))];
  expect(tablesOf('types')).toHaveLength(1);
  expect(tablesOf('customers').map((t) => [t.version, t.columns.length])).toEqual([
    [1, 4],
    [2, 5],
  ]);
});

test('without schemas, the types that are given make the values of our own source', async () => {
  const types = {
    c_num: 'decimal(2)',
    c_num_any: 'variable_decimal',
    c_big: 'int64',
    c_bytea: 'bytes',
    c_date: 'date',
    c_time: 'micro_time',
    c_time3: 'time',
    c_ts: 'micro_timestamp',
    c_ts3: 'timestamp',
    c_interval: 'duration',
    c_bit8: 'bits(8)',
    c_jsonb: 'json',
    c_point: 'point',
  };
  const given = { 'public.types': types, orders: { id: 'int64', total: 'decimal(2)' } };
  const decoder = await openMessageDecoder({ envelope: 'debezium' }, component(), { types: given });
  const plain = await decoder.decode(messagesOf('debezium-postgresql/default.ndjson'), never),
    full = await read('debezium-postgresql/schemas.ndjson');
  for (const id of [10, 12, 13, 14]) {
    const [a, b] = [rowOf(plain, id), rowOf(full, id)];
    for (const name of Object.keys(types)) expect(a[name], name).toEqual(b[name]);
  }
  const orders = changesOf(plain).filter((d) => d.table.id.table === 'orders');
  expect(orders.map((d) => [d.op, d.key, d.after?.['total']])).toEqual([
    ['c', { id: 1n }, '99.90'],
    ['c', { id: 2n }, '0.10'],
    ['d', { id: 1n }, undefined],
  ]);
});
