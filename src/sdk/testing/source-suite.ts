// `describeSource`: the contract of sources as a test suite, for built-in and third-party sources alike.

import { describe, it } from 'vitest';
import type { SourceDescriptor, TSchema } from '../index.ts';
import { LIFE_CASES } from './source-cases/life.ts';
import { POSITION_CASES } from './source-cases/position.ts';
import { SHAPE_CASES } from './source-cases/shape.ts';
import { SNAPSHOT_CASES } from './source-cases/snapshot.ts';
import { type SourceHarness, SourceTest } from './source-harness.ts';

/**
 * Registers the contract of `descriptor` as a suite. `start` makes an upstream of its own for each case. `variant` tells
 * apart several configurations of one source.
 */
export function describeSource<S extends TSchema>(
  descriptor: SourceDescriptor<S>,
  start: () => Promise<SourceHarness>,
  variant = '',
): void {
  describe(`source ${descriptor.type}${variant && ` (${variant})`}`, () => {
    for (const { title, lacks, run } of [...SHAPE_CASES, ...SNAPSHOT_CASES, ...POSITION_CASES, ...LIFE_CASES]) {
      it(title, async ({ skip }) => {
        const t = new SourceTest(descriptor as unknown as SourceDescriptor, await start());
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
