// Rows from bytes through the Debezium envelope in compatible mode, against what Debezium wrote for the same rows.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createEnvelope } from '../../../../src/envelope/create.ts';
import { ChangeEvent, type Position } from '../../../../src/sdk/index.ts';
import type { RowsEvent } from '../../../../src/sources/mysql/binlog/events.ts';
import { columnOf } from '../../../../src/sources/mysql/types.ts';
import {
  column,
  formatDescription,
  le,
  rowsEvent,
  type TestColumn,
  type TestRow,
  type TestTable,
  tableMap,
} from '../../../helpers/binlog.ts';
import { decodeAll, images, layoutOf } from '../../../helpers/binlog-reader.ts';

const columns: readonly TestColumn[] = [
  column.int('id'),
  column.tinyint('c_tiny'),
  column.smallint('c_small'),
  column.mediumint('c_medium'),
  column.int('c_int'),
  column.int('c_int_u', true),
  column.bigint('c_big'),
  column.bigint('c_big_u', true),
  column.decimal('c_dec', 12, 2),
  column.decimal('c_dec_w', 30, 10),
  column.float('c_float'),
  column.double('c_double'),
  column.tinyint('c_bool'),
  column.bit('c_bit1', 1),
  column.bit('c_bit8', 8),
  column.char('c_char', 32),
  column.varchar('c_varchar', 256),
  column.blob('c_text', 2, 45),
  column.char('c_binary', 4, 63),
  column.varchar('c_varbinary', 16, 63),
  column.blob('c_blob', 2),
  column.enum('c_enum', ['sad', 'ok', 'happy']),
  column.set('c_set', ['a', 'b', 'c']),
  column.date('c_date'),
  column.time('c_time', 0),
  column.time('c_time6', 6),
  column.datetime('c_dt', 0),
  column.datetime('c_dt3', 3),
  column.datetime('c_dt6', 6),
  column.timestamp('c_ts', 0),
  column.timestamp('c_ts6', 6),
  column.year('c_year'),
  column.blob('c_json', 4, 46),
  column.char('c_uuid', 16, 63),
  { ...column.geometry('c_point', 1), collation: 63 },
];
const TABLE: TestTable = { id: 1, database: 'golden', table: 'types', columns, key: [0] };
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const MOMENT_US = Date.UTC(2024, 1, 29, 12, 34, 56) * 1000;

/** The values of the INSERT statements; what is missing is NULL. */
const ROWS: readonly TestRow[] = [
  {
    id: 10,
    c_tiny: 7,
    c_small: 700,
    c_medium: 70_000,
    c_int: 7_000_000,
    c_int_u: 4_000_000_000,
    c_big: 7_000_000_000,
    c_big_u: 17_000_000_000_000_000_000n,
    c_dec: '1234.56',
    c_dec_w: '12345678901234567890.0123456789',
    c_float: Math.PI,
    c_double: Math.E,
    c_bool: 1,
    c_bit1: '1',
    c_bit8: '10101010',
    c_char: 'abc',
    c_varchar: 'varchar value',
    c_text: 'plain text',
    c_binary: hex('deadbeef'),
    c_varbinary: hex('0001ff'),
    c_blob: hex('deadbeef00'),
    c_enum: 3,
    c_set: 0b101n,
    c_date: '2024-02-29',
    c_time: '12:34:56',
    c_time6: '12:34:56.789123',
    c_dt: '2024-02-29 12:34:56',
    c_dt3: '2024-02-29 12:34:56.789',
    c_dt6: '2024-02-29 12:34:56.789123',
    c_ts: MOMENT_US,
    c_ts6: MOMENT_US + 789_123,
    c_year: 2024,
    c_json: '{"b": 1,  "a": [1, 2, {"x": null}]}',
    c_uuid: hex('a0eebc999c0b4ef8bb6d6bb9bd380a11'),
    c_point: Buffer.concat([le(0, 4), hex('0101000000000000000000f83f00000000000004c0')]),
  },
  { id: 11 },
  {
    ...Object.fromEntries(
      ['id', 'c_tiny', 'c_small', 'c_medium', 'c_int', 'c_int_u', 'c_big', 'c_big_u', 'c_float', 'c_double', 'c_bool'].map((n) => [n, 0]),
    ),
    ...Object.fromEntries(['c_char', 'c_varchar', 'c_text'].map((n) => [n, ''])),
    ...Object.fromEntries(['c_binary', 'c_varbinary', 'c_blob'].map((n) => [n, Buffer.alloc(0)])),
    id: 12,
    c_dec: '0.00',
    c_bit1: '0',
    c_bit8: '0',
    c_set: 0n,
    c_time: '00:00:00',
    c_json: '{}',
  },
  {
    id: 13,
    c_tiny: 127,
    c_small: 32_767,
    c_medium: 8_388_607,
    c_int: 2_147_483_647,
    c_int_u: 4_294_967_295,
    c_big: 9_223_372_036_854_775_807n,
    c_big_u: 18_446_744_073_709_551_615n,
    c_dec: '9999999999.99',
    c_float: 3.402823e38,
    c_double: 1.7976931348623157e308,
    c_date: '9999-12-31',
    c_time6: '838:59:59.999999',
    c_dt6: '9999-12-31 23:59:59.999999',
    c_ts6: Date.UTC(2038, 0, 19, 3, 14, 7) * 1000 + 999_999,
    c_year: 2155,
  },
  {
    id: 14,
    c_tiny: -128,
    c_small: -32_768,
    c_medium: -8_388_608,
    c_int: -2_147_483_648,
    c_big: -9_223_372_036_854_775_808n,
    c_dec: '-9999999999.99',
    c_float: -3.402823e38,
    c_double: -1.7976931348623157e308,
    c_date: '1000-01-01',
    c_time6: '-838:59:59.999999',
    c_dt6: '1000-01-01 00:00:00.000000',
    c_ts6: 1_000_000,
    c_year: 1901,
  },
  { id: 15, c_char: 'äöü', c_varchar: 'naïve 日本語 🚀', c_text: 'quote " backslash \\ newline \n tab \t end' },
];

/** MariaDB's uuid looks like BINARY(16) in the log. */
const FACTS = columns.map((c) => ({ name: c.name, columnType: c.name === 'c_uuid' ? 'uuid' : '', charset: null }));

function encoded(options: Record<string, unknown>, isDecoded: boolean): string[] {
  const events = [formatDescription('10.11.19-MariaDB-log'), tableMap(TABLE), rowsEvent('c', TABLE, ROWS)],
    rows = decodeAll(events).at(-1) as RowsEvent;
  const table = {
    id: { database: 'golden', schema: null, table: 'types' },
    columns: rows.table.columns.map((c, i) => ({
      ...columnOf(c, i, FACTS[i]),
      nativeType: columnOf(c, i, c.name === 'c_uuid' ? FACTS[i] : null).nativeType,
    })),
    key: ['id'],
    version: 1,
  };
  const layout = layoutOf(rows, FACTS);
  const changes = images(rows, layout).map(({ after }, i) => {
    const image = after === null ? null : isDecoded ? after.decode() : after;
    return new ChangeEvent({
      op: 'c',
      table,
      source: 'golden',
      partition: 'main',
      position: `${i}` as Position,
      sourceTsMs: 1,
      transaction: null,
      after: image,
    });
  });
  const envelope = createEnvelope(
    { type: 'debezium', options: { compatible: true, ...options } },
    {
      pipeline: 'golden',
      version: '0.1.0',
      now: () => 1,
      sources: { golden: { connector: 'mariadb', database: 'golden', fields: () => ({}) } },
    },
  );
  return envelope.encode(changes).value.map((v) => Buffer.from(v as Uint8Array).toString());
}

const recorded = (file: string): string[] =>
  readFileSync(new URL(`../../../fixtures/envelope/debezium-mariadb/${file}.ndjson`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
const afterOf = (record: string): string => (/"after":(\{.*?\}),"source":/.exec(record)?.[1] ?? '').replace('\\uD83D\\uDE80', '🚀');

describe.each([
  ['default', {}],
  ['strings', { decimal_handling_mode: 'string', time_precision_mode: 'connect' }],
  ['isostring', { decimal_handling_mode: 'string', time_precision_mode: 'isostring' }],
])('%s', (file, options) => {
  test.each([
    ['straight from the bytes', false],
    ['from decoded rows', true],
  ])('rows are equal byte for byte, %s', (_name, isDecoded) => {
    expect(encoded(options, isDecoded).map(afterOf)).toEqual(recorded(file).map(afterOf));
  });
});

test('the schema of the columns is equal', () => {
  const schemaOf = (record: string): unknown[] => {
    const { schema } = JSON.parse(record) as { schema: { fields: { fields: unknown[] }[] } };
    return schema.fields[1]?.fields ?? [];
  };
  const { value } = JSON.parse(recorded('schemas')[0] as string) as { value: unknown };
  expect(schemaOf(encoded({ schemas: true }, false)[0] as string)).toEqual(schemaOf(JSON.stringify(value)));
});
