// Numbers as positions.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { positionOfNumber } from '../../../src/sdk/index.ts';

it('writes a number in sixteen digits, whichever came before it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.maxSafeNat(), fc.nat({ max: 5000 }), fc.bigInt({ min: 0n, max: 9_999_999_999_999_999n }))),
      (numbers) => {
        for (const n of numbers) expect(positionOfNumber(n)).toBe(n.toString().padStart(16, '0'));
      },
    ),
  );
});
