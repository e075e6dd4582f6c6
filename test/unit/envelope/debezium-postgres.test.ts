// What Debezium's PostgreSQL connector does with types and defaults beyond those of the recorded files: read in its sources.

import { describe, expect, test } from 'vitest';
import { javaHash, javaOrder } from '../../../src/envelope/debezium/java-map.ts';
import { bareName } from '../../../src/envelope/debezium/postgres-types.ts';
import type { Column, ColumnType, TableSchema, Value } from '../../../src/sdk/index.ts';
import { column, context, encode, event, type Json, ORDERS, object, onlyValue, records } from './helpers.ts';

const postgres = context('postgresql');
const tableOf = (c: Column): TableSchema => ({ ...ORDERS, columns: [column('id', 'int64', { nullable: false }), c] });
const typed = (type: ColumnType, nativeType: string, more: Partial<Column> = {}): Column => column('c', type, { nativeType, ...more });

/** The JSON of the value, `undefined` when the column is missing. */
function shown(c: Column, value: Value, options: Record<string, unknown> = {}): string | undefined {
  const text = onlyValue(
    encode('debezium', [event({ op: 'c', table: tableOf(c), after: { id: 1n, c: value } })], { compatible: true, ...options }, postgres),
  );
  return /"after":\{"id":1,"c":(.*)\},"source"/.exec(text)?.[1];
}

/** Its field in the schema, without its place. */
function fieldOf(c: Column, options: Record<string, unknown> = {}): Json | undefined {
  const more = { compatible: true, schemas: true, ...options };
  const [record] = records(encode('debezium', [event({ op: 'c', table: tableOf(c), after: { id: 1n, c: null } })], more, postgres));
  const [, after] = object(record?.value?.schema)['fields'] as Json[];
  const fields = (after?.['fields'] ?? []) as readonly Json[];
  const found = fields.find((f) => f['field'] === 'c');
  if (found === undefined) return undefined;
  const { field: _field, optional: _optional, ...rest } = found;
  return rest;
}

describe('types without a converter are missing', () => {
  test.each([
    ['string', 'box'],
    ['string', 'circle'],
    ['string', 'tsquery'],
    ['string', 'pg_lsn'],
    ['string', 'xid'],
    ['string', 'jsonpath'],
    ['string', 'int4multirange'],
    ['string', 'cube'],
    ['json', 'address'],
    ['array', 'box[]', 'string'],
    ['array', 'money[]', 'decimal'],
    ['array', 'interval[]', 'interval'],
    ['array', 'xml[]', 'xml'],
    ['array', 'point[]', 'geometry'],
    ['array', 'name[]', 'string'],
    ['array', 'bit varying(3)[]', 'bits'],
    // Of domains and composites.
    ['array', 'price[]', 'decimal'],
    ['array', 'address[]', 'json'],
  ] as const)('%s %s', (type, nativeType, element?: ColumnType) => {
    expect(shown(typed(type, nativeType, element === undefined ? {} : { element }), 'x')).toBeUndefined();
  });
});

describe('types with one', () => {
  const name = (text: string, more: Json = {}): Json => ({ type: 'string', name: text, version: 1, ...more });
  test.each<[Column, Value, string, Json]>([
    [typed('string', 'tsvector'), "'a':1", '"\'a\':1"', name('io.debezium.data.Tsvector')],
    [typed('string', 'ext.ltree'), 'Top.A', '"Top.A"', name('io.debezium.data.Ltree')],
    [typed('string', 'macaddr8'), '08:00:2b:01:02:03:04:05', '"08:00:2b:01:02:03:04:05"', { type: 'string' }],
    [
      typed('array', 'vector', { element: 'float64' }),
      [1, 2.5],
      '[1.0,2.5]',
      { type: 'array', items: { type: 'double', optional: false }, name: 'io.debezium.data.DoubleVector', version: 1 },
    ],
    [
      typed('array', 'halfvec', { element: 'float32' }),
      [1],
      '[1.0]',
      { type: 'array', items: { type: 'float', optional: false }, name: 'io.debezium.data.FloatVector', version: 1 },
    ],
    [
      typed('string', 'sparsevec'),
      '{3:2,1:1.5}/5',
      '{"dimensions":5,"vector":[[1,1.5],[3,2.0]]}',
      {
        type: 'struct',
        fields: [
          { type: 'int16', optional: false, field: 'dimensions' },
          {
            type: 'map',
            keys: { type: 'int16', optional: false },
            values: { type: 'double', optional: false },
            optional: false,
            field: 'vector',
          },
        ],
        name: 'io.debezium.data.SparseDoubleVector',
        version: 1,
        doc: 'Sparse double vector',
      },
    ],
    [
      typed('array', 'mood[]', { element: 'enum', values: ['sad', 'ok'] }),
      ['ok'],
      '["ok"]',
      { type: 'array', items: { ...name('io.debezium.data.Enum', { parameters: { allowed: 'sad,ok' } }), optional: false } },
    ],
    [
      typed('array', 'uuid[]', { element: 'uuid' }),
      ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
      '["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]',
      { type: 'array', items: { ...name('io.debezium.data.Uuid'), optional: true } },
    ],
    [
      typed('array', 'numeric[]', { element: 'decimal' }),
      ['1.50'],
      '[{"scale":1,"value":"Dw=="}]',
      {
        type: 'array',
        items: {
          type: 'struct',
          fields: [
            { type: 'int32', optional: false, field: 'scale' },
            { type: 'bytes', optional: false, field: 'value' },
          ],
          optional: true,
          name: 'io.debezium.data.VariableScaleDecimal',
          version: 1,
          doc: 'Variable scaled decimal',
        },
      },
    ],
  ])('$nativeType', (c, value, json, schema) => {
    expect(shown(c, value)).toBe(json);
    expect(fieldOf(c)).toEqual(schema);
  });

  test.each([
    ['integers', typed('array', 'integer[]', { element: 'int32' }), [[1, 2], [3]], '[null,null]'],
    ['texts, where Debezium has addresses', typed('array', 'text[]', { element: 'string' }), [['a', 'b']], '["[\\"a\\",\\"b\\"]"]'],
    ['citext', typed('array', 'citext[]', { element: 'string' }), [['a']], '[null]'],
  ] as [string, Column, Value, string][])('inner arrays of %s are lost', (_name, c, value, json) => {
    expect(shown(c, value)).toBe(json);
  });

  test('times in arrays lose digits', () => {
    expect(shown(typed('array', 'time without time zone[]', { element: 'time' }), ['12:34:56.789123'])).toBe('[45296789000]');
    expect(shown(typed('array', 'time with time zone[]', { element: 'timetz' }), ['12:34:56.789123+02'])).toBe('["10:34:56Z"]');
  });

  test('arrays of bits have no value', () => {
    expect(shown(typed('array', 'bit(2)[]', { element: 'bits', length: 2 }), ['10'])).toBe('null');
  });
});

describe('handling modes', () => {
  test('intervals as text have all parts', () => {
    const c = typed('interval', 'interval'),
      options = { interval_handling_mode: 'string' };
    expect(shown(c, 'P1Y2M3DT4H5M6.789S', options)).toBe('"P1Y2M3DT4H5M6.789S"');
    expect(shown(c, 'PT0S', options)).toBe('"P0Y0M0DT0H0M0S"');
    expect(shown(c, 'P-1DT-1.5S', options)).toBe('"P0Y0M-1DT0H0M-1.5S"');
    expect(fieldOf(c, options)).toEqual({ type: 'string', name: 'io.debezium.time.Interval', version: 1 });
  });

  test('hstore as a map', () => {
    const c = typed('json', 'hstore'),
      options = { hstore_handling_mode: 'map' };
    expect(shown(c, { a: '1', b: null }, options)).toBe('{"a":"1","b":null}');
    expect(fieldOf(c, options)).toEqual({
      type: 'map',
      keys: { type: 'string', optional: false },
      values: { type: 'string', optional: true },
    });
  });

  test('hstore has the order of a Java map', () => {
    expect(shown(typed('json', 'hstore'), { '10': 'x', a: '1', aa: '2' })).toBe('"{\\"aa\\":\\"2\\",\\"a\\":\\"1\\",\\"10\\":\\"x\\"}"');
    expect([javaHash('hello'), javaHash('a longer text, whose hash is negative')]).toEqual([
      99162322,
      javaHash('a longer text, whose hash is negative') | 0,
    ]);
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    expect(javaOrder(keys).toSorted()).toEqual(keys.toSorted());
  });
});

describe('defaults in schemas', () => {
  test.each<[string, ColumnType, string, unknown, Partial<Column>?]>([
    ["nextval('orders_id_seq'::regclass)", 'int32', 'integer', 0],
    ['7', 'int64', 'bigint', 7],
    ["'-1'::integer", 'int16', 'smallint', -1],
    ['(-1)', 'int32', 'integer', undefined],
    ['(1 + 2)', 'int32', 'integer', undefined],
    ["'9223372036854775807'::bigint", 'int64', 'bigint', 9_223_372_036_854_775_807n],
    ['0.50', 'decimal', 'numeric(12,2)', 'Mg==', { precision: 12, scale: 2 }],
    ['0.505', 'decimal', 'numeric(12,2)', undefined, { precision: 12, scale: 2 }],
    ['1.5', 'decimal', 'numeric', undefined],
    ['0', 'decimal', 'money', undefined, { scale: 2 }],
    ['1.5', 'float64', 'double precision', 1.5],
    ['random()', 'float64', 'double precision', 0],
    ['true', 'boolean', 'boolean', true],
    ["'it'::text", 'string', 'text', 'it'],
    ["'it''s'::text", 'string', 'text', 'it'],
    ['NULL::character varying', 'string', 'character varying(3)', undefined],
    ['CURRENT_USER', 'string', 'text', 'CURRENT_USER'],
    ["upper('a'::text)", 'string', 'text', ''],
    ["'x'::citext", 'string', 'citext', undefined],
    ["'127.0.0.1'::inet", 'string', 'inet', undefined],
    ["'{}'::jsonb", 'json', 'jsonb', '{}'],
    ['gen_random_uuid()', 'uuid', 'uuid', '00000000-0000-0000-0000-000000000000'],
    ["'ok'::mood", 'enum', 'mood', 'ok', { values: ['sad', 'ok'] }],
    ["'ok'::public.mood", 'enum', 'mood', 'ok', { values: ['sad', 'ok'] }],
    ['B\'1\'::"bit"', 'bits', 'bit(1)', true, { length: 1 }],
    ['B\'1010\'::"bit"', 'bits', 'bit(4)', 'Cg==', { length: 4 }],
    ['CURRENT_DATE', 'date', 'date', 0],
    ["'2024-02-29'::date", 'date', 'date', 19_782],
    ['now()', 'timestamptz', 'timestamp with time zone', '1970-01-01T00:00:00.000000Z'],
    ['CURRENT_TIMESTAMP(3)', 'timestamp', 'timestamp(3) without time zone', 0, { precision: 3 }],
    ["(now() AT TIME ZONE 'utc'::text)", 'timestamp', 'timestamp without time zone', 0],
    ["'2024-02-29 12:00:00+02'::timestamp with time zone", 'timestamptz', 'timestamp with time zone', '2024-02-29T10:00:00.000000Z'],
    ["'12:00:00'::time without time zone", 'time', 'time without time zone', 43_200_000_000],
    ["'01:00:00'::interval", 'interval', 'interval', 3_600_000_000],
    ["'{}'::integer[]", 'array', 'integer[]', undefined, { element: 'int32' }],
    ["'\\x00'::bytea", 'bytes', 'bytea', undefined],
    ['5', 'decimal', 'numeric(12,2)', undefined, { precision: 12, scale: 2, domain: 'price' }],
    ["'(0,0)'::point", 'geometry', 'point', undefined],
  ])('%s of %s', (defaultSql, type, nativeType, expected, more = {}) => {
    expect(fieldOf(typed(type, nativeType, { defaultSql, ...more }))?.['default']).toEqual(expected);
  });

  test('our own mode shows literals only', () => {
    const c = typed('int32', 'integer', { defaultSql: "nextval('s'::regclass)" });
    expect(fieldOf(c, { compatible: false })).not.toHaveProperty('default');
    expect(fieldOf({ ...c, defaultSql: '(-1)', default: -1 }, { compatible: false })?.['default']).toBe(-1);
  });
});

test('a type is told by its bare name', () => {
  expect(
    ['numeric(12,2)', 'timestamp(3) with time zone', 'ext.citext', '"My Schema"."a.b"', '"char"', 'character varying(3)'].map(bareName),
  ).toEqual(['numeric', 'timestamp with time zone', 'citext', '"a.b"', '"char"', 'character varying']);
});
