import { describe, expect, it } from 'vitest';
import { Settling } from '../../../src/polling/settling.ts';

const behind = (a: number, b: number): boolean => a > b;

describe('settling', () => {
  it('lets everything through when nothing is to be held back', () => {
    expect(new Settling(0, behind).upTo(5, 0)).toBe('all');
  });

  it('lets rows through that were the newest a while ago', () => {
    const settling = new Settling(100, behind);
    expect([settling.upTo(5, 0), settling.upTo(7, 50), settling.upTo(9, 99)]).toEqual([null, null, null]);
    expect([settling.upTo(9, 100), settling.upTo(9, 150), settling.upTo(9, 199)]).toEqual([5, 7, 9]);
  });

  it('keeps what was settled when the table is empty, or its newest row went back', () => {
    const settling = new Settling(100, behind);
    settling.upTo(5, 0);
    expect([settling.upTo(3, 100), settling.upTo(null, 500)]).toEqual([5, 5]);
  });
});
