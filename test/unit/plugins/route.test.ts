import { type ChangeEvent, type Logger, RowImage, silentLogger } from 'cdc-run/sdk';
import { describeTransformer } from 'cdc-run/sdk/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { descriptor } from '../../../plugins/transformers/route/index.ts';
import { event, table } from './events.ts';
import { column, configOf, failure, make, one, problems, transform } from './shaping.ts';

describeTransformer(descriptor, {
  config: configOf(descriptor, { routes: [{ match: '(.*)items', table: '$1things', truncate: 'pass' }] }),
});
describeTransformer(
  descriptor,
  {
    config: configOf(descriptor, {
      routes: [{ match: '.*', table: 'all', truncate: 'drop', key_column: { name: 'of', value: '{table}' } }],
    }),
  },
  'key_column',
);

const of = (name: string, schema: string | null = 'public', more: object = {}): ChangeEvent =>
  event({ id: 1 }, { table: table(name, [column('id', 'int32')], ['id'], schema), ...more });
const routes = (...rules: object[]) => ({ routes: rules });
const placeOf = ({ table: { id } }: ChangeEvent): string => `${id.schema ?? '-'} ${id.table}`;

describe('route', () => {
  const cases: [object, ChangeEvent, string][] = [
    [{ match: 'public\\.orders_(\\d{4})', table: 'orders' }, of('orders_2024'), 'public orders'],
    [{ match: 'public\\.orders_(\\d{4})', table: 'y$1' }, of('orders_2024'), 'public y2024'],
    [{ match: '.*_(?<year>\\d{4})', table: '{table}-$<year>', schema: 'archive' }, of('orders_2024'), 'archive orders_2024-2024'],
    [{ match: '(.*)\\.(.*)', table: '{source}.$1.$2.{database}', schema: '' }, of('orders'), '- shop.public.orders.shop'],
    [{ match: 'orders', table: 'x' }, of('orders'), 'public orders'],
    [{ match: 'orders', table: 'x' }, of('orders', null), '- x'],
    [{ match: 'public.order', table: 'x' }, of('orders'), 'public orders'],
    [{ match: '.*', table: '$$1{schema}' }, of('orders', null), '- $1'],
    [{ match: '.*', schema: 'other' }, of('orders'), 'other orders'],
  ];
  it.each(cases)('%j', (rule, given, expected) => {
    expect(placeOf(one(descriptor, routes(rule), given))).toBe(expected);
  });

  it('takes the first route that matches', () => {
    const config = routes({ match: 'public\\.a.*', table: 'first' }, { match: '.*', table: 'second' });
    expect(transform(descriptor, config, of('ab'), of('b')).map(placeOf)).toEqual(['public first', 'public second']);
  });

  it('gives all events of a table one schema, and leaves the rows undecoded', () => {
    class Image extends RowImage {
      decode(): never {
        throw new Error('decoded');
      }
      column(): number {
        return 1;
      }
    }
    const t = table('orders', [column('id', 'int32')]),
      image = new Image();
    const config = routes({ match: '.*', table: 'x' });
    const [a, b] = transform(descriptor, config, event(null, { table: t, after: image }), event(null, { table: t, after: image }));
    expect(a?.table).toBe(b?.table);
    expect(a?.image('after')).toBe(image);
    expect(a?.key).toEqual({ id: 1 });
  });

  it('moves what was before a change of the schema, too', () => {
    const changed = of('orders', 'public', { op: 's', after: null, schemaChange: { kind: 'alter', previous: table('orders'), ddl: null } });
    expect(one(descriptor, routes({ match: '.*', table: 'x' }), changed).schemaChange?.previous?.id.table).toBe('x');
  });

  it('adds a column to rows and key that tells tables apart', () => {
    const config = routes({ match: 'public\\.orders_(\\d{4})', table: 'orders', key_column: { name: 'year', value: '$1' } });
    const moved = of('orders_2024', 'public', { op: 'u', before: { id: 2 } });
    const out = one(descriptor, config, moved);
    expect(out.table.key).toEqual(['id', 'year']);
    expect(out.table.columns.at(-1)).toEqual({ name: 'year', type: 'string', nativeType: 'text', nullable: false });
    expect([out.key, out.after, out.before]).toEqual([
      { id: 1, year: '2024' },
      { id: 1, year: '2024' },
      { id: 2, year: '2024' },
    ]);
    expect(out.oldKey).toEqual({ id: 2, year: '2024' });
    const taken = routes({ match: '.*', table: 'x', key_column: { name: 'id', value: 'y' } });
    expect(failure(() => one(descriptor, taken, of('orders'))).message).toContain('has a column "id" already');
  });

  it.each([
    ['public\\.orders', undefined, 'pass'],
    ['public\\.orders_.*', undefined, 'fail'],
    ['public.orders', undefined, 'fail'],
    ['public\\.orders_.*', 'pass', 'pass'],
    ['public\\.orders', 'drop', 'drop'],
  ])('%s with truncate: %s does %s', (match, truncate, expected) => {
    const config = routes({ match, table: 'x', ...(truncate === undefined ? {} : { truncate }) });
    const truncated = of(match.includes('_') ? 'orders_1' : 'orders', 'public', { op: 't', after: null });
    if (expected === 'fail')
      expect(failure(() => transform(descriptor, config, truncated)).message).toContain('would empty all of public.x');
    else expect(transform(descriptor, config, truncated)).toHaveLength(expected === 'pass' ? 1 : 0);
  });

  it('warns once when several tables go to one without a column that tells them apart', () => {
    const told: unknown[] = [],
      logger: Logger = { ...silentLogger, warn: (text, fields) => void told.push([text, fields]) };
    const plain = make(descriptor, routes({ match: '.*', table: 'x' }), logger);
    void plain.transform([of('a'), of('a'), of('b'), of('c')]);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject([
      expect.stringContaining('overwrite'),
      { target: 'public.x', tables: ['shop.public.a', 'shop.public.b'] },
    ]);
    void make(descriptor, routes({ match: '.*', table: 'x', key_column: { name: 't', value: '{table}' } }), logger).transform([
      of('a'),
      of('b'),
    ]);
    expect(told).toHaveLength(1);
  });

  it('leaves logical messages alone', () => {
    const message = { prefix: 'p', content: new Uint8Array(), transactional: false };
    const e = of('orders', 'public', { op: 'm', after: null, message });
    expect(one(descriptor, routes({ match: '.*', table: 'x' }), e)).toBe(e);
  });

  it.each([
    [{ match: '(', table: 'x' }, 'routes.0.match: Invalid regular expression'],
    [{ match: 'a' }, 'routes.0: the route changes nothing'],
    [{ match: '(a)', table: '$2' }, 'routes.0.table: the expression has no group $2'],
    [{ match: '(?<a>a)', schema: '$<b>' }, 'routes.0.schema: the expression has no group "b"'],
    [{ match: 'a', table: '{tabel}' }, 'routes.0.table: "{tabel}" is not known'],
    [{ match: 'a', table: 'x', key_column: { name: 'k', value: '$1' } }, 'routes.0.key_column.value: the expression has no group $1'],
  ])('%j is refused: %s', (rule, expected) => {
    const [first = '', ...more] = problems(descriptor, routes(rule));
    expect(first.startsWith(expected), first).toBe(true);
    expect(more).toEqual([]);
  });

  it('changes the name alone: position, rows and op stay', () => {
    fc.assert(
      fc.property(fc.constantFrom('c', 'u', 'd', 'r'), fc.stringMatching(/^[a-z]{1,8}$/), fc.integer(), (op, name, id) => {
        const row = { id },
          given = of(name, 'public', { op, after: op === 'd' ? null : row, before: op === 'c' ? null : row });
        const out = one(descriptor, routes({ match: '.*', table: 'to_{table}' }), given);
        expect({ ...out.save(), op: out.op, id: out.id }).toEqual({ ...given.save(), op, id: given.id });
        expect(out.table).toEqual({ ...given.table, id: { ...given.table.id, table: `to_${name}` }, origin: given.table.id });
      }),
    );
  });
});
