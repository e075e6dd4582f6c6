// Each type: what its column is called here, and what its texts become.

import { describe, expect, test } from 'vitest';
import type { Column, Value } from '../../../../src/sdk/index.ts';
import { JsonText } from '../../../../src/sdk/index.ts';
import { BoundedArray } from '../../../../src/sources/postgresql/nested-values.ts';
import { type PgType, spell } from '../../../../src/sources/postgresql/pg-type.ts';
import { columnOf, textColumnOf } from '../../../../src/sources/postgresql/types.ts';
import { oidOf, TYPES } from '../../../helpers/pgoutput.ts';

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const json = (text: string): Value => new JsonText(text) as unknown as Value;

/** Decoded from the text and from its bytes, which must be the same. */
function decoded(type: string, text: string): Value {
  const column = textColumnOf({ name: 'c', typeOid: oidOf(type), typmod: -1 }, TYPES),
    value = column.decode(text);
  if (column.decodeBytes !== null) {
    const around = Buffer.from(`9${text}9`);
    expect(column.decodeBytes(around, 1, around.length - 1)).toEqual(value);
  }
  return value;
}

describe('a text becomes a value', () => {
  test.each<[type: string, text: string, value: Value]>([
    ['bool', 't', true],
    ['bool', 'f', false],
    ['int2', '-32768', -32_768],
    ['int4', '2147483647', 2_147_483_647],
    ['int4', '0', 0],
    ['int8', '9223372036854775807', 9_223_372_036_854_775_807n],
    ['int8', '-9223372036854775808', -9_223_372_036_854_775_808n],
    ['int8', '-7', -7n],
    ['oid', '4294967295', 4_294_967_295n],
    ['float4', '0.33333334', 0.33333334],
    ['float8', '1e+300', 1e300],
    ['float8', '-0', -0],
    ['float8', 'NaN', Number.NaN],
    ['float8', '-Infinity', Number.NEGATIVE_INFINITY],
    ['numeric', '12345678901234567890.10', '12345678901234567890.10'],
    ['numeric', 'NaN', 'NaN'],
    ['numeric', '-Infinity', '-Infinity'],
    ['money', '$1,234.50', '1234.50'],
    ['money', '-$0.05', '-0.05'],
    ['money', '1.234.567,89 €', '1234567.89'],
    ['money', '($12.00)', '-12.00'],
    ['money', '¥1,234', '1234'],
    ['text', 'NULL', 'NULL'],
    ['bpchar', 'abc     ', 'abc     '],
    ['citext', 'ÄÖ', 'ÄÖ'],
    ['ltree', 'a.b', 'a.b'],
    ['char', 'x', 'x'],
    ['name', 'pg_class', 'pg_class'],
    ['bytea', '\\xdeadbeef', bytes('deadbeef')],
    ['bytea', '\\x', bytes('')],
    ['bytea', 'a\\\\\\336', bytes('615cde')],
    ['date', '2024-02-29', '2024-02-29'],
    ['date', '0044-03-15 BC', '-0043-03-15'],
    ['date', '0001-12-31 BC', '0000-12-31'],
    ['date', '4713-01-01 BC', '-4712-01-01'],
    ['date', '12024-01-01', '+12024-01-01'],
    ['date', '5874897-12-31', '+5874897-12-31'],
    ['date', '-infinity', '-infinity'],
    ['time', '24:00:00', '24:00:00'],
    ['timetz', '12:34:56.789123+02', '12:34:56.789123+02'],
    ['timestamp', '2024-02-29 12:34:56.789', '2024-02-29T12:34:56.789'],
    ['timestamp', '0044-03-15 12:00:00 BC', '-0043-03-15T12:00:00'],
    ['timestamp', '12024-01-01 00:00:00', '+12024-01-01T00:00:00'],
    ['timestamp', 'infinity', 'infinity'],
    ['timestamptz', '2024-02-29 10:34:56.789123+00', '2024-02-29T10:34:56.789123Z'],
    ['timestamptz', '0044-03-15 12:00:00+00 BC', '-0043-03-15T12:00:00Z'],
    ['timestamptz', '294276-12-31 23:59:59.999999+00', '+294276-12-31T23:59:59.999999Z'],
    ['timestamptz', '2024-02-29 12:34:56+05:30', '2024-02-29T12:34:56+05:30'],
    ['timestamptz', '2024-02-29 12:34:56-03', '2024-02-29T12:34:56-03:00'],
    ['timestamptz', '-infinity', '-infinity'],
    ['interval', '1 year 2 mons 3 days 04:05:06.789', 'P1Y2M3DT4H5M6.789S'],
    ['interval', '-1 years +2 mons -3 days +04:05:06', 'P-1Y2M-3DT4H5M6S'],
    ['interval', '-00:00:01.5', 'PT-1.5S'],
    ['interval', '100:00:00', 'PT100H'],
    ['interval', '00:00:10', 'PT10S'],
    ['interval', '00:00:00.10', 'PT0.1S'],
    ['interval', '00:00:00', 'PT0S'],
    ['interval', 'P1Y2M3DT4H5M6.789S', 'P1Y2M3DT4H5M6.789S'],
    ['interval', 'infinity', 'infinity'],
    ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['xml', '<r a="1">t</r>', '<r a="1">t</r>'],
    ['json', '{"b": 1,  "a": 1.0}', json('{"b": 1,  "a": 1.0}')],
    ['jsonb', '[]', json('[]')],
    ['bit', '10101010', '10101010'],
    ['varbit', '', ''],
    ['inet', '192.168.0.1/24', '192.168.0.1/24'],
    ['int4range', '[1,10)', '[1,10)'],
    ['int4multirange', '{[1,3),[5,9)}', '{[1,3),[5,9)}'],
    ['tsvector', "'a':1 'b':2", "'a':1 'b':2"],
    ['point', '(1.5,-2.5)', '(1.5,-2.5)'],
    ['box', '(1,1),(0,0)', '(1,1),(0,0)'],
    ['mood', 'happy', 'happy'],
    ['price', '12.30', '12.30'],
    ['hstore', '"k1"=>"v1", "k2"=>NULL, "a\\"b"=>"c\\\\d"', { k1: 'v1', k2: null, 'a"b': 'c\\d' }],
    ['hstore', '', {}],
    ['vector', '[1,2.5,-3e-05]', [1, 2.5, -3e-5]],
    ['geometry', '0101000000000000000000F03F0000000000000040', bytes('0101000000000000000000f03f0000000000000040')],
    ['int2vector', '1 2', [1, 2]],
    ['oidvector', '', []],
    ['_int4', '{1,NULL,3}', [1, null, 3]],
    [
      '_int8',
      '{{1,2},{3,4}}',
      [
        [1n, 2n],
        [3n, 4n],
      ],
    ],
    ['_text', '{a,"b c","NULL",NULL,"q\\"\\\\","{}"}', ['a', 'b c', 'NULL', null, 'q"\\', '{}']],
    ['_text', '{}', []],
    ['_bool', '{t,f}', [true, false]],
    ['_timestamptz', '{"2024-02-29 10:34:56+00"}', ['2024-02-29T10:34:56Z']],
    ['_numeric', '{1.10,NaN}', ['1.10', 'NaN']],
    ['_mood', '{sad,ok}', ['sad', 'ok']],
    ['_box', '{(1,1),(0,0);(2,2),(1,1)}', ['(1,1),(0,0)', '(2,2),(1,1)']],
    ['ids', '{7}', [7]],
    ['address', '("Long Street ""5""",7,"{a,\\"b c\\"}")', { street: 'Long Street "5"', number: 7n, tags: ['a', 'b c'] }],
    ['address', '(,,)', { street: null, number: null, tags: null }],
    ['address', '("",1,{})', { street: '', number: 1n, tags: [] }],
    ['_address', '{"(a,1,)"}', [{ street: 'a', number: 1n, tags: null }]],
  ])('%s %s', (type, text, value) => {
    expect(decoded(type, text)).toEqual(value);
  });

  test('an array that does not begin at 1 keeps its bounds', () => {
    const value = decoded('_int4', '[0:1][2:3]={{1,2},{3,4}}') as BoundedArray;
    expect(Array.isArray(value)).toBe(true);
    expect([...value]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(value.bounds).toBe('[0:1][2:3]');
    expect(value.map((v) => v)).not.toBeInstanceOf(BoundedArray);
  });

  test.each([
    ['int4', '1x'],
    ['_int4', '{1'],
    ['_int4', '1}'],
    ['_int4', '{1}}'],
    ['_int4', `${'{'.repeat(5000)}${'}'.repeat(5000)}`],
    ['_text', '{"a}'],
    ['address', '(a,1'],
    ['address', '(a,1,{},new)'],
    ['hstore', '"a"=>'],
    ['hstore', 'a=>"b"'],
    ['interval', 'soon'],
    ['vector', '[1,[2]]'],
    ['money', 'none'],
  ])('%s keeps a text that is none of it: %s', (type, text) => {
    expect(decoded(type, text)).toBe(text);
  });
});

describe('a type becomes a column', () => {
  const TYPED: readonly [type: string, typmod: number, column: Partial<Column>][] = [
    ['bool', -1, { type: 'boolean', nativeType: 'boolean' }],
    ['numeric', 786_438, { type: 'decimal', nativeType: 'numeric(12,2)', precision: 12, scale: 2 }],
    ['numeric', -1, { type: 'decimal', nativeType: 'numeric' }],
    ['numeric', ((5 << 16) | (2048 - 3)) + 4, { type: 'decimal', nativeType: 'numeric(5,-3)', precision: 5, scale: -3 }],
    ['money', -1, { type: 'decimal', nativeType: 'money', scale: 2 }],
    ['varchar', 68, { type: 'string', nativeType: 'character varying(64)', length: 64 }],
    ['bpchar', 12, { type: 'string', nativeType: 'character(8)', length: 8 }],
    ['time', 3, { type: 'time', nativeType: 'time(3) without time zone', precision: 3 }],
    ['timestamp', 0, { type: 'timestamp', nativeType: 'timestamp(0) without time zone', precision: 0 }],
    ['timestamptz', -1, { type: 'timestamptz', nativeType: 'timestamp with time zone' }],
    ['interval', (0x7fff << 16) | 3, { type: 'interval', nativeType: 'interval(3)', precision: 3 }],
    ['interval', (6 << 16) | 0xffff, { type: 'interval', nativeType: 'interval year to month' }],
    ['bit', 8, { type: 'bits', nativeType: 'bit(8)', length: 8 }],
    ['varbit', -1, { type: 'bits', nativeType: 'bit varying' }],
    ['mood', -1, { type: 'enum', nativeType: 'mood', values: ['sad', 'ok', 'happy'] }],
    ['price', -1, { type: 'decimal', nativeType: 'numeric(12,2)', precision: 12, scale: 2, domain: 'price' }],
    ['ids', -1, { type: 'array', nativeType: 'integer[]', element: 'int32', domain: 'ids' }],
    ['_numeric', 786_438, { type: 'array', nativeType: 'numeric(12,2)[]', element: 'decimal', precision: 12, scale: 2 }],
    ['_mood', -1, { type: 'array', nativeType: 'mood[]', element: 'enum', values: ['sad', 'ok', 'happy'] }],
    ['_address', -1, { type: 'array', nativeType: 'address[]', element: 'json' }],
    ['address', -1, { type: 'json', nativeType: 'address' }],
    ['hstore', -1, { type: 'json', nativeType: 'hstore' }],
    ['name', -1, { type: 'string', nativeType: 'name' }],
    ['box', -1, { type: 'string', nativeType: 'box' }],
    ['point', -1, { type: 'geometry', nativeType: 'point' }],
    ['int4range', -1, { type: 'string', nativeType: 'int4range' }],
  ];
  test.each(TYPED)('%s with modifier %i', (type, typmod, column) => {
    expect(columnOf({ name: 'c', typeOid: oidOf(type), typmod, nullable: true }, TYPES)).toEqual({ name: 'c', nullable: true, ...column });
  });

  test('a type that is not known is text', () => {
    const facts = { name: 'c', typeOid: 99_999, typmod: -1, nullable: false, default: 'x' };
    expect(columnOf(facts, TYPES)).toEqual({ name: 'c', type: 'string', nativeType: 'unknown', nullable: false, default: 'x' });
    expect(textColumnOf(facts, TYPES).decode('{1}')).toBe('{1}');
  });

  test('types that contain themselves end', () => {
    const loop = (more: Partial<PgType>): PgType => ({ ...(TYPES.get(oidOf('price')) as PgType), ...more });
    const types = new Map([
      [1, loop({ oid: 1, base: 1 })],
      [2, loop({ oid: 2, kind: 'b', name: '_loop', category: 'A', element: 2 })],
      [3, loop({ oid: 3, kind: 'c', base: 0, fields: [0, 1].map((i) => ({ name: `f${i}`, typeOid: 3, typmod: -1 })) })],
    ]);
    expect(columnOf({ name: 'c', typeOid: 1, typmod: -1, nullable: true }, types).type).toBe('string');
    expect(columnOf({ name: 'c', typeOid: 2, typmod: -1, nullable: true }, types).type).toBe('array');
    expect(textColumnOf({ name: 'c', typeOid: 3, typmod: -1 }, types).decode('("(,)",)')).toEqual({ f0: { f0: null, f1: null }, f1: null });
  });

  test('a type without modifier is spelled as the catalog does', () => {
    expect(spell({ name: 'vector', formatted: 'vector' }, 3)).toBe('vector');
  });
});
