// decode(encode(event)) is the event, for what a shape can carry: JSON values, with integers beyond 2^53 as bigints. Bytes
// and NaN become text, small bigints numbers: without a schema nobody can tell them apart.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeEnvelope, EVENT_ENVELOPES, type EventEnvelope } from '../../../src/envelope/create.ts';
import type { DecodedRecord } from '../../../src/envelope/envelope.ts';
import { ChangeEvent, type Op, type Position, type Row, type TableSchema, type Value } from '../../../src/sdk/index.ts';
import { column, context, encode } from './helpers.ts';

const text = fc.oneof(
  fc.string(),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
);
const longInteger = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })
  .filter((n) => n > BigInt(Number.MAX_SAFE_INTEGER) || n < BigInt(Number.MIN_SAFE_INTEGER));
const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
  longInteger,
  text,
);
const value = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(text, tie('value'), { maxKeys: 4 }),
  ),
})).value;

interface Case {
  event: ChangeEvent;
  key: Row | null;
}

/** A table, an operation and rows that may lack columns; a key column is always there. */
const anyCase: fc.Arbitrary<Case> = fc
  .record({
    names: fc.uniqueArray(text, { minLength: 1, maxLength: 6 }),
    table: text,
    schema: fc.option(text.filter((t) => t !== '')),
    keyed: fc.boolean(),
    op: fc.constantFrom<Op>('c', 'u', 'd', 'r', 't'),
    values: fc.array(fc.tuple(fc.boolean(), value), { minLength: 12, maxLength: 12 }),
    keyValue: scalar,
    withBefore: fc.boolean(),
    ms: fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
    number: fc.nat(),
  })
  .map(({ names, table, schema, keyed, op, values, keyValue, withBefore, ms, number }) => {
    const keyName = names[0] as string;
    const row = (from: number): Row =>
      Object.fromEntries(
        names.flatMap((name, i): [string, Value][] => {
          const [present, v] = values[from + i] as [boolean, Value];
          return i === 0 ? [[name, keyValue]] : present ? [[name, v]] : [];
        }),
      );
    const schemaOf: TableSchema = {
      id: { database: 'shop', schema, table },
      columns: names.map((name) => column(name, 'any')),
      key: keyed ? [keyName] : [],
      version: 1,
    };
    const event = new ChangeEvent({
      op,
      table: schemaOf,
      source: 'shop-db',
      partition: 'main',
      position: String(number).padStart(16, '0') as Position,
      sourceTsMs: ms,
      before: op === 'd' || (op === 'u' && withBefore) ? row(0) : null,
      after: op === 'c' || op === 'u' || op === 'r' ? row(6) : null,
    });
    return { event, key: keyed && op !== 't' ? Object.fromEntries([[keyName, keyValue]]) : null };
  });

/** What a shape knows of the event's identity beside its rows. */
const IDENTITY: Readonly<Record<EventEnvelope, (e: ChangeEvent) => Partial<DecodedRecord>>> = {
  debezium: () => ({ database: 'shop', id: null }),
  plain: (e) => ({ database: 'shop', id: e.id }),
  cdc_event: (e) => ({ database: 'shop', id: e.id }),
  sync_event: (e) => ({ database: null, id: e.id }),
  elide: () => ({ database: null, id: expect.stringMatching(/^evt_-?\d+_[0-9a-f]{16}$/) as string }),
  cloudevents: (e) => ({ database: 'shop', id: e.id }),
};

test.each(EVENT_ENVELOPES)('%s: decode(encode(event)) is the event', (type) => {
  fc.assert(
    fc.property(anyCase, ({ event, key }) => {
      const batch = encode(type, [event], {}, context());
      const decoded = decodeEnvelope(type, batch.value[0] as Uint8Array, batch.key[0] ?? null);
      expect(decoded).toEqual({
        op: event.op,
        table: event.table.id.table,
        schema: event.table.id.schema,
        key,
        before: event.before,
        after: event.after,
        sourceTsMs: event.sourceTsMs,
        ...IDENTITY[type](event),
      });
    }),
    { numRuns: 300 },
  );
});

test.each([{ schemas: true }, { compatible: true }, { compatible: true, schemas: true, time_precision_mode: 'isostring' }])(
  'debezium %j writes JSON for any row',
  (options) => {
    fc.assert(
      fc.property(anyCase, ({ event }) => {
        for (const bytes of encode('debezium', [event], options).value)
          if (bytes !== null) expect(() => JSON.parse(Buffer.from(bytes).toString()) as unknown).not.toThrow();
      }),
    );
  },
);
