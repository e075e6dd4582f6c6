import { JsonText, type Row } from 'cdc-run/sdk';
import { describeTransformer } from 'cdc-run/sdk/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { descriptor } from '../../../plugins/transformers/flatten/index.ts';
import { event, table } from './events.ts';
import { column, configOf, failure, one, problems } from './shaping.ts';

describeTransformer(descriptor, { config: configOf(descriptor, { columns: { 'note.a': 'string' }, keep_original: true }) });

const PEOPLE = table('people', [column('id', 'int32'), column('address', 'json'), column('name', 'string')]);
const person = (address: Row[string]) => event({ id: 1, address, name: 'n' }, { table: PEOPLE });
const message = (row: Row) => event(row, { table: table('people', [], []) });
const columns = { 'address.city': 'string', 'address.geo.lat': 'decimal(9,6)' };

describe('flatten, of a table with columns', () => {
  it('makes declared columns in the place of the one that is opened', () => {
    const out = one(descriptor, { columns }, person(new JsonText('{"city": "Bonn", "geo": {"lat": 50.7374}}')));
    expect(out.table.columns.map((c) => `${c.name} ${c.nativeType}`)).toEqual([
      'id int32',
      'address_city text',
      'address_geo_lat numeric(9,6)',
      'name string',
    ]);
    expect(out.after).toEqual({ id: 1, address_city: 'Bonn', address_geo_lat: '50.737400', name: 'n' });
  });

  it('keeps the column if told so, and then asks for no more', () => {
    const address = new JsonText('{"city": "Bonn", "zip": 1}');
    expect(one(descriptor, { columns, keep_original: true, separator: '.' }, person(address)).after).toEqual({
      id: 1,
      address,
      'address.city': 'Bonn',
      'address.geo.lat': null,
      name: 'n',
    });
  });

  it.each<[string, Row[string], string]>([
    ['a part', new JsonText('{"city": "Bonn", "zip": 53111}'), '"zip"'],
    ['a deeper part', { geo: { lat: '1', lon: '2' } }, '"geo.lon"'],
    ['an object where a value is declared to be in', { geo: 5 }, '"geo"'],
    ['a list', [1], 'no object'],
  ])('does not lose %s that is not declared', (_, address, what) => {
    expect(failure(() => one(descriptor, { columns }, person(address))).message).toContain(what);
    const drop = () => one(descriptor, { columns, others: 'drop' }, person(address));
    if (what === 'no object') expect(failure(drop).message).toContain(what);
    else expect(drop().after).not.toHaveProperty('address');
  });

  it('has null for what is not there, and leaves absent what the source did not send', () => {
    expect(one(descriptor, { columns }, person(null)).after).toEqual({ id: 1, address_city: null, address_geo_lat: null, name: 'n' });
    expect(one(descriptor, { columns }, person({ city: null, other: null })).after).toMatchObject({ address_city: null });
    const partial = event({ id: 1 }, { table: PEOPLE, op: 'u', incomplete: true });
    expect(one(descriptor, { columns }, partial).after).toEqual({ id: 1 });
  });

  it('opens a document in a text', () => {
    expect(one(descriptor, { columns: { 'name.a': 'int32' } }, event({ id: 1, name: '{"a": 5}' }, { table: PEOPLE })).after).toEqual({
      id: 1,
      name_a: 5,
    });
  });

  it('does not lose digits', () => {
    const opened = one(
      descriptor,
      { columns: { 'address.n': 'int64', 'address.d': 'decimal' } },
      person(new JsonText('{"n": 9007199254740993, "d": 0.1234567890123456789}')),
    );
    expect(opened.after).toMatchObject({ address_n: 9007199254740993n, address_d: '0.1234567890123456789' });
    expect(
      failure(() => one(descriptor, { columns: { 'address.n': 'int32' } }, person(new JsonText('{"n": 9007199254740993}')))).message,
    ).toContain('column "address_n" of public.people cannot become int32 without loss: it is too large');
  });

  it('asks for types where none are declared', () => {
    expect(failure(() => one(descriptor, {}, person({ a: 1 }))).fix).toContain('"address.city: string"');
    const e = event({ id: 1 }, { table: table('plain', [column('id', 'int32')]) });
    expect(one(descriptor, {}, e)).toBe(e);
  });

  it('refuses a name that is taken, and to open the key', () => {
    const taken = table('t', [column('id', 'int32'), column('a', 'json'), column('a_b', 'string')]);
    expect(failure(() => one(descriptor, { columns: { 'a.b': 'string' } }, event({ id: 1 }, { table: taken }))).message).toContain('"a_b"');
    const keyed = table('t', [column('id', 'json')]);
    expect(failure(() => one(descriptor, { columns: { 'id.b': 'string' } }, event({ id: {} }, { table: keyed }))).message).toContain(
      'part of the key',
    );
  });
});

describe('flatten, of messages without a schema', () => {
  it('opens every object, and leaves lists as they are', () => {
    const given = { id: 1, a: { b: { c: 1n }, d: [{ e: 1 }] }, j: new JsonText('{"x": "y", "z": {}}') };
    expect(one(descriptor, {}, message(given)).after).toEqual({ id: 1, a_b_c: 1n, a_d: [{ e: 1 }], j_x: 'y', j_z: {} });
    expect(one(descriptor, { fields: ['a'], separator: '.' }, message(given)).after).toEqual({
      id: 1,
      'a.b.c': 1n,
      'a.d': [{ e: 1 }],
      j: given.j,
    });
    expect(one(descriptor, { keep_original: true, fields: ['j'] }, message(given)).after).toEqual({ ...given, j_x: 'y', j_z: {} });
  });

  it('is the same event when there is nothing to open', () => {
    const e = message({ id: 1, list: [{ a: 1 }], text: 'x', j: new JsonText('[1]') });
    expect(one(descriptor, {}, e)).toBe(e);
  });

  it('refuses two values for one column', () => {
    expect(failure(() => one(descriptor, {}, message({ a_b: 1, a: { b: 2 } }))).message).toContain('two columns would have the name "a_b"');
  });

  it('keeps every leaf', () => {
    const name = fc.stringMatching(/^[a-z]{1,3}$/);
    const { tree } = fc.letrec<{ tree: Row; value: Row[string] }>((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, fc.integer(), fc.string(), fc.constant(null), tie('tree')),
      tree: fc.dictionary(name, tie('value'), { minKeys: 1, maxKeys: 4 }) as never,
    }));
    const leaves = (row: object): number =>
      Object.values(row).reduce<number>((n, v: unknown) => n + (typeof v === 'object' && v !== null ? leaves(v) : 1), 0);
    fc.assert(
      fc.property(tree, (row) => {
        const flat = one(descriptor, { separator: '/' }, message(row)).after ?? {};
        expect(Object.keys(flat)).toHaveLength(leaves(row));
        for (const [path, value] of Object.entries(flat))
          expect(path.split('/').reduce<unknown>((at, part) => (at as Row)[part], row)).toEqual(value);
      }),
    );
  });
});

it('refuses paths that lead nowhere or into each other', () => {
  expect(problems(descriptor, { columns: { address: 'string' } })).toEqual(['columns.address: "address" leads into no column']);
  expect(problems(descriptor, { columns: { 'a.b': 'string', 'a.b.c': 'string' } })).toEqual(['columns.a.b: another path leads into "a.b"']);
  expect(problems(descriptor, { columns: { 'a.b_c': 'string', 'a.b.c': 'string' } })).toEqual(['columns: two paths become "a_b_c"']);
});
