import { describe, expect, it } from 'vitest';
import { globsOf } from '../../../src/debezium/patterns.ts';
import { listOf } from '../../../src/debezium/translation.ts';

describe('an expression of Debezium as patterns', () => {
  it.each<[string, number, string[] | null]>([
    ['public.orders', 2, ['public.orders']],
    ['public\\.orders', 2, ['public.orders']],
    ['^public[.]orders$', 2, ['public.orders']],
    ['public.*', 2, ['public.*']],
    ['public\\..*', 2, ['public.*']],
    ['.*', 2, ['*.*']],
    ['.*\\.audit_.*', 2, ['*.audit_*']],
    ['(.*).orders', 2, ['*.orders']],
    ['public\\.(orders|items)', 2, ['public.orders', 'public.items']],
    ['(?:a|b)\\.t|c\\.u', 2, ['a.t', 'b.t', 'c.u']],
    ['public.o.+', 2, ['public.o?*']],
    ['größe.tabelle', 2, ['größe.tabelle']],
    ['inventory', 1, ['inventory']],
    ['inventory.*', 3, ['inventory.*.*']],
    ['inventory.customers.email', 3, ['inventory.customers.email']],
    ['.*.secret', 3, ['*.secret']],
    // What means more is not guessed at.
    ['orders', 2, null],
    ['public\\.order_\\d+', 2, null],
    ['public\\.(?!audit).*', 2, null],
    ['public\\.orders?', 2, null],
    ['public\\.[a-m].*', 2, null],
    ['public\\.(a|b)+', 2, null],
    ['(public\\.a', 2, null],
    ['a.b.c', 2, null],
    ['', 2, null],
  ])('%s in %i parts', (expression, parts, globs) => {
    expect(globsOf(expression, parts)).toEqual(globs);
  });

  it('does not cut a list within an expression', () => {
    expect(listOf('a.b, c.d{1,2},,e.(f,g)')).toEqual(['a.b', 'c.d{1,2}', 'e.(f,g)']);
  });
});
