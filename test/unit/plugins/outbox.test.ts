import { type ChangeEventInit, JsonText, type Row } from 'cdc-run/sdk';
import { describeTransformer } from 'cdc-run/sdk/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { descriptor } from '../../../plugins/transformers/outbox/index.ts';
import { event, table } from './events.ts';
import { column, configOf, failure, one, problems, transform } from './shaping.ts';

const OUTBOX = table('outbox', [
  column('id', 'uuid', { nullable: false, defaultSql: 'gen_random_uuid()' }),
  column('aggregatetype', 'string'),
  column('aggregateid', 'string', { nullable: true }),
  column('type', 'string'),
  column('payload', 'json'),
]);
const ROW: Row = {
  id: 'e1',
  aggregatetype: 'order',
  aggregateid: '7',
  type: 'placed',
  payload: new JsonText('{"order": {"id": 7, "total": 1.5}}'),
};
const added = (row: Row = {}, init: Partial<ChangeEventInit> = {}) => event({ ...ROW, ...row }, { table: OUTBOX, ...init });
const tables = ['public.outbox'];

describeTransformer(descriptor, {
  config: configOf(descriptor, { tables }),
  events: () => [added(), added({ aggregatetype: 'x' }), added({}, { op: 'd', after: null, before: ROW })],
});

describe('outbox', () => {
  it('makes topic, key, payload and headers of a row', () => {
    const out = one(descriptor, { tables }, added({}, { headers: { trace: 't' } }));
    expect(out.table).toEqual({
      id: { database: 'shop', schema: null, table: 'outbox.event.order' },
      columns: [],
      key: ['aggregateid'],
      version: 1,
    });
    expect(out).toMatchObject({ op: 'c', key: { aggregateid: '7' }, before: null, headers: { trace: 't', id: 'e1' } });
    expect(out.after).toEqual({ order: { id: 7, total: 1.5 } });
  });

  it.each<[string, Row[string], Row]>([
    ['a list', new JsonText('[1, 2]'), { payload: new JsonText('[1, 2]') }],
    ['a text', 'hello', { payload: 'hello' }],
    ['an object', { a: 1 }, { a: 1 }],
    ['an object in a text', '{"a": 1}', { a: 1 }],
    ['long numbers', new JsonText('{"n": 12345678901234567890}'), { n: 12345678901234567890n }],
  ])('takes a payload that is %s', (_, payload, expected) => {
    expect(one(descriptor, { tables }, added({ payload })).after).toEqual(expected);
  });

  it('adds columns to headers and to the message', () => {
    const fields = [
      { column: 'type', to: 'header', name: 'eventType' },
      { column: 'type', to: 'value' },
    ];
    const out = one(descriptor, { tables, fields, topic: 'bus.{value}s' }, added());
    expect(out.headers).toEqual({ id: 'e1', eventType: 'placed' });
    expect(out.after).toMatchObject({ type: 'placed' });
    expect(out.table.id.table).toBe('bus.orders');
    expect(one(descriptor, { tables, fields: fields.slice(0, 1) }, added({ type: null })).headers).toEqual({ id: 'e1' });
    expect(failure(() => one(descriptor, { tables, fields }, added({ payload: { type: 1 } }))).message).toContain('"type"');
  });

  it('has a schema when the columns of the payload are declared', () => {
    const config = {
      tables,
      columns: { 'order.id': 'int64', 'order.total': 'decimal(10,2)' },
      fields: [{ column: 'type', to: 'value', name: 'kind' }],
    };
    const [a, b] = transform(descriptor, config, added(), added());
    expect(a?.table.columns.map((c) => `${c.name} ${c.type} ${c.nullable}`)).toEqual([
      'aggregateid string false',
      'order_id int64 true',
      'order_total decimal true',
      'kind string true',
    ]);
    expect(a?.after).toEqual({ aggregateid: '7', order_id: 7n, order_total: '1.50', kind: 'placed' });
    expect(a?.table).toBe(b?.table);
    expect(failure(() => one(descriptor, { ...config, columns: { 'order.id': 'int64' } }, added())).message).toContain('"order.total"');
  });

  it('leaves the payload in one column, with the columns of the outbox', () => {
    const out = one(descriptor, { tables, expand_payload: false }, added());
    expect(out.after).toEqual({ aggregateid: '7', payload: ROW['payload'] });
    expect(out.table.columns).toEqual([
      { ...OUTBOX.columns[2], nullable: false },
      { ...OUTBOX.columns[4], nullable: true },
    ]);
  });

  it('leaves out what keeps the outbox in order', () => {
    const events = [
      added({}, { op: 'd', after: null, before: ROW }),
      added({}, { op: 't', after: null }),
      added({}, { op: 's', after: null, schemaChange: { kind: 'alter', previous: null, ddl: null } }),
    ];
    expect(transform(descriptor, { tables }, ...events)).toEqual([]);
  });

  it('refuses an update, unless it is to be left out', () => {
    const updated = added({}, { op: 'u', before: ROW });
    expect(failure(() => one(descriptor, { tables }, updated)).message).toContain('was updated');
    expect(transform(descriptor, { tables, on_update: 'drop' }, updated)).toEqual([]);
  });

  it('sends the rows of a snapshot as what they are', () => {
    const snapshot = { run: 'r', table: 'public.outbox', chunk: 0, place: 'first' } as const;
    expect(one(descriptor, { tables }, added({}, { op: 'r', snapshot }))).toMatchObject({
      op: 'r',
      snapshot,
      table: { id: { table: 'outbox.event.order' } },
    });
  });

  it('refuses an empty payload, or makes it a delete of the key', () => {
    expect(failure(() => one(descriptor, { tables }, added({ payload: null }))).message).toContain('"payload" is null');
    expect(one(descriptor, { tables, empty_payload: 'tombstone' }, added({ payload: null }))).toMatchObject({
      op: 'd',
      key: { aggregateid: '7' },
      after: null,
    });
  });

  it.each(['id', 'aggregateid', 'aggregatetype'])('refuses a row without %s', (name) => {
    expect(failure(() => one(descriptor, { tables }, added({ [name]: null }))).message).toBe(
      `public.outbox: the column "${name}" is empty.`,
    );
    const { [name]: _, ...rest } = ROW;
    expect(failure(() => one(descriptor, { tables }, event(rest, { table: OUTBOX }))).message).toContain(`no column "${name}"`);
  });

  it('leaves other tables as they are', () => {
    const e = event({ id: 1 });
    expect(one(descriptor, { tables }, e)).toBe(e);
  });

  it('refuses columns of what is not expanded, and fields with one name', () => {
    expect(problems(descriptor, { tables, expand_payload: false, columns: { a: 'string' } })).toHaveLength(1);
    const twice = [
      { column: 'a', to: 'header' },
      { column: 'b', to: 'header', name: 'a' },
    ];
    expect(problems(descriptor, { tables, fields: twice })).toEqual(['fields: two fields become the header "a"']);
    expect(problems(descriptor, { tables, fields: [{ column: 'id', to: 'header' }] })).toHaveLength(1);
    expect(problems(descriptor, { tables, columns: { a: 'string' } })).toEqual([]);
  });

  it('keeps events of an aggregate under one key and topic, and loses none that was added', () => {
    const op = fc.constantFrom('c', 'd', 'r');
    fc.assert(
      fc.property(fc.array(fc.tuple(op, fc.constantFrom('a', 'b'), fc.integer({ min: 1, max: 3 }))), (made) => {
        const events = made.map(([kind, aggregatetype, aggregateid], i) => {
          const row = { ...ROW, id: `e${i}`, aggregatetype, aggregateid };
          return event(kind === 'd' ? null : row, { op: kind, table: OUTBOX, before: kind === 'd' ? row : null });
        });
        const out = transform(descriptor, { tables }, ...events).map(
          (e) => `${e.headers?.['id']} ${e.table.id.table} ${String(e.key?.['aggregateid'])}`,
        );
        expect(out).toEqual(made.flatMap(([kind, type, id], i) => (kind === 'd' ? [] : [`e${i} outbox.event.${type} ${id}`])));
      }),
    );
  });
});
