// `describeDestination`: the contract of destinations as a test suite, for built-in and third-party destinations alike.

import { describe, it } from 'vitest';
import type { DestinationDescriptor, TSchema } from '../index.ts';
import { DATA_CASES } from './destination-cases/data.ts';
import { FAILURE_CASES } from './destination-cases/failure.ts';
import { POINT_CASES } from './destination-cases/point.ts';
import { type DestinationHarness, DestinationTest } from './destination-harness.ts';

/**
 * Registers the contract of `descriptor` as a suite. `start` makes a place of its own for each case. `variant` tells apart
 * several configurations of one destination.
 */
export function describeDestination<S extends TSchema>(
  descriptor: DestinationDescriptor<S>,
  start: () => Promise<DestinationHarness>,
  variant = '',
): void {
  describe(`destination ${descriptor.type}${variant && ` (${variant})`}`, () => {
    for (const { title, lacks, run } of [...DATA_CASES, ...FAILURE_CASES, ...POINT_CASES]) {
      it(title, async ({ skip }) => {
        const t = new DestinationTest(descriptor as unknown as DestinationDescriptor, await start());
        try {
          const why = lacks?.(t) ?? null;
          if (why !== null) skip(why);
          await run(t);
        } finally {
          await t.close();
        }
      });
    }
  });
}
