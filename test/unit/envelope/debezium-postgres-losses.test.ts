// What Debezium's PostgreSQL connector does to values that it, or Java, cannot hold: seen in the recorded runs, which are compared
// whole with a real server.

import { describe, expect, test } from 'vitest';
import { javaDouble, javaFloat } from '../../../src/envelope/debezium/number-text.ts';
import type { Column, ColumnType, TableSchema, Value } from '../../../src/sdk/index.ts';
import { column, context, encode, event, ORDERS, onlyValue } from './helpers.ts';

const postgres = context('postgresql');
const typed = (type: ColumnType, nativeType: string, more: Partial<Column> = {}): Column => column('c', type, { nativeType, ...more });
const ISO = { time_precision_mode: 'isostring' },
  CONNECT = { time_precision_mode: 'connect' },
  TEXT = { decimal_handling_mode: 'string' };

function shown(c: Column, value: Value, options: Record<string, unknown> = {}, op: 'c' | 'r' = 'c'): string | undefined {
  const table: TableSchema = { ...ORDERS, columns: [column('id', 'int64', { nullable: false }), c] };
  const text = onlyValue(
    encode('debezium', [event({ op, table, after: { id: 1n, c: value } })], { compatible: true, ...options }, postgres),
  );
  return /"after":\{"id":1,"c":(.*)\},"source"/.exec(text)?.[1];
}

describe('dates of a snapshot are those of java.sql.Date', () => {
  const date = typed('date', 'date');
  test.each([
    ['2024-02-29', '19782', '19782'],
    ['1582-10-15', '-141427', '-141427'],
    ['1582-10-14', '-141428', '-141418'],
    ['1582-10-05', '-141437', '-141427'],
    ['1582-10-04', '-141438', '-141438'],
    ['-0043-03-15', '-735160', '-703383'],
    ['0000-12-31', '-719163', '-718798'],
    ['infinity', '-2147472692', '-622191234'],
    ['-infinity', '-2147472691', '-625821272'],
  ])('%s', (value, streamed, read) => {
    expect([shown(date, value), shown(date, value, {}, 'r')]).toEqual([streamed, read]);
  });

  test('as text too', () => {
    expect(shown(date, 'infinity', ISO, 'r')).toBe('"+292278994-08-16Z"');
    expect(shown(date, '-0043-03-15', ISO, 'r')).toBe('"0044-03-15Z"');
  });
});

describe('columns of type name are lost in changes', () => {
  const name = typed('string', 'name');
  test('NULL where it can be, else empty', () => {
    expect([shown(name, 'a'), shown(name, 'a', {}, 'r')]).toEqual(['null', '"a"']);
    expect([shown({ ...name, nullable: false }, 'a'), shown({ ...name, nullable: false }, 'a', {}, 'r')]).toEqual(['""', '"a"']);
  });

  test('in keys too', () => {
    const table: TableSchema = { ...ORDERS, columns: [{ ...name, nullable: false }], key: ['c'] };
    const key = (op: 'c' | 'r'): string =>
      Buffer.from(
        encode('debezium', [event({ op, table, after: { c: 'a' } })], { compatible: true }, postgres).key[0] as Uint8Array,
      ).toString();
    expect([key('c'), key('r')]).toEqual(['{"c":""}', '{"c":"a"}']);
  });
});

describe('values', () => {
  const array = (nativeType: string, element: ColumnType, more: Partial<Column> = {}): Column =>
    typed('array', nativeType, { element, ...more });
  test.each<[string, Column, Value, Record<string, unknown>, string]>([
    ['an empty bit varying(1)', typed('bits', 'bit varying(1)', { length: 1 }), '', {}, 'null'],
    ['a negative scale', typed('decimal', 'numeric(3,-2)', { precision: 3, scale: -2 }), '1200', TEXT, `"1200.${'0'.repeat(2046)}"`],
    ['a moment beyond microseconds', typed('timestamp', 'timestamp'), '+294276-12-31T23:59:59.999999', {}, '-9223372036853775810'],
    ['an interval beyond them', typed('interval', 'interval'), 'P178000000Y', {}, '9223372036854775807'],
    ['the same before', typed('interval', 'interval'), 'P-178000000Y', {}, '-9223372036854775808'],
    ['an array of enums with NULL', array('mood[]', 'enum', { values: ['ok'] }), ['ok', null], {}, 'null'],
    ['an array of ltrees with NULL', array('ltree[]', 'string'), ['a', null], {}, 'null'],
    ['an array of texts with NULL', array('text[]', 'string'), ['a', null], {}, '["a",null]'],
    ['an array with a number that is none', array('numeric[]', 'decimal'), ['1', 'NaN'], TEXT, 'null'],
    ['int2vector', array('int2vector', 'int16'), [1, 2], {}, '[]'],
    ['oidvector without elements', array('oidvector', 'int64'), [], {}, 'null'],
  ])('%s', (_, c, value, options, expected) => {
    expect(shown(c, value, options)).toBe(expected);
  });
});

describe('defaults that stand for NULL', () => {
  test.each<[Column, Record<string, unknown>, string]>([
    [typed('decimal', 'numeric(10,2)', { precision: 10, scale: 2, defaultSql: '1.5' }), TEXT, '"1.50"'],
    [typed('date', 'date', { defaultSql: "'infinity'::date" }), {}, '169560311'],
    [typed('date', 'date', { defaultSql: "'infinity'::date" }), ISO, '"+999999999-12-31Z"'],
    [typed('timestamp', 'timestamp', { defaultSql: "'infinity'::timestamp" }), {}, '-9223372036853775810'],
    [typed('timestamp', 'timestamp', { defaultSql: "'infinity'::timestamp" }), ISO, '"+999999999-12-31T23:59:59.999999999Z"'],
    [typed('timestamp', 'timestamp', { defaultSql: "'infinity'::timestamp" }), CONNECT, 'null'],
  ])('$nativeType $defaultSql', (c, options, expected) => {
    expect(shown(c, null, options)).toBe(expected);
  });
});

test('an unchanged value that is stored out of line is a text where the column is', () => {
  const unavailable = (c: Column, options: Record<string, unknown>): string | undefined => {
    const table: TableSchema = { ...ORDERS, columns: [column('id', 'int64', { nullable: false }), c] };
    const row = event({ op: 'u', table, after: { id: 1n }, incomplete: true });
    return /"c":(.*)\},"source"/.exec(onlyValue(encode('debezium', [row], { compatible: true, ...options }, postgres)))?.[1];
  };
  expect(unavailable(typed('decimal', 'numeric'), TEXT)).toBe('"__debezium_unavailable_value"');
  expect(unavailable(typed('decimal', 'numeric'), {})).toBe('null');
  expect(unavailable(typed('array', 'date[]', { element: 'date' }), CONNECT)).toBe('null');
});

describe('the smallest numbers have two digits', () => {
  test.each([
    [5e-324, '4.9E-324'],
    [1e-323, '9.9E-324'],
    [1e23, '1.0E23'],
    [1e-5, '1.0E-5'],
  ])('double %s', (n, text) => expect(javaDouble(n)).toBe(text));
  test.each([
    [1e-45, '1.4E-45'],
    [3e-45, '2.8E-45'],
    [1e-38, '1.0E-38'],
    [0.1, '0.1'],
    [3.1415927410125732, '3.1415927'],
  ])('float %s', (n, text) => expect(javaFloat(n)).toBe(text));
});

describe('a column of the key that Debezium cannot show', () => {
  const table: TableSchema = {
    ...ORDERS,
    columns: [column('l', 'string', { nullable: false, nativeType: 'pg_lsn' }), column('v', 'string', { nativeType: 'text' })],
    key: ['l'],
  };

  test('is not in the key, so no change of it is one of the key', () => {
    const change = event({ op: 'u', table, before: { l: '0/1' }, after: { l: '0/2', v: 'a' } });
    const { key, value } = encode('debezium', [change], { compatible: true }, postgres);
    expect(key.map((bytes) => Buffer.from(bytes as Uint8Array).toString())).toEqual(['{}']);
    expect(JSON.parse(Buffer.from(value[0] as Uint8Array).toString())).toMatchObject({ op: 'u', after: { v: 'a' } });
  });
});
