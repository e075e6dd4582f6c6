// What our debezium envelope writes with schemas is read back as it was, in each mode of decimals, times and bytes: also as Debezium
// would have written it.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openMessageDecoder } from '../../../src/formats/create.ts';
import type { DecodedMessage } from '../../../src/formats/messages.ts';
import { type ColumnType, JsonText, type Row, type TableSchema, type Value } from '../../../src/sdk/index.ts';
import { column, context, encode, event } from '../envelope/helpers.ts';
import { component, never } from './helpers.ts';

const two = (n: number): string => String(n).padStart(2, '0');
/** Milliseconds, so that every mode has all digits; without zeros at the end. */
const fraction = fc.nat(999).map((n) => (n === 0 ? '' : `.${String(n).padStart(3, '0').replace(/0+$/, '')}`));
const day = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([y, m, d]) => `${String(y).padStart(4, '0')}-${two(m)}-${two(d)}`);
const clock = fc.tuple(fc.nat(23), fc.nat(59), fc.nat(59), fraction).map(([h, m, s, f]) => `${two(h)}:${two(m)}:${two(s)}${f}`);
const moment = fc.tuple(day, clock).map((parts) => parts.join('T'));
const text = fc.string({ unit: 'binary' });
const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), fc.nat(99)).map(([n, d]) => `${n === 0n ? '0' : n}.${two(d)}`);
const infinity = fc.constantFrom('infinity', '-infinity');
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n));

const KINDS: readonly (readonly [name: string, type: ColumnType, nativeType: string, more: object, values: fc.Arbitrary<Value>])[] = [
  ['flag', 'boolean', 'boolean', {}, fc.boolean()],
  ['small', 'int16', 'smallint', {}, fc.integer({ min: -32_768, max: 32_767 })],
  ['whole', 'int32', 'integer', {}, fc.integer()],
  ['big', 'int64', 'bigint', {}, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ['single', 'float32', 'real', {}, fc.float()],
  ['double', 'float64', 'double precision', {}, fc.double()],
  ['price', 'decimal', 'numeric(30,2)', { precision: 30, scale: 2 }, decimal],
  ['any_price', 'decimal', 'numeric', {}, decimal.filter((d) => !d.endsWith('0'))],
  ['words', 'string', 'text', {}, text],
  ['raw', 'bytes', 'bytea', {}, fc.uint8Array()],
  ['day', 'date', 'date', {}, day],
  ['clock', 'time', 'time(3) without time zone', { precision: 3 }, clock],
  ['clock6', 'time', 'time without time zone', {}, clock],
  ['local', 'timestamp', 'timestamp without time zone', {}, moment],
  ['local3', 'timestamp', 'timestamp(3) without time zone', { precision: 3 }, moment],
  ['instant', 'timestamptz', 'timestamp with time zone', {}, moment.map((m) => `${m}Z`)],
  ['zoned_clock', 'timetz', 'time with time zone', {}, clock.map((t) => `${t}Z`)],
  ['uuid', 'uuid', 'uuid', {}, fc.uuid()],
  ['doc', 'json', 'jsonb', {}, fc.json().map((json) => new JsonText(json) as unknown as Value)],
  ['markup', 'xml', 'xml', {}, text],
  ['mood', 'enum', 'mood', { values: ['sad', 'ok'] }, fc.constantFrom('sad', 'ok')],
  ['bits', 'bits', 'bit(12)', { length: 12 }, fc.nat(4095).map((n) => n.toString(2).padStart(12, '0'))],
  ['ints', 'array', 'integer[]', { element: 'int32' }, fc.array(fc.option(fc.integer()))],
  ['texts', 'array', 'text[]', { element: 'string' }, fc.array(fc.option(text))],
  ['longs', 'array', 'bigint[]', { element: 'int64' }, fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))],
  ['place', 'geometry', 'point', {}, fc.tuple(finite, finite).map(([x, y]) => `(${x},${y})`)],
];
const TABLE: TableSchema = {
  id: { database: 'shop', schema: 'public', table: 'everything' },
  columns: [
    column('id', 'int64', { nullable: false, nativeType: 'bigint' }),
    ...KINDS.map(([name, type, nativeType, more]) => column(name, type, { nativeType, ...more })),
  ],
  key: ['id'],
  version: 1,
};
const row = fc
  .tuple(fc.bigInt({ min: 1n, max: 2n ** 62n }), ...KINDS.map(([, , , , values]) => fc.option(values, { freq: 8 })))
  .map(([id, ...values]): Row => ({ id: id as Value, ...Object.fromEntries(KINDS.map(([name], i) => [name, values[i] as Value])) }));

async function roundTrip(after: Row, options: Record<string, unknown>): Promise<DecodedMessage> {
  const batch = encode(
    'debezium',
    [event({ op: 'c', table: TABLE, after })],
    { schemas: true, topic_prefix: 'p', ...options },
    context('postgresql'),
  );
  const decoder = await openMessageDecoder({ envelope: 'debezium' }, component());
  const message = { topic: 't', key: batch.key[0] ?? null, value: batch.value[0] ?? null, headers: null };
  // The second one goes by the schema of the first.
  const [first, second] = await decoder.decode([message, message], never);
  expect(second).toEqual(first);
  return first as DecodedMessage;
}

/** Of a float of 32 bits only those count: Java writes as few digits as tell it apart. */
const single = (values: Row | null): Row => ({
  ...values,
  single: values?.['single'] == null ? null : Math.fround(values['single'] as number),
});

test.each([
  {},
  { compatible: true },
  { compatible: true, time_precision_mode: 'isostring', decimal_handling_mode: 'string' },
  { compatible: true, time_precision_mode: 'connect' },
  { compatible: true, time_precision_mode: 'adaptive_time_microseconds' },
  { time_precision_mode: 'adaptive', decimal_handling_mode: 'precise' },
  { time_precision_mode: 'isostring' },
])('%j', async (options) => {
  await fc.assert(
    fc.asyncProperty(row, async (after) => {
      const decoded = await roundTrip(after, options);
      expect(single(decoded.after)).toEqual(single(after));
      expect(decoded.key).toEqual({ id: after['id'] });
      expect(decoded.table).toMatchObject({ id: TABLE.id, key: ['id'] });
    }),
    { numRuns: 60 },
  );
});

test.each(['adaptive', 'connect'])("PostgreSQL's infinity comes back (%s)", async (time_precision_mode) => {
  await fc.assert(
    fc.asyncProperty(infinity, async (value) => {
      const after = { id: 1n, day: value, local: value, local3: value };
      expect((await roundTrip(after, { compatible: true, time_precision_mode })).after).toMatchObject(after);
    }),
    { numRuns: 10 },
  );
});
