import { type ChangeEvent, JsonText } from 'cdc-run/sdk';
import { describeTransformer } from 'cdc-run/sdk/testing';
import { describe, expect, it } from 'vitest';
import { descriptor as cast } from '../../../plugins/transformers/cast/index.ts';
import { descriptor as drop } from '../../../plugins/transformers/drop/index.ts';
import { descriptor as rename } from '../../../plugins/transformers/rename/index.ts';
import { event, table } from './events.ts';
import { column, configOf, failure, make, one, problems, transform } from './shaping.ts';

describeTransformer(rename, { config: configOf(rename, { columns: { id: 'item_id', name: 'title' } }) });
describeTransformer(drop, { config: configOf(drop, { columns: ['note'] }) });
describeTransformer(drop, { config: configOf(drop, { keep: ['name'] }) }, 'keep');
describeTransformer(cast, { config: configOf(cast, { columns: { id: 'int64', name: 'string' } }) });

const ORDERS = table('orders', [column('id', 'int32', { nullable: false }), column('total', 'string'), column('note', 'string')]);
const row = { id: 1, total: '12.50', note: 'n' };
const update = (): ChangeEvent => event({ ...row, id: 2 }, { op: 'u', table: ORDERS, before: row });
const noSchema = (init: object = {}): ChangeEvent => event(row, { table: table('orders', [], []), key: { id: 1 }, ...init });
const names = (e: ChangeEvent): string[] => e.table.columns.map((c) => c.name);

describe('rename', () => {
  const config = { columns: { id: 'order_id', note: 'remark' } };

  it('renames in schema, key and both rows, so that a change of key stays one', () => {
    const out = one(rename, config, update());
    expect(names(out)).toEqual(['order_id', 'total', 'remark']);
    expect(out.table.key).toEqual(['order_id']);
    expect(out.after).toEqual({ order_id: 2, total: '12.50', remark: 'n' });
    expect(out.key).toEqual({ order_id: 2 });
    expect(out.oldKey).toEqual({ order_id: 1 });
  });

  it('lets two columns change places', () => {
    const out = one(rename, { columns: { total: 'note', note: 'total' } }, update());
    expect(out.after).toEqual({ id: 2, note: '12.50', total: 'n' });
  });

  it('renames what was before a change of the schema', () => {
    const previous = table('orders', ORDERS.columns.slice(0, 2));
    const out = one(rename, config, event(null, { op: 's', table: ORDERS, schemaChange: { kind: 'alter', previous, ddl: null } }));
    expect(out.schemaChange?.previous?.columns.map((c) => c.name)).toEqual(['order_id', 'total']);
  });

  it('renames rows and keys that no schema announced', () => {
    const out = one(rename, config, noSchema());
    expect([out.key, out.after]).toEqual([{ order_id: 1 }, { order_id: 1, total: '12.50', remark: 'n' }]);
  });

  it('gives all events of a schema one schema', () => {
    const [a, b] = transform(rename, config, update(), update());
    expect(a?.table).toBe(b?.table);
  });

  it.each([
    ['of a schema', update],
    ['of a row', noSchema],
  ])('refuses a name that is taken by another column %s', (_, given) => {
    expect(failure(() => one(rename, { columns: { note: 'total' } }, given()))).toMatchObject({
      code: 'PLUGIN_FAILED',
      message: 'public.orders: two columns would have the name "total".',
    });
  });

  it('leaves other tables, and tables without the columns, as they are', () => {
    const e = update();
    expect(one(rename, { ...config, tables: ['customers'] }, e)).toBe(e);
    expect(one(rename, { columns: { other: 'x' } }, e)).toBe(e);
  });

  it('leaves absent columns absent, and an incomplete event incomplete', () => {
    const out = one(rename, config, event({ id: 1, note: 'x' }, { op: 'u', table: ORDERS, incomplete: true }));
    expect([out.after, out.incomplete]).toEqual([{ order_id: 1, remark: 'x' }, true]);
  });

  it('refuses two columns with one new name, and none at all', () => {
    expect(problems(rename, { columns: { a: 'x', b: 'x' } })).toEqual(['columns: two columns become "x"']);
    expect(problems(rename, { columns: {} })).toEqual(['columns: no column is named']);
  });

  it('takes no record that was not decoded', () => {
    const raw = { topic: 't', key: null, value: new Uint8Array([1]), timestampMs: 0 };
    expect(failure(() => one(rename, config, event(null, { raw, table: table('orders', [], []) }))).message).toContain('was not decoded');
  });
});

describe('drop', () => {
  it('leaves columns out of schema and rows, and forgets the record as it was consumed', () => {
    const out = one(drop, { columns: ['note'] }, update());
    expect(names(out)).toEqual(['id', 'total']);
    expect([out.before, out.after]).toEqual([
      { id: 1, total: '12.50' },
      { id: 2, total: '12.50' },
    ]);
    const raw = { topic: 't', key: null, value: new Uint8Array([1]), timestampMs: 0 };
    expect(one(drop, { columns: ['note'] }, noSchema({ raw }))).toMatchObject({ raw: null, after: { id: 1, total: '12.50' } });
  });

  it('keeps what is named, and the key', () => {
    expect(one(drop, { keep: ['total'] }, update()).after).toEqual({ id: 2, total: '12.50' });
    expect(one(drop, { keep: ['total'] }, noSchema()).key).toEqual({ id: 1 });
  });

  it.each([
    ['of a schema', update],
    ['of a record', noSchema],
  ])('refuses to drop a part of the key %s', (_, given) => {
    expect(failure(() => one(drop, { columns: ['id'] }, given())).message).toContain('different rows would become one');
  });

  it('tells which columns must not be kept in clear, if it is told so', () => {
    const sensitive = make(drop, { columns: ['note', 'pin'], sensitive: true });
    expect(sensitive.sensitive?.(update())).toEqual(['note']);
    expect(sensitive.sensitive?.(event(null, { table: ORDERS }))).toEqual(['note', 'pin']);
    expect(make(drop, { keep: ['total'], sensitive: true }).sensitive?.(update())).toEqual(['note']);
    expect(make(drop, { columns: ['note'] }).sensitive).toBeUndefined();
  });

  it('takes either columns or keep', () => {
    expect(problems(drop, {})).toEqual([': it takes either `columns` or `keep`']);
    expect(problems(drop, { columns: ['a'], keep: ['b'] })).toHaveLength(1);
    expect(problems(drop, { keep: ['b'] })).toEqual([]);
  });
});

describe('cast', () => {
  it('changes types in schema, rows and key', () => {
    const out = one(cast, { columns: { id: 'string', total: 'decimal(12,2)' } }, update());
    expect(out.table.columns).toEqual([
      { name: 'id', type: 'string', nativeType: 'text', nullable: false },
      { name: 'total', type: 'decimal', nativeType: 'numeric(12,2)', nullable: true, precision: 12, scale: 2 },
      ORDERS.columns[2],
    ]);
    expect([out.key, out.oldKey, out.after]).toEqual([{ id: '2' }, { id: '1' }, { id: '2', total: '12.50', note: 'n' }]);
  });

  it('keeps null and absent', () => {
    const out = one(cast, { columns: { total: 'float64', note: 'date' } }, event({ id: 1, total: null }, { table: ORDERS }));
    expect(out.after).toEqual({ id: 1, total: null });
  });

  it('names column and reason, but no value, when something would be lost', () => {
    const error = failure(() => one(cast, { columns: { total: 'int32' } }, update()));
    expect(error).toMatchObject({
      code: 'PLUGIN_FAILED',
      message: 'A value of column "total" of public.orders cannot become int32 without loss: it has digits after the point.',
    });
    expect(error.message).not.toContain('12.5');
  });

  it('does not let two keys become one', () => {
    const keyed = (id: string) => event({ id }, { table: table('t', [column('id', 'string')]) });
    expect(one(cast, { columns: { id: 'decimal(10,2)' } }, keyed('1.50')).key).toEqual({ id: '1.50' });
    expect(failure(() => one(cast, { columns: { id: 'decimal(10,2)' } }, keyed('1.5'))).message).toContain('written in another way');
  });

  it('casts rows without a schema', () => {
    expect(one(cast, { columns: { total: 'float64', id: 'string' } }, noSchema())).toMatchObject({
      after: { id: '1', total: 12.5 },
      key: { id: '1' },
    });
  });

  it('keeps the text of a document', () => {
    const e = event({ id: 1, total: new JsonText('{"a": 1.0}') }, { table: table('t', [column('id', 'int32'), column('total', 'json')]) });
    expect(one(cast, { columns: { total: 'string' } }, e).after).toEqual({ id: 1, total: '{"a": 1.0}' });
  });

  it('refuses no column, and more digits after the point than in all', () => {
    expect(problems(cast, { columns: {} })).toEqual(['columns: no column is named']);
    expect(problems(cast, { columns: { a: 'decimal(2,3)' } })).toEqual([
      'columns.a: decimal(2,3) has more digits after the point than in all',
    ]);
    expect(problems(cast, { columns: { a: 'decimal(3)', b: 'timestamptz(ms)' } })).toEqual([]);
  });
});
