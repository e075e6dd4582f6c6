import { describeTransformer } from 'cdc-run/sdk/testing';
import { describe, expect, it } from 'vitest';
import { descriptor } from '../../../plugins/transformers/unwrap/index.ts';
import { event, table } from './events.ts';
import { column, configOf, failure, one, problems, transform } from './shaping.ts';

describeTransformer(descriptor, { config: configOf(descriptor, { deletes: 'drop', add_headers: { op: 'op' } }) });
describeTransformer(descriptor, { config: configOf(descriptor, { deletes: 'rewrite', add_columns: { __op: 'op' } }) }, 'rewrite');

const ORDERS = table('orders', [column('id', 'int32', { nullable: false }), column('total', 'string')]);
const row = { id: 1, total: '5' };
const created = () => event(row, { table: ORDERS, transaction: { id: '77', order: 1, collectionOrder: 1, commitTsMs: 0, last: true } });
const removed = (init: object = {}) => event(null, { op: 'd', table: ORDERS, before: row, ...init });

describe('unwrap', () => {
  it('adds what is told about a change as columns and headers, and to the schema', () => {
    const add_columns = { __op: 'op', __ts: 'source_ts_ms', __tx: 'transaction_id', __snap: 'snapshot', __pos: 'position' };
    const out = one(descriptor, { add_columns, add_headers: { from: 'table', tx: 'transaction_id' } }, created());
    expect(out.after).toEqual({ ...row, __op: 'c', __ts: 1_700_000_000_000n, __tx: '77', __snap: false, __pos: '0000000000000042' });
    expect(out.headers).toEqual({ from: 'orders', tx: '77' });
    expect(out.table.columns.slice(2).map((c) => `${c.name} ${c.type} ${c.nullable}`)).toEqual([
      '__op string true',
      '__ts int64 true',
      '__tx string true',
      '__snap boolean true',
      '__pos string true',
    ]);
    expect(one(descriptor, { add_headers: { tx: 'transaction_id' } }, removed()).headers).toEqual({});
  });

  it('lets deletes be, with the schema of the other events', () => {
    const [a, b] = transform(descriptor, { add_columns: { __op: 'op' } }, created(), removed());
    expect(b?.table).toBe(a?.table);
    expect(b).toMatchObject({ op: 'd', after: null, before: row, key: { id: 1 } });
  });

  it('leaves deletes out', () => {
    expect(transform(descriptor, { deletes: 'drop' }, created(), removed()).map((e) => e.op)).toEqual(['c']);
  });

  it('makes a delete the row as it was', () => {
    const [kept, gone] = transform(descriptor, { deletes: 'rewrite', add_columns: { __op: 'op' } }, created(), removed());
    expect(kept?.after).toEqual({ ...row, __op: 'c', __deleted: false });
    expect(gone).toMatchObject({ op: 'u', incomplete: false, key: { id: 1 }, after: { ...row, __op: 'd', __deleted: true } });
    expect(gone?.oldKey).toBeNull();
    expect(gone?.table.columns.at(-1)).toMatchObject({ name: '__deleted', type: 'boolean' });
  });

  it.each([
    ['before', { before: { id: 1 } }],
    ['key', { before: null, key: { id: 1 } }],
  ])('leaves columns alone that a delete does not tell, when it has a %s of the key alone', (_, init) => {
    expect(one(descriptor, { deletes: 'rewrite' }, removed(init))).toMatchObject({
      op: 'u',
      incomplete: true,
      after: { id: 1, __deleted: true },
    });
  });

  it('cannot rewrite a delete without a key', () => {
    const keyless = removed({ table: table('log', [column('id', 'int32')], []) });
    expect(failure(() => one(descriptor, { deletes: 'rewrite' }, keyless)).message).toContain('without a key');
  });

  it('refuses names that are taken', () => {
    expect(failure(() => one(descriptor, { add_columns: { total: 'op' } }, created())).message).toContain('"total"');
    const message = event(row, { table: table('orders', [], []) });
    expect(failure(() => one(descriptor, { add_columns: { total: 'op' } }, message)).message).toContain('has a column "total" already');
  });

  it('refuses to change nothing, and one column with two meanings', () => {
    expect(problems(descriptor, {})).toEqual([': nothing is changed']);
    expect(problems(descriptor, { deletes: 'rewrite', add_columns: { __deleted: 'op' } })).toEqual([
      'deleted_column: "__deleted" is among add_columns, too',
    ]);
  });
});
