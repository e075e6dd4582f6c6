import { describe, expect, it } from 'vitest';
import {
  additiveOnly,
  type Column,
  changedColumns,
  decideSchema,
  type Fit,
  type SchemaDecision,
  type SchemaMode,
  schemaFrozen,
} from '../../../src/sdk/index.ts';

/** A target's column is the number of digits it holds: small ones can be widened, texts cannot become numbers. */
type Digits = number;
const column = (name: string, precision: number, type: Column['type'] = 'decimal'): Column => ({
  name,
  type,
  precision,
  nativeType: `${type}(${precision})`,
  nullable: true,
});
function fit(target: Digits, source: Column): Fit {
  if (source.type !== 'decimal') return { kind: 'unfit' };
  return (source.precision ?? 0) <= target ? { kind: 'fits' } : { kind: 'widen', type: `numeric(${source.precision})` };
}

const TARGET: Readonly<Record<string, Digits>> = { id: 10, price: 5, gone: 3 };
const ID = column('id', 10),
  ADDED = column('added', 4),
  WIDER = column('price', 8),
  OTHER = column('price', 8, 'string');

function ask(
  mode: SchemaMode,
  wanted: readonly Column[],
  {
    mayChange = true,
    used = wanted,
    target = TARGET,
  }: { mayChange?: boolean; used?: readonly Column[]; target?: typeof TARGET | null } = {},
): SchemaDecision<Digits> {
  const names = new Set(used.map((c) => c.name));
  return decideSchema<Digits>({ mode, mayChange, wanted, used: names, fit, target: target && ((name) => target[name]) });
}

/** `+added`, `price→numeric(8)`, `?added` (no column), `!price` (does not hold all), `stop`, `create`. */
function inWords({ stop, create, add, widen, misfits }: SchemaDecision<Digits>): string {
  return [
    ...(create ? ['create'] : []),
    ...add.map((c) => `+${c.name}`),
    ...widen.map((w) => `${w.column.name}→${w.type}`),
    ...misfits.map((m) =>
      m.kind === 'no_table' ? '?table' : m.kind === 'no_column' ? `?${m.column.name}` : `!${m.column.name}:${m.type}`,
    ),
    ...(stop ? ['stop'] : []),
  ].join(' ');
}

describe('decideSchema', () => {
  it.each<[string, SchemaMode, readonly Column[], string]>([
    ['a target that fits', 'freeze', [ID], ''],
    ['a column that the source dropped', 'freeze', [ID], ''],
    ['a new column', 'evolve', [ID, ADDED], '+added'],
    ['a new column', 'lenient', [ID, ADDED], '+added'],
    ['a new column', 'freeze', [ID, ADDED], '?added stop'],
    ['a new column', 'discard', [ID, ADDED], '?added'],
    ['a new column', 'dlq', [ID, ADDED], '?added'],
    ['a wider type', 'evolve', [ID, WIDER], 'price→numeric(8)'],
    ['a wider type', 'lenient', [ID, WIDER], '!price:numeric(8)'],
    ['a wider type', 'freeze', [ID, WIDER], '!price:numeric(8) stop'],
    ['a wider type', 'discard', [ID, WIDER], '!price:numeric(8)'],
    ['a wider type', 'dlq', [ID, WIDER], '!price:numeric(8)'],
    ['another type', 'evolve', [ID, OTHER], '!price:null'],
    ['another type', 'freeze', [ID, OTHER], '!price:null stop'],
    ['a renamed column', 'evolve', [ID, column('renamed', 3)], '+renamed'],
    ['two changes', 'evolve', [ID, WIDER, ADDED], '+added price→numeric(8)'],
    ['two changes', 'freeze', [ID, WIDER, ADDED], '!price:numeric(8) ?added stop'],
  ])('answers %s under %s', (_, mode, wanted, expected) => {
    expect(inWords(ask(mode, wanted))).toBe(expected);
  });

  it.each<[SchemaMode]>([['evolve'], ['lenient'], ['freeze'], ['discard'], ['dlq']])(
    'makes a table that is not there under %s, and only where tables may be made',
    (mode) => {
      expect(inWords(ask(mode, [ID], { target: null }))).toBe('create');
      expect(inWords(ask(mode, [ID], { target: null, mayChange: false }))).toBe('?table stop');
    },
  );

  it('changes nothing where the destination may not change its tables', () => {
    expect(inWords(ask('evolve', [ID, WIDER, ADDED], { mayChange: false }))).toBe('!price:numeric(8) ?added');
    expect(inWords(ask('lenient', [ID, ADDED], { mayChange: false }))).toBe('?added');
  });

  it('adds columns that no row has yet, and counts none as missing for which no value comes', () => {
    expect(inWords(ask('lenient', [ID, ADDED], { used: [ID] }))).toBe('+added');
    expect(inWords(ask('freeze', [ID, ADDED, WIDER], { used: [ID] }))).toBe('');
  });

  it('finds nothing more to do once its answer was carried out', () => {
    const wanted = [ID, WIDER, ADDED];
    const { add, widen } = ask('evolve', wanted);
    const target = { ...TARGET };
    for (const c of add) target[c.name] = c.precision ?? 0;
    for (const w of widen) target[w.column.name] = w.column.precision ?? 0;
    expect(inWords(ask('evolve', wanted, { target }))).toBe('');
  });
});

describe('changedColumns', () => {
  it('names columns that are new or of another type, and all where nothing is known of before', () => {
    const before = [ID, column('price', 5), column('dropped', 1)];
    expect(changedColumns([ID, WIDER, ADDED], before)).toEqual(['price', 'added']);
    expect(changedColumns([{ ...ID, nullable: false, default: 1n }], [ID])).toEqual([]);
    expect(changedColumns([ID, WIDER], null)).toEqual(['id', 'price']);
  });
});

describe('schemaFrozen', () => {
  it('says what does not fit and what to run', () => {
    const error = schemaFrozen(
      { database: null, schema: 'public', table: 'orders' },
      'public.orders',
      ['column "a" is missing there'],
      ['ALTER TABLE "orders" ADD COLUMN "a" text'],
    );
    expect(error).toMatchObject({
      code: 'DESTINATION_SCHEMA_FROZEN',
      retriable: false,
      message: 'public.orders → public.orders: column "a" is missing there.',
      fix: 'Run: ALTER TABLE "orders" ADD COLUMN "a" text; or give public.orders another mode in `schema_evolution.tables`.',
    });
  });
});

describe('additiveOnly', () => {
  it('adds columns to every table', () => {
    expect(additiveOnly.modeOf({ database: null, schema: null, table: 'x' })).toBe('lenient');
  });
});
