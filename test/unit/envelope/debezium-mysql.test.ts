// What the connectors for MySQL and MariaDB do with values, case by case; whole runs are in test/integration/mysql-source/golden.int.test.ts.

import { describe, expect, it } from 'vitest';
import { connectorOf } from '../../../src/envelope/debezium/connectors.ts';
import { mysqlDefault } from '../../../src/envelope/debezium/mysql-default.ts';
import { debeziumDocument, exactDigits } from '../../../src/envelope/debezium/mysql-json.ts';
import { type DebeziumType, debeziumType } from '../../../src/envelope/debezium/types.ts';
import type { Column, Value } from '../../../src/sdk/index.ts';

const column = (type: Column['type'], nativeType: string, more: Partial<Column> = {}): Column => ({
  name: 'c',
  type,
  nativeType,
  nullable: true,
  ...more,
});

function typed(c: Column): DebeziumType {
  const modes = {
    compatible: true,
    decimal: 'precise',
    time: 'adaptive_time_microseconds',
    interval: 'numeric',
    hstore: 'json',
    binary: 'bytes',
    described: false,
  } as const;
  return debeziumType(c, modes, connectorOf('mariadb')) as DebeziumType;
}

describe('values of the log, and the same read', () => {
  const date = column('date', 'date'),
    moment = column('timestamptz', 'timestamp(6)', { precision: 6 });
  it.each<[Column, Value, string, string]>([
    [column('float32', 'float'), 1.2345678, '1.2345678', '1.23457'],
    [column('float32', 'float'), 100000.5, '100000.5', '100000.0'],
    [column('float32', 'float'), 123456.5, '123456.5', '123456.0'],
    [column('float32', 'float(7,4)'), 0.1, '0.10000000149011612', '0.10000000149011612'],
    [column('int32', 'year(4)'), 0, '1900', '0'],
    [
      column('uuid', 'uuid'),
      '12345678-1234-1234-1234-123456780000',
      '"00001234-5678-1234-1234-123412345678"',
      '"12345678-1234-1234-1234-123456780000"',
    ],
    [
      column('uuid', 'uuid'),
      '12345678-1234-1234-1234-123456781230',
      '"12345678-1234-1234-1234-123456781230"',
      '"12345678-1234-1234-1234-123456781230"',
    ],
    [column('enum', "enum('a,b')", { values: ['a,b'] }), 'a,b', '"a\\\\,b"', '"a,b"'],
    [date, '0000-00-00', 'null', 'null'],
    [date, '0069-12-31', `${Date.UTC(2069, 11, 31) / 86_400_000}`, `${Date.UTC(2069, 11, 31) / 86_400_000}`],
    [date, '0000-05-05', 'null', `${Date.UTC(2000, 4, 5) / 86_400_000}`],
    [moment, '0000-00-00T00:00:00.000000Z', '"1970-01-01T00:00:00.000000Z"', 'null'],
    [moment, '2024-02-29T12:00:00.500000Z', '"2024-02-29T12:00:00.500000Z"', '"2024-02-29T12:00:00.5Z"'],
  ])('%o: %o', (c, value, log, read) => {
    const type = typed(c);
    expect(type.write(value)).toBe(log);
    expect((type.read ?? type.write)(value)).toBe(read);
  });
});

describe('defaults', () => {
  it.each<[Column, string, Value | undefined]>([
    [column('int32', 'int(5) zerofill'), "'007'", 7],
    [column('int32', 'int'), '1.6', 2],
    [column('int16', 'tinyint(1)'), 'TRUE', 1],
    [column('uint64', 'bigint unsigned'), '18446744073709551615', 9223372036854775807n],
    [column('bits', 'bit(16)', { length: 16 }), "b'101'", '0000000000000101'],
    [column('string', 'varchar(9)'), "'it''s'", "it''s"],
    [column('string', 'varchar(9)'), '(uuid())', undefined],
    [column('timestamp', 'datetime'), 'current_timestamp()', '1970-01-01T00:00:00'],
    [column('timestamptz', 'timestamp'), 'current_timestamp()', undefined],
    [
      column('timestamptz', 'timestamp', { nullable: false }),
      'CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)',
      '1970-01-01T00:00:00Z',
    ],
    [column('timestamp', 'datetime'), "'2024-02-29'", '2024-02-29T00:00:00'],
    [column('date', 'date'), "'0000-00-00'", undefined],
    [column('int32', 'year'), "'70'", 1970],
    [column('uuid', 'uuid'), "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", undefined],
  ])('%o: %s', (c, sql, value) => expect(mysqlDefault(c, sql)).toEqual(value));
});

describe('documents', () => {
  it.each([
    ['{"a": [1, 2, {"x": null}], "b c": "d, e: \\" f"}', '{"a":[1,2,{"x":null}],"b c":"d, e: \\" f"}'],
    ['[1.0, 100000.0, 10000000.0, 0.001, -1.5]', '[1.0,100000.0,10000000,0.001,-1.5]'],
    ['12345678.9', '12345678.90000000037252902984619140625'],
    ['123.450', '123.450'],
    ['18446744073709551615', '18446744073709551615'],
    ['"base64:type15:AP9B"', '"AP9B"'],
  ])('%s', (text, expected) => expect(debeziumDocument(text)).toBe(expected));

  it('writes all digits of a double', () => {
    expect(exactDigits(1e22)).toBe('10000000000000000000000');
    expect(exactDigits(0.0001)).toBe('0.000100000000000000004792173602385929598312941379845142364501953125');
    expect(exactDigits(5e-324)).toHaveLength(1076);
  });
});
