// The events of fixtures/envelope/debezium-postgresql (schema.sql, dml.sql), as a PostgreSQL source hands them over.

import {
  ChangeEvent,
  type ChangeEventInit,
  type Column,
  type ColumnType,
  JsonText,
  type Position,
  type Row,
  type TableSchema,
  type Value,
} from '../../../src/sdk/index.ts';

const column = (name: string, type: ColumnType, nativeType: string, more: Partial<Column> = {}): Column => ({
  name,
  type,
  nativeType,
  nullable: true,
  ...more,
});
const required = (name: string, type: ColumnType, nativeType: string, more: Partial<Column> = {}): Column =>
  column(name, type, nativeType, { nullable: false, ...more });
const table = (name: string, columns: Column[]): TableSchema => ({
  id: { database: 'golden', schema: 'public', table: name },
  columns,
  key: ['id'],
  version: 1,
});
const json = (text: string): Value => new JsonText(text) as unknown as Value;
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

const TYPES = table('types', [
  required('id', 'int32', 'integer'),
  column('c_small', 'int16', 'smallint'),
  column('c_int', 'int32', 'integer'),
  column('c_big', 'int64', 'bigint'),
  column('c_num', 'decimal', 'numeric(12,2)', { precision: 12, scale: 2 }),
  column('c_num_w', 'decimal', 'numeric(30,10)', { precision: 30, scale: 10 }),
  column('c_num_any', 'decimal', 'numeric'),
  column('c_real', 'float32', 'real'),
  column('c_double', 'float64', 'double precision'),
  column('c_money', 'decimal', 'money', { scale: 2 }),
  column('c_bool', 'boolean', 'boolean'),
  column('c_char', 'string', 'character(8)', { length: 8 }),
  column('c_varchar', 'string', 'character varying(64)', { length: 64 }),
  column('c_text', 'string', 'text'),
  column('c_bytea', 'bytes', 'bytea'),
  column('c_date', 'date', 'date'),
  column('c_time', 'time', 'time without time zone'),
  column('c_time3', 'time', 'time(3) without time zone', { precision: 3 }),
  column('c_timetz', 'timetz', 'time with time zone'),
  column('c_ts', 'timestamp', 'timestamp without time zone'),
  column('c_ts3', 'timestamp', 'timestamp(3) without time zone', { precision: 3 }),
  column('c_ts0', 'timestamp', 'timestamp(0) without time zone', { precision: 0 }),
  column('c_tstz', 'timestamptz', 'timestamp with time zone'),
  column('c_interval', 'interval', 'interval'),
  column('c_uuid', 'uuid', 'uuid'),
  column('c_json', 'json', 'json'),
  column('c_jsonb', 'json', 'jsonb'),
  column('c_xml', 'xml', 'xml'),
  column('c_enum', 'enum', 'mood', { values: ['sad', 'ok', 'happy'] }),
  column('c_bit1', 'bits', 'bit(1)', { length: 1 }),
  column('c_bit8', 'bits', 'bit(8)', { length: 8 }),
  column('c_varbit', 'bits', 'bit varying(16)', { length: 16 }),
  column('c_inet', 'string', 'inet'),
  column('c_cidr', 'string', 'cidr'),
  column('c_mac', 'string', 'macaddr'),
  column('c_int_arr', 'array', 'integer[]', { element: 'int32' }),
  column('c_text_arr', 'array', 'text[]', { element: 'string' }),
  column('c_int4r', 'string', 'int4range'),
  column('c_tstzr', 'string', 'tstzrange'),
  column('c_hstore', 'json', 'hstore'),
  column('c_point', 'geometry', 'point'),
]);
// Debezium shows 0 as default of a column that a sequence fills.
const CUSTOMERS = table('customers', [
  required('id', 'int32', 'integer', { default: 0 }),
  required('name', 'string', 'character varying(40)'),
  required('email', 'string', 'text', { default: 'none@example.com' }),
  required('vip', 'boolean', 'boolean', { default: false }),
]);
const CUSTOMERS_2: TableSchema = {
  ...CUSTOMERS,
  columns: [...CUSTOMERS.columns, column('phone', 'string', 'character varying(20)', { default: 'n/a' })],
  version: 2,
};
const ORDERS = table('orders', [
  required('id', 'int64', 'bigint', { default: 0n }),
  required('customer_id', 'int32', 'integer'),
  required('total', 'decimal', 'numeric(10,2)', { precision: 10, scale: 2 }),
  required('placed_at', 'timestamptz', 'timestamp with time zone'),
]);
const SCRATCH_PAD = table('scratch_pad', [required('id', 'int32', 'integer'), column('v', 'string', 'text')]);
const ZZ_END = table('zz_end', [required('id', 'int32', 'integer')]);

const NULLS: Row = Object.fromEntries(TYPES.columns.map((c) => [c.name, null]));
const ORDINARY: Row = {
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
  c_bytea: bytes('deadbeef'),
  c_date: '2024-02-29',
  c_time: '12:34:56.789123',
  c_time3: '12:34:56.789',
  c_timetz: '12:34:56.789123+02',
  c_ts: '2024-02-29T12:34:56.789123',
  c_ts3: '2024-02-29T12:34:56.789',
  c_ts0: '2024-02-29T12:34:56',
  c_tstz: '2024-02-29T10:34:56.789123Z',
  c_interval: 'P1Y2M3DT4H5M6.789S',
  c_uuid: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  c_json: json('{"b": 1,  "a": [1, 2, {"x": null}]}'),
  c_jsonb: json('{"a": [1, 2, {"x": null}], "b": 1}'),
  c_xml: '<r a="1">t</r>',
  c_enum: 'happy',
  c_bit1: '1',
  c_bit8: '10101010',
  c_varbit: '1011',
  c_inet: '192.168.0.1/24',
  c_cidr: '10.0.0.0/8',
  c_mac: '08:00:2b:01:02:03',
  c_int_arr: [1, 2, 3],
  c_text_arr: ['one', 'two'],
  c_int4r: '[1,10)',
  c_tstzr: '["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")',
  c_hstore: { k1: 'v1', k2: null },
  c_point: '(1.5,-2.5)',
};
const EMPTY: Row = {
  ...NULLS,
  id: 12,
  c_small: 0,
  c_int: 0,
  c_big: 0n,
  c_num: '0.00',
  c_real: 0,
  c_double: 0,
  c_bool: false,
  c_char: '        ',
  c_varchar: '',
  c_text: '',
  c_bytea: bytes(''),
  c_json: {},
  c_jsonb: [],
  c_int_arr: [],
  c_text_arr: [],
  c_int4r: 'empty',
  c_hstore: {},
  c_interval: 'PT0S',
};
const UPPER: Row = {
  ...NULLS,
  id: 13,
  c_small: 32767,
  c_int: 2147483647,
  c_big: 9223372036854775807n,
  c_num: '9999999999.99',
  c_real: 3.4028235e38,
  c_double: 1.7976931348623157e308,
  c_date: '9999-12-31',
  c_time: '23:59:59.999999',
  c_ts: '9999-12-31T23:59:59.999999',
};
const LOWER: Row = {
  ...NULLS,
  id: 14,
  c_small: -32768,
  c_int: -2147483648,
  c_big: -9223372036854775808n,
  c_num: '-9999999999.99',
  c_real: -3.4028235e38,
  c_double: -1.7976931348623157e308,
  c_date: '0001-01-01',
  c_time: '00:00:00',
  c_ts: '0001-01-01T00:00:00',
};
const UNICODE: Row = {
  ...NULLS,
  id: 15,
  c_char: 'äöü     ',
  c_varchar: 'naïve 日本語 🚀',
  c_text: 'quote " backslash \\ newline \n tab \t bell \u0007 end',
};
const CHANGED: Row = { ...ORDINARY, c_text: 'changed', c_int: 70001, c_num: '2469.12' };
const SEED: Row = { ...NULLS, id: 1, c_int: 42, c_text: 'seed row', c_bool: true, c_num: '12.34', c_tstz: '2024-02-29T12:34:56.789Z' };

type Change = Pick<ChangeEventInit, 'op' | 'table' | 'before' | 'after'>;
const insert = (t: TableSchema, after: Row): Change => ({ op: 'c', table: t, after });
const update = (t: TableSchema, after: Row, before: Row | null = null): Change => ({ op: 'u', table: t, after, before });

/** Each inner list is one transaction. */
const TRANSACTIONS: readonly (readonly Change[])[] = [
  [insert(TYPES, ORDINARY)],
  [insert(TYPES, { ...NULLS, id: 11 })],
  [insert(TYPES, EMPTY)],
  [insert(TYPES, UPPER)],
  [insert(TYPES, LOWER)],
  [insert(TYPES, UNICODE)],
  [update(TYPES, CHANGED)],
  [update(TYPES, { ...CHANGED, id: 20 }, { id: 10 })],
  [{ op: 'd', table: TYPES, before: { id: 11 } }],
  [1, 2, 3].map((id) => insert(SCRATCH_PAD, { id, v: `v${id}` })),
  [1, 2].map((id) => update(SCRATCH_PAD, { id, v: `v${id}!` })),
  [{ op: 't', table: SCRATCH_PAD }],
  [
    insert(CUSTOMERS, { id: 2, name: 'Grace', email: 'none@example.com', vip: false }),
    insert(ORDERS, { id: 1n, customer_id: 2, total: '99.90', placed_at: '2024-03-01T00:00:00Z' }),
    insert(ORDERS, { id: 2n, customer_id: 1, total: '0.10', placed_at: '2024-03-01T00:00:00.001Z' }),
    update(CUSTOMERS, { id: 2, name: 'Grace', email: 'none@example.com', vip: true }),
    { op: 'd', table: ORDERS, before: { id: 1n } },
  ],
  [insert(CUSTOMERS_2, { id: 3, name: 'Linus', email: 'linus@example.com', vip: false, phone: '+358 1' })],
  [update(CUSTOMERS_2, { id: 1, name: 'Ada', email: 'ada@new.example.com', vip: true, phone: 'n/a' })],
  [insert(ZZ_END, { id: 1 })],
];

const COMMIT_MS = 1_795_242_997_018;
const event = (init: Change, lsn: number, more: Partial<ChangeEventInit>): ChangeEvent =>
  new ChangeEvent({ ...init, source: 'golden', partition: 'main', position: `${lsn}` as Position, sourceTsMs: COMMIT_MS, ...more });

function snapshot(): ChangeEvent[] {
  const mark = { run: 'r1', chunk: 1 } as const;
  const row = { op: 'r', table: CUSTOMERS, after: { id: 1, name: 'Ada', email: 'ada@example.com', vip: true } } as const;
  return [
    event(row, 1, { snapshot: { ...mark, table: 'public.customers', place: 'first' } }),
    event({ op: 'r', table: TYPES, after: SEED }, 1, { snapshot: { ...mark, table: 'public.types', place: 'last' } }),
  ];
}

/** A change of key counts as two events of its transaction, as Debezium sends two. */
function transaction(changes: readonly Change[], id: number): ChangeEvent[] {
  const orders = new Map<TableSchema, number>();
  let order = 0;
  return changes.map((change, i) => {
    const weight = change.op === 'u' && (change.before ?? null) !== null ? 2 : 1,
      collectionOrder = (orders.get(change.table) ?? 0) + 1;
    orders.set(change.table, collectionOrder + weight - 1);
    order += weight;
    return event(change, id * 1000 + i, {
      transaction: { id: `${id}`, order: order - weight + 1, collectionOrder, commitTsMs: COMMIT_MS, last: i === changes.length - 1 },
    });
  });
}

/** All events in order; without truncates, as Debezium skips them by default. */
export function goldenEvents(options: { readonly truncates: boolean }): ChangeEvent[] {
  const streamed = TRANSACTIONS.flatMap((changes, i) => transaction(changes, 3320 + i));
  return [...snapshot(), ...streamed.filter((e) => options.truncates || e.op !== 't')];
}

/** The source's fields of a position here: transaction × 1000 + number. */
export function goldenFields(e: ChangeEvent): Record<string, string | number | null> {
  const lsn = Number(e.position),
    txId = Math.floor(lsn / 1000);
  return { txId, lsn, xmin: null, origin: null, origin_lsn: null, sequence: `[null,"${lsn}"]`, end_lsn: (txId + 1) * 1000 };
}
