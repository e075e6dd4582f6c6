import { describe, expect, it } from 'vitest';
import { columnFilter, isSlotName, matchesTable, ownName, tableFilter } from '../../../../src/sources/postgresql/names.ts';

describe('names at the server', () => {
  it.each([
    ['orders', null, /^cdc_run_orders$/],
    ['orders_2', null, /^cdc_run_orders_2$/],
    ['orders-eu', null, /^cdc_run_orders_eu_[0-9a-f]{8}$/],
    ['Orders', null, /^cdc_run_orders_[0-9a-f]{8}$/],
    ['o'.repeat(80), null, /^cdc_run_o{46}_[0-9a-f]{8}$/],
    ['orders', 'eu', /^cdc_run_orders_eu_[0-9a-f]{8}$/],
    ['größe', null, /^cdc_run_gr__e_[0-9a-f]{8}$/],
  ])('of pipeline %s, source %s are valid and say whose they are', (pipeline, source, expected) => {
    const name = ownName(pipeline, source);
    expect(name).toMatch(expected);
    expect(isSlotName(name)).toBe(true);
  });

  it('differ between pipelines that look alike', () => {
    const names = [
      ownName('a-b'),
      ownName('a.b'),
      ownName('a_b'),
      ownName('A_b'),
      ownName('a', 'b'),
      ownName('a_b', 'c'),
      ownName('a', 'b_c'),
    ];
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('patterns of tables', () => {
  it.each([
    ['orders', 'public', 'orders', true],
    ['orders', 'sales', 'orders', false],
    ['public.order_*', 'public', 'order_items', true],
    ['public.order_*', 'public', 'orders', false],
    ['*.orders', 'sales', 'orders', true],
    ['sales.*', 'sales', 'with.dot', true],
    ['sales.with\\.dot', 'sales', 'with.dot', true],
    ['sales.with\\.dot', 'sales', 'withxdot', false],
    ['public.Weird "Name"', 'public', 'Weird "Name"', true],
    ['public.a{b}', 'public', 'a{b}', true],
    ['*', 'public', 'anything', true],
    ['*', 'other', 'anything', false],
  ])('%s and %s.%s → %s', (pattern, schema, table, expected) => {
    expect(matchesTable(pattern, schema, table)).toBe(expected);
    expect(tableFilter([pattern])(schema, table)).toBe(expected);
  });
});

describe('patterns of columns', () => {
  it.each([
    [{ include: ['*'], exclude: [] }, true],
    [{ include: ['*'], exclude: ['password'] }, false],
    [{ include: ['*'], exclude: ['customers.password'] }, false],
    [{ include: ['*'], exclude: ['public.customers.pass*'] }, false],
    [{ include: ['*'], exclude: ['sales.customers.password'] }, true],
    [{ include: ['orders.*'], exclude: [] }, false],
    [{ include: ['customers.*'], exclude: ['orders.*'] }, true],
  ])('%o keep public.customers.password: %s', (columns, expected) => {
    expect(columnFilter(columns)('public', 'customers', 'password')).toBe(expected);
  });
});
