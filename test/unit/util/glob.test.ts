// Patterns for paths and table names.

import { describe, expect, it } from 'vitest';
import { globBase, globToRegExp, isGlob } from '../../../src/util/glob.ts';

describe('globToRegExp', () => {
  const cases: [string, string[], string[]][] = [
    ['*.csv', ['a.csv', '.csv'], ['b/a.csv', 'a.csvx', 'acsv']],
    ['**/*.csv', ['a.csv', 'b/a.csv', 'b/c/a.csv'], ['a.tsv']],
    ['data/**', ['data/a', 'data/a/b'], ['data', 'other/a']],
    ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['ab', 'a/xb']],
    ['log-?.{csv,tsv}', ['log-1.csv', 'log-x.tsv'], ['log-12.csv', 'log-.csv', 'log-1.txt']],
    ['{a,b{c,d}}x', ['ax', 'bcx', 'bdx'], ['bx', 'a,x']],
    ['a\\*b', ['a*b'], ['axb']],
    ['[ab].(c)+$^|', ['[ab].(c)+$^|'], ['a.c']],
    ['a{b', ['a{b'], ['ab']],
    ['x-{}', ['x-'], ['x-{}']],
    ['?', ['😀', '-'], ['ab', '/']],
    ['a-b', ['a-b'], ['aab']],
  ];
  it.each(cases)('%s', (pattern, matching, others) => {
    for (const text of matching) expect(text).toMatch(globToRegExp(pattern));
    for (const text of others) expect(text).not.toMatch(globToRegExp(pattern));
  });

  it('matches names of tables, whose separator is a dot', () => {
    const orders = globToRegExp('public.order_*', '.');
    expect('public.order_items').toMatch(orders);
    expect('public.order_').toMatch(orders);
    expect('public.order_a.b').not.toMatch(orders);
    expect('*.orders').toMatch(globToRegExp('*.orders', '.'));
    expect('public.a/b').toMatch(globToRegExp('public.*', '.'));
  });

  it('answers for hostile patterns at once', () => {
    expect('a'.repeat(5_000)).not.toMatch(globToRegExp(`${'*'.repeat(50)}b`));
  });
});

describe('globBase and isGlob', () => {
  it.each([
    ['data/in/*.csv', true, 'data/in'],
    ['*.csv', true, '.'],
    ['/var/log/**', true, '/var/log'],
    ['/*.csv', true, '/'],
    ['data/orders.csv', false, 'data'],
    ['orders.csv', false, '.'],
    ['/orders.csv', false, '/'],
    ['a\\*b/c.csv', false, 'a*b'],
    ['d/{a,b}/c.csv', true, 'd'],
    ['a[1].csv', false, '.'],
  ])('%s', (pattern, glob, base) => {
    expect(isGlob(pattern)).toBe(glob);
    expect(globBase(pattern)).toBe(base);
  });
});
