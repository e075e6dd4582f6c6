import { CdcError, type ChangeEvent, type Logger, type Op, type Row, RowImage, silentLogger } from 'cdc-run/sdk';
import { describe, expect, it } from 'vitest';
import { configSchema, type FilterConfig } from '../../../plugins/transformers/filter/config.ts';
import { descriptor } from '../../../plugins/transformers/filter/index.ts';
import { context, event, table, withDefaults } from './events.ts';

const filter = (config: Partial<FilterConfig>, logger: Logger = silentLogger) =>
  descriptor.create(withDefaults<FilterConfig>(configSchema, config), { ...context, logger }) as {
    transform(events: ChangeEvent[]): ChangeEvent[];
  };
const keeps = (config: Partial<FilterConfig>, e: ChangeEvent): boolean => filter(config).transform([e]).length === 1;
const problems = (config: Partial<FilterConfig>) => descriptor.validate?.(withDefaults<FilterConfig>(configSchema, config)) ?? [];

const ROW: Row = {
  id: 7n,
  amount: 150,
  price: 1.5,
  total: '99.90',
  status: 'paid',
  note: null,
  tags: ['a', 'b'],
  data: { city: 'Bonn', n: 3 },
  photo: new Uint8Array([1, 2]),
  at: '2024-05-01T10:00:00Z',
  active: true,
};

describe('an expression', () => {
  const table_: [string, boolean][] = [
    ['after.amount > 100', true],
    ['after.amount > 100.5', true],
    ['after.amount == 150', true],
    ['after.id == 7', true],
    ['after.id > 6.5', true],
    ['after.price * 2 > 2', true],
    ['1 + after.price - 1 == 1.5', true],
    ['after.id / 2 == 3', true],
    ['after.id * after.price == 10.5', true],
    ['double(after.total) > 99', true],
    ['after.status in ["new", "paid"]', true],
    ['after.status.matches("^p") && after.active', true],
    ['after.active', true],
    ['after.note == null', true],
    ['after.note != null && after.note > 3', false],
    ['has(after.missing)', false],
    ['after.?missing.orValue("x") == "x"', true],
    ['size(after.tags) == 2 && "a" in after.tags', true],
    ['after.data.city == "Bonn" && after.data.n < 4', true],
    ['size(after.photo) == 2', true],
    ['timestamp(after.at) > timestamp("2024-01-01T00:00:00Z")', true],
    ['before == null && before != after', true],
    ['row.id == 7', true],
    ['key.id == 7', true],
    ['op == "c" && table == "orders" && schema == "public" && source == "shop"', true],
    ['ts_ms == 1700000000000 && ts_ms + 1 > 5', true],
    ['headers.trace == "1"', true],
    ['op in ["u", "d"]', false],
  ];
  it.each(table_)('%s is %s', (expression, expected) => {
    expect(problems({ expression })).toEqual([]);
    expect(keeps({ expression }, event(ROW, { headers: { trace: '1' } }))).toBe(expected);
  });

  it('sees the row before a delete as row', () => {
    const deleted = event(null, { op: 'd', before: { id: 1, amount: 5 } });
    expect(keeps({ expression: 'row.amount == 5 && after == null' }, deleted)).toBe(true);
  });

  it('decodes only the side that it asks for', () => {
    const decoded: string[] = [];
    class Image extends RowImage {
      readonly name: string;
      constructor(name: string) {
        super();
        this.name = name;
      }
      decode(): Row {
        decoded.push(this.name);
        return { amount: 1 };
      }
      column(): undefined {
        return undefined;
      }
    }
    const lazy = () => event(null, { op: 'u', before: new Image('before'), after: new Image('after') });
    expect([keeps({ expression: 'op == "u"' }, lazy()), decoded]).toEqual([true, []]);
    expect([keeps({ expression: 'after.amount == 1' }, lazy()), decoded]).toEqual([true, ['after']]);
  });
});

describe('an expression that does not compile', () => {
  const table_: [string, RegExp][] = [
    ['after.amount >', /Unexpected token: EOF\n {2}after\.amount >\n {16}\^$/],
    ['op == "c" &&\n  foo == 1', /Unknown variable: foo\n {4}foo == 1\n {4}\^$/],
    ['op == 3', /no such overload: string == int\n/],
    ['op', /must be true or false, not string/],
    ['after.amount = 3', /\n {2}after\.amount = 3\n/],
    ['("x" + 1) == "x"', /no such overload/],
    ['('.repeat(300), /maxDepth/],
  ];
  it.each(table_)('%j is a problem of its key that points at the place', (expression, message) => {
    const [problem, ...others] = problems({ expression });
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ path: ['expression'], message: expect.stringMatching(message), fix: expect.any(String) });
  });

  it('is needed only when nothing else decides', () => {
    expect(problems({})).toMatchObject([{ path: [] }]);
    expect([problems({ tables: ['orders'] }), problems({ ops: ['c'] })]).toEqual([[], []]);
  });
});

describe('an expression that cannot be evaluated', () => {
  const cases: [string, RegExp][] = [
    ['after.secret_column > 1', /No such key: secret_column at column/],
    ['after.note > 3', /no such overload: dyn<null> > int/],
    ['after.total > 10', /no such overload: dyn<string> > int/],
    ['after.status', /the result is string/],
    ['before.id == 1', /No such key: id/],
    ['after.data[after.status] == 1', /No such key at column/],
    ['int(after.status) == 1', /at column/],
  ];
  it.each(cases)('%s fails the event and tells no data of it', (expression, message) => {
    const error = thrown(() => keeps({ expression }, event(ROW)));
    expect(error).toBeInstanceOf(CdcError);
    expect(error).toMatchObject({ code: 'PLUGIN_FAILED', message: expect.stringMatching(message), where: 'plugin "plugin"' });
    expect(String((error as Error).message)).not.toMatch(/paid|Bonn|99\.90/);
  });

  it.each([
    ['keep', true],
    ['drop', false],
  ] as const)('%s decides with one warning when on_error says so', (onError, expected) => {
    const warnings: unknown[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (...args) => {
        warnings.push(args);
      },
    };
    const one = filter({ expression: 'after.missing > 1', on_error: onError }, logger);
    expect(one.transform([event(ROW), event(ROW)])).toHaveLength(expected ? 2 : 0);
    expect(warnings).toHaveLength(1);
  });
});

describe('conditions', () => {
  const ORDERS = event(ROW),
    ITEMS = event(ROW, { table: table('order_items'), op: 'u' }),
    BARE = event(ROW, { table: table('orders', [], [], null), op: 'r' });
  const cases: [string, Partial<FilterConfig>, ChangeEvent[]][] = [
    ['a name without schema', { tables: ['orders'] }, [ORDERS, BARE]],
    ['a name with schema', { tables: ['public.orders'] }, [ORDERS]],
    ['a pattern', { tables: ['public.order_*'] }, [ITEMS]],
    ['a pattern that stops at dots', { tables: ['pub*s'] }, []],
    ['several tables', { tables: ['public.orders', 'order_items'] }, [ORDERS, ITEMS]],
    ['special characters as themselves', { tables: ['order.'] }, []],
    ['operations', { ops: ['u', 'r'] }, [ITEMS, BARE]],
    ['both', { tables: ['orders'], ops: ['r'] }, [BARE]],
    ['tables and an expression', { tables: ['orders'], expression: 'op == "c"' }, [ORDERS]],
    ['mode drop', { mode: 'drop', tables: ['order_items'] }, [ORDERS, BARE]],
    ['mode drop with an expression', { mode: 'drop', tables: ['orders'], expression: 'op == "c"' }, [ITEMS, BARE]],
  ];
  it.each(cases)('%s keeps these', (_title, config, expected) => {
    expect(filter(config).transform([ORDERS, ITEMS, BARE])).toEqual(expected);
  });

  const rowless: Op[] = ['t', 'm', 's'];
  it.each(rowless)('let %s pass an expression, in both modes', (op) => {
    const e = event(null, { op });
    expect([keeps({ expression: 'row.amount > 1' }, e), keeps({ expression: 'op == "t"', mode: 'drop' }, e)]).toEqual([true, true]);
    expect([keeps({ ops: ['c'] }, e), keeps({ ops: [op], mode: 'drop' }, e)]).toEqual([false, false]);
  });
});

function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
}
