import { describe, expect, it } from 'vitest';
import { Causes, patternOf } from '../../../src/dead-letters/causes.ts';
import { CdcError } from '../../../src/sdk/index.ts';
import { letter } from './samples.ts';

describe('causes', () => {
  it.each([
    ['value "abc" is too long at 12', 'value "…" is too long at #'],
    ['key (id)=(7) is there, at orders/main/0000000000000042', 'key (id)=(#) is there, at orders/main/#'],
    ['3f2a91bc-0000-4000-8000-000000000000 is gone', '# is gone'],
    ["column 'x' has 1.5 of 0xff", "column '…' has # of #"],
  ])('leave the values out of %s', (message, pattern) => {
    expect(patternOf(message)).toBe(pattern);
  });

  it('group letters by code, place and message, most of them first', () => {
    const causes = new Causes();
    const error = (text: string): CdcError => new CdcError('DESTINATION_EVENT_REJECTED', text);
    for (const [n, text] of ['one "a"', 'no 1', 'no 2', 'no 3'].entries())
      causes.add(letter(n, { error: error(text), firstMs: 10 + n, lastMs: 20 + n }));
    causes.add(letter(9, { error: error('no 4'), lane: 'other', component: 'other' }));
    expect(causes.list().map(({ pattern, count, firstMs, lastMs, lane }) => [pattern, count, firstMs, lastMs, lane])).toEqual([
      ['no #', 3, 11, 23, 'bus'],
      ['no #', 1, 1, 2, 'other'],
      ['one "…"', 1, 10, 20, 'bus'],
    ]);
  });
});
