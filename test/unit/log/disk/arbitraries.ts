// Any change event, as far as the SDK's types allow one.

import fc from 'fast-check';
import { ChangeEvent, type ChangeEventInit, type Position, type Row, type TableSchema, type Value } from '../../../../src/sdk/index.ts';

const name = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('id', '__proto__', '0', 'constructor', 'hasOwnProperty'),
);
/** Also halves of surrogate pairs, which UTF-8 cannot say. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 120, maxLength: 300 }),
  fc.constantFrom('\ud800', 'a\udc00b', '😀'),
);
const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(-0, Number.NaN, Number.POSITIVE_INFINITY, 63, 64, 127, 128, 2 ** 31, 2 ** 53 - 1, 2 ** 53),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.constantFrom(0n, -1n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n)),
  text,
  fc.uint8Array({ maxLength: 300 }),
);
export const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 4 }), object(tie('value'))),
})).value;

function object(values: fc.Arbitrary<Value>): fc.Arbitrary<Row> {
  return fc.array(fc.tuple(name, values), { maxLength: 6 }).map((entries) => Object.fromEntries(entries));
}
export const row = object(value);

const table: fc.Arbitrary<TableSchema> = fc.record({
  id: fc.record({ database: fc.option(text), schema: fc.option(text), table: text }),
  columns: fc.array(
    fc.record(
      { name, type: fc.constant('any' as const), nativeType: text, nullable: fc.boolean(), default: value },
      { requiredKeys: ['name', 'type', 'nativeType', 'nullable'] },
    ),
    { maxLength: 3 },
  ),
  key: fc.array(name, { maxLength: 2 }),
  version: fc.nat(),
});
const tables = [0, 1, 2].map(() => fc.sample(table, 1)[0] as TableSchema);

const transaction = fc.record({
  id: fc.constantFrom('1', '2'),
  order: fc.nat(),
  collectionOrder: fc.nat(),
  commitTsMs: fc.double(),
  last: fc.boolean(),
});
const mark = fc.record({
  run: fc.constantFrom('r1', 'r2'),
  table: text,
  chunk: fc.nat(),
  place: fc.constantFrom(
    'first' as const,
    'first_in_data_collection' as const,
    'true' as const,
    'last_in_data_collection' as const,
    'last' as const,
  ),
});
const bytes = fc.uint8Array({ maxLength: 20 });

/** The library makes records without a prototype; nobody else does. */
function plainPrototypes(v: unknown): unknown {
  if (typeof v !== 'object' || v === null || v instanceof Uint8Array) return v;
  if (Array.isArray(v)) return v.map(plainPrototypes);
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plainPrototypes(x)]));
}

export const event: fc.Arbitrary<ChangeEvent> = fc
  .record(
    {
      op: fc.constantFrom('c' as const, 'u' as const, 'd' as const, 'r' as const, 't' as const, 'm' as const, 's' as const),
      table: fc.oneof(fc.constantFrom(...tables), table),
      source: fc.constantFrom('s', 'other'),
      partition: fc.constantFrom('p', 'q'),
      position: text.map((t) => t as Position),
      sourceTsMs: fc.oneof(fc.nat(), fc.double()),
      before: fc.option(row),
      after: fc.option(row),
      key: fc.option(row),
      transaction: fc.option(transaction),
      snapshot: fc.oneof(fc.constant(false as const), mark),
      incomplete: fc.boolean(),
      headers: fc.option(fc.dictionary(text, text, { noNullPrototype: true })),
      message: fc.option(fc.record({ prefix: text, content: bytes, transactional: fc.boolean() })),
      schemaChange: fc.option(
        fc.record({
          kind: fc.constantFrom('create' as const, 'alter' as const, 'drop' as const),
          previous: fc.option(table),
          ddl: fc.option(text),
        }),
      ),
      raw: fc.option(fc.record({ topic: text, key: fc.option(bytes), value: fc.option(bytes), timestampMs: fc.nat() })),
      derived: fc.nat(),
    },
    { requiredKeys: ['op', 'table', 'source', 'partition', 'position', 'sourceTsMs'] },
  )
  .map((init) => new ChangeEvent(plainPrototypes(init) as ChangeEventInit));
