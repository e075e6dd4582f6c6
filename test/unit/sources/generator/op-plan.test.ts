// The closed form of the generator, compared with a replay of its whole history.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Mix, OpPlan } from '../../../../src/sources/generator/op-plan.ts';

const anyMix = fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 })).map(([a, b]): Mix => {
  const low = Math.min(a, b),
    high = Math.max(a, b);
  return { create: low, update: high - low, delete: 100 - high };
});
const growingMix = anyMix.filter((mix) => mix.create > 0 && mix.create >= mix.delete);

/** Replays events 1..n and says what does not fit the keys alive at that point. */
function violations(plan: OpPlan, n: number): string[] {
  const alive = new Set<number>(),
    found: string[] = [];
  for (let i = 1; i <= n; i++) {
    const op = plan.op(i),
      key = plan.key(i);
    if ((op === 'c') === alive.has(key)) found.push(`${i}: ${op} of key ${key}`);
    if (op === 'c') alive.add(key);
    if (op === 'd') alive.delete(key);
  }
  return found;
}

describe('OpPlan', () => {
  it('only updates and deletes keys that exist, and only creates ones that do not', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0 }), fc.integer({ min: 1, max: 150 }), anyMix, (seed, keys, mix) => {
        expect(violations(new OpPlan(seed, keys, mix), 700)).toEqual([]);
      }),
    );
  });

  it('keeps to existing keys without a bound on them, too', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0 }), growingMix, (seed, mix) => {
        expect(violations(new OpPlan(seed, null, mix), 700)).toEqual([]);
      }),
    );
  });

  it('holds the mix in every 100 events when keys are unbounded', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0 }), growingMix, fc.integer({ min: 0, max: 50 }), (seed, mix, block) => {
        const plan = new OpPlan(seed, null, mix);
        const ops = Array.from({ length: 100 }, (_, i) => plan.op(block * 100 + i + 1));
        expect({
          create: ops.filter((o) => o === 'c').length,
          update: ops.filter((o) => o === 'u').length,
          delete: ops.filter((o) => o === 'd').length,
        }).toEqual(mix);
      }),
    );
  });

  it('creates all keys first, then pairs deletes with creates and never leaves the key range', () => {
    const plan = new OpPlan(3, 20, { create: 25, update: 60, delete: 15 });
    expect(Array.from({ length: 20 }, (_, i) => `${plan.op(i + 1)}${plan.key(i + 1)}`)).toEqual(
      Array.from({ length: 20 }, (_, i) => `c${i}`),
    );
    const ops = Array.from({ length: 100 }, (_, i) => plan.op(21 + i));
    expect(ops.filter((o) => o === 'c')).toHaveLength(15);
    expect(ops.filter((o) => o === 'd')).toHaveLength(15);
    for (let n = 1; n < 2000; n++) expect(plan.key(n)).toBeLessThan(20);
  });

  it('spreads updates over all keys', () => {
    const plan = new OpPlan(1, 50, { create: 0, update: 100, delete: 0 });
    expect(new Set(Array.from({ length: 1000 }, (_, i) => plan.key(51 + i))).size).toBe(50);
  });

  it('is a function of n alone far beyond 32 bits', () => {
    const plan = new OpPlan(1, 1000, { create: 10, update: 80, delete: 10 });
    const far = 2 ** 45;
    const once = Array.from({ length: 100 }, (_, i) => [plan.op(far + i), plan.key(far + i)]);
    expect(Array.from({ length: 100 }, (_, i) => [plan.op(far + i), plan.key(far + i)])).toEqual(once);
    expect(once.every(([, key]) => Number.isInteger(key) && (key as number) >= 0 && (key as number) < 1000)).toBe(true);
  });
});
