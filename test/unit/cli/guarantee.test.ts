import { describe, expect, it } from 'vitest';
import { guaranteeOf } from '../../../src/cli/guarantee.ts';

describe('guaranteeOf', () => {
  it.each([
    ['log', true, true, 'effectively-once', true],
    ['log', true, false, 'effectively-once', true],
    ['log', false, true, 'at-least-once', true],
    ['log', false, false, 'at-least-once', false],
    ['queue', true, true, 'at-least-once', true],
    ['queue', true, false, 'at-least-once', false],
    ['queue', false, true, 'at-least-once', true],
    ['queue', false, false, 'at-least-once', false],
  ] as const)(
    '%s source, holds point %j, idempotent %j: %s, repeats harmless %j',
    (ordering, holdsPoint, idempotent, kind, repeatsHarmless) => {
      expect(guaranteeOf({ ordering }, { holdsPoint, idempotent })).toMatchObject({ kind, repeatsHarmless });
    },
  );
});
