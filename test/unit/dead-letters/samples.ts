// Change events and dead letters for the tests of the queue.

import fc from 'fast-check';
import type { DeadLetter } from '../../../src/engine/api.ts';
import {
  CdcError,
  ChangeEvent,
  type ChangeEventInit,
  type Position,
  type Row,
  type TableSchema,
  type Value,
} from '../../../src/sdk/index.ts';

export const ORDERS: TableSchema = {
  id: { database: 'shop', schema: 'public', table: 'orders' },
  key: ['id'],
  version: 2,
  columns: [
    { name: 'id', type: 'int64', nativeType: 'bigint', nullable: false, default: 5n },
    { name: 'total', type: 'decimal', nativeType: 'numeric(12,2)', nullable: true, precision: 12, scale: 2 },
    { name: 'photo', type: 'bytes', nativeType: 'bytea', nullable: true, default: null },
  ],
};

export function event(n: number, init: Partial<ChangeEventInit> = {}): ChangeEvent {
  return new ChangeEvent({
    op: 'u',
    table: ORDERS,
    source: 'shop',
    partition: 'main',
    position: String(n).padStart(16, '0') as Position,
    sourceTsMs: 1_700_000_000_000 + n,
    before: { id: BigInt(n), total: '12.30' },
    after: { id: BigInt(n), total: '99.90', photo: new Uint8Array([n % 256, 0]) },
    ...init,
  });
}

export function letter(n: number, changes: Partial<DeadLetter> = {}): DeadLetter {
  const dead = event(n);
  return {
    id: `bus:${dead.id}`,
    pipeline: 'orders',
    lane: 'bus',
    stage: 'write',
    component: 'bus',
    error: new CdcError('DESTINATION_EVENT_REJECTED', 'value too long', { where: 'destination "bus"', fix: 'Widen the column.' }),
    attempts: 3,
    firstMs: 1,
    lastMs: 2,
    event: dead,
    input: null,
    at: `position ${n}`,
    ...changes,
  };
}

const bytes = fc.uint8Array({ maxLength: 20 }).map((b) => new Uint8Array(b));
const names = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '$bigint', '$bytes', '$object', '$number', '$x', ''));
const scalars = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.string({ unit: 'binary' }),
  bytes,
  fc.constantFrom(-0, Number.NaN, Number.POSITIVE_INFINITY, '\ud800', '2024-01-01T00:00:00Z'),
);
const { tree } = fc.letrec<{ tree: Value }>((tie) => ({
  tree: fc.oneof({ depthSize: 'small' }, scalars, fc.array(tie('tree'), { maxLength: 4 }), entries(tie('tree'))),
}));

/** Objects as `JSON.parse` makes them: plain, with whatever own keys. */
function entries(values: fc.Arbitrary<Value>): fc.Arbitrary<Row> {
  return fc.array(fc.tuple(names, values), { maxLength: 4 }).map((list) => Object.fromEntries(list) as Row);
}

export const anyValue: fc.Arbitrary<Value> = tree;
export const anyRow: fc.Arbitrary<Row> = entries(tree);
