import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEvent, encodeEvent } from '../../../src/dead-letters/event-codec.ts';
import { decodeValue, encodeValue, type Json } from '../../../src/dead-letters/value-codec.ts';
import { ChangeEvent, type ChangeEventInit, RowImage, renamedTable } from '../../../src/sdk/index.ts';
import { contentOf } from '../../helpers/event-content.ts';
import { anyRow, anyValue, event, ORDERS } from './samples.ts';

const throughText = (json: Json): Json => JSON.parse(JSON.stringify(json)) as Json;

describe('values', () => {
  it('come back from text as they were', () => {
    fc.assert(
      fc.property(anyValue, (value) => isDeepStrictEqual(decodeValue(throughText(encodeValue(value))), value)),
      { numRuns: 500 },
    );
  });

  const table: [unknown, string][] = [
    [42n, '{"$bigint":"42"}'],
    [new Uint8Array([1, 255]), '{"$bytes":"Af8="}'],
    [Number.NaN, '{"$number":"NaN"}'],
    [-0, '{"$number":"-0"}'],
    [{ $bigint: '42' }, '{"$object":{"$bigint":"42"}}'],
    [{ $a: 1, b: 2 }, '{"$a":1,"b":2}'],
    [{ a: [1n] }, '{"a":[{"$bigint":"1"}]}'],
  ];
  it.each(table)('%o is written as %s', (value, text) => {
    expect(JSON.stringify(encodeValue(value as never))).toBe(text);
  });

  it.each(['{"$bigint":"x"}', '{"$unknown":1}', '{"$object":3}'])('%s is refused', (text) => {
    expect(() => decodeValue(JSON.parse(text) as Json)).toThrow();
  });
});

describe('events', () => {
  it('with any rows come back as they were', () => {
    fc.assert(
      fc.property(
        anyRow,
        fc.option(anyRow),
        fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
        (before, after, headers) => {
          const original = event(1, { before, after, headers });
          return isDeepStrictEqual(contentOf(decodeEvent(throughText(encodeEvent(original)))), contentOf(original));
        },
      ),
    );
  });

  const cases: [string, Partial<ChangeEventInit>][] = [
    ['a delete', { op: 'd', after: null }],
    ['one of a renamed table', { table: renamedTable(ORDERS, { database: null, schema: null, table: 'moved' }) }],
    ['a truncate', { op: 't', before: null, after: null }],
    ['a snapshot row', { op: 'r', before: null, snapshot: { run: 'r', table: 'public.orders', chunk: 4, place: 'last' } }],
    ['an incomplete one with a key of its own', { incomplete: true, key: { id: 9n }, after: { total: '1' } }],
    ['one of a transaction', { transaction: { id: '7', order: 2, collectionOrder: 1, commitTsMs: 5, last: true } }],
    ['a message', { op: 'm', before: null, after: null, message: { prefix: 'p', content: new Uint8Array([0, 1]), transactional: true } }],
    ['a schema change', { op: 's', before: null, after: null, schemaChange: { kind: 'alter', previous: ORDERS, ddl: 'alter table …' } }],
    ['a new table', { op: 's', before: null, after: null, schemaChange: { kind: 'create', previous: null, ddl: null } }],
    ['a broker record', { raw: { topic: 't', key: null, value: new Uint8Array([9]), timestampMs: 3 }, headers: { a: 'b' } }],
    ['an added one', { derived: 3 }],
    ['one of a table without key', { table: { ...ORDERS, key: [], columns: [] } }],
  ];
  it.each(cases)('%s comes back as it was', (_title, init) => {
    const original = event(7, init);
    const decoded = decodeEvent(throughText(encodeEvent(original)));
    expect(decoded).toBeInstanceOf(ChangeEvent);
    expect(contentOf(decoded)).toStrictEqual(contentOf(original));
  });

  it('are decoded from undecoded rows', () => {
    class Image extends RowImage {
      decode() {
        return { id: 1n };
      }
      column(name: string) {
        return name === 'id' ? 1n : undefined;
      }
    }
    expect(decodeEvent(encodeEvent(event(1, { before: null, after: new Image() }))).after).toEqual({ id: 1n });
  });

  it.each(['null', '[]', '{}', '{"op":"u"}'])('%s is refused', (text) => {
    expect(() => decodeEvent(JSON.parse(text) as Json)).toThrow(TypeError);
  });
});
